// SPDX-License-Identifier: GPL-2.0
/*
 * What the kernel keeps to itself and modreg needs: each with the file that it mirrors.
 */

#include <linux/align.h>
#include <linux/compiler.h>
#include <linux/extable.h>
#include <linux/uaccess.h>
#include <linux/thread_info.h>

/* lib/extable.c: ex_to_insn(). */
unsigned long rust_helper_ex_to_insn(const struct exception_table_entry *entry)
{
#ifdef ARCH_HAS_RELATIVE_EXTABLE
	return (unsigned long)&entry->insn + entry->insn;
#else
	return entry->insn;
#endif
}

/* kernel/module/internal.h: struct kernel_symbol. */
struct kernel_symbol {
#ifdef CONFIG_HAVE_ARCH_PREL32_RELOCATIONS
	int value_offset;
	int name_offset;
	int namespace_offset;
#else
	unsigned long value;
	const char *name;
	const char *namespace;
#endif
};

/* kernel/module/internal.h: kernel_symbol_value(). */
unsigned long rust_helper_kernel_symbol_value(const struct kernel_symbol *syms,
					      unsigned int i)
{
#ifdef CONFIG_HAVE_ARCH_PREL32_RELOCATIONS
	return (unsigned long)offset_to_ptr(&syms[i].value_offset);
#else
	return syms[i].value;
#endif
}

/* kernel/module/main.c: kernel_symbol_name(). */
const char *rust_helper_kernel_symbol_name(const struct kernel_symbol *syms,
					   unsigned int i)
{
#ifdef CONFIG_HAVE_ARCH_PREL32_RELOCATIONS
	return offset_to_ptr(&syms[i].name_offset);
#else
	return syms[i].name;
#endif
}

/*
 * arch/x86/kernel/dumpstack_64.c: in_task_stack(). Task stacks are aligned to their
 * size; other stacks are smaller and end earlier.
 */
unsigned long rust_helper_stack_end(unsigned long sp)
{
	return ALIGN_DOWN(sp, THREAD_SIZE) + THREAD_SIZE;
}
