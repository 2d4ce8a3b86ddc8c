// SPDX-License-Identifier: GPL-2.0
/*
 * What an oops report of modreg meets: tables that are gone, and many plugins.
 */

#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/vmalloc.h>

#include "test_modreg.h"

/* Where a plugin without a readable table is; nothing calls it. */
static noinline __used void somewhere(void)
{
	asm volatile(".skip 64");
}

struct table {
	struct elf64_sym symtab[2];
	char strtab[16];
	char typetab[2];
};

/*
 * The owner breaks its promise and frees the table that it lends; a reader faults. Each word of
 * the stack leads into the same table.
 */
static void freed_table_case(const struct test_case *tc)
{
	unsigned long words[64];
	const struct modreg_region region = { (unsigned long)somewhere, 64, MODREG_TEXT };
	struct table *t = vmalloc(sizeof(*t));
	struct modreg_symtab symtab = {
		.symtab = t->symtab,
		.num_symtab = ARRAY_SIZE(t->symtab),
		.strtab = t->strtab,
		.strtab_size = sizeof(t->strtab),
		.typetab = t->typetab,
	};
	const struct modreg_plugin_desc desc = {
		.name = "freed",
		.owner = THIS_MODULE,
		.regions = &region,
		.num_regions = 1,
		.symtab = &symtab,
	};
	struct modreg_plugin *plugin;
	char name[KSYM_NAME_LEN];
	unsigned int i;

	if (!check(t))
		return;
	*t = (struct table){
		.symtab = { { }, { .st_name = 1, .st_shndx = 1, .st_value = region.base } },
		.strtab = "\0somewhere",
		.typetab = { '?', 't' },
	};
	plugin = modreg_register_plugin(&desc);
	if (!check_eq(PTR_ERR_OR_ZERO(plugin), 0))
		return;
	vfree(t);
	/* Otherwise the page stays mapped for a while. */
	vm_unmap_aliases();
	for (i = 0; i < ARRAY_SIZE(words); i++)
		WRITE_ONCE(words[i], region.base + 8);
	modreg_lookup_symbol_name(words[0], name);
	/* Not reached. */
	check_eq(READ_ONCE(words[1]), 0);
}

/* More plugins than a report lists. */
static void hold_many_case(const struct test_case *tc)
{
	enum { MANY = 40 };
	struct modreg_plugin *plugins[MANY];
	unsigned int i, n = register_many(plugins, MANY, fixture(0)->text, 8);

	test_hold();
	for (i = 0; i < n; i++)
		check_eq(modreg_unregister_plugin(plugins[i]), 0);
}

const struct test_case oops_cases[] = {
	{ "oops.freed_table", freed_table_case },
	{ "hold.many", hold_many_case },
	{ }
};
