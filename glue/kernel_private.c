// SPDX-License-Identifier: GPL-2.0
/*
 * Copies of code that the kernel does not export, each with its file. Compare them when the
 * supported kernels change.
 */

#include <linux/align.h>
#include <linux/bitfield.h>
#include <linux/compiler.h>
#include <linux/extable.h>
#include <linux/kallsyms.h>
#include <linux/kprobes.h>
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
 * arch/x86/mm/extable.c: fixup_exception(). Types whose handlers make sense outside of the
 * kernel's own code; some others end in BUG().
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
	struct kprobe kp = { .symbol_name = name };
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
