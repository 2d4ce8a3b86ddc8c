// SPDX-License-Identifier: GPL-2.0

#include <linux/extable.h>
#include <linux/module.h>
#include <linux/preempt.h>
#include <linux/ptrace.h>
#include <linux/rculist.h>
#include <linux/rcupdate.h>
#include <linux/thread_info.h>

#include "helpers.h"

void rust_helper_preempt_disable(void)
{
	preempt_disable();
}

void rust_helper_preempt_enable(void)
{
	preempt_enable();
}

bool rust_helper_preemptible(void)
{
	return preemptible();
}

int rust_helper_rcu_preempt_depth(void)
{
	return rcu_preempt_depth();
}

void rust_helper_list_add_rcu(struct list_head *new, struct list_head *head)
{
	list_add_rcu(new, head);
}

void rust_helper_list_del_rcu(struct list_head *entry)
{
	list_del_rcu(entry);
}

/* As ex_to_insn() in lib/extable.c. */
unsigned long rust_helper_ex_to_insn(const struct exception_table_entry *entry)
{
#ifdef ARCH_HAS_RELATIVE_EXTABLE
	return (unsigned long)&entry->insn + entry->insn;
#else
	return entry->insn;
#endif
}

/* As in kernel/module/internal.h, which modules cannot include. */
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

unsigned long rust_helper_kernel_symbol_value(const struct kernel_symbol *syms,
					      unsigned int i)
{
#ifdef CONFIG_HAVE_ARCH_PREL32_RELOCATIONS
	return (unsigned long)offset_to_ptr(&syms[i].value_offset);
#else
	return syms[i].value;
#endif
}

const char *rust_helper_kernel_symbol_name(const struct kernel_symbol *syms,
					   unsigned int i)
{
#ifdef CONFIG_HAVE_ARCH_PREL32_RELOCATIONS
	return offset_to_ptr(&syms[i].name_offset);
#else
	return syms[i].name;
#endif
}

/* The loader writes the state without a marked access. */
int rust_helper_module_state(const struct module *mod)
{
	return READ_ONCE(mod->state);
}

unsigned long rust_helper_instruction_pointer(struct pt_regs *regs)
{
	return instruction_pointer(regs);
}

unsigned long rust_helper_kernel_stack_pointer(struct pt_regs *regs)
{
#ifdef CONFIG_UML
	return PT_REGS_SP(regs);
#else
	return kernel_stack_pointer(regs);
#endif
}

bool rust_helper_user_mode(struct pt_regs *regs)
{
	return user_mode(regs);
}

unsigned long rust_helper_current_stack_pointer(void)
{
	return current_stack_pointer;
}

/* Task stacks are aligned to their size; other stacks are smaller and end earlier. */
unsigned long rust_helper_stack_end(unsigned long sp)
{
	return ALIGN_DOWN(sp, THREAD_SIZE) + THREAD_SIZE;
}
