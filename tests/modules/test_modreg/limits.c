// SPDX-License-Identifier: GPL-2.0
/*
 * As much as modreg.h allows, and sizes at which one physical piece of memory is not enough. What
 * is one beyond a limit is among the refused cases.
 */

#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/string.h>
#include <linux/vmalloc.h>

#include "test_modreg.h"

/* The one parameter that is set is the last. */
static void params_case(const struct test_case *tc)
{
	struct modreg_param *params = vcalloc(MODREG_MAX_PARAMS, sizeof(*params));
	struct fixture *f = fixture(0);
	unsigned int i;

	if (!check(params))
		return;
	for (i = 0; i < MODREG_MAX_PARAMS; i++)
		params[i] = (struct modreg_param){ "other_number", &param_ops_int, &f->inits };
	params[MODREG_MAX_PARAMS - 1].name = "some_number";
	params[MODREG_MAX_PARAMS - 1].arg = &f->number;
	f->desc.params = params;
	f->desc.num_params = MODREG_MAX_PARAMS;
	f->desc.args = "some_number=7";
	if (fixture_register(f)) {
		check_eq(f->number, 7);
		fixture_unregister(f);
	}
	vfree(params);
}

/* More exported symbols than fit into the largest piece of physical memory, by a copied table. */
static void exports_case(const struct test_case *tc)
{
	enum { EXPORTS = 600000, NAME = sizeof("e12345") };
	struct modreg_symbol *symbols = vcalloc(EXPORTS, sizeof(*symbols));
	struct modreg_region region = { .flags = 0 };
	char *names = vcalloc(EXPORTS, NAME);
	struct modreg_find_symbol_arg fsa;
	struct fixture *f = fixture(0);
	unsigned int i;

	if (!check(symbols && names))
		goto free;
	region.base = (unsigned long)names;
	region.size = EXPORTS;
	for (i = 0; i < EXPORTS; i++) {
		snprintf(names + i * NAME, NAME, "e%05x", i);
		symbols[i].name = names + i * NAME;
		symbols[i].value = region.base + i;
		symbols[i].flags = MODREG_EXPORT;
	}
	f->desc.regions = &region;
	f->desc.num_regions = 1;
	f->desc.symbols = symbols;
	f->desc.num_symbols = EXPORTS;
	f->desc.num_exentries = 0;
	if (!fixture_register(f))
		goto free;
	check(find_symbol("e00000", &fsa) && fsa.value == region.base);
	check(find_symbol("e927bf", &fsa) && fsa.value == region.base + EXPORTS - 1);
	fixture_unregister(f);
	check(!find_symbol("e927bf", &fsa));
free:
	vfree(names);
	vfree(symbols);
}

/* A borrowed table whose symbols have no name, but for the first one behind ELF's and the last. */
static void symbols_case(const struct test_case *tc)
{
	struct elf64_sym *syms = vcalloc(MODREG_MAX_SYMBOLS, sizeof(*syms));
	char *types = vmalloc(MODREG_MAX_SYMBOLS);
	static const char names[] = "\0first\0last";
	struct modreg_symtab symtab = {
		syms, MODREG_MAX_SYMBOLS, names, sizeof(names), types,
	};
	char name[KSYM_NAME_LEN], plugin[MODREG_NAME_LEN], type;
	struct fixture *f = fixture(0);
	unsigned long value;
	int exported;

	if (!check(syms && types))
		goto free;
	memset(types, 't', MODREG_MAX_SYMBOLS);
	syms[1] = (struct elf64_sym){ .st_name = 1, .st_shndx = 1, .st_value = f->text };
	syms[MODREG_MAX_SYMBOLS - 1] = (struct elf64_sym){
		.st_name = 7, .st_shndx = 1, .st_value = f->text + BETA,
	};
	f->desc.symbols = NULL;
	f->desc.num_symbols = 0;
	f->desc.symtab = &symtab;
	if (!fixture_register(f))
		goto free;
	check_eq(lookup(f, "first"), f->text);
	check_eq(lookup(f, "last"), f->text + BETA);
	check_eq(modreg_lookup_symbol_name(f->text + BETA, name), 0);
	check_str(name, "last");
	check_eq(modreg_get_kallsym(MODREG_MAX_SYMBOLS - 1, &value, &type, name, plugin,
				    &exported), 0);
	check_str(name, "last");
	fixture_unregister(f);
free:
	vfree(types);
	vfree(syms);
}

/* The table must lie in reach of the code, so both are in one piece of memory. */
static void exceptions_case(const struct test_case *tc)
{
	const size_t size = MODREG_MAX_SYMBOLS * sizeof(struct exception_table_entry);
	struct exception_table_entry *table = vmalloc(size + PAGE_SIZE);
	struct modreg_region region = { .flags = MODREG_TEXT };
	struct fixture *f = fixture(0);
	unsigned int i;

	if (!check(table))
		return;
	region.base = (unsigned long)table + size;
	region.size = PAGE_SIZE / 2;
	for (i = 0; i < MODREG_MAX_SYMBOLS; i++) {
		set_exception(&table[i], region.base + i / (MODREG_MAX_SYMBOLS / region.size));
		cond_resched();
	}
	f->desc.regions = &region;
	f->desc.num_regions = 1;
	f->desc.num_symbols = 0;
	f->desc.extable = table;
	f->desc.num_exentries = MODREG_MAX_SYMBOLS;
	if (fixture_register(f)) {
		check(modreg_search_extables(region.base + region.size - 1));
		check(!modreg_search_extables(region.base + region.size));
		fixture_unregister(f);
	}
	vfree(table);
}

/* So many plugins in one call that no array about them is one physical piece. */
static void batch_case(const struct test_case *tc)
{
	enum { MANY = 20000 };
	struct modreg_plugin **plugins = vcalloc(MANY, sizeof(*plugins));
	void *memory = vmalloc(MANY * 16);
	unsigned int i, n;

	if (!check(plugins && memory))
		goto free;
	n = register_many(plugins, MANY, (unsigned long)memory, 16);
	check_eq(modreg_unregister_plugins(plugins, n), 0);
	for (i = 0; i < n; i++)
		if (!check(!modreg_is_address((unsigned long)memory + 16 * i)))
			break;
free:
	vfree(memory);
	vfree(plugins);
}

const struct test_case limit_cases[] = {
	{ "limits.params", params_case },
	{ "limits.exports", exports_case },
	{ "limits.symbols", symbols_case },
	{ "limits.exceptions", exceptions_case },
	{ "limits.batch", batch_case },
	{ }
};
