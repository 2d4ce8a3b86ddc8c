// SPDX-License-Identifier: GPL-2.0
/*
 * Regions outside of their owner, about which the kernel may come to ask: what they must be,
 * and the errno of what they are not. Nothing here runs.
 */

#include <linux/kallsyms.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched/task.h>
#include <linux/string.h>
#include <linux/vmalloc.h>

#include "test_modreg.h"

/* Two pages, and behind them the page that vmalloc() leaves unmapped. */
#define FOREIGN_SIZE (2 * PAGE_SIZE)
#define ROOM 16

static void *pages;

/* In reach of the pages, and not. */
static struct exception_table_entry far_entry;

static struct exception_table_entry *near_entry(void)
{
	return pages + PAGE_SIZE;
}

static void text_of_page(struct fixture *f)
{
	f->regions[0] = (struct modreg_region){ (unsigned long)pages, 64, MODREG_TEXT };
}

static void good_room(struct fixture *f)
{
	f->regions[0].size = FOREIGN_SIZE - ROOM;
}

/* Data is never looked at. */
static void good_data_unmapped(struct fixture *f)
{
	f->regions[0] = (struct modreg_region){ (unsigned long)pages + FOREIGN_SIZE, 64 };
	f->desc.num_exentries = 0;
}

static void good_table(struct fixture *f)
{
}

static void __maybe_unused spoil_user_half(struct fixture *f)
{
	f->regions[0] = (struct modreg_region){ PAGE_SIZE, 64 };
}

static void __maybe_unused spoil_end_of_user_half(struct fixture *f)
{
	f->regions[0] = (struct modreg_region){ TASK_SIZE_MAX - 1, 1 };
}

static void spoil_vmlinux(struct fixture *f)
{
	f->regions[0] = (struct modreg_region){ (unsigned long)sprint_symbol, 4, MODREG_TEXT };
}

static void spoil_vmlinux_data(struct fixture *f)
{
	f->regions[0] = (struct modreg_region){ (unsigned long)&init_task, 4 };
}

static void spoil_other_module(struct fixture *f)
{
	f->regions[0] = (struct modreg_region){ (unsigned long)modreg_address_lookup, 4,
						MODREG_TEXT };
}

/* It begins in this module, where it would be the kernel's to answer, and leaves it. */
static void spoil_leaves_owner(struct fixture *f)
{
	const struct module_memory *text = &THIS_MODULE->mem[MOD_TEXT];

	f->regions[0] = (struct modreg_region){ (unsigned long)text->base + text->size - 4, 8 };
}

static void spoil_text_unmapped(struct fixture *f)
{
	f->regions[0].base += FOREIGN_SIZE;
}

static void spoil_text_partly_unmapped(struct fixture *f)
{
	f->regions[0].size = FOREIGN_SIZE + 1;
}

static void spoil_text_without_room(struct fixture *f)
{
	f->regions[0].size = FOREIGN_SIZE - ROOM + 1;
}

static void spoil_entry_of_kernels_own_type(struct fixture *f)
{
	ex_type(near_entry()) = EX_TYPE_BPF;
}

static void spoil_entry_without_type(struct fixture *f)
{
	ex_type(near_entry()) = EX_TYPE_NONE;
}

static void spoil_fixup_outside(struct fixture *f)
{
	near_entry()->fixup += 64;
}

static void spoil_fixup_in_data(struct fixture *f)
{
	f->regions[1] = (struct modreg_region){ (unsigned long)pages + 256, 64 };
	f->desc.num_regions = 2;
	near_entry()->fixup += 256;
}

/* An instruction that stays, with a fixup that goes when the plugin is LIVE. */
static void spoil_fixup_in_init(struct fixture *f)
{
	f->regions[1] = (struct modreg_region){
		.base = (unsigned long)pages + 256, .size = 64, .flags = MODREG_TEXT | MODREG_INIT,
	};
	f->desc.num_regions = 2;
	near_entry()->fixup += 256;
}

/* An entry's fields have 32 bits, and are relative to it. */
static void __maybe_unused spoil_table_out_of_reach(struct fixture *f)
{
	set_exception(&far_entry, (unsigned long)pages + 8);
	f->desc.extable = &far_entry;
}

/* Registers a plugin of a foreign text region with an exception entry, spoiled or not. */
static void foreign_case(const struct test_case *tc)
{
	struct fixture *f = fixture(0);
	unsigned long addr;

	pages = vmalloc(FOREIGN_SIZE);
	if (!check(pages))
		return;
	text_of_page(f);
	set_exception(near_entry(), (unsigned long)pages + 8);
	f->desc.num_regions = 1;
	f->desc.num_symbols = 0;
	f->desc.extable = near_entry();
	f->desc.num_exentries = 1;
	tc->spoil(f);

	addr = f->regions[0].base;
	f->plugin = modreg_register_plugin(&f->desc);
	check_eq(PTR_ERR_OR_ZERO(f->plugin), tc->err);
	check_eq(modreg_is_foreign_address(addr), !tc->err);
	if (!tc->err) {
		check(modreg_foreign_bounds.low <= addr && modreg_foreign_bounds.high > addr);
		fixture_unregister(f);
	}
	check_eq(modreg_is_foreign_address(addr), false);
	check_eq(modreg_foreign_bounds.high, 0);
	f->plugin = NULL;
	vfree(pages);
}

/* In its owner's memory the kernel answers, and nothing more is asked of a plugin. */
static void own_case(const struct test_case *tc)
{
	struct fixture *f = fixture(0);

	ex_type(&f->extable[0]) = EX_TYPE_BPF;
	if (!fixture_register(f))
		return;
	check_eq(modreg_is_address(f->text), true);
	check_eq(modreg_is_foreign_address(f->text), false);
	check_eq(modreg_foreign_bounds.high, 0);
	fixture_unregister(f);
}

/* Checks that the foreign symbols are those of the plugin. */
static void check_foreign_symbols(const struct modreg_symbol *symbols, unsigned int n)
{
	char name[KSYM_NAME_LEN], plugin[MODREG_NAME_LEN], type;
	unsigned long value;
	unsigned int i;
	int exported;

	for (i = 0; i < n; i++) {
		check_eq(modreg_get_foreign_kallsym(i, &value, &type, name, plugin, &exported), 0);
		check_eq(value, symbols[i].value);
		check_eq(type, 't');
		check_str(name, symbols[i].name);
		check_str(plugin, "test_foreign");
		check_eq(exported, 0);
	}
	check_eq(modreg_get_foreign_kallsym(i, &value, &type, name, plugin, &exported), -ERANGE);
	check_eq(modreg_get_foreign_kallsym(-1, &value, &type, name, plugin, &exported), -ERANGE);
}

/* Only the symbols of plugins with foreign regions have foreign numbers. */
static void numbers_case(const struct test_case *tc)
{
	struct fixture *old = fixture(0), *new = fixture(1);
	struct modreg_symbol symbols[] = {
		{ .name = "one", .type = 't' }, { .name = "two", .type = 't' },
		{ .name = "three", .type = 't' },
	};
	struct modreg_region region = { .size = 64, .flags = MODREG_TEXT };
	const struct modreg_plugin_desc desc = {
		.name = "test_foreign", .owner = THIS_MODULE, .regions = &region,
		.num_regions = 1, .symbols = symbols, .num_symbols = 2,
	};
	const struct modreg_plugin_desc more = {
		.symbols = symbols, .num_symbols = ARRAY_SIZE(symbols),
	};
	struct modreg_plugin *plugin;
	unsigned int i;

	pages = vmalloc(FOREIGN_SIZE);
	if (!check(pages))
		return;
	region.base = (unsigned long)pages;
	for (i = 0; i < ARRAY_SIZE(symbols); i++)
		symbols[i].value = region.base + 8 * i;
	if (fixture_register(old)) {
		check_foreign_symbols(symbols, 0);
		plugin = modreg_register_plugin(&desc);
		if (check_eq(PTR_ERR_OR_ZERO(plugin), 0)) {
			check_foreign_symbols(symbols, 2);
			if (fixture_register(new)) {
				check_foreign_symbols(symbols, 2);
				check_eq(modreg_replace_symbols(plugin, &more), 0);
				check_foreign_symbols(symbols, 3);
				fixture_unregister(new);
			}
			check_foreign_symbols(symbols, 3);
			check_eq(modreg_unregister_plugin(plugin), 0);
		}
		check_foreign_symbols(symbols, 0);
		fixture_unregister(old);
	}
	vfree(pages);
}

#define REFUSED(name, err) { "refused.foreign_" #name, foreign_case, spoil_##name, err }
#define TAKEN(name) { "writers.foreign_" #name, foreign_case, good_##name, 0 }

const struct test_case foreign_cases[] = {
	TAKEN(table),
	TAKEN(room),
	TAKEN(data_unmapped),
	{ "writers.in_owner", own_case },
	{ "readers.foreign_numbers", numbers_case },
#ifndef CONFIG_UML
	/* There the kernel has an address space of its own. */
	REFUSED(user_half, -EINVAL),
	REFUSED(end_of_user_half, -EINVAL),
	/* There modules lie in the area of vmalloc(). */
	REFUSED(table_out_of_reach, -ERANGE),
#endif
	REFUSED(vmlinux, -EEXIST),
	REFUSED(vmlinux_data, -EEXIST),
	REFUSED(other_module, -EEXIST),
	REFUSED(leaves_owner, -EEXIST),
	REFUSED(text_unmapped, -EFAULT),
	REFUSED(text_partly_unmapped, -EFAULT),
	REFUSED(text_without_room, -EFAULT),
	REFUSED(entry_of_kernels_own_type, -EINVAL),
	REFUSED(entry_without_type, -EINVAL),
	REFUSED(fixup_outside, -ERANGE),
	REFUSED(fixup_in_data, -ERANGE),
	REFUSED(fixup_in_init, -ERANGE),
	{ }
};
