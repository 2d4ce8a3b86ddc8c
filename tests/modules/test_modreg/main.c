// SPDX-License-Identifier: GPL-2.0
/*
 * Calls every function of modreg.h from inside the kernel.
 *
 * In /sys/kernel/debug/test_modreg:
 *
 *   cases	the names of all cases
 *   run	write a name to run the case; the write fails with EIO if a check fails, and
 *		the log says which
 *   release	write to let a held case go on
 *   call	write "SYMBOL good" or "SYMBOL bad" to call a plugin's function with such a
 *		pointer
 *   generate	write "SEED FIRST COUNT" to register generated plugins; with " wrong" behind
 *		it, by a function that is wrong
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/completion.h>
#include <linux/debugfs.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "test_modreg.h"

static const struct test_case * const topics[] = {
	reader_cases,
	writer_cases,
	state_cases,
	refused_cases,
	replace_cases,
	foreign_cases,
	owner_cases,
	oops_cases,
	limit_cases,
	fault_cases,
#ifdef HAVE_JIT
	kallsyms_cases,
#endif
};

static struct dentry *dir;
static DEFINE_MUTEX(running);
static DECLARE_COMPLETION(release);
static const char *running_name;
static atomic_t failures;

bool test_check(bool ok, const char *func, int line, const char *what)
{
	if (!ok) {
		atomic_inc(&failures);
		pr_err("%s: failed: %s:%d: %s\n", running_name, func, line, what);
	}
	return ok;
}

bool test_check_eq(long have, long want, const char *func, int line, const char *what)
{
	if (have != want) {
		atomic_inc(&failures);
		pr_err("%s: failed: %s:%d: %s (%#lx, not %#lx)\n", running_name, func, line, what,
		       have, want);
	}
	return have == want;
}

bool test_check_str(const char *have, const char *want, const char *func, int line,
		    const char *what)
{
	bool ok = !strcmp(have, want);

	if (!ok) {
		atomic_inc(&failures);
		pr_err("%s: failed: %s:%d: %s is '%s', not '%s'\n", running_name, func, line, what,
		       have, want);
	}
	return ok;
}

void test_hold(void)
{
	check(wait_for_completion_interruptible_timeout(&release, 300 * HZ) > 0);
}

/* Begins a case. end_case() returns whether its checks held. */
static void begin_case(const char *name)
{
	mutex_lock(&running);
	running_name = name;
	atomic_set(&failures, 0);
	reinit_completion(&release);
}

static bool end_case(void)
{
	bool ok = !atomic_read(&failures);

	mutex_unlock(&running);
	return ok;
}

static const struct test_case *find_case(const char *name)
{
	const struct test_case *tc;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(topics); i++)
		for (tc = topics[i]; tc->name; tc++)
			if (!strcmp(tc->name, name))
				return tc;
	return NULL;
}

/* Returns what user space wrote, without white space around it. Free *text. */
static char *get_text(const char __user *from, size_t len, char **text)
{
	if (len > PAGE_SIZE)
		return ERR_PTR(-EINVAL);
	*text = memdup_user_nul(from, len);
	return IS_ERR(*text) ? *text : strim(*text);
}

static ssize_t run_write(struct file *file, const char __user *from, size_t len, loff_t *pos)
{
	const struct test_case *tc;
	char *text, *name;

	name = get_text(from, len, &text);
	if (IS_ERR(name))
		return PTR_ERR(name);
	tc = find_case(name);
	kfree(text);
	if (!tc)
		return -ENOENT;

	begin_case(tc->name);
	tc->run(tc);
	return end_case() ? len : -EIO;
}

static const struct file_operations run_fops = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.write = run_write,
};

static ssize_t release_write(struct file *file, const char __user *from, size_t len, loff_t *pos)
{
	complete_all(&release);
	return len;
}

static const struct file_operations release_fops = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.write = release_write,
};

/* The code of a plugin bears no type for kCFI, which would refuse to call it. */
static __nocfi ssize_t call_write(struct file *file, const char __user *from, size_t len,
				  loff_t *pos)
{
	long (*function)(const long *p, long otherwise);
	const long good = 40;
	char *text, *symbol, *how;
	ssize_t ret = len;

	how = get_text(from, len, &text);
	if (IS_ERR(how))
		return PTR_ERR(how);
	symbol = strsep(&how, " ");
	function = (void *)modreg_kallsyms_lookup_name(symbol);
	if (!how || !function)
		ret = -ENOENT;
	else if (!strcmp(how, "good"))
		pr_info("%s: %ld\n", symbol, function(&good, -1));
	else
		/* An address that is never mapped, in the kernel's half. */
		pr_info("%s: %ld\n", symbol, function(ERR_PTR(-64), -1));
	kfree(text);
	return ret;
}

static const struct file_operations call_fops = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.write = call_write,
};

static ssize_t generate_write(struct file *file, const char __user *from, size_t len, loff_t *pos)
{
	unsigned int seed, first, count;
	char *text, *line, how[8] = "";
	int numbers;

	line = get_text(from, len, &text);
	if (IS_ERR(line))
		return PTR_ERR(line);
	numbers = sscanf(line, "%u %u %u %7s", &seed, &first, &count, how);
	kfree(text);
	if (numbers < 3)
		return -EINVAL;

	begin_case("generate");
	generate(seed, first, count, !strcmp(how, "wrong"));
	return end_case() ? len : -EIO;
}

static const struct file_operations generate_fops = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.write = generate_write,
};

static int cases_show(struct seq_file *m, void *v)
{
	const struct test_case *tc;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(topics); i++)
		for (tc = topics[i]; tc->name; tc++)
			seq_printf(m, "%s\n", tc->name);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(cases);

static int __init test_modreg_init(void)
{
	int err = owners_init();

	if (err)
		return err;
	dir = debugfs_create_dir(KBUILD_MODNAME, NULL);
	debugfs_create_file("cases", 0400, dir, NULL, &cases_fops);
	debugfs_create_file("run", 0200, dir, NULL, &run_fops);
	debugfs_create_file("release", 0200, dir, NULL, &release_fops);
	debugfs_create_file("call", 0200, dir, NULL, &call_fops);
	debugfs_create_file("generate", 0200, dir, NULL, &generate_fops);
	return 0;
}

static void __exit test_modreg_exit(void)
{
	debugfs_remove(dir);
	owners_exit();
}

module_init(test_modreg_init);
module_exit(test_modreg_exit);

MODULE_DESCRIPTION("Tests of modreg from inside the kernel");
MODULE_LICENSE("GPL");
