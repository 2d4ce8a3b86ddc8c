// SPDX-License-Identifier: GPL-2.0
/* The contexts in which modreg can be called. */

#include <linux/bottom_half.h>
#include <linux/irq_work.h>
#include <linux/kernel.h>
#include <linux/kprobes.h>
#include <linux/preempt.h>
#include <linux/rcupdate.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/timer.h>

#include "test_modreg.h"

/* The function to call; one case runs at a time. */
static void (*called)(void);

static void in_softirq_handler(struct timer_list *timer)
{
	check(in_serving_softirq());
	called();
}

static void run_in_softirq(void)
{
	struct timer_list timer;

	timer_setup_on_stack(&timer, in_softirq_handler, 0);
	mod_timer(&timer, jiffies + 1);
	while (timer_pending(&timer))
		schedule_timeout_uninterruptible(1);
	timer_delete_sync(&timer);
	timer_destroy_on_stack(&timer);
}

static void in_hardirq_handler(struct irq_work *work)
{
	check(in_hardirq());
	called();
}

static void run_in_hardirq(void)
{
	struct irq_work work = IRQ_WORK_INIT_HARD(in_hardirq_handler);

	check(irq_work_queue(&work));
	irq_work_sync(&work);
}

#if defined(CONFIG_KPROBES) && defined(CONFIG_X86)

/*
 * A breakpoint is handled like an NMI. A function that ftrace traces would be probed through
 * ftrace instead, so this one is notrace.
 */
static noinline notrace void nmi_target(void)
{
	barrier();
}

static int in_nmi_handler(struct kprobe *kp, struct pt_regs *regs)
{
	check(in_nmi());
	called();
	return 0;
}

/* A post handler keeps the kernel from replacing the breakpoint by a jump. */
static void after_nmi_handler(struct kprobe *kp, struct pt_regs *regs, unsigned long flags)
{
}

static void run_in_nmi(void)
{
	struct kprobe kp = {
		.addr = (kprobe_opcode_t *)nmi_target,
		.pre_handler = in_nmi_handler,
		.post_handler = after_nmi_handler,
	};

	if (check_eq(register_kprobe(&kp), 0)) {
		nmi_target();
		unregister_kprobe(&kp);
	}
}

#else

/* The part of nmi_enter() that modules can do. */
static void run_in_nmi(void)
{
	local_irq_disable();
	preempt_count_add(NMI_OFFSET + HARDIRQ_OFFSET);
	check(in_nmi());
	called();
	preempt_count_sub(NMI_OFFSET + HARDIRQ_OFFSET);
	local_irq_enable();
}

#endif

static void run_with_preempt_off(void)
{
	preempt_disable();
	called();
	preempt_enable();
}

static void run_with_irqs_off(void)
{
	unsigned long flags;

	local_irq_save(flags);
	called();
	local_irq_restore(flags);
}

static void run_with_bh_off(void)
{
	local_bh_disable();
	called();
	local_bh_enable();
}

static void run_with_spinlock(void)
{
	static DEFINE_SPINLOCK(lock);

	spin_lock(&lock);
	called();
	spin_unlock(&lock);
}

static void run_with_rcu(void)
{
	rcu_read_lock();
	called();
	rcu_read_unlock();
}

static const struct {
	const char *name;
	void (*run)(void);
} contexts[] = {
	{ "preempt_off", run_with_preempt_off },
	{ "irqs_off", run_with_irqs_off },
	{ "bh_off", run_with_bh_off },
	{ "spinlock", run_with_spinlock },
	{ "rcu", run_with_rcu },
	{ "softirq", run_in_softirq },
	{ "hardirq", run_in_hardirq },
	{ "nmi", run_in_nmi },
};

/* Calls a function in the context with the name. */
void run_in_context(const char *context, void (*func)(void))
{
	unsigned int i;

	called = func;
	for (i = 0; i < ARRAY_SIZE(contexts); i++) {
		if (!strcmp(context, contexts[i].name)) {
			contexts[i].run();
			return;
		}
	}
	check(!"no such context");
}
