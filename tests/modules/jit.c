// SPDX-License-Identifier: GPL-2.0
/* As samples/modreg_sample_jit.c, with more kinds of faults. */

#include <linux/err.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/objtool.h>
#include <linux/vmalloc.h>
#include <asm/cpufeature.h>
#include <asm/extable_fixup_types.h>
#include <asm/ibt.h>
#include <asm/set_memory.h>

#include <modreg.h>

#include "jit.h"

const char *const jit_names[JIT_FUNCTIONS] = {
	[JIT_CALL] = "jit_call",
	[JIT_LOAD] = "jit_load",
	[JIT_PEEK] = "jit_peek",
	[JIT_USER] = "jit_user",
	[JIT_MSR] = "jit_msr",
};

/*
 * STAC and CLAC are bytes here: where the processor has no SMAP they are illegal, and NOPs
 * are written over them.
 */
asm("	.pushsection .rodata\n"
"jit_template:\n"
"	.skip	48, 0xcc\n"
"jit_text:\n"
"jit_call_code:\n"
	ASM_ENDBR
"	push	%rbp\n"
"	mov	%rsp, %rbp\n"
"	mov	%rdi, %rax\n"
"	mov	%rsi, %rdi\n"
"	call	*%rax\n"
"	pop	%rbp\n"
"	ret\n"
"	int3\n"
"jit_load_code:\n"
	ASM_ENDBR
"	push	%rbp\n"
"	mov	%rsp, %rbp\n"
"	mov	(%rdi), %rax\n"
"	pop	%rbp\n"
"	ret\n"
"	int3\n"
"jit_peek_code:\n"
	ASM_ENDBR
"	push	%rbp\n"
"	mov	%rsp, %rbp\n"
"	mov	$-1, %rax\n"
"1:	mov	(%rdi), %rax\n"
"2:	pop	%rbp\n"
"	ret\n"
"	int3\n"
"jit_user_code:\n"
	ASM_ENDBR
"	push	%rbp\n"
"	mov	%rsp, %rbp\n"
"	mov	$-14, %rax\n"
"jit_stac:\n"
"	.byte	0x0f, 0x01, 0xcb\n"
"3:	mov	(%rdi), %rax\n"
"jit_clac:\n"
"	.byte	0x0f, 0x01, 0xca\n"
"	pop	%rbp\n"
"	ret\n"
"	int3\n"
"jit_msr_code:\n"
	ASM_ENDBR
"	push	%rbp\n"
"	mov	%rsp, %rbp\n"
"	mov	%edi, %ecx\n"
"	xor	%edx, %edx\n"
"4:	rdmsr\n"
"5:	movslq	%eax, %rax\n"
"	pop	%rbp\n"
"	ret\n"
"	int3\n"
"jit_text_end:\n"
"	.balign	4\n"
"jit_extable:\n"
"	.long	1b - ., 2b - ., " __stringify(EX_TYPE_DEFAULT) "\n"
/* The fixup is the CLAC: the flag is set on the way to it too. */
"	.long	3b - ., jit_clac - ., " __stringify(EX_TYPE_UACCESS) "\n"
"	.long	4b - ., 5b - ., " __stringify(EX_TYPE_RDMSR_SAFE) "\n"
"jit_template_end:\n"
"	.popsection\n"
);

static struct page *page;
static char *code;
static struct modreg_plugin *plugin;

static const char *label(enum jit_function f)
{
	switch (f) {
	case JIT_CALL:
		return jit_call_code;
	case JIT_LOAD:
		return jit_load_code;
	case JIT_PEEK:
		return jit_peek_code;
	case JIT_USER:
		return jit_user_code;
	case JIT_MSR:
		return jit_msr_code;
	default:
		return jit_text_end;
	}
}

unsigned long jit_address(enum jit_function f)
{
	return (unsigned long)code + (label(f) - jit_template);
}

unsigned long jit_size(enum jit_function f)
{
	return label(f + 1) - label(f);
}

static int make_code(void)
{
	unsigned int level;
	pte_t *pte;

	page = alloc_page(GFP_KERNEL);
	if (!page)
		return -ENOMEM;
	memcpy(page_address(page), jit_template, jit_template_end - jit_template);
	if (!boot_cpu_has(X86_FEATURE_SMAP)) {
		memset(page_address(page) + (jit_stac - jit_template), 0x90, 3);
		memset(page_address(page) + (jit_clac - jit_template), 0x90, 3);
	}
	code = vmap(&page, 1, VM_MAP, PAGE_KERNEL_ROX);
	pte = code ? lookup_address((unsigned long)code, &level) : NULL;
	if (!pte) {
		vunmap(code);
		__free_page(page);
		return -ENOMEM;
	}
	set_pte(pte, pte_mkexec(*pte));
	return 0;
}

int jit_register(void)
{
	struct modreg_symbol symbols[JIT_FUNCTIONS] = {};
	struct modreg_region region;
	struct modreg_plugin_desc desc = {
		.name = "test_jit", .owner = THIS_MODULE, .regions = &region, .num_regions = 1,
		.symbols = symbols, .num_symbols = JIT_FUNCTIONS, .num_exentries = 3,
	};
	unsigned int i;
	int err = make_code();

	if (err)
		return err;
	region = (struct modreg_region){
		jit_address(0), jit_text_end - jit_text, MODREG_TEXT,
	};
	for (i = 0; i < JIT_FUNCTIONS; i++) {
		symbols[i].name = jit_names[i];
		symbols[i].value = jit_address(i);
	}
	desc.extable = (void *)(code + (jit_extable - jit_template));
	plugin = modreg_register_plugin(&desc);
	if (IS_ERR(plugin)) {
		vunmap(code);
		__free_page(page);
	}
	return PTR_ERR_OR_ZERO(plugin);
}

void jit_unregister(void)
{
	modreg_unregister_plugin(plugin);
	vunmap(code);
	__free_page(page);
}

/* The code bears no type for kCFI. */
__nocfi long jit_call(enum jit_function f, unsigned long a, unsigned long b)
{
	return ((long (*)(unsigned long, unsigned long))jit_address(f))(a, b);
}
