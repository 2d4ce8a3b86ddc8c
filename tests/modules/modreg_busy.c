// SPDX-License-Identifier: GPL-2.0
/*
 * A thread that spends its time in run-time code, for profilers: the sample's, or that of two
 * plugins one after another at the same address.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/completion.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/vmalloc.h>
#include <linux/workqueue.h>

#include <modreg.h>

#include "../../samples/modreg_sample_jit_x86.h"

static unsigned int ms = 1000;
module_param(ms, uint, 0444);
MODULE_PARM_DESC(ms, "milliseconds that each plugin keeps the thread busy (1000)");

static bool sample;
module_param(sample, bool, 0444);
MODULE_PARM_DESC(sample, "whether in modreg_sample_jit's functions (N)");

#define AT(label) (code + ((label) - jit_template))

static void *code;
static DECLARE_COMPLETION(done);
static long (*load)(const long *p);
static long (*call)(long (*fn)(const long *p), const long *p);

/* Called by the plugin, which so is in the middle of the call chain; calls the plugin. */
static __nocfi noinline long busy_step(const long *p)
{
	unsigned int i;

	for (i = 0; i < 20; i++)
		load(p);
	return 0;
}

static __nocfi noinline void busy_for(unsigned int time)
{
	unsigned long end = jiffies + msecs_to_jiffies(time);
	const long number = 42;

	while (time_before(jiffies, end)) {
		call(busy_step, &number);
		cond_resched();
	}
}

static int busy_in(const char *name, const char *load_name, const char *call_name)
{
	const struct modreg_region text = {
		.base = (unsigned long)AT(jit_text),
		.size = jit_text_end - jit_text,
		.flags = MODREG_TEXT,
	};
	const struct modreg_symbol symbols[] = {
		{ load_name, (unsigned long)AT(jit_load) },
		{ call_name, (unsigned long)AT(jit_call) },
	};
	const struct modreg_plugin_desc desc = {
		.name = name,
		.owner = THIS_MODULE,
		.regions = &text,
		.num_regions = 1,
		.symbols = symbols,
		.num_symbols = ARRAY_SIZE(symbols),
	};
	struct modreg_plugin *plugin = modreg_register_plugin(&desc);

	if (IS_ERR(plugin))
		return PTR_ERR(plugin);
	load = AT(jit_load);
	call = AT(jit_call);
	busy_for(ms);
	modreg_unregister_plugin(plugin);
	return 0;
}

static int busy(void *unused)
{
	if (sample) {
		load = (void *)modreg_kallsyms_lookup_name("sample_jit:sample_jit_load");
		call = (void *)modreg_kallsyms_lookup_name("sample_jit:sample_jit_call");
		if (load && call) {
			struct work_struct work;

			/* Events name the function of a work. */
			INIT_WORK_ONSTACK(&work, (work_func_t)(void *)load);
			schedule_work(&work);
			flush_work(&work);
			destroy_work_on_stack(&work);
			busy_for(ms);
		}
	} else {
		busy_in("busy_first", "first_load", "first_call");
		busy_in("busy_second", "second_load", "second_call");
	}
	complete(&done);
	return 0;
}

/* Stays for as long as the thread is busy. */
static int __init modreg_busy_init(void)
{
	struct task_struct *thread;
	struct page *page;
	int err = 0;

	page = alloc_page(GFP_KERNEL);
	if (!page)
		return -ENOMEM;
	memcpy(page_address(page), jit_template, jit_template_end - jit_template);
	code = vmap(&page, 1, VM_MAP, PAGE_KERNEL_ROX);
	if (!code || make_executable(code)) {
		err = -ENOMEM;
		goto free;
	}
	thread = kthread_create(busy, NULL, "modreg_busy");
	if (IS_ERR(thread)) {
		err = PTR_ERR(thread);
		goto free;
	}
	get_task_struct(thread);
	wake_up_process(thread);
	wait_for_completion(&done);
	kthread_stop_put(thread);
free:
	vunmap(code);
	__free_page(page);
	return err;
}

static void __exit modreg_busy_exit(void)
{
}

module_init(modreg_busy_init);
module_exit(modreg_busy_exit);

MODULE_DESCRIPTION("A thread that is busy in run-time code");
MODULE_LICENSE("GPL");
