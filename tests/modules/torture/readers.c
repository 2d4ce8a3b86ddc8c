// SPDX-License-Identifier: GPL-2.0
/*
 * The readers, in process context, softirq, hard interrupt and NMI.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cpu.h>
#include <linux/cpuhotplug.h>
#include <linux/kthread.h>
#include <linux/slab.h>
#include <asm/nmi.h>

#include "readers.h"

static struct asker __percpu *irq_askers[CONTEXTS];
static struct asker **readers;
static bool takes_nmis;
static int cpuhp_state;

static int ask_in_process(void *data)
{
	struct asker *a = data;

	set_user_nice(current, MAX_NICE);
	while (!kthread_should_stop()) {
		ask(a);
		/*
		 * A grace period of Tasks RCU must not wait for a reference, at which alone this
		 * thread sleeps: the kernel waits for it with cpus_read_lock() held.
		 */
		cond_resched_tasks_rcu_qs();
	}
	return 0;
}

/* Asks at any moment, but for no more than a tenth of the time. */
static enum hrtimer_restart ask_in_irq(struct hrtimer *timer)
{
	struct asker *a = container_of(timer, struct asker, timer);
	ktime_t start = ktime_get();

	if (a->context == HARDIRQ ? !in_hardirq() : !in_serving_softirq())
		wrong(a, NOBODY, "it is not there");
	ask(a);
	hrtimer_forward_now(timer, 9 * ktime_sub(ktime_get(), start) +
			    (500 + random(&a->rnd, 1000)) * NSEC_PER_USEC);
	return HRTIMER_RESTART;
}

/* No other handler takes NMIs of unknown origin, so none is lost. */
static int ask_in_nmi(unsigned int type, struct pt_regs *regs)
{
	ask(this_cpu_ptr(irq_askers[NMI]));
	return NMI_HANDLED;
}

static int cpu_comes(unsigned int cpu)
{
	enum context c;

	for (c = SOFTIRQ; c <= HARDIRQ; c++)
		hrtimer_start(&this_cpu_ptr(irq_askers[c])->timer, us_to_ktime(1000),
			      c == HARDIRQ ? HRTIMER_MODE_REL_PINNED_HARD :
					     HRTIMER_MODE_REL_PINNED_SOFT);
	return 0;
}

static int cpu_goes(unsigned int cpu)
{
	enum context c;

	for (c = SOFTIRQ; c <= HARDIRQ; c++)
		hrtimer_cancel(&this_cpu_ptr(irq_askers[c])->timer);
	return 0;
}

static unsigned long asked(enum context c, enum question q)
{
	unsigned long n = 0;
	unsigned int cpu;

	for_each_possible_cpu(cpu)
		n += READ_ONCE(per_cpu_ptr(counts, cpu)->asked[c][q]);
	return n;
}

/* Returns the number of questions put in a context. */
unsigned long asked_in(enum context c)
{
	unsigned long n = 0;
	enum question q;

	for (q = 0; q < QUESTIONS; q++)
		n += asked(c, q);
	return n;
}

/* Makes the next reader in each context print the plugins. */
void print_in_each_context(void)
{
	enum context c;

	for (c = 0; c < CONTEXTS; c++)
		atomic_set(&print_wanted[c], 1);
}

/* Logs what was asked where. Returns whether every question was put in every context. */
bool readers_verdict(void)
{
	bool complete = true;
	enum question q;
	enum context c;

	for (q = 0; q < QUESTIONS; q++) {
		pr_alert("%s: process %lu softirq %lu hardirq %lu NMI %lu\n", question_names[q],
			 asked(PROCESS, q), asked(SOFTIRQ, q), asked(HARDIRQ, q), asked(NMI, q));
		for (c = 0; c < CONTEXTS; c++)
			complete &= asked(c, q) || (q == LISTED && c == NMI) ||
				(q >= KERNEL_NAME && !kernel_asks()) || (q >= FIXUP && !entries);
	}
	return complete;
}

/* After an error, end_readers() ends what has begun. */
int begin_readers(void)
{
	unsigned int n = num_online_cpus(), cpu, i;
	enum context c;
	int err;

	counts = alloc_percpu(struct counts);
	readers = kcalloc(n + 1, sizeof(*readers), GFP_KERNEL);
	if (!counts || !readers)
		return -ENOMEM;
	for (c = SOFTIRQ; c < CONTEXTS; c++) {
		irq_askers[c] = alloc_percpu(struct asker);
		if (!irq_askers[c])
			return -ENOMEM;
		for_each_possible_cpu(cpu) {
			struct asker *a = per_cpu_ptr(irq_askers[c], cpu);

			a->context = c;
			prandom_seed_state(&a->rnd, get_random_u64());
			if (c != NMI)
				hrtimer_setup(&a->timer, ask_in_irq, CLOCK_MONOTONIC,
					      c == HARDIRQ ? HRTIMER_MODE_REL_PINNED_HARD :
							     HRTIMER_MODE_REL_PINNED_SOFT);
		}
	}
	for (i = 0; i < n; i++) {
		struct asker *a = kzalloc_obj(*a);

		if (!a)
			return -ENOMEM;
		readers[i] = a;
		a->context = PROCESS;
		prandom_seed_state(&a->rnd, get_random_u64());
		a->task = kthread_run(ask_in_process, a, "modreg_reader/%u", i);
		if (IS_ERR(a->task))
			return PTR_ERR(a->task);
	}
	err = register_nmi_handler(NMI_UNKNOWN, ask_in_nmi, 0, KBUILD_MODNAME);
	if (err)
		return err;
	takes_nmis = true;
	cpuhp_state = cpuhp_setup_state(CPUHP_AP_ONLINE_DYN, "modreg/torture:online", cpu_comes,
					cpu_goes);
	return min(cpuhp_state, 0);
}

/* The counts stay until free_readers(). */
void end_readers(void)
{
	unsigned int i;

	if (cpuhp_state > 0)
		cpuhp_remove_state(cpuhp_state);
	cpuhp_state = 0;
	if (takes_nmis)
		unregister_nmi_handler(NMI_UNKNOWN, KBUILD_MODNAME);
	takes_nmis = false;
	for (i = 0; readers && readers[i]; i++) {
		if (!IS_ERR_OR_NULL(readers[i]->task))
			kthread_stop(readers[i]->task);
		kfree(readers[i]);
	}
	kfree(readers);
	readers = NULL;
}

void free_readers(void)
{
	enum context c;

	for (c = SOFTIRQ; c < CONTEXTS; c++) {
		free_percpu(irq_askers[c]);
		irq_askers[c] = NULL;
	}
	free_percpu(counts);
	counts = NULL;
}
