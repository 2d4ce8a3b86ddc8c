// SPDX-License-Identifier: GPL-2.0
/*
 * The longest stretches of modreg: under one of its mutexes, as ftrace sees it from outside; and
 * with preemption disabled and in the callback of stop_machine(), which the copy of modreg that
 * longest.patch is applied to notes itself.
 *
 *   longest begin
 *   longest end WHAT N		what has been done since, with N plugins
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/ftrace.h>
#include <linux/jiffies.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/stop_machine.h>

#include "bench.h"

#ifdef CONFIG_DYNAMIC_FTRACE_WITH_ARGS

/* As in longest.patch. */
#define LONG 2000000

struct stretch {
	u64 ns;
	const char *file;
	unsigned long length;
	u32 line;
};

static struct {
	const struct module *mod;
	/* Of modreg, and of modreg_kallsyms: with preemption disabled, and in a stop's callback. */
	struct stretch *noted[2];
	u64 begun, lock;
	unsigned long jiffies, switches;
	bool stopped;
} longest;

static unsigned long lock_ip, stop_ip;

/* One task works at a time, so nobody waits for a mutex. */
static void notrace on_mutex(unsigned long ip, unsigned long parent_ip, struct ftrace_ops *ops,
			     struct ftrace_regs *fregs)
{
	u64 took;

	if (ip - stop_ip < 16) {
		longest.stopped = true;
		return;
	}
	if (!within_module(ftrace_regs_get_argument(fregs, 0), longest.mod))
		return;
	/* The call to ftrace is near the function's start. */
	if (ip - lock_ip < 16) {
		longest.stopped = false;
		longest.jiffies = jiffies;
		longest.switches = current->nivcsw;
		longest.begun = ktime_get_mono_fast_ns();
		return;
	}
	took = ktime_get_mono_fast_ns() - longest.begun;
	/* A stop switches to another task by itself. */
	if (longest.stopped)
		longest.switches = current->nivcsw;
	/* A tick or another task made it longer; where it is long, it is with a tick. */
	if ((!time_after(jiffies, longest.jiffies) && longest.switches == current->nivcsw) ||
	    took > LONG)
		longest.lock = max(longest.lock, took);
}

static struct ftrace_ops ops = {
	.func = on_mutex,
	.flags = FTRACE_OPS_FL_RECURSION,
};

static int begin(void)
{
	int err = 0;

	if (!longest.mod) {
		longest.noted[0] = (void *)kernel_lookup("modreg:modreg_longest");
		longest.noted[1] = (void *)kernel_lookup("modreg_kallsyms:modreg_longest");
		if (!longest.noted[0] || !longest.noted[1])
			return -ENOENT;
		longest.mod = find_modreg();
		lock_ip = (unsigned long)mutex_lock;
		stop_ip = (unsigned long)stop_machine;
		err = ftrace_set_filter_ip(&ops, lock_ip, 0, 0);
		err = err ?: ftrace_set_filter_ip(&ops, stop_ip, 0, 0);
		err = err ?: ftrace_set_filter_ip(&ops, (unsigned long)mutex_unlock, 0, 0);
		err = err ?: register_ftrace_function(&ops);
	}
	longest.lock = 0;
	longest.noted[0][0].ns = 0;
	longest.noted[0][1].ns = 0;
	longest.noted[1][0].ns = 0;
	return err;
}

static int end(struct seq_buf *out, const char *what, const char *plugins)
{
	const struct stretch *s;

	if (!longest.mod)
		return -EINVAL;
	s = longest.noted[longest.noted[1]->ns > longest.noted[0]->ns];
	seq_buf_printf(out, "longest:%s\t%s\tlock=%llu", what, plugins, longest.lock);
	seq_buf_printf(out, "\tpreempt=%llu\tstop=%llu\n", s->ns, longest.noted[0][1].ns);
	seq_buf_printf(out, "# %s, %s plugins: %.*s:%u\n", what, plugins, (int)s->length, s->file,
		       s->line);
	return 0;
}

void longest_exit(void)
{
	if (longest.mod)
		unregister_ftrace_function(&ops);
	ftrace_free_filter(&ops);
}

#else

static int begin(void) { return -EOPNOTSUPP; }
static int end(struct seq_buf *out, const char *what, const char *plugins) { return -EINVAL; }
void longest_exit(void) { }

#endif

int run_longest(struct seq_buf *out, int argc, char **argv)
{
	if (argc == 1 && !strcmp(argv[0], "begin"))
		return begin();
	if (argc == 3 && !strcmp(argv[0], "end"))
		return end(out, argv[1], argv[2]);
	return -EINVAL;
}
