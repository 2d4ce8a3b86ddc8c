// SPDX-License-Identifier: GPL-2.0
/*
 * Torture of modreg, in the manner of kernel/rcu/rcutorture.c: writers make plugins come and go
 * while readers in process context, softirq, hard interrupt and NMI put every question of
 * modreg.h and check every answer.
 *
 * Which answer is right? A plugin is one generation of a slot, which owns addresses. The names
 * of the plugin and of its symbols hold slot and generation, so an answer says which generation
 * it is about. The slot's word says in which phase the generation is; the slot's writer changes
 * the word before and after each step. A reader looks at the word before and after its
 * question:
 *
 *  - What is found must be a generation that was not gone at the first look and had begun at the
 *    second, and all parts of the answer must belong to it.
 *  - A generation that is registered at both looks must be found.
 *
 * Memory that a plugin lends is overwritten and freed as soon as its unregistration returns, so
 * a late reader reads no valid name.
 *
 * In /sys/module/modreg_torture/parameters:
 *
 *   run	write 1 to begin, 0 to end. The log gets a line every 10 s, and the verdict
 *   oops	write to make a thread fault in a plugin's function
 *   status	the line as it would be now
 *   entries	whether plugins have exception entries, from the next run on (Y)
 *   standing	how many plugins stay registered, from the next run on (0)
 *   switched	to be counted up before modreg_kallsyms is switched off and after it is on again
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/linkage.h>
#include <linux/sched/task.h>
#include <linux/timekeeping.h>
#include <linux/vmalloc.h>
#include <linux/workqueue.h>
#include <asm/ibt.h>

#include "readers.h"

const struct torture_place places[PLACES] = {
	[LOCAL] = { 0, 0x10, 0x30, 't' },
	[EXPORTED] = { 0, 0x40, 0x40, 't', MODREG_EXPORT },
	[GPL] = { 0, 0x80, 0x40, 't', MODREG_EXPORT_GPL },
	[SHARED] = { 0, 0xc0, 0x40, 't', MODREG_EXPORT },
	[DATA] = { 1, 0x20, 0xe0, 'd' },
	[INIT] = { 2, 0, 0x100, 't', MODREG_EXPORT },
};

struct home *homes;
bool entries = true;
unsigned int switched;
struct slot slots[SLOTS];
unsigned int hot;
atomic_long_t errors;

static ktime_t began;
static bool running;
static struct modreg_plugin *oops_plugin;

void name_plugin(char *name, const struct slot *s, u32 gen)
{
	snprintf(name, NAME_LEN, PREFIX "%02x%08x", index_of(s), gen);
}

void name_symbol(char *name, const struct slot *s, u32 gen, enum place k)
{
	if (k == SHARED)
		strscpy(name, SHARED_NAME, NAME_LEN);
	else
		snprintf(name, NAME_LEN, PREFIX "%02x%08x%x", index_of(s), gen, k);
}

/* A function that faults, and a plugin for it. */

/* long torture_fault(const long *p): *p */
asm("	.pushsection .text, \"ax\", @progbits\n"
"	.type	torture_fault, @function\n"
"torture_fault:\n"
	ASM_ENDBR
"	movq	(%rdi), %rax\n"
	ASM_RET
"	.size	torture_fault, . - torture_fault\n"
"torture_fault_end:\n"
"	.popsection\n"
);

asmlinkage long torture_fault(const long *p);
asmlinkage void torture_fault_end(void);

static int fault_thread(void *data)
{
	/* An address that is never mapped; torture.sh knows the number. */
	return torture_fault(ERR_PTR(-0xabc));
}

static struct modreg_plugin *register_oops_plugin(void)
{
	const unsigned long start = (unsigned long)torture_fault;
	const struct modreg_region region = {
		start, (unsigned long)torture_fault_end - start, MODREG_TEXT,
	};
	const struct modreg_symbol symbol = { "torture_fault", start };
	const struct modreg_plugin_desc desc = {
		.name = PREFIX "oops",
		.owner = THIS_MODULE,
		.regions = &region,
		.num_regions = 1,
		.symbols = &symbol,
		.num_symbols = 1,
	};

	return modreg_register_plugin(&desc);
}

static int status(char *buffer, size_t size)
{
	/* Not ktime_get_seconds(), which KCSAN reports to race with the timekeeper. */
	s64 seconds = running ? ktime_divns(ktime_sub(ktime_get(), began), NSEC_PER_SEC) : 0;

	return scnprintf(buffer, size,
			 "%lld s: asked in process %lu, softirq %lu, hardirq %lu, NMI %lu; registered %ld, failed %ld, refused %ld, unregistered %ld, %ld of them in batches, busy %ld; errors %ld",
			 seconds, asked_in(PROCESS), asked_in(SOFTIRQ), asked_in(HARDIRQ),
			 asked_in(NMI), happened(REGISTERED),
			 happened(FAILED), happened(REFUSED),
			 happened(UNREGISTERED),
			 happened(IN_BATCHES), happened(BUSY),
			 atomic_long_read(&errors));
}

static void print_status(void)
{
	static char buffer[400];

	status(buffer, sizeof(buffer));
	pr_alert("%s\n", buffer);
}

static void tell(struct work_struct *work);
static DECLARE_DELAYED_WORK(teller, tell);

static void tell(struct work_struct *work)
{
	print_status();
	print_in_each_context();
	schedule_delayed_work(&teller, 10 * HZ);
}

static void print_verdict(void)
{
	bool complete = readers_verdict();
	enum event e;

	for (e = 0; e < EVENTS; e++)
		complete &= happened(e) > 0;
	print_status();
	pr_alert("end: %s\n", atomic_long_read(&errors) ? "FAILURE" :
		 complete ? "SUCCESS" : "INCOMPLETE: something was never tried");
}

static void torture_end(void)
{
	end_writers();
	end_readers();
	cancel_delayed_work_sync(&teller);
	if (!IS_ERR_OR_NULL(oops_plugin))
		modreg_unregister_plugin(oops_plugin);
	oops_plugin = NULL;
	if (running)
		print_verdict();
	end_kernel();
	end_standing();
	free_readers();
	vfree(homes);
	homes = NULL;
	running = false;
}

static int torture_begin(void)
{
	int err;

	atomic_long_set(&errors, 0);
	homes = vzalloc(array_size(SLOTS, sizeof(*homes)));
	if (!homes)
		return -ENOMEM;
	err = begin_standing();
	if (err)
		return err;
	oops_plugin = register_oops_plugin();
	err = PTR_ERR_OR_ZERO(oops_plugin) ?: begin_kernel() ?: begin_readers() ?: begin_writers();
	if (err)
		return err;
	running = true;
	began = ktime_get();
	schedule_delayed_work(&teller, 10 * HZ);
	return 0;
}

static int run_set(const char *val, const struct kernel_param *kp)
{
	bool on;
	int err = kstrtobool(val, &on);

	if (err || on == running)
		return err;
	if (on)
		err = torture_begin();
	if (!on || err)
		torture_end();
	return err;
}

static const struct kernel_param_ops run_ops = { .set = run_set, .get = param_get_bool };
module_param_cb(run, &run_ops, &running, 0600);

static int oops_set(const char *val, const struct kernel_param *kp)
{
	struct task_struct *task = kthread_create(fault_thread, NULL, "modreg_fault");

	if (IS_ERR(task))
		return PTR_ERR(task);
	get_task_struct(task);
	wake_up_process(task);
	while (!READ_ONCE(task->exit_state))
		msleep(20);
	put_task_struct(task);
	return 0;
}

static const struct kernel_param_ops oops_ops = { .set = oops_set };
module_param_cb(oops, &oops_ops, NULL, 0200);

static int status_get(char *buffer, const struct kernel_param *kp)
{
	int len;

	if (!running)
		return -ENODATA;
	len = status(buffer, PAGE_SIZE - 1);
	return len + sysfs_emit_at(buffer, len, "\n");
}

module_param(entries, bool, 0600);
module_param(standing, uint, 0600);
module_param(switched, uint, 0600);

static const struct kernel_param_ops status_ops = { .get = status_get };
module_param_cb(status, &status_ops, NULL, 0400);

static int __init torture_init(void)
{
	return 0;
}

static void __exit torture_exit(void)
{
	torture_end();
}

module_init(torture_init);
module_exit(torture_exit);

MODULE_DESCRIPTION("Tortures modreg");
MODULE_LICENSE("GPL");
