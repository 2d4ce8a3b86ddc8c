/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Inline functions and macros of the kernel as functions that Rust can call, in
 * the manner of rust/helpers/.
 */
#ifndef _MODREG_HELPERS_H
#define _MODREG_HELPERS_H

#include <linux/types.h>

struct exception_table_entry;
struct kernel_symbol;
struct list_head;
struct module;
struct pt_regs;

void rust_helper_preempt_disable(void);
void rust_helper_preempt_enable(void);
bool rust_helper_preemptible(void);
int rust_helper_rcu_preempt_depth(void);
void rust_helper_list_add_rcu(struct list_head *new, struct list_head *head);
void rust_helper_list_del_rcu(struct list_head *entry);
unsigned long rust_helper_ex_to_insn(const struct exception_table_entry *entry);
unsigned long rust_helper_kernel_symbol_value(const struct kernel_symbol *syms,
					      unsigned int i);
const char *rust_helper_kernel_symbol_name(const struct kernel_symbol *syms,
					   unsigned int i);
unsigned long rust_helper_instruction_pointer(struct pt_regs *regs);
unsigned long rust_helper_kernel_stack_pointer(struct pt_regs *regs);
bool rust_helper_user_mode(struct pt_regs *regs);
unsigned long rust_helper_current_stack_pointer(void);
unsigned long rust_helper_stack_end(unsigned long sp);
int rust_helper_module_state(const struct module *mod);

#endif /* _MODREG_HELPERS_H */
