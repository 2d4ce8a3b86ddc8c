// SPDX-License-Identifier: GPL-2.0
/*
 * Copies of code that the kernel does not export, each with its file. Compare them when the
 * supported kernels change.
 */

#include <linux/align.h>
#include <linux/bitfield.h>
#include <linux/capability.h>
#include <linux/compiler.h>
#include <linux/cpu.h>
#include <linux/cred.h>
#include <linux/extable.h>
#include <linux/kallsyms.h>
#include <linux/kernel.h>
#include <linux/kprobes.h>
#include <linux/perf_event.h>
#include <linux/preempt.h>
#include <linux/rcupdate.h>
#include <linux/sprintf.h>
#include <linux/string.h>
#include <linux/thread_info.h>
#include <linux/uaccess.h>

/* lib/extable.c: ex_to_insn(). */
unsigned long rust_helper_ex_to_insn(const struct exception_table_entry *entry)
{
#ifdef ARCH_HAS_RELATIVE_EXTABLE
	return (unsigned long)&entry->insn + entry->insn;
#else
	return entry->insn;
#endif
}

/* arch/x86/mm/extable.c: ex_fixup_addr(); arch/arm64: get_ex_fixup(). */
unsigned long rust_helper_ex_to_fixup(const struct exception_table_entry *entry)
{
#ifdef ARCH_HAS_RELATIVE_EXTABLE
	return (unsigned long)&entry->fixup + entry->fixup;
#else
	return entry->fixup;
#endif
}

/*
 * arch/x86/mm/extable.c: fixup_exception(). Returns whether the type's handler works outside
 * of the kernel's own code; some handlers end in BUG().
 */
bool rust_helper_ex_type_is_general(const struct exception_table_entry *entry)
{
#if defined(EX_DATA_TYPE_MASK)
	switch (FIELD_GET(EX_DATA_TYPE_MASK, entry->data)) {
	case EX_TYPE_DEFAULT:
	case EX_TYPE_FAULT:
	case EX_TYPE_UACCESS:
	case EX_TYPE_WRMSR:
	case EX_TYPE_RDMSR:
	case EX_TYPE_WRMSR_SAFE:
	case EX_TYPE_RDMSR_SAFE:
	case EX_TYPE_DEFAULT_MCE_SAFE:
	case EX_TYPE_FAULT_MCE_SAFE:
	case EX_TYPE_POP_REG:
	case EX_TYPE_IMM_REG:
	case EX_TYPE_UCOPY_LEN:
	case EX_TYPE_ZEROPAD:
		return true;
	}
	return false;
#elif defined(CONFIG_ARM64)
	switch (entry->type) {
	case EX_TYPE_UACCESS_ERR_ZERO:
	case EX_TYPE_KACCESS_ERR_ZERO:
	case EX_TYPE_UACCESS_CPY:
	case EX_TYPE_LOAD_UNALIGNED_ZEROPAD:
		return true;
	}
	return false;
#else
	return true;
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

#ifdef CONFIG_KPROBES
/* kernel/kallsyms.c: kallsyms_lookup_name() for functions, by way of a kprobe. */
int rust_helper_function_address(const char *name, unsigned long *addr)
{
	/* Arming it would patch the function. */
	struct kprobe kp = { .symbol_name = name, .flags = KPROBE_FLAG_DISABLED };
	int err = register_kprobe(&kp);

	if (err)
		return err;
	*addr = (unsigned long)kp.addr;
	unregister_kprobe(&kp);
#ifdef CONFIG_X86_KERNEL_IBT
	/* arch_adjust_kprobe_addr() has moved the probe behind the ENDBR. */
	u32 before;

	if (!get_kernel_nofault(before, (u32 *)(*addr - 4)) && __is_endbr(before))
		*addr -= 4;
#endif
	return 0;
}
#endif

/* arch/x86/mm/fault.c: fault_in_kernel_space(), without is_vsyscall_vaddr(). */
bool rust_helper_is_kernel_address(unsigned long addr)
{
#ifdef CONFIG_UML
	/* The kernel and user space do not share an address space. */
	return true;
#else
	return addr >= TASK_SIZE_MAX;
#endif
}

/*
 * kernel/kallsyms.c: kallsyms_lookup(). Returns whether the kernel has a symbol for an
 * address: in vmlinux, a module, code of BPF or ftrace.
 */
bool rust_helper_has_kernel_symbol(unsigned long addr)
{
	char name[KSYM_SYMBOL_LEN];

#ifdef CONFIG_X86
	/* Data of vmlinux has no symbols without CONFIG_KALLSYMS_ALL. Modules lie above it. */
	if (addr < __START_KERNEL_map)
		return false;
	if (addr < MODULES_VADDR)
		return true;
#endif
	sprint_symbol(name, addr);
	return strncmp(name, "0x", 2);
}

/*
 * init/main.c: do_one_initcall(), the part after the call. Before it the caller could sleep,
 * with that preemption count. Returns whether the context has not changed.
 */
bool rust_helper_restore_context(int count)
{
	bool as_before = preempt_count() == count && !irqs_disabled() && !rcu_preempt_depth();

	if (preempt_count() != count)
		preempt_count_set(count);
	if (irqs_disabled())
		local_irq_enable();
	while (rcu_preempt_depth())
		rcu_read_unlock();
	return as_before;
}

/*
 * kernel/stop_machine.c: stop_machine(), its locks only. Lockdep sees each call that may
 * stop the machine, even if it does not.
 */
void rust_helper_might_stop_machine(void)
{
	might_sleep();
	if (IS_ENABLED(CONFIG_LOCKDEP)) {
		cpus_read_lock();
		cpus_read_unlock();
	}
}

/* lib/vsprintf.c: restricted_pointer(). Returns whether %pK shows addresses to @cred. */
static bool pointer_is_shown(const struct cred *cred)
{
	const struct cred *old = override_creds(cred);
	char text[2 * sizeof(void *) + 3];

	snprintf(text, sizeof(text), "%pK", pointer_is_shown);
	revert_creds(old);
	return text[strspn(text, "0")];
}

/*
 * kernel/ksyms_common.c: kallsyms_show_value() for the current process. @capable: whether it
 * has CAP_SYSLOG. Returns -ENOMEM if there is no memory.
 */
int rust_helper_kallsyms_show_value(bool capable)
{
	struct cred *cred = prepare_creds();
	bool shown;

	if (!cred)
		return -ENOMEM;
	/* If kptr_restrict is 1, the process must have the user that started it. */
	cred->uid = KUIDT_INIT(__kuid_val(cred->euid) ^ 1);
	cap_clear(cred->cap_effective);
	if (pointer_is_shown(cred)) {
		/* kptr_restrict is 0. As kallsyms_for_perf(). */
		shown = capable;
#ifdef CONFIG_PERF_EVENTS
		if (!shown) {
			const struct cred *old = override_creds(cred);

			shown = !perf_allow_kernel();
			revert_creds(old);
		}
#endif
	} else {
		cred->uid = cred->euid;
		cred->gid = cred->egid;
		shown = capable && pointer_is_shown(cred);
	}
	abort_creds(cred);
	return shown;
}
