// SPDX-License-Identifier: GPL-2.0
/*
 * The kernel asks modreg: names, traces and fixups of code that was made at run time, by the
 * kernel's own functions, in each context. modreg_kallsyms is loaded.
 */

#include <linux/kallsyms.h>
#include <linux/kprobes.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/module.h>
#include <linux/stacktrace.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>
#include <asm/msr.h>

#include "../jit.h"
#include "../kernel_functions.h"
#include "test_modreg.h"

/* An address that is never mapped in the kernel's half, and one that is none at all. */
#define BAD_ADDRESS ((unsigned long)-PAGE_SIZE)
#define NON_CANONICAL 0x8000000000000000UL
/* A register that no processor has. */
#define BAD_MSR 0x4a4a4a4a

static struct {
	struct kernel_functions common;
	unsigned long (*kallsyms_lookup_name)(const char *name);
	int (*lookup_symbol_name)(unsigned long addr, char *symname);
	const char *(*kallsyms_lookup)(unsigned long addr, unsigned long *size,
				       unsigned long *offset, char **modname, char *namebuf);
	int (*kernel_text_address)(unsigned long addr);
	const struct exception_table_entry *(*search_exception_tables)(unsigned long addr);
} kernel;

static bool find_functions(void)
{
	struct kprobe kp = { .symbol_name = "kallsyms_lookup_name" };

	if (!check_eq(register_kprobe(&kp), 0))
		return false;
	kernel.kallsyms_lookup_name = (void *)kp.addr;
	unregister_kprobe(&kp);
	if (!check_eq(find_kernel_functions(&kernel.common, kernel.kallsyms_lookup_name), 0))
		return false;
	kernel.lookup_symbol_name = (void *)kernel.kallsyms_lookup_name("lookup_symbol_name");
	kernel.kallsyms_lookup = (void *)kernel.kallsyms_lookup_name("kallsyms_lookup");
	kernel.kernel_text_address = (void *)kernel.kallsyms_lookup_name("kernel_text_address");
	kernel.search_exception_tables =
		(void *)kernel.kallsyms_lookup_name("search_exception_tables");
	return check(kernel.lookup_symbol_name) && check(kernel.kallsyms_lookup) &&
		check(kernel.kernel_text_address) && check(kernel.search_exception_tables);
}

/* What runs in other contexts must not be on the stack of any. */
static char printed[KSYM_SYMBOL_LEN], expected[KSYM_SYMBOL_LEN], name[KSYM_NAME_LEN];

#define check_printed(want, format, addr) do {					\
	snprintf(printed, sizeof(printed), format, (void *)(addr));		\
	check_str(printed, want);						\
} while (0)

static void check_begins(const char *want, unsigned long addr)
{
	sprint_symbol(printed, addr);
	printed[strlen(want)] = '\0';
	check_str(printed, want);
}

static const char *symbol(enum jit_function f, unsigned long offset)
{
	snprintf(expected, sizeof(expected), "%s+%#lx/%#lx [test_jit]", jit_names[f], offset,
		 jit_size(f));
	return expected;
}

static void ask_names(void)
{
	unsigned long f, start, size, offset;
	char *module;

	for (f = 0; f < JIT_FUNCTIONS; f++) {
		start = jit_address(f);
		check_printed(symbol(f, 0), "%pS", start);
		check_printed(symbol(f, 4), "%pS", start + 4);
		/* A return address behind the last instruction belongs to the function before. */
		check_printed(symbol(f, jit_size(f)), "%pB", start + jit_size(f));
		snprintf(expected, sizeof(expected), "%s [test_jit]", jit_names[f]);
		check_printed(expected, "%ps", start + 4);

		check_eq(kernel.lookup_symbol_name(start + 4, name), 0);
		check_str(name, jit_names[f]);
		rcu_read_lock();
		check(kernel.kallsyms_lookup(start + 5, &size, &offset, &module, name));
		check_str(name, jit_names[f]);
		check_eq(size, jit_size(f));
		check_eq(offset, 5);
		check_str(module ?: "", "test_jit");
		rcu_read_unlock();
		/* Each output may be left out. */
		check(kernel.common.module_address_lookup(start, NULL, NULL, NULL, NULL, name));

		check_eq(kernel.kernel_text_address(start), 1);
	}
	start = jit_address(0);
	check_eq(kernel.kernel_text_address(start - 1), 0);
	check_eq(kernel.kernel_text_address(jit_address(JIT_FUNCTIONS)), 0);
	check_eq(kernel.lookup_symbol_name(start - 1, name), -ERANGE);
	snprintf(expected, sizeof(expected), "0x%lx", start - 1);
	check_printed(expected, "%pS", start - 1);
	/* Everything else is as ever. */
	check_begins("sprint_symbol+0x1/0x", (unsigned long)sprint_symbol + 1);
}

static void ask_extables(void)
{
	u64 msr;

	check(!kernel.search_exception_tables(jit_address(JIT_LOAD)));
	check_eq(jit_call(JIT_PEEK, BAD_ADDRESS, 0), -1);
	check_eq(jit_call(JIT_PEEK, NON_CANONICAL, 0), -1);
	check_eq(jit_call(JIT_PEEK, (unsigned long)&kernel.kallsyms_lookup_name, 0),
		 (long)kernel.kallsyms_lookup_name);
	/* An emulated processor may have every register. */
	check_eq(jit_call(JIT_MSR, BAD_MSR, 0), rdmsrq_safe(BAD_MSR, &msr) ? -EIO : 0);
}

static unsigned long entries[32];
static unsigned int num_entries;

static noinline long save_trace(unsigned long unused)
{
	num_entries = stack_trace_save(entries, ARRAY_SIZE(entries), 0);
	/* No tail call, or this would be no frame. */
	barrier();
	return 0;
}

static void ask_trace(void)
{
	char self[32];
	unsigned int i;

	jit_call(JIT_CALL, (unsigned long)save_trace, 0);
	for (i = 0; i < num_entries; i++)
		if (entries[i] - jit_address(JIT_CALL) < jit_size(JIT_CALL))
			break;
	if (!check(i + 1 < num_entries) || !check(i > 0))
		return;
	check_begins("save_trace+", entries[i - 1]);
	snprintf(self, sizeof(self), "%s+", __func__);
	check_begins(self, entries[i + 1]);
}

static void in_context(const struct test_case *tc, void (*ask)(void))
{
	const char *context = strrchr(tc->name, '.') + 1;

	if (!find_functions() || !check_eq(jit_register(), 0))
		return;
	if (!strcmp(context, "process"))
		ask();
	else
		run_in_context(context, ask);
	jit_unregister();
}

static void names_case(const struct test_case *tc)
{
	in_context(tc, ask_names);
}

static void fixups_case(const struct test_case *tc)
{
	in_context(tc, ask_extables);
}

static void trace_case(const struct test_case *tc)
{
	in_context(tc, ask_trace);
}

static unsigned long user_page(void)
{
	unsigned long addr = vm_mmap(NULL, 0, PAGE_SIZE, PROT_READ | PROT_WRITE,
				     MAP_PRIVATE | MAP_ANONYMOUS, 0);

	return check(!IS_ERR_VALUE(addr)) ? addr : 0;
}

/* Memory of user space: there, not there yet, and not at all. */
static void user_case(const struct test_case *tc)
{
	unsigned long user, word = 0x1234;

	if (!check_eq(jit_register(), 0))
		return;
	user = user_page();
	if (user) {
		check_eq(copy_to_user((void __user *)user, &word, sizeof(word)), 0);
		check_eq(jit_call(JIT_USER, user, 0), 0x1234);
		check_eq(vm_munmap(user, PAGE_SIZE), 0);
		check_eq(jit_call(JIT_USER, user, 0), -EFAULT);
	}
	user = user_page();
	if (user) {
		check_eq(jit_call(JIT_USER, user, 0), 0);
		vm_munmap(user, PAGE_SIZE);
	}
	/* As do page faults where no fault may be handled. */
	user = user_page();
	if (user) {
		pagefault_disable();
		check_eq(jit_call(JIT_USER, user, 0), -EFAULT);
		pagefault_enable();
		vm_munmap(user, PAGE_SIZE);
	}
	check_eq(jit_call(JIT_USER, BAD_ADDRESS, 0), -EFAULT);
	jit_unregister();
}

struct contention {
	struct mm_struct *mm;
	struct completion locked;
};

static int hold_mmap_lock(void *data)
{
	struct contention *c = data;

	mmap_write_lock(c->mm);
	complete(&c->locked);
	schedule_timeout_uninterruptible(HZ / 4);
	mmap_write_unlock(c->mm);
	return 0;
}

/*
 * A fault in kernel code only waits for the lock where the code has an exception entry, a
 * valid access included.
 */
static void contended_case(const struct test_case *tc)
{
	struct contention c = { .mm = current->mm };
	struct task_struct *thread;
	unsigned long user;

	init_completion(&c.locked);
	if (!check_eq(jit_register(), 0))
		return;
	user = user_page();
	thread = kthread_create(hold_mmap_lock, &c, "test_modreg_lock");
	if (check(!IS_ERR(thread))) {
		get_task_struct(thread);
		wake_up_process(thread);
		wait_for_completion(&c.locked);
		check_eq(jit_call(JIT_USER, user, 0), 0);
		kthread_stop_put(thread);
	}
	vm_munmap(user, PAGE_SIZE);
	jit_unregister();
}

static int sleep_in_jit(void *unused)
{
	set_current_state(TASK_IDLE);
	while (!kthread_should_stop()) {
		jit_call(JIT_CALL, (unsigned long)schedule, 0);
		set_current_state(TASK_IDLE);
	}
	__set_current_state(TASK_RUNNING);
	return 0;
}

/* A task sleeps in the plugin's code until user space has looked at it. */
static void sleeper_case(const struct test_case *tc)
{
	struct task_struct *thread;

	if (!check_eq(jit_register(), 0))
		return;
	thread = kthread_run(sleep_in_jit, NULL, "sleep_in_jit");
	if (check(!IS_ERR(thread))) {
		test_hold();
		kthread_stop(thread);
	}
	jit_unregister();
}

/* "plugin:name" is found where the kernel has no answer, and nothing else by name. */
static void by_name_case(const struct test_case *tc)
{
	struct fixture *f = fixture(0);
	struct modreg_region region;
	struct modreg_symbol symbols[] = { { "fixtures" }, { "only_here" } };
	struct modreg_plugin_desc desc = {
		.name = KBUILD_MODNAME, .owner = THIS_MODULE, .regions = &region, .num_regions = 1,
		.symbols = symbols, .num_symbols = ARRAY_SIZE(symbols),
	};
	struct modreg_plugin *plugin;
	void *page;

	if (!find_functions() || !check_eq(jit_register(), 0))
		return;
	check_eq(kernel.kallsyms_lookup_name("test_jit:jit_call"), jit_address(JIT_CALL));
	check_eq(kernel.kallsyms_lookup_name("test_jit:jit_none"), 0);
	check_eq(kernel.kallsyms_lookup_name("jit_msr"), 0);
	check_eq(kernel.kallsyms_lookup_name("test_jit:__this_module"), 0);

	/* A plugin in its owner's memory is the kernel's to name. */
	if (fixture_register(f)) {
		check_eq(modreg_kallsyms_lookup_name("test_a:beta"), f->text + BETA);
		check_eq(kernel.kallsyms_lookup_name("test_a:beta"), 0);
		fixture_unregister(f);
	}
	jit_unregister();

	/* Of a module and a plugin of the same name the module answers first. */
	page = vmalloc(PAGE_SIZE);
	if (!check(page))
		return;
	region = (struct modreg_region){ (unsigned long)page, PAGE_SIZE };
	symbols[0].value = (unsigned long)page;
	symbols[1].value = (unsigned long)page + 8;
	plugin = modreg_register_plugin(&desc);
	if (check_eq(PTR_ERR_OR_ZERO(plugin), 0)) {
		check_eq(modreg_kallsyms_lookup_name(KBUILD_MODNAME ":fixtures"), page);
		check_eq(kernel.kallsyms_lookup_name(KBUILD_MODNAME ":fixtures"), fixtures);
		check_eq(kernel.kallsyms_lookup_name(KBUILD_MODNAME ":only_here"), page + 8);
		check_eq(modreg_unregister_plugin(plugin), 0);
	}
	vfree(page);
}

static bool is_named(unsigned long addr)
{
	sprint_symbol(printed, addr);
	return strncmp(printed, "0x", 2);
}

/* A foreign region from a hole below this module to one above it: the module stays the kernel's. */
static void surrounding_case(const struct test_case *tc)
{
	const struct exception_table_entry *entry = THIS_MODULE->extable;
	unsigned long addr = (unsigned long)surrounding_case, low, high, insn;
	struct modreg_region region;
	const struct modreg_plugin_desc desc = {
		.name = "surrounding", .owner = THIS_MODULE, .regions = &region, .num_regions = 1,
	};
	struct modreg_plugin *plugin;

	if (!find_functions())
		return;
	for (low = addr & PAGE_MASK; is_named(low); low -= PAGE_SIZE)
		;
	for (high = addr & PAGE_MASK; is_named(high); high += PAGE_SIZE)
		;
	region = (struct modreg_region){ low, high + PAGE_SIZE - low };
	sprint_symbol(expected, addr);
	insn = THIS_MODULE->num_exentries ? (unsigned long)&entry->insn + entry->insn : 0;
	plugin = modreg_register_plugin(&desc);
	if (!check_eq(PTR_ERR_OR_ZERO(plugin), 0))
		return;
	check_eq(modreg_is_foreign_address(addr), true);
	check_printed(expected, "%pS", addr);
	check_eq(kernel.kernel_text_address(addr), 1);
	if (insn)
		check_eq(kernel.search_exception_tables(insn), entry);
	check_eq(modreg_unregister_plugin(plugin), 0);
}

static void kprobe_case(const struct test_case *tc)
{
	struct kprobe kp = { };

	if (!check_eq(jit_register(), 0))
		return;
	/* The kernel looks for a module that it would have to pin, and finds none. */
	kp.addr = (kprobe_opcode_t *)jit_address(JIT_CALL);
	check_eq(register_kprobe(&kp), -EINVAL);
	jit_unregister();
}

/* Without hooks the kernel knows nothing of it. */
static void off_case(const struct test_case *tc)
{
	unsigned long start;

	if (!find_functions() || !check_eq(jit_register(), 0))
		return;
	start = jit_address(JIT_CALL);
	snprintf(expected, sizeof(expected), "0x%lx", start);
	check_printed(expected, "%pS", start);
	check_eq(kernel.kernel_text_address(start), 0);
	check_eq(kernel.lookup_symbol_name(start, name), -ERANGE);
	check(!kernel.search_exception_tables(start));
	check_eq(kernel.kallsyms_lookup_name("test_jit:jit_call"), 0);
	jit_unregister();
}

const struct test_case kallsyms_cases[] = {
	{ "kallsyms.names.process", names_case },
	{ "kallsyms.names.softirq", names_case },
	{ "kallsyms.names.hardirq", names_case },
	{ "kallsyms.names.nmi", names_case },
	{ "kallsyms.fixups.process", fixups_case },
	{ "kallsyms.fixups.softirq", fixups_case },
	{ "kallsyms.fixups.hardirq", fixups_case },
	{ "kallsyms.fixups.nmi", fixups_case },
	{ "kallsyms.trace.process", trace_case },
	{ "kallsyms.trace.softirq", trace_case },
	{ "kallsyms.trace.hardirq", trace_case },
	{ "kallsyms.trace.nmi", trace_case },
	{ "kallsyms.user", user_case },
	{ "kallsyms.mmap_lock_contended", contended_case },
	{ "kallsyms.by_name", by_name_case },
	{ "kallsyms.kprobe", kprobe_case },
	{ "kallsyms.surrounding", surrounding_case },
	{ "sleeper.kallsyms", sleeper_case },
	{ "off.kallsyms", off_case },
	{ }
};
