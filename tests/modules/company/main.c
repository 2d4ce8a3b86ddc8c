// SPDX-License-Identifier: GPL-2.0
/*
 * modreg_company: the kernel's questions about plugins, and what else can be on the functions
 * that modreg_kallsyms hooks.
 *
 * In /sys/kernel/debug/modreg_company, an errno tells how a write ended:
 *
 *   plugin	write 1 to register the plugin "company", and 0 to unregister it
 *   askers	write 1 to ask about that plugin in every context; write 0 to stop, which fails if
 *		an answer was wrong, or if a context has not seen it known and unknown
 *   nested	write 1 to ask about it from inside of ftrace callbacks, three deep; the log has
 *		the answers
 *   churn	write 1 to make a plugin come and go, and 0 to stop; read how often it went
 *   kprobe	write "SYMBOL", "post SYMBOL" or "0xADDRESS" for a kprobe there, an empty line to
 *		remove it; read how often it was hit
 *   delay	write "MICROSECONDS SYMBOL..." for kprobes that wait, an empty line to remove them;
 *		read how often they waited
 *   kill	write to have ftrace switch itself off, for good
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cleanup.h>
#include <linux/debugfs.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "company.h"

static struct dentry *dir;
static DEFINE_MUTEX(lock);

static int write_askers(char *line)
{
	if (*line != '1')
		return stop_askers();
	if (!plugin_address())
		return -ENOENT;
	/* The second byte of its first symbol. */
	return start_askers(plugin_address() + 1, "company_0+0x1/0x10 [company]");
}

static int write_nested(char *line)
{
	return plugin_address() ? ask_nested(plugin_address() + 1) : -ENOENT;
}

static int write_plugin(char *line)
{
	return *line == '1' ? add_plugin() : remove_plugin();
}

static int write_churn(char *line)
{
	if (*line == '1')
		return start_churn();
	stop_churn();
	return 0;
}

static int write_kprobe(char *line)
{
	if (*line)
		return add_probe(line);
	remove_probe();
	return 0;
}

static int write_delay(char *line)
{
	if (*line)
		return add_delays(line);
	remove_delays();
	return 0;
}

static int write_kill(char *line)
{
	kill_ftrace();
	return 0;
}

static const struct file_kind {
	const char *name;
	int (*write)(char *line);
	unsigned long (*read)(void);
} kinds[] = {
	{ "plugin", write_plugin },
	{ "askers", write_askers },
	{ "nested", write_nested },
	{ "churn", write_churn, churned },
	{ "kprobe", write_kprobe, probe_hits },
	{ "delay", write_delay, probe_hits },
	{ "kill", write_kill },
};

static ssize_t file_write(struct file *file, const char __user *from, size_t len, loff_t *pos)
{
	char *line __free(kfree) = memdup_user_nul(from, min(len, PAGE_SIZE));
	const struct file_kind *kind = file->private_data;
	int err;

	if (IS_ERR(line))
		return PTR_ERR(line);
	guard(mutex)(&lock);
	err = kind->write(strim(line));
	return err ?: len;
}

static ssize_t file_read(struct file *file, char __user *to, size_t len, loff_t *pos)
{
	const struct file_kind *kind = file->private_data;
	char text[24];

	if (!kind->read)
		return -EINVAL;
	return simple_read_from_buffer(to, len, pos, text,
				       snprintf(text, sizeof(text), "%lu\n", kind->read()));
}

static const struct file_operations file_fops = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.read = file_read,
	.write = file_write,
};

static int __init modreg_company_init(void)
{
	unsigned int i;
	int err = find_functions();

	if (err)
		return err;
	dir = debugfs_create_dir(KBUILD_MODNAME, NULL);
	for (i = 0; i < ARRAY_SIZE(kinds); i++)
		debugfs_create_file(kinds[i].name, 0600, dir, (void *)&kinds[i], &file_fops);
	return 0;
}
module_init(modreg_company_init);

static void __exit modreg_company_exit(void)
{
	debugfs_remove(dir);
	stop_askers();
	stop_churn();
	remove_delays();
	remove_probe();
	remove_plugin();
}
module_exit(modreg_company_exit);

MODULE_AUTHOR("The modreg developers");
MODULE_DESCRIPTION("Asks the kernel about plugins, and keeps modreg_kallsyms company");
MODULE_LICENSE("GPL");
