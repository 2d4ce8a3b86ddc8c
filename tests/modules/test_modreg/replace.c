// SPDX-License-Identifier: GPL-2.0
/* Replacing the symbols of a LIVE plugin. */

#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/preempt.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "test_modreg.h"

/* Other symbols for a fixture: alpha is among both, at another address. */
struct other {
	struct modreg_symbol symbols[3];
	struct exception_table_entry extable[1];
	struct modreg_plugin_desc desc;
};

/* Static, since exception entries reach 2 GiB. */
static struct other others[2];

static struct other *other(unsigned int i, struct fixture *f)
{
	struct other *o = &others[i];

	o->symbols[0] = (struct modreg_symbol){ "alpha", f->text + ALPHA + 0x20 };
	o->symbols[1] = (struct modreg_symbol){ "epsilon", f->text + 0x100, 0, MODREG_EXPORT };
	o->symbols[2] = (struct modreg_symbol){ "zeta", f->data + 8 };
	set_exception(&o->extable[0], f->text + 0x104);
	o->desc = (struct modreg_plugin_desc){
		.symbols = o->symbols, .num_symbols = ARRAY_SIZE(o->symbols),
		.extable = o->extable, .num_exentries = ARRAY_SIZE(o->extable),
	};
	return o;
}

/* Checks that every reader finds the symbols of the descriptor, but for the init symbol. */
static void has_old(struct fixture *f)
{
	struct modreg_find_symbol_arg fsa;
	char name[KSYM_NAME_LEN];

	check_eq(lookup(f, "alpha"), f->text + ALPHA);
	check_eq(lookup(f, "beta"), f->text + BETA);
	check_eq(lookup(f, "epsilon"), 0);
	check_eq(modreg_kallsyms_lookup_name("delta"), f->data);
	check_eq(modreg_kallsyms_lookup_name("zeta"), 0);
	check(find_symbol("beta", &fsa));
	check(!find_symbol("epsilon", &fsa));
	check_eq(modreg_lookup_symbol_name(f->text + BETA + 1, name), 0);
	check_str(name, "beta");
	check_eq(modreg_search_extables(f->text + BETA + 8), &f->extable[1]);
	check_eq(modreg_search_extables(f->text + 0x104), NULL);
	check_eq(count_symbols(), 5);
}

/* Checks that every reader finds the others and nothing else. */
static void has_other(struct fixture *f, struct other *o)
{
	unsigned long size, offset;
	struct modreg_find_symbol_arg fsa;
	char name[KSYM_NAME_LEN];

	check_eq(lookup(f, "alpha"), f->text + ALPHA + 0x20);
	check_eq(lookup(f, "beta"), 0);
	check_eq(lookup(f, "epsilon"), f->text + 0x100);
	check_eq(modreg_kallsyms_lookup_name("alpha"), f->text + ALPHA + 0x20);
	check_eq(modreg_kallsyms_lookup_name("delta"), 0);
	check_eq(modreg_kallsyms_lookup_name("zeta"), f->data + 8);
	check(!find_symbol("beta", &fsa));
	check(find_symbol("epsilon", &fsa) && fsa.value == f->text + 0x100);
	check_eq(modreg_lookup_symbol_attrs(f->text + BETA + 1, &size, &offset, NULL, name), 0);
	check_str(name, "alpha");
	check_eq(size, 0x100 - ALPHA - 0x20);
	check_eq(offset, BETA + 1 - ALPHA - 0x20);
	check_eq(modreg_lookup_symbol_name(f->text + ALPHA, name), -ERANGE);
	check_eq(modreg_search_extables(f->text + BETA + 8), NULL);
	check_eq(modreg_search_extables(f->text + 0x104), &o->extable[0]);
	check_eq(count_symbols(), 3);
	/* The plugin and its regions have not changed. */
	check(modreg_is_address(f->text) && modreg_is_address(f->data));
	check(!modreg_is_address(f->start));
	check_eq(f->exits, 0);
}

static void there_and_back_case(const struct test_case *tc)
{
	struct fixture *f = fixture(0);
	struct other *o = other(0, f);
	struct modreg_plugin_desc first = {
		.symbols = f->symbols, .num_symbols = ARRAY_SIZE(f->symbols) - 1,
		.extable = f->extable, .num_exentries = ARRAY_SIZE(f->extable) - 1,
	};
	unsigned int i;

	if (!fixture_register(f))
		return;
	has_old(f);
	for (i = 0; i < 3; i++) {
		check_eq(modreg_replace_symbols(f->plugin, &o->desc), 0);
		has_other(f, o);
		check_eq(modreg_replace_symbols(f->plugin, &first), 0);
		has_old(f);
	}
	fixture_unregister(f);
	check_eq(count_symbols(), 0);
}

/* Among equal names of several plugins, those that came last count. */
static void newest_case(const struct test_case *tc)
{
	struct fixture *f = fixture(0), *g = fixture(1);
	struct other *o = other(0, f);

	if (!fixture_register(f) || !fixture_register(g))
		return;
	check_eq(modreg_kallsyms_lookup_name("alpha"), g->text + ALPHA);
	check_eq(modreg_replace_symbols(f->plugin, &o->desc), 0);
	check_eq(modreg_kallsyms_lookup_name("alpha"), f->text + ALPHA + 0x20);
	check_eq(lookup(g, "alpha"), g->text + ALPHA);
	check_eq(modreg_kallsyms_lookup_name("beta"), g->text + BETA);
	fixture_unregister(f);
	check_eq(modreg_kallsyms_lookup_name("alpha"), g->text + ALPHA);
	fixture_unregister(g);
}

/* A range may be known before its symbols are, and outlive them. */
static void none_case(const struct test_case *tc)
{
	struct fixture *f = fixture(0);
	struct other *o = other(0, f);
	const struct modreg_plugin_desc none = { };

	f->desc.num_symbols = 0;
	f->desc.num_exentries = 0;
	if (!fixture_register(f))
		return;
	check_eq(count_symbols(), 0);
	check_eq(modreg_replace_symbols(f->plugin, &o->desc), 0);
	has_other(f, o);
	check_eq(modreg_replace_symbols(f->plugin, &none), 0);
	check_eq(count_symbols(), 0);
	check_eq(lookup(f, "alpha"), 0);
	check(modreg_is_address(f->text));
	fixture_unregister(f);
}

/* So many symbols that the plugin is asked by itself, then few, then many again. */
static void large_case(const struct test_case *tc)
{
	const unsigned int num = 5000;
	struct fixture *f = fixture(0);
	struct other *o = other(0, f);
	struct modreg_symbol *symbols = kvcalloc(num, sizeof(*symbols), GFP_KERNEL);
	char (*names)[16] = kvcalloc(num, sizeof(*names), GFP_KERNEL);
	const struct modreg_plugin_desc large = { .symbols = symbols, .num_symbols = num };
	unsigned int i, round;

	if (!check(symbols && names) || !fixture_register(f))
		goto out;
	for (i = 0; i < num; i++) {
		snprintf(names[i], sizeof(names[i]), "large_%u", i);
		symbols[i].name = names[i];
		symbols[i].value = f->text + i % REGION_SIZE;
	}
	for (round = 0; round < 3; round++) {
		check_eq(modreg_replace_symbols(f->plugin, &large), 0);
		check_eq(count_symbols(), num);
		for (i = 0; i < num; i += 7) {
			check_eq(modreg_kallsyms_lookup_name(names[i]), symbols[i].value);
			check_eq(lookup(f, names[i]), symbols[i].value);
		}
		check_eq(lookup(f, "epsilon"), 0);
		check_eq(modreg_replace_symbols(f->plugin, &o->desc), 0);
		check_eq(modreg_kallsyms_lookup_name(names[0]), 0);
		has_other(f, o);
	}
	fixture_unregister(f);
out:
	kvfree(symbols);
	kvfree(names);
}

/* What was borrowed may be freed when the function returns. */
static void borrowed_case(const struct test_case *tc)
{
	struct fixture *f = fixture(0);
	struct other *o = other(0, f);
	unsigned int i;

	if (!fixture_register(f))
		return;
	for (i = 0; i < 20; i++) {
		static const char names[] = "\0lent\0more";
		Elf_Sym *syms = vzalloc(3 * sizeof(*syms));
		char *strtab = vmalloc(sizeof(names)), *types = vmalloc(3);
		const struct modreg_symtab symtab = {
			.symtab = syms, .num_symtab = 3, .strtab = strtab,
			.strtab_size = sizeof(names), .typetab = types,
		};
		const struct modreg_plugin_desc lent = { .symtab = &symtab };

		if (check(syms && strtab && types)) {
			memcpy(strtab, names, sizeof(names));
			memset(types, 't', 3);
			syms[1] = (Elf_Sym){ .st_name = 1, .st_shndx = 1, .st_value = f->text };
			syms[2] = (Elf_Sym){ .st_name = 6, .st_shndx = 1, .st_value = f->data };
			check_eq(modreg_replace_symbols(f->plugin, &lent), 0);
			check_eq(lookup(f, "lent"), f->text);
			check_eq(modreg_kallsyms_lookup_name("more"), f->data);
			check_eq(modreg_replace_symbols(f->plugin, &o->desc), 0);
		}
		vfree(syms);
		vfree(strtab);
		vfree(types);
	}
	has_other(f, o);
	fixture_unregister(f);
}

/* Each is refused, and nothing has changed. */
static void refused_case(const struct test_case *tc)
{
	struct fixture *f = fixture(0);
	struct other *o = other(0, f);
	struct modreg_plugin_desc good = o->desc;

	if (!fixture_register(f))
		return;
	check_eq(modreg_replace_symbols(NULL, &o->desc), -EINVAL);
	check_eq(modreg_replace_symbols(ERR_PTR(-EIO), &o->desc), -EINVAL);
	check_eq(modreg_replace_symbols(f->plugin, NULL), -EINVAL);
#define REFUSED(member, bad, err) do {							\
	o->desc = good;									\
	o->desc.member = bad;								\
	check_eq(modreg_replace_symbols(f->plugin, &o->desc), err);			\
} while (0)
	REFUSED(name, "other", -EINVAL);
	REFUSED(owner, THIS_MODULE, -EINVAL);
	REFUSED(regions, f->regions, -EINVAL);
	REFUSED(num_regions, 1, -EINVAL);
	REFUSED(params, f->params, -EINVAL);
	REFUSED(args, "a=1", -EINVAL);
	REFUSED(init, f->desc.init, -EINVAL);
	REFUSED(exit, f->desc.exit, -EINVAL);
	REFUSED(data, f, -EINVAL);
	REFUSED(flags, MODREG_QUIET, -EINVAL);
	REFUSED(symbols, NULL, -EINVAL);
	REFUSED(num_symbols, MODREG_MAX_SYMBOLS + 1, -E2BIG);
	REFUSED(num_exentries, MODREG_MAX_SYMBOLS + 1, -E2BIG);
	REFUSED(extable, NULL, -EINVAL);
#undef REFUSED
	o->desc = good;
	o->symbols[0].name = "";
	check_eq(modreg_replace_symbols(f->plugin, &o->desc), -EINVAL);
	o->symbols[0].name = "alpha";
	/* A symbol of the init region is outside of the regions now. */
	o->symbols[0].value = f->start;
	check_eq(modreg_replace_symbols(f->plugin, &o->desc), -ERANGE);
	o->symbols[0].value = f->text;
	set_exception(&o->extable[0], f->start);
	check_eq(modreg_replace_symbols(f->plugin, &o->desc), -ERANGE);
	preempt_disable();
	check_eq(modreg_replace_symbols(f->plugin, &o->desc), -EDEADLK);
	preempt_enable();
	has_old(f);
	fixture_unregister(f);
}

static int replaces_coming(struct fixture *f)
{
	struct other *o = other(0, f);
	struct modreg_plugin *plugin;

	preempt_disable();
	plugin = modreg_text_address(f->text);
	preempt_enable();
	check_eq(modreg_replace_symbols(plugin, &o->desc), -EBUSY);
	return 0;
}

static void replaces_going(struct fixture *f)
{
	struct other *o = other(0, f);

	check_eq(modreg_replace_symbols(f->plugin, &o->desc), -EBUSY);
}

static void busy_case(const struct test_case *tc)
{
	struct fixture *f = fixture(0);

	f->in_init = replaces_coming;
	f->in_exit = replaces_going;
	if (fixture_register(f)) {
		has_old(f);
		fixture_unregister(f);
	}
}

/* While it is referenced, and by its owner's reference. */
static void referenced_case(const struct test_case *tc)
{
	struct fixture *f = fixture(0);
	struct other *o = other(0, f);
	struct modreg_find_symbol_arg fsa;

	if (!fixture_register(f))
		return;
	if (check(find_symbol_get("beta", &fsa))) {
		check_eq(modreg_replace_symbols(f->plugin, &o->desc), 0);
		has_other(f, o);
		modreg_find_symbol_put(fsa.owner);
	}
	fixture_unregister(f);
}

static void module_case(const struct test_case *tc)
{
	const struct modreg_plugin_desc named = { .name = "test_module" }, none = { };
	struct modreg_plugin *plugin = modreg_register_module(THIS_MODULE, &named);

	if (!check_eq(PTR_ERR_OR_ZERO(plugin), 0))
		return;
	check_eq(modreg_replace_symbols(plugin, &none), -EINVAL);
	check_eq(modreg_unregister_plugin(plugin), 0);
}

const struct test_case replace_cases[] = {
	{ "replace.there_and_back", there_and_back_case },
	{ "replace.newest", newest_case },
	{ "replace.none", none_case },
	{ "replace.large", large_case },
	{ "replace.borrowed", borrowed_case },
	{ "replace.refused", refused_case },
	{ "replace.busy", busy_case },
	{ "replace.referenced", referenced_case },
	{ "replace.module", module_case },
	{ }
};
