// SPDX-License-Identifier: GPL-2.0
/*
 * modreg_mirror: registers every loaded module with modreg, follows loads and unloads, and asks
 * modreg and the kernel the same questions. The kernel's answers are the reference.
 *
 * In /sys/kernel/debug/modreg_mirror:
 *
 *   ask	write 'all' or 'exports' to ask those questions
 *   churn	write names of modules to ask about them while they are loaded and unloaded;
 *		write an empty line to stop
 *   table	how many questions were asked, how many answers were equal and different
 *
 * The first differences are logged.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/debugfs.h>
#include <linux/kprobes.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "mirror.h"

static bool register_all = true;
module_param(register_all, bool, 0444);
MODULE_PARM_DESC(register_all, "whether to register the loaded modules (Y)");

struct kernel_functions kernel;

LIST_HEAD(mirrored);
/* Protects the list and the state of questions that are being asked. */
DEFINE_MUTEX(mirror_lock);

static const char * const kind_names[NUM_KINDS] = {
	[FIRST_BYTE]	= "address, first byte of a symbol",
	[ALIAS]		= "address, first byte of an alias",
	[MIDDLE]	= "address, middle of a symbol",
	[LAST_BYTE]	= "address, last byte of a symbol",
	[BESIDE]	= "address, beside the regions",
	[INSIDE]	= "address, random inside",
	[OUTSIDE]	= "address, random outside",
	[INIT_ADDRESS]	= "address, init while COMING",
	[FORMER_INIT]	= "address, former init region",
	[SYMBOL_NAME]	= "lookup_symbol_name",
	[SYMBOL_ATTRS]	= "lookup_symbol_attrs",
	[SPRINT]	= "sprint_symbol",
	[QUALIFIED]	= "name, module:symbol",
	[PLAIN]		= "name, symbol",
	[DUPLICATE]	= "name, symbol of several modules",
	[INIT_NAME]	= "name, init while COMING",
	[LISTING]	= "n-th symbol",
	[EXPORTED]	= "export, find_symbol",
	[GPL_GATE]	= "export, for others than GPL",
	[PINNED]	= "export, __symbol_get",
	[EXTABLE]	= "exception entry",
	[NO_EXTABLE]	= "exception entry, beside one",
	[IS_ADDRESS]	= "is address",
	[TEXT_ADDRESS]	= "text address",
	[THROUGHOUT]	= "churn, was there throughout",
	[THERE]		= "churn, is there",
	[GONE]		= "churn, is gone",
	[INIT_THERE]	= "churn, init is there",
	[INIT_GONE]	= "churn, init is gone",
};

static const char * const reasons[NUM_UNCOMPARED] = {
	[NO_ADDRESS]	= "symbols, by address: they have none in their module (per-CPU, mapping)",
	[NOT_GPL_ONLY]	= "exports, with __symbol_get: it refuses those that are not GPL-only",
	[VMLINUX_TOO]	= "exports, with find_symbol: vmlinux has the name too",
	[DISORDER]	= "modules COMING, in the churn: several load at once, in another order",
	[IN_BETWEEN]	= "questions, in the churn: a module came or went meanwhile",
};

static struct {
	atomic_long_t asked, different;
} counts[NUM_KINDS];

static atomic_long_t left_out[NUM_UNCOMPARED];

void count(enum kind kind, bool equal)
{
	atomic_long_inc(&counts[kind].asked);
	if (!equal)
		atomic_long_inc(&counts[kind].different);
}

void leave_out(enum uncompared why)
{
	atomic_long_inc(&left_out[why]);
}

static unsigned long lookup_by_kprobe(const char *name)
{
	struct kprobe kp = { .symbol_name = name };
	unsigned long addr;

	if (register_kprobe(&kp) < 0)
		return 0;
	addr = (unsigned long)kp.addr;
	unregister_kprobe(&kp);
	return addr;
}

static struct mirrored *find_mirrored(struct module *mod)
{
	struct mirrored *m;

	list_for_each_entry(m, &mirrored, list)
		if (m->mod == mod)
			return m;
	return NULL;
}

static int mirror(struct module *mod)
{
	struct mirrored *m = kzalloc(sizeof(*m), GFP_KERNEL);

	if (!m)
		return -ENOMEM;
	m->mod = mod;
	m->plugin = modreg_register_module(mod, NULL);
	if (IS_ERR(m->plugin)) {
		int err = PTR_ERR(m->plugin);

		kfree(m);
		return err;
	}
	list_add(&m->list, &mirrored);
	return 0;
}

static int unmirror(struct mirrored *m)
{
	int err = modreg_unregister_plugin(m->plugin);

	if (err)
		return err;
	list_del(&m->list);
	kfree(m);
	return 0;
}

/*
 * Runs before modreg's own notifier, which removes what an owner leaves behind: churn.c must
 * note a module's change before modreg makes it.
 */
static int before_modreg(struct notifier_block *nb, unsigned long action, void *data)
{
	struct module *mod = data;
	struct mirrored *m;

	if (!register_all)
		return NOTIFY_DONE;
	guard(mutex)(&mirror_lock);
	m = find_mirrored(mod);
	churn_begin(mod);
	switch (action) {
	case MODULE_STATE_COMING:
		if (mirror(mod))
			pr_err("%s: not registered\n", mod->name);
		else if (churn_is_on())
			leave_out(DISORDER);
		else
			ask_coming(mod);
		churn_end(mod, action);
		break;
	case MODULE_STATE_GOING:
		if (m && unmirror(m))
			pr_err("%s: not unregistered\n", mod->name);
		churn_end(mod, action);
		break;
	}
	return NOTIFY_OK;
}

/* Runs after modreg's own notifier: the init regions are gone. */
static int after_modreg(struct notifier_block *nb, unsigned long action, void *data)
{
	guard(mutex)(&mirror_lock);
	if (action == MODULE_STATE_LIVE)
		churn_end(data, action);
	return NOTIFY_OK;
}

static struct notifier_block before_nb = { .notifier_call = before_modreg };
static struct notifier_block after_nb = { .notifier_call = after_modreg, .priority = INT_MIN };

/* Oldest first, so that the registry has the order of the kernel's list. */
static int mirror_all(void)
{
	struct module *mod;
	int err = 0;

	if (!register_all)
		return 0;
	list_for_each_entry_reverse(mod, kernel.modules, list) {
		if (mod->state != MODULE_STATE_LIVE && mod != THIS_MODULE)
			continue;
		err = mirror(mod);
		if (err)
			break;
	}
	return err;
}

static void unmirror_all(void)
{
	struct mirrored *m, *next;

	guard(mutex)(&mirror_lock);
	list_for_each_entry_safe(m, next, &mirrored, list)
		unmirror(m);
}

static ssize_t ask_write(struct file *file, const char __user *from, size_t len, loff_t *pos)
{
	char what[16];

	if (len >= sizeof(what))
		return -EINVAL;
	if (copy_from_user(what, from, len))
		return -EFAULT;
	what[len] = 0;
	guard(mutex)(&mirror_lock);
	if (sysfs_streq(what, "all"))
		ask_all();
	else if (sysfs_streq(what, "exports"))
		ask_exports();
	else
		return -EINVAL;
	return len;
}

static const struct file_operations ask_fops = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.write = ask_write,
};

static ssize_t churn_write(struct file *file, const char __user *from, size_t len, loff_t *pos)
{
	char *names __free(kfree) = memdup_user_nul(from, len);
	int err;

	if (IS_ERR(names))
		return PTR_ERR(names);
	guard(mutex)(&mirror_lock);
	churn_stop();
	err = churn_start(strim(names));
	return err ?: len;
}

static const struct file_operations churn_fops = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.write = churn_write,
};

static int table_show(struct seq_file *s, void *unused)
{
	unsigned long all = 0, all_different = 0;
	int i;

	seq_printf(s, "%-34s %9s %9s %9s\n", "question", "asked", "equal", "different");
	for (i = 0; i < NUM_KINDS; i++) {
		unsigned long asked = atomic_long_read(&counts[i].asked);
		unsigned long different = atomic_long_read(&counts[i].different);

		seq_printf(s, "%-34s %9lu %9lu %9lu\n", kind_names[i], asked, asked - different,
			   different);
		all += asked;
		all_different += different;
	}
	seq_printf(s, "%-34s %9lu %9lu %9lu\n", "all", all, all - all_different, all_different);
	seq_printf(s, "%lu loads and unloads in the churn\n", churned());
	for (i = 0; i < NUM_UNCOMPARED; i++)
		seq_printf(s, "not compared: %lu %s\n", atomic_long_read(&left_out[i]),
			   reasons[i]);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(table);

static struct dentry *dir;

static int __init modreg_mirror_init(void)
{
	unsigned long lookup = lookup_by_kprobe("kallsyms_lookup_name");
	int err = find_kernel_functions(&kernel, (void *)lookup) ?: find_answers(lookup);

	if (err)
		return err;
	scoped_guard(mutex, &mirror_lock)
		err = mirror_all();
	if (err)
		goto undo;
	err = register_module_notifier(&before_nb);
	if (err)
		goto undo;
	err = register_module_notifier(&after_nb);
	if (err)
		goto undo_before;
	dir = debugfs_create_dir("modreg_mirror", NULL);
	debugfs_create_file("answers", 0400, dir, NULL, &answers_fops);
	debugfs_create_file("ask", 0200, dir, NULL, &ask_fops);
	debugfs_create_file("churn", 0200, dir, NULL, &churn_fops);
	debugfs_create_file("table", 0400, dir, NULL, &table_fops);
	return 0;

undo_before:
	unregister_module_notifier(&before_nb);
undo:
	unmirror_all();
	return err;
}
module_init(modreg_mirror_init);

static void __exit modreg_mirror_exit(void)
{
	debugfs_remove(dir);
	scoped_guard(mutex, &mirror_lock)
		churn_stop();
	unregister_module_notifier(&after_nb);
	unregister_module_notifier(&before_nb);
	unmirror_all();
}
module_exit(modreg_mirror_exit);

MODULE_AUTHOR("The modreg developers");
MODULE_DESCRIPTION("Asks modreg and the kernel the same questions");
MODULE_LICENSE("GPL");
