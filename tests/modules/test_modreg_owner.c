// SPDX-License-Identifier: GPL-2.0
/*
 * An owner of plugins that breaks a rule, or that registers itself. The parameter 'mode' says
 * what it does:
 *
 *   leave	unloads with a plugin still registered
 *   lose	unregisters its plugin, and loses a little memory each time
 *   own	unregisters its plugin, which exports a symbol, and logs the result
 *   idle	does nothing
 *   slow	the same, and takes 5 seconds to unload
 *   refuse	its init function fails at once
 *   late	registers plugins while it is being unloaded
 *   thread	a thread registers a plugin with init text, whose start outlasts the init function
 *   module	registers itself from its init function
 *   fail	the same, unregisters itself again, then its init function fails
 *   abandon	registers itself, then its init function fails
 *   oops	registers itself, then its init function calls a function that faults
 *   panic	the same, but the function panics
 *
 * In mode 'module', writing to the parameter 'compare' compares every answer of modreg about
 * this module with the kernel's own; the write fails with EIO if one differs.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/delay.h>
#include <linux/kallsyms.h>
#include <linux/kmemleak.h>
#include <linux/kprobes.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/string.h>

#include <modreg.h>

#include "extable.h"

static char *mode = "module";
module_param(mode, charp, 0444);
MODULE_PARM_DESC(mode, "leave, lose, own, idle, slow, refuse, late, thread, module, fail, abandon, oops or panic");

static struct modreg_plugin *plugin;
static void *lost;

/* Symbols exported and not, and exception entries in core and in init text, to be found. */
asmlinkage long test_modreg_owner_peek(const long *p);
long test_modreg_owner_peek(const long *p)
{
	long value = -1;

	asm volatile(LOAD_OR_GO_ON : "+r" (value) : "m" (*p));
	return value;
}
EXPORT_SYMBOL_GPL(test_modreg_owner_peek);

int test_modreg_owner_table[16] = { 1 };
EXPORT_SYMBOL(test_modreg_owner_table);

static noinline long __init early_peek(const long *p)
{
	long value = -1;

	asm volatile(LOAD_OR_GO_ON : "+r" (value) : "m" (*p));
	return value;
}

static unsigned int differences;

#define same(cond, fmt, ...) do {						\
	if (!(cond) && differences++ < 10)					\
		pr_err("differs: %s: " fmt "\n", #cond, ##__VA_ARGS__);		\
} while (0)

/* Compares every address of the module, in the form of sprint_symbol(). */
static void compare_addresses(void)
{
	char *name = kmalloc(KSYM_NAME_LEN, GFP_KERNEL);
	char *ours = kmalloc(KSYM_SYMBOL_LEN, GFP_KERNEL);
	char *theirs = kmalloc(KSYM_SYMBOL_LEN, GFP_KERNEL);
	unsigned long addr, end, size, offset, n = 0;
	char module[MODREG_NAME_LEN];

	if (!name || !ours || !theirs) {
		differences++;
		goto free;
	}
	for_each_mod_mem_type(type) {
		addr = (unsigned long)THIS_MODULE->mem[type].base;
		for (end = addr + THIS_MODULE->mem[type].size; addr < end; addr++, n++) {
			if (modreg_address_lookup(addr, &size, &offset, module, name))
				snprintf(ours, KSYM_SYMBOL_LEN, "%s+%#lx/%#lx [%s]", name, offset,
					 size, module);
			else
				snprintf(ours, KSYM_SYMBOL_LEN, "0x%lx", addr);
			sprint_symbol(theirs, addr);
			same(!strcmp(ours, theirs), "'%s', not '%s'", ours, theirs);
			same(modreg_is_address(addr), "%#lx", addr);
		}
	}
	pr_info("%lu addresses compared\n", n);
free:
	kfree(theirs);
	kfree(ours);
	kfree(name);
}

/* Compares every name, by a function that is not exported. */
static void compare_names(void)
{
	struct kprobe kp = { .symbol_name = "kallsyms_lookup_name" };
	char *name = kmalloc(KSYM_NAME_LEN, GFP_KERNEL);
	char *full = kmalloc(MODREG_NAME_LEN + KSYM_NAME_LEN, GFP_KERNEL);
	unsigned long (*kernel_lookup)(const char *name);
	char module[MODREG_NAME_LEN], type;
	unsigned long value, ours, theirs;
	unsigned int n, compared = 0;
	int exported;

	/* A kprobe is the only way to its address. */
	if (!IS_ENABLED(CONFIG_KPROBES))
		goto free;
	if (!name || !full || register_kprobe(&kp)) {
		differences++;
		goto free;
	}
	kernel_lookup = (void *)kp.addr;
	unregister_kprobe(&kp);

	for (n = 0; !modreg_get_kallsym(n, &value, &type, name, module, &exported); n++) {
		if (strcmp(module, KBUILD_MODNAME) || !*name)
			continue;
		snprintf(full, MODREG_NAME_LEN + KSYM_NAME_LEN, "%s:%s", module, name);
		ours = modreg_kallsyms_lookup_name(full);
		theirs = kernel_lookup(full);
		same(ours == theirs, "%s is %#lx, not %#lx", full, ours, theirs);
		compared++;
	}
	pr_info("%u names compared\n", compared);
free:
	kfree(full);
	kfree(name);
}

static void compare_exceptions(void)
{
	const struct exception_table_entry *entry = THIS_MODULE->extable;
	unsigned int i;

	for (i = 0; i < THIS_MODULE->num_exentries; i++, entry++)
		same(modreg_search_extables((unsigned long)&entry->insn + entry->insn) == entry,
		     "%u", i);
	pr_info("%u exception entries compared\n", i);
}

static void compare_exports(void)
{
	struct modreg_find_symbol_arg fsa = { .name = "test_modreg_owner_peek", .gplok = true };

	same(modreg_find_symbol(&fsa) && fsa.value == (unsigned long)test_modreg_owner_peek &&
	     fsa.license == MODREG_GPL_ONLY, "%#lx", fsa.value);
	fsa.name = "test_modreg_owner_table";
	same(modreg_find_symbol(&fsa) && fsa.value == (unsigned long)test_modreg_owner_table &&
	     fsa.license == MODREG_NOT_GPL_ONLY, "%#lx", fsa.value);
	fsa.name = "compare_exports";
	same(!modreg_find_symbol(&fsa), "%#lx", fsa.value);
}

static int compare_all(void)
{
	differences = 0;
	compare_addresses();
	compare_names();
	compare_exceptions();
	compare_exports();
	return differences ? -EIO : 0;
}

static int compare_set(const char *value, const struct kernel_param *kp)
{
	return compare_all();
}

static const struct kernel_param_ops compare_ops = {
	.flags = KERNEL_PARAM_OPS_FL_NOARG,
	.set = compare_set,
};
module_param_cb(compare, &compare_ops, NULL, 0200);

/* The plugin is COMING as long as this module is. */
static int __init register_self(void)
{
	struct modreg_find_symbol_arg fsa = { .name = "test_modreg_owner_peek", .gplok = true };
	int err;

	plugin = modreg_register_module(THIS_MODULE, NULL);
	if (IS_ERR(plugin))
		return PTR_ERR(plugin);
	err = compare_all();
	same(!modreg_find_symbol_get(&fsa), "COMING");
	same(modreg_is_address((unsigned long)early_peek), "init text");
	same(early_peek((const long *)test_modreg_owner_table) == 1, "early_peek");
	modreg_print_plugins();
	return err ?: differences ? -EIO : 0;
}

static struct modreg_plugin *register_page(const char *name)
{
	static char page[PAGE_SIZE];
	const struct modreg_region region = {
		.base = (unsigned long)page,
		.size = sizeof(page),
	};
	const struct modreg_symbol symbol = {
		"own_symbol", (unsigned long)page, 0, MODREG_EXPORT,
	};
	const struct modreg_plugin_desc desc = {
		.name = name,
		.owner = THIS_MODULE,
		.regions = &region,
		.num_regions = 1,
		.symbols = &symbol,
		.num_symbols = !strcmp(mode, "own"),
	};

	return modreg_register_plugin(&desc);
}

static DECLARE_COMPLETION(starting);
static unsigned long init_text;

/* The kernel frees the init text after this module's LIVE event. */
static int outlast_init(void *data)
{
	int i;

	pr_info("thread: found %d\n", modreg_is_address(init_text));
	complete(&starting);
	for (i = 0; i < 10000 && READ_ONCE(THIS_MODULE->state) != MODULE_STATE_LIVE; i++)
		usleep_range(1000, 2000);
	for (i = 0; i < 100 && modreg_is_address(init_text); i++)
		usleep_range(10000, 20000);
	pr_info("thread: found %d\n", modreg_is_address(init_text));
	return 0;
}

/* data is in init text, which modpost sees no reference to then. */
static int register_in_thread(void *data)
{
	const struct modreg_region regions[] = {
		{ (unsigned long)test_modreg_owner_peek, 1, MODREG_TEXT },
		{ (unsigned long)data, 1, MODREG_TEXT | MODREG_INIT },
	};
	const struct modreg_plugin_desc desc = {
		.name = "thread", .owner = THIS_MODULE, .regions = regions,
		.num_regions = ARRAY_SIZE(regions), .init = outlast_init,
	};

	init_text = (unsigned long)data;
	plugin = modreg_register_plugin(&desc);
	pr_info("thread: %d\n", PTR_ERR_OR_ZERO(plugin));
	complete(&starting);
	return 0;
}

/* Two functions of the plugin; a report finds one below the other on the stack. */
static noinline long trouble_inner(const long *p)
{
	if (!strcmp(mode, "panic"))
		panic("test_modreg_owner asks for it");
	return *p;
}

static noinline long trouble_outer(const long *p)
{
	/* Work after the call, so that it is no tail call. */
	return trouble_inner(p) + 1;
}

static int __init test_modreg_owner_init(void)
{
	int err;

	if (!strcmp(mode, "lose")) {
		lost = kmalloc(40, GFP_KERNEL);
		/* Another test may call this later. */
		kmemleak_not_leak(lost);
	}
	if (!strcmp(mode, "leave") || !strcmp(mode, "lose") || !strcmp(mode, "own")) {
		plugin = register_page(!strcmp(mode, "own") ? "own" : "left");
		return PTR_ERR_OR_ZERO(plugin);
	}
	if (!strcmp(mode, "late") || !strcmp(mode, "idle") || !strcmp(mode, "slow"))
		return 0;
	if (!strcmp(mode, "refuse"))
		return -EXFULL;
	if (!strcmp(mode, "thread")) {
		err = PTR_ERR_OR_ZERO(kthread_run(register_in_thread, early_peek, KBUILD_MODNAME));
		if (!err)
			wait_for_completion(&starting);
		return err;
	}
	err = register_self();
	if (!strcmp(mode, "module"))
		return err;
	/* An address that is never mapped, in the kernel's half. */
	if (!strcmp(mode, "oops") || !strcmp(mode, "panic"))
		return trouble_outer(ERR_PTR(-64));
	if (!strcmp(mode, "fail"))
		err = err ?: modreg_unregister_plugin(plugin);
	return err ?: -EXFULL;
}

static void __exit test_modreg_owner_exit(void)
{
	if (!strcmp(mode, "late")) {
		plugin = register_page("late");
		pr_info("late: %d\n", PTR_ERR_OR_ZERO(plugin));
		plugin = modreg_register_module(THIS_MODULE, NULL);
		pr_info("late: %d\n", PTR_ERR_OR_ZERO(plugin));
	} else if (!strcmp(mode, "module") || !strcmp(mode, "lose")) {
		modreg_unregister_plugin(plugin);
	} else if (!strcmp(mode, "own")) {
		pr_info("own: %d\n", modreg_unregister_plugin(plugin));
	} else if (!strcmp(mode, "thread")) {
		wait_for_completion(&starting);
		modreg_unregister_plugin(plugin);
	} else if (!strcmp(mode, "slow")) {
		ssleep(5);
	}
}

module_init(test_modreg_owner_init);
module_exit(test_modreg_owner_exit);

MODULE_DESCRIPTION("An owner of modreg plugins that leaves them behind, or registers itself");
MODULE_LICENSE("GPL");
