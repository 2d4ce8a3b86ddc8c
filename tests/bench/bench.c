// SPDX-License-Identifier: GPL-2.0
/*
 * modreg_bench: times modreg beside the kernel's own functions, in the same run and in turns.
 *
 * In /sys/kernel/debug/modreg_bench/run: write a command, and read its lines from the same open
 * file. tests/bench/guest.py knows the commands. The parameter lookup is the address of
 * kallsyms_lookup_name(), as /proc/kallsyms shows it.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/debugfs.h>
#include <linux/mutex.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include <linux/uaccess.h>

#include "bench.h"

#define OUTPUT_SIZE 0x100000

static unsigned long lookup;
module_param(lookup, ulong, 0);
MODULE_PARM_DESC(lookup, "the address of kallsyms_lookup_name()");

unsigned int batches = 21;
module_param(batches, uint, 0644);
MODULE_PARM_DESC(batches, "how often each measurement is repeated (21)");

unsigned int batch_us = 4000;
module_param(batch_us, uint, 0644);
MODULE_PARM_DESC(batch_us, "how long one repetition of one side lasts, in microseconds (4000)");

struct kernel_functions kernel;

static DEFINE_MUTEX(lock);

unsigned long kernel_lookup(const char *name)
{
	return ((unsigned long (*)(const char *))lookup)(name);
}

u64 time_leg(struct asker *asker, const struct leg *leg)
{
	struct asker *a = leg->asker ?: asker;
	u64 start = ktime_get_ns();
	unsigned long i;

	for (i = 0; i < leg->calls; i++) {
		leg->ask(a, &a->questions[a->next]);
		if (++a->next >= a->num)
			a->next = 0;
	}
	return ktime_get_ns() - start;
}

/* How many calls take batch_us. */
static void calibrate(struct asker *asker, struct leg *leg)
{
	u64 wanted = batch_us * 1000ULL, t;

	for (leg->calls = 1;; leg->calls *= 4) {
		t = max(time_leg(asker, leg), 1);
		if (t >= wanted / 4)
			break;
	}
	leg->calls = max(div64_u64(leg->calls * wanted, t), 1);
}

int compare(struct seq_buf *out, const char *what, unsigned long param, struct asker *asker,
	    struct leg *legs, unsigned int num)
{
	unsigned int batch, i, n;
	u64 t;

	for (i = 0; i < num; i++)
		calibrate(asker, &legs[i]);
	for (batch = 0; batch < batches; batch++) {
		seq_buf_printf(out, "%s\t%lu", what, param);
		for (i = 0; i < num; i++) {
			/* There and back, so that none has a place of its own. */
			n = batch % 2 ? num - 1 - i : i;
			t = div64_u64(time_leg(asker, &legs[n]) * 1000, legs[n].calls);
			seq_buf_printf(out, "\t%s=%llu.%03llu", legs[n].name, t / 1000, t % 1000);
			cond_resched();
		}
		seq_buf_puts(out, "\n");
		if (signal_pending(current))
			return -EINTR;
	}
	return 0;
}

/* A measurement of wrong answers would mean nothing: what is compared must answer alike. */
int same_answers(struct asker *asker, const struct leg *legs, unsigned int num)
{
	unsigned int i, step = max(asker->num / 256, 1), n;

	for (n = 0; n < asker->num; n += step) {
		const struct question *q = &asker->questions[n];
		unsigned long first = legs[0].ask(asker, q);

		for (i = 1; i < num; i++) {
			unsigned long other = legs[i].ask(asker, q);

			if (first && first == other)
				continue;
			pr_err("%lx %s: %s says %lx, %s %lx\n", q->addr, q->name ?: "",
			       legs[0].name, first, legs[i].name, other);
			return -EBADMSG;
		}
		cond_resched();
	}
	return 0;
}

static const struct {
	const char *name;
	int (*run)(struct seq_buf *out, int argc, char **argv);
} commands[] = {
	{ "hooks", run_hooks },
	{ "longest", run_longest },
	{ "lookup", run_lookup },
	{ "plugins", run_plugins },
	{ "scale", run_scale },
	{ "writers", run_writers },
};

static ssize_t run_write(struct file *file, const char __user *from, size_t len, loff_t *pos)
{
	char *line __free(kfree) = memdup_user_nul(from, len), *rest, *argv[8];
	struct seq_buf *out = file->private_data;
	int argc = 0, err = -EINVAL;
	unsigned int i;

	if (IS_ERR(line))
		return PTR_ERR(line);
	for (rest = strim(line); argc < ARRAY_SIZE(argv);) {
		argv[argc] = strsep(&rest, " ");
		if (!argv[argc])
			break;
		argc++;
	}
	guard(mutex)(&lock);
	seq_buf_clear(out);
	for (i = 0; i < ARRAY_SIZE(commands); i++)
		if (!strcmp(argv[0], commands[i].name))
			err = commands[i].run(out, argc - 1, argv + 1);
	if (!err && seq_buf_has_overflowed(out))
		err = -E2BIG;
	return err ?: len;
}

static ssize_t run_read(struct file *file, char __user *to, size_t len, loff_t *pos)
{
	struct seq_buf *out = file->private_data;

	return simple_read_from_buffer(to, len, pos, out->buffer, out->len);
}

static int run_open(struct inode *inode, struct file *file)
{
	struct seq_buf *out = kzalloc(sizeof(*out), GFP_KERNEL);
	char *buffer = kvmalloc(OUTPUT_SIZE, GFP_KERNEL);

	if (!out || !buffer) {
		kfree(out);
		kvfree(buffer);
		return -ENOMEM;
	}
	seq_buf_init(out, buffer, OUTPUT_SIZE);
	file->private_data = out;
	return 0;
}

static int run_release(struct inode *inode, struct file *file)
{
	struct seq_buf *out = file->private_data;

	kvfree(out->buffer);
	kfree(out);
	return 0;
}

static const struct file_operations run_fops = {
	.owner = THIS_MODULE,
	.open = run_open,
	.write = run_write,
	.read = run_read,
	.release = run_release,
};

static struct dentry *dir;

static int __init modreg_bench_init(void)
{
	int err = find_kernel_functions(&kernel, (void *)lookup);

	if (err)
		return err;
	variants_init();
	dir = debugfs_create_dir("modreg_bench", NULL);
	debugfs_create_file("run", 0600, dir, NULL, &run_fops);
	return 0;
}
module_init(modreg_bench_init);

static void __exit modreg_bench_exit(void)
{
	debugfs_remove(dir);
	hooks_exit();
	longest_exit();
	lookup_exit();
	plugins_exit();
	scale_exit();
	variants_clear();
}
module_exit(modreg_bench_exit);

MODULE_AUTHOR("The modreg developers");
MODULE_DESCRIPTION("Times modreg beside the kernel's own functions");
MODULE_LICENSE("GPL");
