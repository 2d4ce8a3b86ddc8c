// SPDX-License-Identifier: GPL-2.0
/* A plugin in each of its states. */

#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/preempt.h>
#include <linux/vmalloc.h>

#include "test_modreg.h"

/* Called from the plugin's own init or exit callback, which keeps it from going. */
static struct modreg_plugin *handle(struct fixture *f)
{
	struct modreg_plugin *plugin;

	preempt_disable();
	plugin = modreg_text_address(f->text);
	preempt_enable();
	return plugin;
}

/*
 * Checks that no reference can be taken and no unregistration succeeds, as before and after
 * LIVE.
 */
static void is_untouchable(struct fixture *f)
{
	struct modreg_find_symbol_arg fsa;
	int refs = module_refcount(THIS_MODULE);

	check(!find_symbol_get("beta", &fsa));
	check_eq(module_refcount(THIS_MODULE), refs);
	check_eq(modreg_unregister_plugin(handle(f)), -EBUSY);
}

/* Checks that every reader sees the init region if it is there, and none does otherwise. */
static void has_init_region(struct fixture *f, bool there)
{
	struct modreg_find_symbol_arg fsa;
	char name[KSYM_NAME_LEN], plugin[MODREG_NAME_LEN];

	check_eq(modreg_is_address(f->start), there);
	check_eq(!modreg_text_address(f->start + 1), !there);
	check_eq(modreg_address_lookup(f->start + 1, NULL, NULL, plugin, name), there ? 7 : 0);
	check_eq(modreg_lookup_symbol_name(f->start, name), there ? 0 : -ERANGE);
	check_eq(lookup(f, "startup"), there ? f->start : 0);
	check_eq(modreg_kallsyms_lookup_name("startup"), there ? f->start : 0);
	check_eq(find_symbol("startup", &fsa), there);
	check_eq(modreg_search_extables(f->start + 12), there ? &f->extable[2] : NULL);
	check_eq(count_symbols(), there ? 6 : 5);
}

static int sees_coming(struct fixture *f)
{
	struct modreg_find_symbol_arg fsa;

	has_init_region(f, true);
	is_untouchable(f);
	check_eq(lookup(f, "alpha"), f->text + ALPHA);
	check(find_symbol("beta", &fsa) && fsa.owner == handle(f));
	check_eq(modreg_search_extables(f->text + BETA + 8), &f->extable[1]);
	modreg_print_plugins();
	return 0;
}

static void coming_case(const struct test_case *tc)
{
	struct fixture *f = fixture(0);

	f->in_init = sees_coming;
	if (fixture_register(f))
		fixture_unregister(f);
	check_eq(f->inits, 1);
}

static int set_sees_coming(const char *value, const struct kernel_param *kp)
{
	struct fixture *f = kp->arg;

	check_str(value, "yes");
	check_str(kp->name, "seen");
	check_eq(f->inits, 0);
	return sees_coming(f);
}

/* Arguments are parsed after publication. */
static void coming_args_case(const struct test_case *tc)
{
	static const struct kernel_param_ops ops = { .set = set_sees_coming };
	struct fixture *f = fixture(0);

	f->params[0] = (struct modreg_param){ "seen", &ops, f };
	f->desc.args = "seen=yes";
	if (fixture_register(f))
		fixture_unregister(f);
	check_eq(f->inits, 1);
}

/* The name and the regions of a COMING plugin are taken. */
static int others_collide(struct fixture *f)
{
	struct fixture *g = fixture(1);
	struct modreg_plugin *refused;

	g->desc.name = f->name;
	refused = modreg_register_plugin(&g->desc);
	check_eq(PTR_ERR_OR_ZERO(refused), -EEXIST);
	g = fixture(1);
	g->regions[2].base = f->start;
	g->desc.num_symbols = 1;
	g->desc.num_exentries = 1;
	refused = modreg_register_plugin(&g->desc);
	check_eq(PTR_ERR_OR_ZERO(refused), -EEXIST);
	return 0;
}

static void coming_collides_case(const struct test_case *tc)
{
	struct fixture *f = fixture(0);

	f->in_init = others_collide;
	if (fixture_register(f))
		fixture_unregister(f);
	check_eq(f->inits, 1);
}

static void live_case(const struct test_case *tc)
{
	struct fixture *f = fixture(0), *g = fixture(1);

	if (!fixture_register(f))
		return;
	has_init_region(f, false);
	fixture_answers(f);
	/* The next owner of the init memory may register it. */
	g->regions[0].base = f->start;
	g->desc.num_regions = 1;
	g->desc.num_symbols = 0;
	g->desc.num_exentries = 0;
	if (fixture_register(g)) {
		preempt_disable();
		check_eq(modreg_text_address(f->start), g->plugin);
		preempt_enable();
		fixture_answers(f);
		fixture_unregister(g);
	}
	check_eq(modreg_is_address(f->start), false);
	fixture_unregister(f);
}

static void sees_going(struct fixture *f)
{
	char name[KSYM_NAME_LEN];

	check_eq(modreg_lookup_symbol_name(f->text + BETA, name), 0);
	check_str(name, "beta");
	check_eq(lookup(f, "alpha"), f->text + ALPHA);
	check_eq(modreg_is_address(f->data), true);
	check_eq(modreg_search_extables(f->text + BETA + 8), &f->extable[1]);
	check_eq(handle(f), f->plugin);
	has_init_region(f, false);
	is_untouchable(f);
	modreg_print_plugins();
}

static void going_case(const struct test_case *tc)
{
	struct fixture *f = fixture(0);

	f->in_exit = sees_going;
	if (fixture_register(f))
		fixture_unregister(f);
	check_eq(f->exits, 1);
	fixture_is_gone(f);
}

static void others_collide_too(struct fixture *f)
{
	struct fixture *g = fixture(1);
	struct modreg_plugin *refused;

	g->desc.name = f->name;
	refused = modreg_register_plugin(&g->desc);
	check_eq(PTR_ERR_OR_ZERO(refused), -EEXIST);
}

static void going_collides_case(const struct test_case *tc)
{
	struct fixture *f = fixture(0);

	f->in_exit = others_collide_too;
	if (fixture_register(f))
		fixture_unregister(f);
	check_eq(f->exits, 1);
}

static int fails(struct fixture *f)
{
	has_init_region(f, true);
	return -EXFULL;
}

/* A plugin whose start fails is removed without a call of its exit callback. */
static void failed_init_case(const struct test_case *tc)
{
	struct fixture *f = fixture(0);

	f->in_init = fails;
	f->plugin = modreg_register_plugin(&f->desc);
	check_eq(PTR_ERR_OR_ZERO(f->plugin), -EXFULL);
	check_eq(f->inits, 1);
	check_eq(f->exits, 0);
	fixture_is_gone(f);
}

static void failed_args_case(const struct test_case *tc)
{
	struct fixture *f = fixture(0);

	f->desc.args = "some_number=7 some_number=seven";
	f->plugin = modreg_register_plugin(&f->desc);
	check_eq(PTR_ERR_OR_ZERO(f->plugin), -EINVAL);
	check_eq(f->number, 7);
	check_eq(f->inits, 0);
	check_eq(f->exits, 0);
	fixture_is_gone(f);
}

/* Stops here, while states.sh looks from outside. */
static int holds(struct fixture *f)
{
	test_hold();
	return 0;
}

static void hold_coming_case(const struct test_case *tc)
{
	struct fixture *f = fixture(0);

	f->in_init = holds;
	if (fixture_register(f))
		fixture_unregister(f);
}

static void hold_live_case(const struct test_case *tc)
{
	struct modreg_find_symbol_arg fsa;
	struct fixture *f = fixture(0);

	if (!fixture_register(f))
		return;
	if (check(find_symbol_get("beta", &fsa))) {
		test_hold();
		modreg_find_symbol_put(fsa.owner);
	}
	fixture_unregister(f);
}

static void holds_too(struct fixture *f)
{
	test_hold();
}

static void hold_going_case(const struct test_case *tc)
{
	struct fixture *f = fixture(0);

	f->in_exit = holds_too;
	if (fixture_register(f))
		fixture_unregister(f);
}

/* Holds a plugin with that many symbols, a byte apart. */
static void hold_symbols(unsigned int num)
{
	enum { NAME = sizeof("large_00000") };
	struct modreg_region region = { .flags = MODREG_TEXT };
	struct fixture *f = fixture(0);
	struct modreg_symbol *symbols = vcalloc(num, sizeof(*symbols));
	char *names = vcalloc(num, NAME);
	unsigned int i;

	if (!check(symbols && names))
		goto free;
	region.base = (unsigned long)names;
	region.size = num * NAME;
	for (i = 0; i < num; i++) {
		snprintf(names + i * NAME, NAME, "large_%05u", i);
		symbols[i].name = names + i * NAME;
		symbols[i].value = region.base + i;
	}
	f->desc.regions = &region;
	f->desc.num_regions = 1;
	f->desc.symbols = symbols;
	f->desc.num_symbols = num;
	f->desc.num_exentries = 0;
	if (fixture_register(f)) {
		test_hold();
		fixture_unregister(f);
	}
free:
	vfree(names);
	vfree(symbols);
}

/* More symbols than any module has. */
static void hold_large_case(const struct test_case *tc)
{
	hold_symbols(LARGE);
}

/* Symbols that are not part of their plugin's tables: a table that is lent, and many copies. */
static void hold_shared_case(const struct test_case *tc)
{
	static const struct modreg_region region = { .base = (unsigned long)&region, .size = 8 };
	static const struct elf64_sym symbols[] = {
		{ }, { .st_name = 1, .st_shndx = 1, .st_value = (unsigned long)&region },
	};
	static const char names[] = "\0lent_one";
	static const struct modreg_symtab symtab = {
		.symtab = symbols,
		.num_symtab = ARRAY_SIZE(symbols),
		.strtab = names,
		.strtab_size = sizeof(names),
		.typetab = "?r",
	};
	static const struct modreg_plugin_desc desc = {
		.name = "test_lent",
		.owner = THIS_MODULE,
		.regions = &region,
		.num_regions = 1,
		.symtab = &symtab,
	};
	struct modreg_plugin *plugin = modreg_register_plugin(&desc);

	if (!check_eq(PTR_ERR_OR_ZERO(plugin), 0))
		return;
	hold_symbols(12);
	check_eq(modreg_unregister_plugin(plugin), 0);
}

const struct test_case state_cases[] = {
	{ "states.coming", coming_case },
	{ "states.coming_args", coming_args_case },
	{ "states.coming_collides", coming_collides_case },
	{ "states.live", live_case },
	{ "states.going", going_case },
	{ "states.going_collides", going_collides_case },
	{ "states.failed_init", failed_init_case },
	{ "states.failed_args", failed_args_case },
	{ "hold.coming", hold_coming_case },
	{ "hold.live", hold_live_case },
	{ "hold.going", hold_going_case },
	{ "hold.large", hold_large_case },
	{ "hold.shared", hold_shared_case },
	{ }
};
