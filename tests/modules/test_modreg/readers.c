// SPDX-License-Identifier: GPL-2.0
/* Each reader of modreg.h, in each context. */

#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/preempt.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "test_modreg.h"

static void find_symbol_case(const struct test_case *tc)
{
	struct modreg_find_symbol_arg fsa;
	struct fixture *f = fixture(0);

	if (!fixture_register(f))
		return;
	if (check(find_symbol("beta", &fsa))) {
		check_eq(fsa.owner, f->plugin);
		check_eq(fsa.value, f->text + BETA);
		check_eq(fsa.license, MODREG_NOT_GPL_ONLY);
	}
	if (check(find_symbol("gamma", &fsa))) {
		check_eq(fsa.value, f->text + GAMMA);
		check_eq(fsa.license, MODREG_GPL_ONLY);
	}
	/* Not exported; unknown; no name. */
	check(!find_symbol("alpha", &fsa));
	check(!find_symbol("test_a:beta", &fsa));
	check(!find_symbol("bet", &fsa));
	check(!find_symbol("betas", &fsa));
	check(!find_symbol("", &fsa));
	check(!find_symbol(NULL, &fsa));
	check_eq(fsa.value, 0);
	check(!modreg_find_symbol(NULL));
	check(!modreg_find_symbol_get(NULL));
	fixture_unregister(f);
	check(!find_symbol("beta", &fsa));
}

static void find_symbol_gpl_case(const struct test_case *tc)
{
	struct modreg_find_symbol_arg fsa = { .name = "gamma" };
	struct fixture *f = fixture(0), *newer = fixture(1);

	if (!fixture_register(f))
		return;
	check(!modreg_find_symbol(&fsa));
	check(!modreg_find_symbol_get(&fsa));
	check_eq(fsa.owner, NULL);
	/* With 'warn' the log says so, once for all that are hidden. */
	fsa.warn = true;
	if (fixture_register(newer)) {
		check(!modreg_find_symbol(&fsa));
		fixture_unregister(newer);
	}
	fsa.name = "beta";
	check(modreg_find_symbol(&fsa));
	fixture_unregister(f);
}

static void find_symbol_newest_case(const struct test_case *tc)
{
	struct fixture *old = fixture(0), *new = fixture(1);
	struct modreg_find_symbol_arg fsa;

	if (!fixture_register(old))
		return;
	/* A hidden GPL-only symbol of a newer plugin does not hide an older plugin's symbol. */
	new->symbols[1].flags = MODREG_EXPORT_GPL;
	if (fixture_register(new)) {
		check(find_symbol("beta", &fsa) && fsa.owner == new->plugin);
		fsa.gplok = false;
		check(modreg_find_symbol(&fsa) && fsa.owner == old->plugin);
		check_eq(modreg_kallsyms_lookup_name("alpha"), new->text + ALPHA);
		check_eq(lookup(old, "alpha"), old->text + ALPHA);
		fixture_unregister(new);
	}
	check(find_symbol("beta", &fsa) && fsa.owner == old->plugin);
	check_eq(modreg_kallsyms_lookup_name("alpha"), old->text + ALPHA);
	fixture_unregister(old);
}

static void find_symbol_get_case(const struct test_case *tc)
{
	int refs = module_refcount(THIS_MODULE);
	struct modreg_find_symbol_arg fsa, again;
	struct fixture *f = fixture(0);

	if (!fixture_register(f))
		return;
	if (check(find_symbol_get("gamma", &fsa))) {
		check_eq(fsa.owner, f->plugin);
		check_eq(fsa.value, f->text + GAMMA);
		check_eq(fsa.license, MODREG_GPL_ONLY);
		check_str(modreg_plugin_name(fsa.owner), "test_a");
		/* Each reference also pins the owner. */
		check_eq(module_refcount(THIS_MODULE), refs + 1);
		if (check(find_symbol_get("beta", &again))) {
			check_eq(module_refcount(THIS_MODULE), refs + 2);
			modreg_find_symbol_put(again.owner);
		}
		check_eq(modreg_unregister_plugin(f->plugin), -EBUSY);
		modreg_find_symbol_put(fsa.owner);
		check_eq(module_refcount(THIS_MODULE), refs);
	}
	check(!find_symbol_get("alpha", &fsa));
	check_eq(module_refcount(THIS_MODULE), refs);
	modreg_find_symbol_put(NULL);
	fixture_unregister(f);
	check_eq(module_refcount(THIS_MODULE), refs);
}

static void address_lookup_case(const struct test_case *tc)
{
	char name[KSYM_NAME_LEN], plugin[MODREG_NAME_LEN];
	unsigned long size, offset;
	struct fixture *f = fixture(0);

	if (!fixture_register(f))
		return;
	/* The first byte of a symbol, its last, and the last of the region. */
	check_eq(modreg_address_lookup(f->text + ALPHA, &size, &offset, plugin, name), 5);
	check_str(name, "alpha");
	check_eq(size, BETA - ALPHA);
	check_eq(offset, 0);
	check_eq(modreg_address_lookup(f->text + BETA - 1, &size, &offset, plugin, name), 5);
	check_str(name, "alpha");
	check_eq(offset, BETA - ALPHA - 1);
	check_eq(modreg_address_lookup(f->text + REGION_SIZE - 1, &size, &offset, plugin, name), 5);
	check_str(name, "gamma");
	check_eq(size, REGION_SIZE - GAMMA);
	check_eq(offset, REGION_SIZE - GAMMA - 1);
	/* Of two symbols at one address, the first in the table answers. */
	check_eq(modreg_address_lookup(f->text + BETA, &size, &offset, plugin, name), 4);
	check_str(name, "beta");
	check_eq(modreg_address_lookup(f->data, &size, &offset, plugin, name), 5);
	check_str(name, "delta");
	check_eq(size, REGION_SIZE);
	/* Below the first symbol only the plugin is known. */
	strscpy(name, "-");
	check_eq(modreg_address_lookup(f->text, &size, &offset, plugin, name), 0);
	check_str(plugin, "test_a");
	check_str(name, "-");
	/* Outside the regions nothing is known. */
	strscpy(plugin, "-");
	check_eq(modreg_address_lookup(f->text - 1, &size, &offset, plugin, name), 0);
	check_eq(modreg_address_lookup(f->text + REGION_SIZE, &size, &offset, plugin, name), 0);
	check_eq(modreg_address_lookup(0, &size, &offset, plugin, name), 0);
	check_eq(modreg_address_lookup(-1, &size, &offset, plugin, name), 0);
	check_str(plugin, "-");
	/* Every output may be NULL. */
	check_eq(modreg_address_lookup(f->text + BETA, NULL, NULL, NULL, NULL), 4);
	fixture_unregister(f);
}

static void lookup_symbol_name_case(const struct test_case *tc)
{
	char name[KSYM_NAME_LEN] = "-";
	struct fixture *f = fixture(0);

	if (!fixture_register(f))
		return;
	check_eq(modreg_lookup_symbol_name(f->text, name), -ERANGE);
	check_eq(modreg_lookup_symbol_name(f->text + REGION_SIZE, name), -ERANGE);
	check_str(name, "-");
	check_eq(modreg_lookup_symbol_name(f->text + ALPHA + 1, name), 0);
	check_str(name, "alpha");
	check_eq(modreg_lookup_symbol_name(f->text + ALPHA, NULL), -EINVAL);
	fixture_unregister(f);
}

static void lookup_symbol_attrs_case(const struct test_case *tc)
{
	char name[KSYM_NAME_LEN] = "-", plugin[MODREG_NAME_LEN] = "-";
	unsigned long size = 1, offset = 2;
	struct fixture *f = fixture(0);

	if (!fixture_register(f))
		return;
	/* If there is no symbol, no output is written, not even the plugin's name. */
	check_eq(modreg_lookup_symbol_attrs(f->text, &size, &offset, plugin, name), -ERANGE);
	check_eq(modreg_lookup_symbol_attrs(f->text - 1, &size, &offset, plugin, name), -ERANGE);
	check_eq(size, 1);
	check_eq(offset, 2);
	check_str(plugin, "-");
	check_str(name, "-");
	check_eq(modreg_lookup_symbol_attrs(f->text + BETA + 3, &size, &offset, plugin, name), 0);
	check_eq(size, GAMMA - BETA);
	check_eq(offset, 3);
	check_str(plugin, "test_a");
	check_str(name, "beta");
	check_eq(modreg_lookup_symbol_attrs(f->text + BETA, NULL, NULL, NULL, NULL), 0);
	fixture_unregister(f);
}

static void get_kallsym_case(const struct test_case *tc)
{
	static const struct {
		const char *name;
		char type;
		int exported;
	} want[] = {
		{ "alpha", 't' }, { "beta", 't', 1 }, { "beta_alias", 'w' }, { "gamma", 't', 1 },
		{ "delta", 'd' },
	};
	char name[KSYM_NAME_LEN], plugin[MODREG_NAME_LEN], type;
	struct fixture *old = fixture(0), *new = fixture(1);
	unsigned int i, before = count_symbols();
	unsigned long value;
	int exported;

	if (!fixture_register(old))
		return;
	if (fixture_register(new)) {
		/* Neither has the symbol of its init region any more. */
		check_eq(count_symbols(), before + 2 * ARRAY_SIZE(want));
		for (i = 0; i < ARRAY_SIZE(want); i++) {
			check_eq(modreg_get_kallsym(i, &value, &type, name, plugin, &exported), 0);
			check_str(plugin, "test_b");
			check_str(name, want[i].name);
			check_eq(value, new->symbols[i].value);
			check_eq(type, want[i].type);
			check_eq(exported, want[i].exported);
		}
		check_eq(modreg_get_kallsym(i, &value, &type, name, plugin, &exported), 0);
		check_str(plugin, "test_a");
		check_str(name, "alpha");
		fixture_unregister(new);
	}
	i = count_symbols();
	check_eq(modreg_get_kallsym(i, &value, &type, name, plugin, &exported), -ERANGE);
	check_eq(modreg_get_kallsym(-1, &value, &type, name, plugin, &exported), -ERANGE);
	check_eq(modreg_get_kallsym(0, NULL, &type, name, plugin, &exported), -EINVAL);
	check_eq(modreg_get_kallsym(0, &value, NULL, name, plugin, &exported), -EINVAL);
	check_eq(modreg_get_kallsym(0, &value, &type, NULL, plugin, &exported), -EINVAL);
	check_eq(modreg_get_kallsym(0, &value, &type, name, NULL, &exported), -EINVAL);
	check_eq(modreg_get_kallsym(0, &value, &type, name, plugin, NULL), -EINVAL);
	fixture_unregister(old);
	check_eq(count_symbols(), before);
}

static void kallsyms_lookup_name_case(const struct test_case *tc)
{
	struct fixture *f = fixture(0);

	/* A symbol's name may have a colon; it is found behind the plugin's name. */
	f->symbols[0].name = "al:pha";
	/* Of two symbols with one name, the first in the table is found. */
	f->symbols[4].name = "gamma";
	if (!fixture_register(f))
		return;
	check_eq(modreg_kallsyms_lookup_name("beta"), f->text + BETA);
	check_eq(modreg_kallsyms_lookup_name("test_a:beta"), f->text + BETA);
	check_eq(modreg_kallsyms_lookup_name("test_a:beta_alias"), f->text + BETA);
	check_eq(modreg_kallsyms_lookup_name("test_a:al:pha"), f->text + ALPHA);
	check_eq(modreg_kallsyms_lookup_name("gamma"), f->text + GAMMA);
	check_eq(modreg_kallsyms_lookup_name("al:pha"), 0);
	check_eq(modreg_kallsyms_lookup_name("test_a:bet"), 0);
	check_eq(modreg_kallsyms_lookup_name("test_a:betas"), 0);
	check_eq(modreg_kallsyms_lookup_name("test_a:"), 0);
	check_eq(modreg_kallsyms_lookup_name("test_:beta"), 0);
	check_eq(modreg_kallsyms_lookup_name("test_ab:beta"), 0);
	check_eq(modreg_kallsyms_lookup_name(":beta"), 0);
	check_eq(modreg_kallsyms_lookup_name(":"), 0);
	check_eq(modreg_kallsyms_lookup_name(""), 0);
	check_eq(modreg_kallsyms_lookup_name(NULL), 0);
	fixture_unregister(f);
	check_eq(modreg_kallsyms_lookup_name("beta"), 0);
}

static void search_extables_case(const struct test_case *tc)
{
	struct fixture *f = fixture(0);

	if (!fixture_register(f))
		return;
	check_eq(modreg_search_extables(f->text + ALPHA + 4), &f->extable[0]);
	check_eq(modreg_search_extables(f->text + BETA + 8), &f->extable[1]);
	/* Only the exact address matches. */
	check_eq(modreg_search_extables(f->text + ALPHA + 3), NULL);
	check_eq(modreg_search_extables(f->text + ALPHA + 5), NULL);
	check_eq(modreg_search_extables(f->text), NULL);
	check_eq(modreg_search_extables(f->text - 1), NULL);
	check_eq(modreg_search_extables(f->data), NULL);
	check_eq(modreg_search_extables(0), NULL);
	check_eq(modreg_search_extables(-1), NULL);
	fixture_unregister(f);
	check_eq(modreg_search_extables(f->text + BETA + 8), NULL);
}

static void is_address_case(const struct test_case *tc)
{
	struct fixture *f = fixture(0);

	if (!fixture_register(f))
		return;
	check_eq(modreg_is_address(f->text), true);
	check_eq(modreg_is_address(f->text + REGION_SIZE - 1), true);
	check_eq(modreg_is_address(f->data), true);
	check_eq(modreg_is_address(f->data + REGION_SIZE - 1), true);
	check_eq(modreg_is_address(f->text - 1), false);
	check_eq(modreg_is_address(f->text + REGION_SIZE), false);
	check_eq(modreg_is_address(f->data - 1), false);
	check_eq(modreg_is_address(f->data + REGION_SIZE), false);
	check_eq(modreg_is_address(0), false);
	check_eq(modreg_is_address(-1), false);
	fixture_unregister(f);
	check_eq(modreg_is_address(f->text), false);
}

static void text_address_case(const struct test_case *tc)
{
	struct fixture *f = fixture(0), *g = fixture(1);

	if (!fixture_register(f))
		return;
	/* The bounds of all text enclose what lies between the two plugins. */
	if (fixture_register(g)) {
		preempt_disable();
		check_eq(modreg_text_address(f->text), f->plugin);
		check_eq(modreg_text_address(f->text + REGION_SIZE - 1), f->plugin);
		check_eq(modreg_text_address(g->text), g->plugin);
		check_eq(modreg_text_address(f->text - 1), NULL);
		check_eq(modreg_text_address(f->text + REGION_SIZE), NULL);
		check_eq(modreg_text_address(f->data), NULL);
		check_eq(modreg_text_address(g->text + REGION_SIZE), NULL);
		check_eq(modreg_text_address(0), NULL);
		check_eq(modreg_text_address(-1), NULL);
		preempt_enable();
		fixture_unregister(g);
	}
	check_eq(modreg_text_address(g->text), NULL);
	fixture_unregister(f);
	check_eq(modreg_text_address(f->text), NULL);
}

static void plugin_name_case(const struct test_case *tc)
{
	struct fixture *f = fixture(0);

	if (!fixture_register(f))
		return;
	preempt_disable();
	check_str(modreg_plugin_name(f->plugin), "test_a");
	check_str(modreg_plugin_name(modreg_text_address(f->text)), "test_a");
	preempt_enable();
	fixture_unregister(f);
}

/* With no, one and two plugins. log.sh compares such lines. */
static void print_plugins_case(const struct test_case *tc)
{
	struct fixture *f = fixture(0), *g = fixture(1);

	modreg_print_plugins();
	if (!fixture_register(f))
		return;
	if (fixture_register(g)) {
		modreg_print_plugins();
		fixture_unregister(g);
	}
	modreg_print_plugins();
	fixture_unregister(f);
}

/*
 * An ELF symbol table as the module loader has it: entry 0 is null, some symbols have no name,
 * some are undefined, some lie outside every region.
 */
static void symtab_case(const struct test_case *tc)
{
	static const char strtab[] = "\0first\0$x.1\0.L2\0L03\0undefined\0absolute\0last";
	static const char typetab[] = "?tttttUat";
	struct fixture *f = fixture(0);
	const struct elf64_sym symtab[] = {
		{ 0 },
		{ .st_name = 1, .st_shndx = 1, .st_value = f->text + 0x20 },
		{ .st_name = 0, .st_shndx = 1, .st_value = f->text + 0x30 },
		{ .st_name = 7, .st_shndx = 1, .st_value = f->text + 0x40 },
		{ .st_name = 12, .st_shndx = 1, .st_value = f->text + 0x50 },
		{ .st_name = 16, .st_shndx = 1, .st_value = f->text + 0x60 },
		{ .st_name = 20, .st_shndx = SHN_UNDEF, .st_value = f->text + 0x70 },
		{ .st_name = 30, .st_shndx = SHN_ABS, .st_value = 0x1234 },
		{ .st_name = 39, .st_shndx = 1, .st_value = f->text + 0x100 },
	};
	const struct modreg_symtab table = {
		symtab, ARRAY_SIZE(symtab), strtab, sizeof(strtab), typetab,
	};
	char name[KSYM_NAME_LEN], plugin[MODREG_NAME_LEN], type;
	unsigned long value, size, offset;
	int exported;

	f->desc.symbols = NULL;
	f->desc.num_symbols = 0;
	f->desc.symtab = &table;
	if (!fixture_register(f))
		return;
	/* No symbol between the first and the last counts. */
	check_eq(modreg_address_lookup(f->text + 0x90, &size, &offset, plugin, name), 5);
	check_str(name, "first");
	check_eq(size, 0xe0);
	check_eq(offset, 0x70);
	check_eq(lookup(f, "first"), f->text + 0x20);
	check_eq(lookup(f, "last"), f->text + 0x100);
	check_eq(lookup(f, "absolute"), 0x1234);
	check_eq(lookup(f, "undefined"), 0);
	check_eq(modreg_address_lookup(0x1234, NULL, NULL, NULL, NULL), 0);
	/* The listing has all symbols. */
	check_eq(modreg_get_kallsym(0, &value, &type, name, plugin, &exported), 0);
	check_str(name, "");
	check_eq(type, '?');
	check_eq(modreg_get_kallsym(7, &value, &type, name, plugin, &exported), 0);
	check_str(name, "absolute");
	check_eq(value, 0x1234);
	check_eq(type, 'a');
	fixture_unregister(f);
}

/* More symbols than fit into a few cache lines, unsorted. */
static void many_symbols_case(const struct test_case *tc)
{
	enum { MANY = REGION_SIZE };
	char (*names)[8] = kcalloc(MANY, sizeof(*names), GFP_KERNEL);
	struct modreg_symbol *symbols = kcalloc(MANY, sizeof(*symbols), GFP_KERNEL);
	char name[KSYM_NAME_LEN], want[8];
	struct fixture *f = fixture(0);
	unsigned long size, offset;
	unsigned int i, at;

	if (!check(names && symbols))
		goto free;
	for (i = 0; i < MANY; i++) {
		/* An odd factor visits each offset once. */
		at = i * 77 % MANY;
		snprintf(names[i], sizeof(names[i]), "s%u", at);
		symbols[i] = (struct modreg_symbol){ names[i], f->data + at };
	}
	f->desc.symbols = symbols;
	f->desc.num_symbols = MANY;
	if (!fixture_register(f))
		goto free;
	for (i = 0; i < MANY; i++) {
		snprintf(want, sizeof(want), "s%u", i);
		if (!check_eq(modreg_address_lookup(f->data + i, &size, &offset, NULL, name),
			      strlen(want)) ||
		    !check_str(name, want) || !check_eq(size, 1) || !check_eq(offset, 0) ||
		    !check_eq(lookup(f, want), f->data + i))
			break;
	}
	fixture_unregister(f);
free:
	kfree(symbols);
	kfree(names);
}

/* Called in the context under test. */
static void answers(void)
{
	fixture_answers(&fixtures[0]);
	fixtures[0].number++;
}

static void context_case(const struct test_case *tc)
{
	struct fixture *f = fixture(0);

	if (!fixture_register(f))
		return;
	run_in_context(strchr(tc->name, '.') + 1, answers);
	check_eq(f->number, 1);
	fixture_unregister(f);
}

const struct test_case reader_cases[] = {
	{ "readers.find_symbol", find_symbol_case },
	{ "readers.find_symbol_gpl", find_symbol_gpl_case },
	{ "readers.find_symbol_newest", find_symbol_newest_case },
	{ "readers.find_symbol_get", find_symbol_get_case },
	{ "readers.address_lookup", address_lookup_case },
	{ "readers.lookup_symbol_name", lookup_symbol_name_case },
	{ "readers.lookup_symbol_attrs", lookup_symbol_attrs_case },
	{ "readers.get_kallsym", get_kallsym_case },
	{ "readers.kallsyms_lookup_name", kallsyms_lookup_name_case },
	{ "readers.search_extables", search_extables_case },
	{ "readers.is_address", is_address_case },
	{ "readers.text_address", text_address_case },
	{ "readers.plugin_name", plugin_name_case },
	{ "readers.print_plugins", print_plugins_case },
	{ "readers.symtab", symtab_case },
	{ "readers.many_symbols", many_symbols_case },
	{ "readers.preempt_off", context_case },
	{ "readers.irqs_off", context_case },
	{ "readers.bh_off", context_case },
	{ "readers.spinlock", context_case },
	{ "readers.rcu", context_case },
	{ "readers.softirq", context_case },
	{ "readers.hardirq", context_case },
	{ "readers.nmi", context_case },
	{ }
};
