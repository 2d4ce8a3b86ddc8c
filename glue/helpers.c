// SPDX-License-Identifier: GPL-2.0
/*
 * Wrappers for inline functions and macros of the kernel, which Rust cannot call, as in
 * rust/helpers/. Sorted alphabetically.
 */

#include <linux/ftrace.h>
#include <linux/gfp.h>
#include <linux/kasan.h>
#include <linux/kmemleak.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/preempt.h>
#include <linux/ptrace.h>
#include <linux/rculist.h>
#include <linux/rcupdate.h>
#include <linux/siphash.h>
#include <linux/thread_info.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>

void *rust_helper_alloc_pages_exact(size_t size, gfp_t gfp)
{
	return alloc_pages_exact(size, gfp);
}

/*
 * The fault handler of User-mode Linux repeats a fault in the area of vmalloc() for ever (segv()),
 * and its read is plain C, which KASAN checks.
 */
long rust_helper_copy_from_kernel_nofault(void *dst, const void *src, size_t size)
{
#ifdef CONFIG_UML
	const void *ends[] = { src, src + size - 1 };
	long err;

	for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
		if (is_vmalloc_addr(ends[i]) && !vmalloc_to_page(ends[i]))
			return -EFAULT;
	kasan_disable_current();
	err = copy_from_kernel_nofault(dst, src, size);
	kasan_enable_current();
	return err;
#else
	return copy_from_kernel_nofault(dst, src, size);
#endif
}

unsigned long rust_helper_current_stack_pointer(void)
{
	return current_stack_pointer;
}

#ifdef CONFIG_DYNAMIC_FTRACE_WITH_ARGS
/* One load with a constant number, a checked table with any. */
unsigned long rust_helper_ftrace_regs_get_argument_0(struct ftrace_regs *fregs)
{
	return ftrace_regs_get_argument(fregs, 0);
}

void rust_helper_ftrace_regs_set_instruction_pointer(struct ftrace_regs *fregs,
						     unsigned long ip)
{
	ftrace_regs_set_instruction_pointer(fregs, ip);
}
#endif

u32 rust_helper_hsiphash(const void *data, size_t len, unsigned long k0, unsigned long k1)
{
	const hsiphash_key_t key = { { k0, k1 } };

	return hsiphash(data, len, &key);
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

void rust_helper_kmemleak_alloc(const void *ptr, size_t size, int min_count, gfp_t gfp)
{
	kmemleak_alloc(ptr, size, min_count, gfp);
}

void rust_helper_kmemleak_free(const void *ptr)
{
	kmemleak_free(ptr);
}

void rust_helper_list_add_rcu(struct list_head *new, struct list_head *head)
{
	list_add_rcu(new, head);
}

void rust_helper_list_del_rcu(struct list_head *entry)
{
	list_del_rcu(entry);
}

/* Modules have their own area on x86 only. */
bool rust_helper_may_be_module(unsigned long addr)
{
	return !IS_ENABLED(CONFIG_X86_64) || (addr >= MODULES_VADDR && addr < MODULES_END);
}

/* The loader writes the state with plain stores. */
int rust_helper_module_state(const struct module *mod)
{
	return READ_ONCE(mod->state);
}

int rust_helper_preempt_count(void)
{
	return preempt_count();
}

void rust_helper_preempt_disable_notrace(void)
{
	preempt_disable_notrace();
}

void rust_helper_preempt_enable_notrace(void)
{
	preempt_enable_notrace();
}

#ifdef CONFIG_PREEMPTION
void rust_helper_preempt_schedule_notrace(void)
{
	__preempt_schedule_notrace();
}
#endif

bool rust_helper_preemptible(void)
{
	return preemptible();
}

int rust_helper_rcu_preempt_depth(void)
{
	return rcu_preempt_depth();
}

#ifdef CONFIG_PROVE_RCU
void rust_helper_rcu_warn_unless_watching(void)
{
	RCU_LOCKDEP_WARN(!rcu_is_watching(), "a reader where RCU is not watching");
}
#endif

/* A macro where there is no preemption. */
void rust_helper_synchronize_rcu_tasks(void)
{
	synchronize_rcu_tasks();
}

bool rust_helper_user_mode(struct pt_regs *regs)
{
	return user_mode(regs);
}
