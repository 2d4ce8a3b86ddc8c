// SPDX-License-Identifier: GPL-2.0
/* What else can be on a hooked function: kprobes, and an ftrace callback that asks by itself. */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/atomic.h>
#include <linux/delay.h>
#include <linux/ftrace.h>
#include <linux/kallsyms.h>
#include <linux/kprobes.h>
#include <linux/slab.h>
#include <linux/static_call.h>

#include "company.h"

static struct kprobe probe;
static char probed[KSYM_NAME_LEN];
static atomic_long_t hits;

static int count_hit(struct kprobe *kp, struct pt_regs *regs)
{
	atomic_long_inc(&hits);
	return 0;
}

static void after_hit(struct kprobe *kp, struct pt_regs *regs, unsigned long flags)
{
}

/* Takes "SYMBOL", "post SYMBOL" for a kprobe with a post handler too, or "0xADDRESS". */
int add_probe(char *line)
{
	unsigned long addr;
	int err;

	if (probe.pre_handler)
		return -EEXIST;
	probe = (struct kprobe){ .pre_handler = count_hit };
	if (strstarts(line, "post ")) {
		probe.post_handler = after_hit;
		line += strlen("post ");
	}
	if (!kstrtoul(line, 16, &addr))
		probe.addr = (kprobe_opcode_t *)addr;
	else if (strscpy(probed, line) > 0)
		probe.symbol_name = probed;
	atomic_long_set(&hits, 0);
	err = register_kprobe(&probe);
	if (err)
		probe.pre_handler = NULL;
	return err;
}

void remove_probe(void)
{
	if (probe.pre_handler)
		unregister_kprobe(&probe);
	probe.pre_handler = NULL;
}

unsigned long probe_hits(void)
{
	return atomic_long_read(&hits);
}

/* Delays */

static struct kprobe delays[8];
static unsigned int num_delays;
static unsigned int delay_us;

/* A tenth where others wait for the processor. */
static int wait_a_while(struct kprobe *kp, struct pt_regs *regs)
{
	unsigned int us = delay_us;

	if (in_interrupt())
		us /= 10;
	mdelay(us / 1000);
	udelay(us % 1000);
	atomic_long_inc(&hits);
	return 0;
}

/* Takes "MICROSECONDS SYMBOL...": each function of these then begins with so long a wait. */
int add_delays(char *line)
{
	char *word = strsep(&line, " ");
	int err = kstrtouint(word, 10, &delay_us);

	atomic_long_set(&hits, 0);
	while (!err && (word = strsep(&line, " "))) {
		struct kprobe *kp = &delays[num_delays];

		if (num_delays == ARRAY_SIZE(delays))
			return -E2BIG;
		*kp = (struct kprobe){ .pre_handler = wait_a_while };
		kp->symbol_name = kstrdup(word, GFP_KERNEL);
		err = kp->symbol_name ? register_kprobe(kp) : -ENOMEM;
		if (err)
			kfree(kp->symbol_name);
		else
			num_delays++;
	}
	if (err)
		remove_delays();
	return err;
}

void remove_delays(void)
{
	while (num_delays) {
		unregister_kprobe(&delays[--num_delays]);
		kfree(delays[num_delays].symbol_name);
	}
}

/* Questions from inside an ftrace callback */

enum { DEPTH = 3 };

static struct {
	struct task_struct *task;
	unsigned long addr;
	unsigned int depth;
	char texts[DEPTH][KSYM_SYMBOL_LEN];
} nested;

static notrace void ask_again(unsigned long ip, unsigned long parent, struct ftrace_ops *ops,
			      struct ftrace_regs *regs)
{
	if (current != nested.task || in_interrupt() || nested.depth == DEPTH - 1)
		return;
	nested.depth++;
	sprint_symbol(nested.texts[nested.depth], nested.addr);
	nested.depth--;
}

static struct ftrace_ops nested_ops = { .func = ask_again };

/*
 * Asks for the address with a callback on module_address_lookup() that asks again, and logs the
 * answers, the outermost first.
 */
int ask_nested(unsigned long addr)
{
	unsigned long ip = find_function("module_address_lookup");
	unsigned int i;
	int err;

	err = ftrace_set_filter_ip(&nested_ops, ip, 0, 0);
	if (err)
		return err;
	err = register_ftrace_function(&nested_ops);
	if (!err) {
		nested.addr = addr;
		nested.task = current;
		sprint_symbol(nested.texts[0], addr);
		nested.task = NULL;
		err = unregister_ftrace_function(&nested_ops);
		for (i = 0; i < DEPTH; i++)
			pr_info("nested %u: %s\n", i, nested.texts[i]);
	}
	ftrace_free_filter(&nested_ops);
	return err;
}

DEFINE_STATIC_CALL_NULL(ftrace_killer, ftrace_kill);

/* As a warning inside of ftrace does. */
void kill_ftrace(void)
{
	static_call_update(ftrace_killer, (typeof(ftrace_kill) *)find_function("ftrace_kill"));
	static_call(ftrace_killer)();
}
