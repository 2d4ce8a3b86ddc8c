/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The x86-64 part of modreg_sample_jit: the code, and the way to make memory executable.
 *
 * A JIT compiler emits instructions; here the assembler makes a template that is copied. The
 * template is position-independent. Each function
 *
 * - begins with ENDBR, since an indirect call to it would fault on a processor with IBT;
 * - keeps a frame pointer, by which the unwinder finds its callers: such code has no ORC
 *   tables, so a trace through it counts as unreliable;
 * - ends in a bare RET: the return thunk of the kernel's mitigations is out of reach, so
 *   such code lacks them.
 */

#include <linux/objtool.h>
#include <asm/extable_fixup_types.h>
#include <asm/ibt.h>
#include <asm/set_memory.h>
#include <asm/tlbflush.h>

asm("	.pushsection .rodata\n"
"jit_template:\n"
/* An oops also shows the 42 bytes in front of the instruction. */
"	.skip	48, 0xcc\n"
"jit_text:\n"
/* long sample_jit_load(const long *p): *p; a bad p is an oops. */
"jit_load:\n"
	ASM_ENDBR
"	push	%rbp\n"
"	mov	%rsp, %rbp\n"
"	mov	(%rdi), %rax\n"
"	pop	%rbp\n"
"	ret\n"
"	int3\n"
/* long sample_jit_peek(const long *p): *p, or -1 if p is bad. */
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
/* A fault of the instruction at 1 continues at 2. */
"	.balign	4\n"
"jit_extable:\n"
"	.long	1b - ., 2b - ., " __stringify(EX_TYPE_DEFAULT) "\n"
"jit_template_end:\n"
"	.popsection\n"
);

/* The labels. */
extern const char jit_template[], jit_text[], jit_load[], jit_peek[], jit_call[], jit_text_end[];
extern const char jit_extable[], jit_template_end[];

/* The kernel does not export its own ways to executable memory, and vmap() clears the bit. */
static int make_executable(void *addr)
{
	unsigned int level;
	pte_t *pte = lookup_address((unsigned long)addr, &level);

	if (!pte || level != PG_LEVEL_4K)
		return -EFAULT;
	/* The mapping has not been used yet, so it is in no TLB. */
	set_pte(pte, pte_mkexec(*pte));
	return 0;
}
