// SPDX-License-Identifier: GPL-2.0
/*
 * What modreg_kallsyms costs: the kernel's own answers, asked while its hooks are in and while
 * they are out, with plugins outside of every module or without. tests/bench/guest.py throws the
 * switch.
 *
 *   hooks plugins N		has N plugins of one region and one symbol registered
 *   hooks ask			one line: the mean nanoseconds of each question
 *   hooks fixup		lines: the same fault in a module and in a plugin
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/completion.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/stacktrace.h>
#include <linux/vmalloc.h>

#include "bench.h"

#if defined(CONFIG_X86_64) && !defined(CONFIG_UML)

#include <asm/asm.h>

#include "../modules/jit.c"

#define SPACING 64
#define FRAMES 20
/* An address that is never mapped. */
#define BAD_ADDRESS (-4096UL)

static struct {
	void *memory;
	struct modreg_plugin **plugins;
	unsigned int num;
} foreign;

static int (*text_address)(unsigned long addr);
static unsigned long stext, etext;

static void drop_plugins(void)
{
	if (foreign.num)
		modreg_unregister_plugins(foreign.plugins, foreign.num);
	kvfree(foreign.plugins);
	vfree(foreign.memory);
	memset(&foreign, 0, sizeof(foreign));
}

static int add_plugin(unsigned int i)
{
	char name[MODREG_NAME_LEN];
	const struct modreg_region region = {
		.base = (unsigned long)foreign.memory + i * SPACING, .size = SPACING,
		.flags = MODREG_TEXT,
	};
	const struct modreg_symbol symbol = { .name = "function", .value = region.base };
	const struct modreg_plugin_desc desc = {
		.name = name, .owner = THIS_MODULE, .regions = &region, .num_regions = 1,
		.symbols = &symbol, .num_symbols = 1,
	};
	struct modreg_plugin *plugin;

	snprintf(name, sizeof(name), "foreign%u", i);
	plugin = modreg_register_plugin(&desc);
	if (IS_ERR(plugin))
		return PTR_ERR(plugin);
	foreign.plugins[foreign.num++] = plugin;
	return 0;
}

static int make_plugins(unsigned int num)
{
	unsigned int i;
	int err = 0;

	drop_plugins();
	if (!num)
		return 0;
	foreign.memory = vmalloc(num * SPACING + ROOM);
	foreign.plugins = kvcalloc(num, sizeof(*foreign.plugins), GFP_KERNEL);
	if (!foreign.memory || !foreign.plugins) {
		drop_plugins();
		return -ENOMEM;
	}
	for (i = 0; i < num && !err; i++) {
		err = add_plugin(i);
		cond_resched();
	}
	if (err)
		drop_plugins();
	return err;
}

/* The questions: each takes a number, so that it is not always the same. */

static char printed[FRAMES * KSYM_SYMBOL_LEN];
static const struct module *asked;

static void ask_module(unsigned int i)
{
	unsigned long size, offset;
	const struct module_memory *text = &asked->mem[MOD_TEXT];
	unsigned long addr = (unsigned long)text->base + i * 7919UL % text->size;
	char *module;

	kernel.module_address_lookup(addr, &size, &offset, &module, NULL, printed);
}

static void ask_vmlinux(unsigned int i)
{
	sprint_symbol(printed, stext + i * 7919UL * 16 % (etext - stext));
}

static noinline void deep(unsigned int depth)
{
	unsigned long trace[FRAMES];

	if (depth) {
		deep(depth - 1);
		barrier();
		return;
	}
	stack_trace_snprint(printed, sizeof(printed), trace, stack_trace_save(trace, FRAMES, 0), 0);
}

static void ask_trace(unsigned int i)
{
	deep(FRAMES);
}

static void ask_extable(unsigned int i)
{
	const struct module_memory *text = &asked->mem[MOD_TEXT];

	kernel.search_module_extables((unsigned long)text->base + i * 7919UL % text->size);
}

static void ask_text(unsigned int i)
{
	const struct module_memory *text = &asked->mem[MOD_TEXT];

	text_address((unsigned long)text->base + i * 7919UL % text->size);
}

/* As an unwinder asks about a word of the stack. */
static void ask_stack_word(unsigned int i)
{
	text_address((unsigned long)&i);
}

static DECLARE_COMPLETION(dying);

static int die(void *unused)
{
	complete(&dying);
	WRITE_ONCE(*(long *)BAD_ADDRESS, 0);
	return 0;
}

static void ask_oops(unsigned int i)
{
	struct task_struct *task = kthread_create(die, NULL, "modreg_bench_die");

	if (IS_ERR(task))
		return;
	get_task_struct(task);
	wake_up_process(task);
	/* A thread that has not begun would not be run any more. */
	wait_for_completion(&dying);
	kthread_stop_put(task);
}

static const struct {
	const char *name;
	void (*ask)(unsigned int i);
	const char *module;
	unsigned int calls;
} questions[] = {
	{ "kvm", ask_module, "kvm", 100 },
	{ "amdgpu", ask_module, "amdgpu", 20 },
	{ "vmlinux", ask_vmlinux, NULL, 5000 },
	{ "trace", ask_trace, NULL, 200 },
	{ "oops", ask_oops, NULL, 3 },
	{ "extable", ask_extable, "kvm", 20000 },
	{ "text", ask_text, "kvm", 20000 },
	{ "stack", ask_stack_word, NULL, 20000 },
};

static const struct module *module_called(const char *name)
{
	const struct module *mod;

	list_for_each_entry(mod, kernel.modules, list)
		if (!strcmp(mod->name, name))
			return mod;
	return NULL;
}

static int ask_all(struct seq_buf *out)
{
	unsigned int q, i;
	u64 start, t;

	for (q = 0; q < ARRAY_SIZE(questions); q++) {
		asked = questions[q].module ? module_called(questions[q].module) : THIS_MODULE;
		if (!asked)
			return -ENOENT;
		/* Once to warm up. */
		questions[q].ask(0);
		start = ktime_get_ns();
		for (i = 0; i < questions[q].calls; i++)
			questions[q].ask(i);
		t = div64_u64((ktime_get_ns() - start) * 1000, questions[q].calls);
		seq_buf_printf(out, "%s%s=%llu.%03llu", q ? "\t" : "", questions[q].name,
			       t / 1000, t % 1000);
		cond_resched();
	}
	seq_buf_puts(out, "\n");
	return 0;
}

static noinline long module_peek(unsigned long p)
{
	long ret = -1;

	asm volatile("1:	mov	(%[p]), %[ret]\n"
		     "2:\n"
		     _ASM_EXTABLE(1b, 2b)
		     : [ret] "+r" (ret) : [p] "r" (p));
	return ret;
}

static unsigned long ask_in_module(struct asker *a, const struct question *q)
{
	return module_peek(BAD_ADDRESS);
}

static unsigned long ask_in_plugin(struct asker *a, const struct question *q)
{
	return jit_call(JIT_PEEK, BAD_ADDRESS, 0);
}

static int fixup(struct seq_buf *out)
{
	struct leg legs[] = {
		{ .name = "module", .ask = ask_in_module },
		{ .name = "plugin", .ask = ask_in_plugin },
	};
	struct question question = { };
	struct asker *a = kzalloc_obj(*a);
	int err;

	if (!a)
		return -ENOMEM;
	a->questions = &question;
	a->num = 1;
	err = jit_register();
	if (!err) {
		err = same_answers(a, legs, ARRAY_SIZE(legs)) ?:
			compare(out, "fixup", 0, a, legs, ARRAY_SIZE(legs));
		jit_unregister();
	}
	kfree(a);
	return err;
}

int run_hooks(struct seq_buf *out, int argc, char **argv)
{
	unsigned int num;

	if (!text_address) {
		text_address = (void *)kernel_lookup("kernel_text_address");
		stext = kernel_lookup("_stext");
		etext = kernel_lookup("_etext");
		if (!text_address || !stext || !etext)
			return -ENOENT;
	}
	if (argc == 2 && !strcmp(argv[0], "plugins"))
		return kstrtouint(argv[1], 10, &num) ?: make_plugins(num);
	if (argc == 1 && !strcmp(argv[0], "ask"))
		return ask_all(out);
	if (argc == 1 && !strcmp(argv[0], "fixup"))
		return fixup(out);
	return -EINVAL;
}

void hooks_exit(void)
{
	drop_plugins();
}

#else

int run_hooks(struct seq_buf *out, int argc, char **argv)
{
	return -EOPNOTSUPP;
}

void hooks_exit(void)
{
}

#endif
