// SPDX-License-Identifier: GPL-2.0
/*
 * A plugin whose code is made at run time, in memory outside of every module, as a JIT
 * compiler or an instrumentation tool does. With modreg_kallsyms the kernel names the code in
 * an oops, unwinds through it, and continues a fault in it at its fixup.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/vmalloc.h>

#include <modreg.h>

#ifdef CONFIG_X86_64
#include "modreg_sample_jit_x86.h"
#else
#error "the sample has no code for this architecture"
#endif

static bool oops;
module_param(oops, bool, 0444);
MODULE_PARM_DESC(oops, "whether a thread loads from a bad address, which kills it (N)");

/* The address of a template's label in the code. */
#define AT(label) (code + ((label) - jit_template))

/* A page that is written through the direct map and executed through a mapping of its own. */
static struct page *page;
static void *code;
static struct modreg_plugin *plugin;
static struct task_struct *thread;

static int make_code(void)
{
	int err;

	page = alloc_page(GFP_KERNEL);
	if (!page)
		return -ENOMEM;
	memcpy(page_address(page), jit_template, jit_template_end - jit_template);

	code = vmap(&page, 1, VM_MAP, PAGE_KERNEL_ROX);
	err = code ? make_executable(code) : -ENOMEM;
	if (err) {
		vunmap(code);
		__free_page(page);
	}
	return err;
}

static int publish(void)
{
	const struct modreg_region text = {
		.base = (unsigned long)AT(jit_text),
		.size = jit_text_end - jit_text,
		.flags = MODREG_TEXT,
	};
	const struct modreg_symbol symbols[] = {
		{ "sample_jit_load", (unsigned long)AT(jit_load) },
		{ "sample_jit_peek", (unsigned long)AT(jit_peek) },
		{ "sample_jit_call", (unsigned long)AT(jit_call) },
	};
	const struct modreg_plugin_desc desc = {
		.name = "sample_jit",
		.owner = THIS_MODULE,
		.regions = &text,
		.num_regions = 1,
		.symbols = symbols,
		.num_symbols = ARRAY_SIZE(symbols),
		.extable = AT(jit_extable),
		.num_exentries = 1,
	};

	plugin = modreg_register_plugin(&desc);
	return PTR_ERR_OR_ZERO(plugin);
}

static void withdraw(void)
{
	modreg_unregister_plugin(plugin);
	vunmap(code);
	__free_page(page);
}

static long show_trace(const long *unused)
{
	dump_stack();
	return 0;
}

/* The code has no kCFI types, so kCFI would refuse the calls. */
static __nocfi int run(void *bad)
{
	long (*load)(const long *p) = AT(jit_load);
	long (*peek)(const long *p) = AT(jit_peek);
	long (*call)(long (*fn)(const long *p), const long *p) = AT(jit_call);
	const long number = 42;

	pr_info("load: %ld\n", load(&number));
	pr_info("a trace through sample_jit_call:\n");
	call(show_trace, NULL);
	/* Without modreg_kallsyms the kernel finds no fixup, and this kills the thread. */
	pr_info("peek at a bad address: %ld\n", peek(bad));
	if (oops)
		call(load, bad);
	return 0;
}

static int __init modreg_sample_jit_init(void)
{
	/* An address that no kernel maps. */
	void *bad = (void *)-PAGE_SIZE;
	int err;

	err = make_code();
	if (err)
		return err;
	err = publish();
	if (err) {
		vunmap(code);
		__free_page(page);
		return err;
	}
	thread = kthread_create(run, bad, "sample_jit");
	if (IS_ERR(thread)) {
		withdraw();
		return PTR_ERR(thread);
	}
	get_task_struct(thread);
	wake_up_process(thread);
	return 0;
}

static void __exit modreg_sample_jit_exit(void)
{
	/* modreg waits for readers, not for threads that run the plugin's code. */
	kthread_stop_put(thread);
	withdraw();
}

module_init(modreg_sample_jit_init);
module_exit(modreg_sample_jit_exit);

MODULE_DESCRIPTION("A modreg plugin whose code is made at run time");
MODULE_LICENSE("GPL");
