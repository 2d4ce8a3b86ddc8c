// SPDX-License-Identifier: GPL-2.0
/* Questions to the kernel's own functions, in each context, while the hooks come and go. */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/extable.h>
#include <linux/hrtimer.h>
#include <linux/kallsyms.h>
#include <linux/kprobes.h>
#include <linux/kthread.h>
#include <linux/percpu.h>
#include <linux/slab.h>
#include <linux/static_call.h>

#include "company.h"

/* Static calls, for an indirect one needs an entry that the kernel may have closed. */
DEFINE_STATIC_CALL_NULL(lookup_name, kallsyms_lookup_name);
DEFINE_STATIC_CALL_NULL(symbol_name, lookup_symbol_name);
DEFINE_STATIC_CALL_NULL(kernel_text, kernel_text_address);
DEFINE_STATIC_CALL_NULL(exception, search_exception_tables);
DEFINE_STATIC_CALL_NULL(nth_symbol, module_get_kallsym);

/* Returns 0 if the kernel has no such function. */
unsigned long find_function(const char *name)
{
	return static_call(lookup_name)(name);
}

int find_functions(void)
{
	struct kprobe kp = { .symbol_name = "kallsyms_lookup_name" };
	int err = register_kprobe(&kp);

	if (err)
		return err;
	unregister_kprobe(&kp);
	static_call_update(lookup_name, (typeof(kallsyms_lookup_name) *)kp.addr);

#define FIND(call, name) \
	static_call_update(call, (typeof(name) *)find_function(#name))
	FIND(symbol_name, lookup_symbol_name);
	FIND(kernel_text, kernel_text_address);
	FIND(exception, search_exception_tables);
	FIND(nth_symbol, module_get_kallsym);
#undef FIND
	if (static_call_query(symbol_name) && static_call_query(kernel_text) &&
	    static_call_query(exception) && static_call_query(nth_symbol))
		return 0;
	return -ENOENT;
}

enum context { PROCESS, SOFTIRQ, HARDIRQ, CONTEXTS };

static const char * const context_names[CONTEXTS] = { "process", "softirq", "hardirq" };

struct asker {
	struct task_struct *task;
	struct hrtimer timer;
	enum context context;
	/* Answers of modreg, and of the kernel, which knows nothing of plugins. */
	unsigned long known, unknown;
	char text[KSYM_SYMBOL_LEN];
};

static struct asker __percpu *askers[CONTEXTS];
static char known[KSYM_SYMBOL_LEN], unknown[KSYM_SYMBOL_LEN];
static unsigned long known_addr;
static atomic_t wrongs;

/* Asks for each number, until the plugins' are at an end too. */
static void ask_numbers(void)
{
	char name[KSYM_NAME_LEN], mod[MODULE_NAME_LEN];
	unsigned long value;
	unsigned int n;
	int exported;
	char type;

	for (n = 0; !static_call(nth_symbol)(n, &value, &type, name, mod, &exported); n++)
		cond_resched_tasks_rcu_qs();
}

/* The switch may be thrown between two questions: each answer is right by itself. */
static void ask_anything(struct asker *a)
{
	sprint_symbol(a->text, known_addr);
	if (!strcmp(a->text, known)) {
		a->known++;
	} else if (!strcmp(a->text, unknown)) {
		a->unknown++;
	} else {
		atomic_inc(&wrongs);
		pr_err("wrong: %s: %s\n", context_names[a->context], a->text);
	}
	static_call(kernel_text)(known_addr);
	if (static_call(exception)(known_addr)) {
		atomic_inc(&wrongs);
		pr_err("wrong: %s: an exception entry\n", context_names[a->context]);
	}
	if (a->context == PROCESS)
		static_call(symbol_name)(known_addr, a->text);
}

static int ask_in_process(void *data)
{
	set_user_nice(current, MAX_NICE);
	while (!kthread_should_stop()) {
		ask_anything(data);
		ask_numbers();
		cond_resched_tasks_rcu_qs();
	}
	return 0;
}

/* A part of the time, however long a question takes. */
static enum hrtimer_restart ask_in_irq(struct hrtimer *timer)
{
	struct asker *a = container_of(timer, struct asker, timer);
	ktime_t start = ktime_get();

	ask_anything(a);
	hrtimer_forward_now(timer, 9 * ktime_sub(ktime_get(), start) + NSEC_PER_MSEC);
	return HRTIMER_RESTART;
}

static int start_asker(enum context c, unsigned int cpu)
{
	struct asker *a = per_cpu_ptr(askers[c], cpu);

	a->context = c;
	if (c == PROCESS) {
		a->task = kthread_run_on_cpu(ask_in_process, a, cpu, "modreg_asker/%u");
		return PTR_ERR_OR_ZERO(a->task);
	}
	hrtimer_setup(&a->timer, ask_in_irq, CLOCK_MONOTONIC,
		      c == HARDIRQ ? HRTIMER_MODE_REL_HARD : HRTIMER_MODE_REL_SOFT);
	hrtimer_start(&a->timer, us_to_ktime(1000),
		      c == HARDIRQ ? HRTIMER_MODE_REL_HARD : HRTIMER_MODE_REL_SOFT);
	return 0;
}

/* Takes an address, and what the kernel makes of it with the hooks in. */
int start_askers(unsigned long addr, const char *text)
{
	unsigned int cpu;
	enum context c;
	int err = 0;

	if (askers[0])
		return -EBUSY;
	known_addr = addr;
	strscpy(known, text);
	snprintf(unknown, sizeof(unknown), "0x%lx", addr);
	atomic_set(&wrongs, 0);
	for (c = 0; c < CONTEXTS; c++) {
		askers[c] = alloc_percpu(struct asker);
		if (!askers[c])
			err = -ENOMEM;
	}
	for (c = 0; c < CONTEXTS && !err; c++)
		for_each_online_cpu(cpu)
			err = err ?: start_asker(c, cpu);
	if (err)
		stop_askers();
	return err;
}

/* Logs how often each context got which answer. -EIO: one was wrong, or one was never given. */
int stop_askers(void)
{
	unsigned int cpu;
	enum context c;
	int err = 0;

	for (c = 0; c < CONTEXTS; c++) {
		unsigned long known_by = 0, unknown_by = 0;

		if (!askers[c])
			continue;
		for_each_possible_cpu(cpu) {
			struct asker *a = per_cpu_ptr(askers[c], cpu);

			if (!IS_ERR_OR_NULL(a->task))
				kthread_stop(a->task);
			if (a->timer.base)
				hrtimer_cancel(&a->timer);
			known_by += a->known;
			unknown_by += a->unknown;
		}
		free_percpu(askers[c]);
		askers[c] = NULL;
		pr_info("%s: known %lu, unknown %lu\n", context_names[c], known_by, unknown_by);
		if (!known_by || !unknown_by)
			err = -EIO;
	}
	return atomic_read(&wrongs) ? -EIO : err;
}
