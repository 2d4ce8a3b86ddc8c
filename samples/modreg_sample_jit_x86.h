/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the x86-64 has of its own in modreg_sample_jit: the code, and what makes memory
 * executable.
 *
 * A JIT compiler emits instructions; here the assembler makes a template that is copied. It
 * only jumps within itself, so it runs wherever it is. Each function
 *
 * - begins with ENDBR, or an indirect call would fault where the processor has IBT;
 * - keeps a frame pointer, by which the unwinder finds its callers: there are no ORC tables
 *   for such code, so a trace through it counts as unreliable;
 * - ends in a bare RET: the return thunk of the kernel's mitigations is out of reach, so
 *   such code is without them.
 */

#include <linux/objtool.h>
#include <asm/extable_fixup_types.h>
#include <asm/ibt.h>
#include <asm/set_memory.h>
#include <asm/tlbflush.h>

asm("	.pushsection .rodata\n"
"jit_template:\n"
/* An oops shows the 42 bytes in front of the instruction too. */
"	.skip	48, 0xcc\n"
"jit_text:\n"
/* long sample_jit_load(const long *p): *p; oopses where p is bad. */
"jit_load:\n"
	ASM_ENDBR
"	push	%rbp\n"
"	mov	%rsp, %rbp\n"
"	mov	(%rdi), %rax\n"
"	pop	%rbp\n"
"	ret\n"
"	int3\n"
/* long sample_jit_peek(const long *p): *p; -1 where p is bad. */
"jit_peek:\n"
	ASM_ENDBR
"	push	%rbp\n"
"	mov	%rsp, %rbp\n"
"	mov	$-1, %rax\n"
"1:	mov	(%rdi), %rax\n"
"2:	pop	%rbp\n"
"	ret\n"
"	int3\n"
/* long sample_jit_call(long (*fn)(const long *), const long *p): fn(p). */
"jit_call:\n"
	ASM_ENDBR
"	push	%rbp\n"
"	mov	%rsp, %rbp\n"
"	mov	%rdi, %rax\n"
"	mov	%rsi, %rdi\n"
"	call	*%rax\n"
"	pop	%rbp\n"
"	ret\n"
"	int3\n"
"jit_text_end:\n"
/* An instruction at 1 that faults goes on at 2. */
"	.balign	4\n"
"jit_extable:\n"
"	.long	1b - ., 2b - ., " __stringify(EX_TYPE_DEFAULT) "\n"
"jit_template_end:\n"
"	.popsection\n"
);

/* The kernel's own ways to executable memory are not exported, and vmap() takes the right away. */
static int make_executable(void *addr)
{
	unsigned int level;
	pte_t *pte = lookup_address((unsigned long)addr, &level);

	if (!pte || level != PG_LEVEL_4K)
		return -EFAULT;
	/* Nobody has used the mapping yet, so no TLB knows it. */
	set_pte(pte, pte_mkexec(*pte));
	return 0;
}
