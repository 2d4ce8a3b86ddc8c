/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The code of modreg_sample_c for x86-64.
 */

#include <asm/asm.h>
#include <asm/ibt.h>

#define SAMPLE_C_ADD \
	ASM_ENDBR \
	"	movslq	sample_c_step(%rip), %rax\n" \
	"	addq	(%rdi), %rax\n" \
	ASM_RET

#define SAMPLE_C_PEEK \
	ASM_ENDBR \
	"	movq	%rsi, %rax\n" \
	"1:	movq	(%rdi), %rax\n" \
	"2:\n" \
	ASM_RET \
	_ASM_EXTABLE(1b, 2b)

#define SAMPLE_C_START \
	ASM_ENDBR \
	"	xorl	%eax, %eax\n" \
	ASM_RET
