// SPDX-License-Identifier: GPL-2.0
/* The rules of the writers; states.c has a plugin's states, refused.c malformed descriptors. */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/irqflags.h>
#include <linux/kernel.h>
#include <linux/kprobes.h>
#include <linux/module.h>
#include <linux/preempt.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/stop_machine.h>
#include <linux/string.h>

#include "test_modreg.h"

static void register_case(const struct test_case *tc)
{
	struct fixture *f = fixture(0);

	if (!fixture_register(f))
		return;
	check_eq(f->inits, 1);
	check_eq(f->exits, 0);
	fixture_answers(f);
	fixture_unregister(f);
	check_eq(f->inits, 1);
	check_eq(f->exits, 1);
	fixture_is_gone(f);
	/* The name and the regions are free again. */
	if (fixture_register(f))
		fixture_unregister(f);
	check_eq(f->exits, 2);
}

/* A plugin with the least that it must have: no symbols, no callbacks. */
static void minimal_case(const struct test_case *tc)
{
	struct fixture *f = fixture(0);
	const struct modreg_plugin_desc desc = {
		.name = "m",
		.owner = THIS_MODULE,
		.regions = f->regions,
		.num_regions = 1,
	};
	char name[KSYM_NAME_LEN] = "-", plugin[MODREG_NAME_LEN];

	f->regions[0].size = 1;
	f->plugin = modreg_register_plugin(&desc);
	if (!check_eq(PTR_ERR_OR_ZERO(f->plugin), 0))
		return;
	check_eq(modreg_is_address(f->text), true);
	check_eq(modreg_is_address(f->text + 1), false);
	check_eq(modreg_address_lookup(f->text, NULL, NULL, plugin, name), 0);
	check_str(plugin, "m");
	check_str(name, "-");
	fixture_unregister(f);
	fixture_is_gone(f);
}

/* A plugin with the most that it may have. */
static void limits_case(const struct test_case *tc)
{
	struct modreg_region regions[MODREG_MAX_REGIONS];
	char name[MODREG_NAME_LEN], got[MODREG_NAME_LEN];
	char *symbol = kzalloc(KSYM_NAME_LEN, GFP_KERNEL);
	char *got_symbol = kzalloc(KSYM_NAME_LEN, GFP_KERNEL);
	struct fixture *f = fixture(0);
	unsigned int i;

	if (!check(symbol && got_symbol))
		goto free;
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = 0;
	memset(symbol, 's', KSYM_NAME_LEN - 1);
	/* From high to low, each adjacent to the next. */
	for (i = 0; i < ARRAY_SIZE(regions); i++)
		regions[i] = (struct modreg_region){
			f->text + REGION_SIZE - (i + 1) * 32, 32, MODREG_TEXT
		};
	f->symbols[0].name = symbol;
	f->desc.name = name;
	f->desc.regions = regions;
	f->desc.num_regions = ARRAY_SIZE(regions);
	f->desc.num_symbols = 1;
	f->desc.num_exentries = 2;
	if (!fixture_register(f))
		goto free;
	for (i = 0; i < REGION_SIZE; i++)
		if (!check(modreg_is_address(f->text + i)))
			break;
	check_eq(modreg_is_address(f->text + REGION_SIZE), false);
	check_eq(modreg_address_lookup(f->text + ALPHA, NULL, NULL, got, got_symbol),
		 KSYM_NAME_LEN - 1);
	check_str(got, name);
	check_str(got_symbol, symbol);
	check_eq(modreg_kallsyms_lookup_name(symbol), f->text + ALPHA);
	fixture_unregister(f);
free:
	kfree(got_symbol);
	kfree(symbol);
}

/* The descriptor is not needed after the return, except what is marked as borrowed. */
static void copies_case(const struct test_case *tc)
{
	struct fixture *f = fixture(0);
	char symbol[] = "alpha";

	f->symbols[0].name = symbol;
	f->desc.args = "some_number=1";
	if (!fixture_register(f))
		return;
	strscpy(symbol, "xxxxx");
	strscpy(f->name, "xxxxxx");
	memset(f->regions, 0xff, sizeof(f->regions));
	memset(f->symbols, 0xff, sizeof(f->symbols));
	memset(f->params, 0xff, sizeof(f->params));
	f->desc.name = "test_a";
	fixture_answers(f);
	check_eq(lookup(f, "alpha"), f->text + ALPHA);
	fixture_unregister(f);
	check_eq(f->exits, 1);
}

static int sees_number(struct fixture *f)
{
	return f->number == 7 ? 0 : -EILSEQ;
}

static void args_case(const struct test_case *tc)
{
	static const char * const good[] = {
		"some_number=7", "  some_number=7  ", "some-number=7", "some_number=0x7",
		"some_number=\"7\"", "some_number=3 some_number=7", "\tsome_number=7\n",
		"some_number=7 -- other_number=1", "some_number=7 --",
	};
	struct fixture *f;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(good); i++) {
		f = fixture(0);
		f->desc.args = good[i];
		/* Arguments are parsed before init. */
		f->in_init = sees_number;
		if (!fixture_register(f)) {
			pr_err("%s: with '%s'\n", tc->name, good[i]);
			continue;
		}
		fixture_unregister(f);
	}
	f = fixture(0);
	f->desc.args = "";
	if (fixture_register(f))
		fixture_unregister(f);
	check_eq(f->number, 0);
}

static void unregister_null_case(const struct test_case *tc)
{
	check_eq(modreg_unregister_plugin(NULL), -EINVAL);
	check_eq(modreg_unregister_plugin(ERR_PTR(-ENOMEM)), -EINVAL);
	check_eq(modreg_unregister_plugins(NULL, 1), -EINVAL);
}

static void unregister_referenced_case(const struct test_case *tc)
{
	struct modreg_find_symbol_arg fsa;
	struct fixture *f = fixture(0);

	if (!fixture_register(f))
		return;
	if (check(find_symbol_get("beta", &fsa))) {
		check_eq(modreg_unregister_plugin(f->plugin), -EBUSY);
		/* The plugin is as before. */
		check_eq(f->exits, 0);
		fixture_answers(f);
		modreg_find_symbol_put(fsa.owner);
	}
	fixture_unregister(f);
	check_eq(f->exits, 1);
}

static void unregister_several_case(const struct test_case *tc)
{
	struct modreg_plugin *plugins[FIXTURES];
	unsigned int i, n = 0;

	for (i = 0; i < FIXTURES; i++)
		if (fixture_register(fixture(i)))
			plugins[n++] = fixtures[i].plugin;
	check_eq(modreg_unregister_plugins(plugins, 0), 0);
	fixture_answers(&fixtures[0]);
	check_eq(modreg_unregister_plugins(plugins, n), 0);
	for (i = 0; i < FIXTURES; i++) {
		check_eq(fixtures[i].exits, 1);
		fixture_is_gone(&fixtures[i]);
	}
}

/* All or none, whichever plugin is refused. */
static void unregister_several_refused_case(const struct test_case *tc)
{
	struct fixture *a = fixture(0), *b = fixture(1), *c = fixture(2);
	struct modreg_find_symbol_arg fsa;
	struct modreg_plugin *plugins[4];

	if (!fixture_register(a))
		return;
	if (!fixture_register(c))
		goto unregister_a;
	if (!fixture_register(b))
		goto unregister_c;

	plugins[0] = a->plugin;
	plugins[1] = b->plugin;
	plugins[2] = c->plugin;
	if (check(find_symbol_get("beta", &fsa))) {
		check_eq(fsa.owner, b->plugin);
		check_eq(modreg_unregister_plugins(plugins, 3), -EBUSY);
		modreg_find_symbol_put(fsa.owner);
	}
	plugins[3] = NULL;
	check_eq(modreg_unregister_plugins(plugins, 4), -EINVAL);
	plugins[3] = a->plugin;
	check_eq(modreg_unregister_plugins(plugins, 4), -EBUSY);
	check_eq(a->exits + b->exits + c->exits, 0);
	fixture_answers(a);
	fixture_answers(b);
	fixture_answers(c);
	fixture_unregister(b);
unregister_c:
	fixture_unregister(c);
unregister_a:
	fixture_unregister(a);
}

/* Each writer returns -EDEADLK where sleeping is not allowed, and logs it. */
static void writers_are_refused(void)
{
	struct fixture *f = &fixtures[0], *g = &fixtures[1];
	struct modreg_plugin *refused;

	refused = modreg_register_plugin(&g->desc);
	check_eq(PTR_ERR_OR_ZERO(refused), -EDEADLK);
	refused = modreg_register_module(THIS_MODULE, NULL);
	check_eq(PTR_ERR_OR_ZERO(refused), -EDEADLK);
	check_eq(modreg_unregister_plugin(f->plugin), -EDEADLK);
	check_eq(modreg_unregister_plugins(&f->plugin, 1), -EDEADLK);
	f->number++;
}

static void atomic_case(const struct test_case *tc)
{
	struct fixture *f = fixture(0), *g = fixture(1);

	if (!fixture_register(f))
		return;
	run_in_context(strrchr(tc->name, '.') + 1, writers_are_refused);
	check_eq(f->number, 1);
	check_eq(g->inits, 0);
	check_eq(f->exits, 0);
	fixture_is_gone(g);
	fixture_answers(f);
	fixture_unregister(f);
}

/* Callbacks that return where sleeping is not allowed */

static const char *left_how;

static void leave_atomic(void)
{
	if (!strcmp(left_how, "preempt_off"))
		preempt_disable();
	else if (!strcmp(left_how, "irqs_off"))
		local_irq_disable();
	else
		rcu_read_lock();
}

static int init_leaves_atomic(struct fixture *f)
{
	leave_atomic();
	return 0;
}

static void exit_leaves_atomic(struct fixture *f)
{
	leave_atomic();
}

static bool may_sleep(void)
{
	return preemptible() && !rcu_preempt_depth();
}

static void callback_atomic_case(const struct test_case *tc)
{
	struct fixture *f = fixture(0);

	left_how = strrchr(tc->name, '.') + 1;
	if (strstr(tc->name, "init_"))
		f->in_init = init_leaves_atomic;
	else
		f->in_exit = exit_leaves_atomic;
	if (!fixture_register(f))
		return;
	check(may_sleep());
	fixture_answers(f);
	fixture_unregister(f);
	check(may_sleep());
	check_eq(f->exits, 1);
	fixture_is_gone(f);
}

#ifdef CONFIG_KPROBES
/* The kernel does not stop the machine: plugins are removed nevertheless, after a grace period. */
static int stop_fails(cpu_stop_fn_t fn, void *data, const struct cpumask *cpus)
{
	return -EIO;
}

static int call_stop_fails(struct kprobe *kp, struct pt_regs *regs)
{
	instruction_pointer_set(regs, (unsigned long)stop_fails);
	return 1;
}

static int init_fails(struct fixture *f)
{
	return -EIO;
}

static void stop_fails_case(const struct test_case *tc)
{
	struct kprobe kp = { .symbol_name = "stop_machine", .pre_handler = call_stop_fails };
	struct fixture *f = fixture(0), *g = fixture(1), *failing = fixture(2);
	struct modreg_plugin *plugins[2];

	if (!fixture_register(f) || !fixture_register(g))
		return;
	failing->in_init = init_fails;
	plugins[0] = f->plugin;
	plugins[1] = g->plugin;
	if (check_eq(register_kprobe(&kp), 0)) {
		check_eq(modreg_unregister_plugins(plugins, 2), 0);
		check_eq(PTR_ERR_OR_ZERO(modreg_register_plugin(&failing->desc)), -EIO);
		unregister_kprobe(&kp);
	}
	check_eq(f->exits, 1);
	check_eq(g->exits, 1);
	check_eq(failing->exits, 0);
	fixture_is_gone(f);
	fixture_is_gone(g);
	fixture_is_gone(failing);
}
#endif

/* A plugin whose life is not logged; a refusal is. */
static void quiet_case(const struct test_case *tc)
{
	struct fixture *f = fixture(0), *g = fixture(1);
	struct modreg_plugin *refused;

	f->desc.flags = MODREG_QUIET;
	if (!fixture_register(f))
		return;
	g->desc.name = f->desc.name;
	g->desc.flags = MODREG_QUIET;
	refused = modreg_register_plugin(&g->desc);
	check_eq(PTR_ERR_OR_ZERO(refused), -EEXIST);
	fixture_answers(f);
	fixture_unregister(f);
}

/*
 * So many plugins that every table grows, registered out of order, removed one by one and at
 * once.
 */
static void many_plugins_case(const struct test_case *tc)
{
	enum { MANY = 200 };
	struct modreg_plugin **plugins = kcalloc(MANY, sizeof(*plugins), GFP_KERNEL);
	struct fixture *f = fixture(0);
	unsigned int i, at, n = 0;
	char name[16], plugin[MODREG_NAME_LEN];

	if (!check(plugins))
		return;
	for (i = 0; i < MANY; i++) {
		const struct modreg_region region = {
			.base = f->text + 8 * (i % 2 ? i : MANY - 2 - i),
			.size = 4,
			.flags = MODREG_TEXT,
		};
		const struct modreg_plugin_desc desc = {
			.name = name,
			.owner = THIS_MODULE,
			.regions = &region,
			.num_regions = 1,
		};

		at = (region.base - f->text) / 8;
		snprintf(name, sizeof(name), "many_%u", at);
		plugins[at] = modreg_register_plugin(&desc);
		if (!check_eq(PTR_ERR_OR_ZERO(plugins[at]), 0)) {
			plugins[at] = NULL;
			break;
		}
	}
	for (i = 0; i < MANY; i++) {
		if (!plugins[i])
			continue;
		snprintf(name, sizeof(name), "many_%u", i);
		modreg_address_lookup(f->text + 8 * i + 3, NULL, NULL, plugin, NULL);
		check_str(plugin, name);
		check_eq(modreg_is_address(f->text + 8 * i + 4), false);
	}
	for (i = 0; i < MANY; i++) {
		if (!plugins[i])
			continue;
		if (i % 50)
			plugins[n++] = plugins[i];
		else
			check_eq(modreg_unregister_plugin(plugins[i]), 0);
	}
	check_eq(modreg_is_address(f->text), false);
	check_eq(modreg_is_address(f->text + 8), true);
	check_eq(modreg_unregister_plugins(plugins, n), 0);
	for (i = 0; i < MANY; i++)
		check_eq(modreg_is_address(f->text + 8 * i), false);
	kfree(plugins);
}

const struct test_case writer_cases[] = {
	{ "writers.register", register_case },
	{ "writers.minimal", minimal_case },
	{ "writers.limits", limits_case },
	{ "writers.copies", copies_case },
	{ "writers.args", args_case },
	{ "writers.unregister_null", unregister_null_case },
	{ "writers.unregister_referenced", unregister_referenced_case },
	{ "writers.unregister_several", unregister_several_case },
	{ "writers.unregister_several_refused", unregister_several_refused_case },
	{ "writers.atomic.preempt_off", atomic_case },
	{ "writers.atomic.irqs_off", atomic_case },
	{ "writers.atomic.bh_off", atomic_case },
	{ "writers.atomic.spinlock", atomic_case },
	{ "writers.atomic.rcu", atomic_case },
	{ "writers.atomic.softirq", atomic_case },
	{ "writers.atomic.hardirq", atomic_case },
	{ "writers.atomic.nmi", atomic_case },
	{ "writers.exit_atomic.preempt_off", callback_atomic_case },
	{ "writers.exit_atomic.irqs_off", callback_atomic_case },
	{ "writers.exit_atomic.rcu", callback_atomic_case },
	{ "writers.init_atomic.preempt_off", callback_atomic_case },
	{ "writers.init_atomic.irqs_off", callback_atomic_case },
	{ "writers.init_atomic.rcu", callback_atomic_case },
#ifdef CONFIG_KPROBES
	{ "writers.stop_fails", stop_fails_case },
#endif
	{ "writers.quiet", quiet_case },
	{ "writers.many_plugins", many_plugins_case },
	{ }
};
