// SPDX-License-Identifier: GPL-2.0
/* Malformed input: each case has its errno and leaves no trace. */

#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/string.h>

#include "test_modreg.h"

/* Longer than any name may be. */
static char overlong[KSYM_NAME_LEN + 1];

static void spoil_no_name(struct fixture *f)
{
	f->desc.name = NULL;
}

static void spoil_empty_name(struct fixture *f)
{
	f->desc.name = "";
}

static void spoil_blank_in_name(struct fixture *f)
{
	f->desc.name = "test a";
}

static void spoil_colon_in_name(struct fixture *f)
{
	f->desc.name = "test:a";
}

static void spoil_newline_in_name(struct fixture *f)
{
	f->desc.name = "test_a\n";
}

static void spoil_bracket_in_name(struct fixture *f)
{
	f->desc.name = "test_a]";
}

static void spoil_letters_in_name(struct fixture *f)
{
	f->desc.name = "test_a(+)";
}

static void spoil_no_owner(struct fixture *f)
{
	f->desc.owner = NULL;
}

static void spoil_unknown_plugin_flags(struct fixture *f)
{
	f->desc.flags = MODREG_QUIET << 1;
}

static void spoil_umlaut_in_name(struct fixture *f)
{
	f->desc.name = "t\xc3\xa4st";
}

static void spoil_overlong_name(struct fixture *f)
{
	/* One character too many. */
	memset(overlong, 'n', MODREG_NAME_LEN);
	overlong[MODREG_NAME_LEN] = 0;
	f->desc.name = overlong;
}

static void spoil_no_regions(struct fixture *f)
{
	f->desc.num_regions = 0;
}

static void spoil_null_regions(struct fixture *f)
{
	f->desc.regions = NULL;
}

static void spoil_empty_region(struct fixture *f)
{
	f->regions[1].size = 0;
}

static void spoil_wrapping_region(struct fixture *f)
{
	f->regions[1].size = -f->regions[1].base + 1;
}

static void spoil_huge_region(struct fixture *f)
{
	f->regions[1].size = -1UL;
}

/* What does not wrap, below the kernel's half. */
static void spoil_large_region(struct fixture *f)
{
	f->regions[1].base = 1UL << 62;
	f->regions[1].size = 1UL << 61;
}

static void spoil_own_regions_overlap(struct fixture *f)
{
	f->regions[1].base = f->text + REGION_SIZE - 1;
}

static void spoil_own_regions_equal(struct fixture *f)
{
	f->regions[2].base = f->text;
}

static void spoil_region_inside_another(struct fixture *f)
{
	f->regions[1].base = f->text + 1;
	f->regions[1].size = 1;
}

static void spoil_unknown_region_flags(struct fixture *f)
{
	f->regions[1].flags = MODREG_INIT << 1;
}

static void spoil_too_many_regions(struct fixture *f)
{
	static struct modreg_region regions[MODREG_MAX_REGIONS + 1];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(regions); i++)
		regions[i] = (struct modreg_region){ f->text + i, 1, MODREG_TEXT };
	f->desc.regions = regions;
	f->desc.num_regions = ARRAY_SIZE(regions);
	f->desc.num_symbols = 0;
	f->desc.num_exentries = 0;
}

static void spoil_null_symbols(struct fixture *f)
{
	f->desc.symbols = NULL;
}

static void spoil_too_many_symbols(struct fixture *f)
{
	f->desc.num_symbols = MODREG_MAX_SYMBOLS + 1;
}

static void spoil_symbol_without_name(struct fixture *f)
{
	f->symbols[2].name = NULL;
}

static void spoil_symbol_with_empty_name(struct fixture *f)
{
	f->symbols[2].name = "";
}

static void spoil_overlong_symbol(struct fixture *f)
{
	memset(overlong, 's', KSYM_NAME_LEN);
	f->symbols[2].name = overlong;
}

static void spoil_newline_in_symbol(struct fixture *f)
{
	f->symbols[2].name = "a\nffffffff81000000 T forged";
}

static void spoil_blank_in_symbol(struct fixture *f)
{
	f->symbols[2].name = "a b";
}

static void spoil_escape_in_symbol(struct fixture *f)
{
	f->symbols[2].name = "\x1b[2Ja";
}

static void spoil_bytes_in_symbol(struct fixture *f)
{
	f->symbols[2].name = "a\xff\xfe";
}

static void spoil_symbol_below(struct fixture *f)
{
	f->symbols[2].value = f->text - 1;
}

static void spoil_symbol_behind(struct fixture *f)
{
	f->symbols[2].value = f->text + REGION_SIZE;
}

static void spoil_symbol_at_zero(struct fixture *f)
{
	f->symbols[2].value = 0;
}

static void spoil_unknown_symbol_flags(struct fixture *f)
{
	f->symbols[2].flags = MODREG_EXPORT_GPL << 1;
}

static void spoil_unprintable_type(struct fixture *f)
{
	f->symbols[2].type = '\n';
}

/* A good ELF table, to be spoiled. */
static struct elf64_sym elf_symbols[2];
static char elf_names[KSYM_NAME_LEN + 3];
static struct modreg_symtab symtab;

static struct modreg_symtab *use_symtab(struct fixture *f)
{
	elf_symbols[1] = (struct elf64_sym){ .st_name = 1, .st_shndx = 1, .st_value = f->text };
	memset(elf_names, 0, sizeof(elf_names));
	strscpy(elf_names + 1, "name", 5);
	symtab = (struct modreg_symtab){
		.symtab = elf_symbols,
		.num_symtab = ARRAY_SIZE(elf_symbols),
		.strtab = elf_names,
		.strtab_size = sizeof(elf_names),
		.typetab = "?t",
	};
	f->desc.symbols = NULL;
	f->desc.num_symbols = 0;
	f->desc.symtab = &symtab;
	return &symtab;
}

static void spoil_symbols_beside_symtab(struct fixture *f)
{
	use_symtab(f);
	f->desc.symbols = f->symbols;
	f->desc.num_symbols = 1;
}

static void spoil_null_symtab(struct fixture *f)
{
	use_symtab(f)->symtab = NULL;
}

static void spoil_null_typetab(struct fixture *f)
{
	use_symtab(f)->typetab = NULL;
}

static void spoil_null_strtab(struct fixture *f)
{
	use_symtab(f)->strtab = NULL;
}

static void spoil_empty_strtab(struct fixture *f)
{
	use_symtab(f)->strtab_size = 0;
}

static void spoil_strtab_without_nul(struct fixture *f)
{
	use_symtab(f)->strtab_size = sizeof("\0nam") - 1;
}

static void spoil_name_outside_strtab(struct fixture *f)
{
	use_symtab(f);
	elf_symbols[1].st_name = sizeof(elf_names);
}

static void spoil_name_far_outside_strtab(struct fixture *f)
{
	use_symtab(f);
	elf_symbols[1].st_name = -1;
}

static void spoil_overlong_symtab_name(struct fixture *f)
{
	use_symtab(f);
	memset(elf_names + 1, 's', KSYM_NAME_LEN);
}

static void spoil_tab_in_symtab(struct fixture *f)
{
	use_symtab(f);
	elf_names[2] = '\t';
}

static void spoil_type_in_symtab(struct fixture *f)
{
	use_symtab(f)->typetab = "?\n";
}

static void spoil_too_large_symtab(struct fixture *f)
{
	use_symtab(f)->num_symtab = MODREG_MAX_SYMBOLS + 1;
}

static void spoil_too_many_exceptions(struct fixture *f)
{
	f->desc.num_exentries = MODREG_MAX_SYMBOLS + 1;
}

static void spoil_null_extable(struct fixture *f)
{
	f->desc.extable = NULL;
}

static void spoil_unsorted_extable(struct fixture *f)
{
	set_exception(&f->extable[0], f->text + BETA + 9);
}

static void spoil_exception_outside(struct fixture *f)
{
	set_exception(&f->extable[1], f->text + REGION_SIZE);
}

static void spoil_exception_in_data(struct fixture *f)
{
	set_exception(&f->extable[1], f->data);
}

static void spoil_null_params(struct fixture *f)
{
	f->desc.params = NULL;
}

static void spoil_too_many_params(struct fixture *f)
{
	f->desc.num_params = MODREG_MAX_PARAMS + 1;
}

static void spoil_param_without_name(struct fixture *f)
{
	f->params[0].name = NULL;
}

static void spoil_param_without_ops(struct fixture *f)
{
	f->params[0].ops = NULL;
}

static void spoil_param_without_set(struct fixture *f)
{
	static const struct kernel_param_ops none = { .flags = 0 };

	f->params[0].ops = &none;
}

static void spoil_unknown_param(struct fixture *f)
{
	f->desc.args = "some_number=1 other_number=1";
}

static void spoil_no_params_but_args(struct fixture *f)
{
	f->desc.num_params = 0;
	f->desc.args = "some_number=1";
}

static void spoil_bad_value(struct fixture *f)
{
	f->desc.args = "some_number=one";
}

static void spoil_value_out_of_range(struct fixture *f)
{
	f->desc.args = "some_number=99999999999";
}

static void spoil_missing_value(struct fixture *f)
{
	f->desc.args = "some_number";
}

static int fails(struct fixture *f)
{
	return -EXFULL;
}

static void spoil_failing_init(struct fixture *f)
{
	f->in_init = fails;
}

static void spoil_name_taken(struct fixture *f)
{
	f->desc.name = "test_b";
}

static void spoil_same_regions(struct fixture *f)
{
	memcpy(f->regions, fixtures[1].regions, sizeof(f->regions));
	f->desc.num_symbols = 0;
	f->desc.num_exentries = 0;
}

static void spoil_overlaps_first_byte(struct fixture *f)
{
	f->regions[1].base = fixtures[1].data - 1;
	f->regions[1].size = 2;
	f->desc.num_symbols = 1;
}

static void spoil_overlaps_last_byte(struct fixture *f)
{
	f->regions[1].base = fixtures[1].data + REGION_SIZE - 1;
	f->regions[1].size = 2;
	f->desc.num_symbols = 1;
}

static void spoil_inside_of_another(struct fixture *f)
{
	f->regions[1].base = fixtures[1].data + 5;
	f->regions[1].size = 1;
	f->desc.num_symbols = 1;
}

static void spoil_around_another(struct fixture *f)
{
	f->regions[1].base = fixtures[1].data - 1;
	f->regions[1].size = REGION_SIZE + 2;
	f->desc.num_symbols = 1;
}

/* Registers spoiled fixture 0 while fixture 1 is registered. */
static void refused_case(const struct test_case *tc)
{
	struct fixture *f = fixture(0), *there = fixture(1);
	unsigned int symbols;

	if (!fixture_register(there))
		return;
	symbols = count_symbols();

	tc->spoil(f);
	f->plugin = modreg_register_plugin(&f->desc);
	check_eq(PTR_ERR_OR_ZERO(f->plugin), tc->err);
	check_eq(f->exits, 0);
	fixture_unregister(f);

	/* No trace: readers do not find it, and its name and regions are free. */
	f = fixture(0);
	check_eq(count_symbols(), symbols);
	fixture_is_gone(f);
	if (fixture_register(f)) {
		fixture_answers(f);
		fixture_unregister(f);
	}
	fixture_answers(there);
	fixture_unregister(there);
}

static void no_descriptor_case(const struct test_case *tc)
{
	struct modreg_plugin *refused = modreg_register_plugin(NULL);

	check_eq(PTR_ERR_OR_ZERO(refused), tc->err);
	fixture_unregister(&(struct fixture){ .plugin = refused });
}

/* A descriptor for modreg_register_module() must leave out each of these. */
static void module_with_tables_case(const struct test_case *tc)
{
	struct fixture *f = fixture(0);
	struct modreg_symtab *table = use_symtab(f);
	const struct modreg_plugin_desc descs[] = {
		{ .owner = THIS_MODULE },
		{ .regions = f->regions, .num_regions = 1 },
		{ .num_regions = 1 },
		{ .symbols = f->symbols, .num_symbols = 1 },
		{ .num_symbols = 1 },
		{ .symtab = table },
		{ .extable = f->extable, .num_exentries = 1 },
		{ .num_exentries = 1 },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(descs); i++) {
		f->plugin = modreg_register_module(THIS_MODULE, &descs[i]);
		check_eq(PTR_ERR_OR_ZERO(f->plugin), tc->err);
		fixture_unregister(f);
	}
	check_eq(modreg_kallsyms_lookup_name(KBUILD_MODNAME ":fixtures"), 0);
}

static void no_module_case(const struct test_case *tc)
{
	struct modreg_plugin *refused = modreg_register_module(NULL, NULL);

	check_eq(PTR_ERR_OR_ZERO(refused), tc->err);
	fixture_unregister(&(struct fixture){ .plugin = refused });
}

static void module_twice_case(const struct test_case *tc)
{
	struct fixture *f = fixture(0);
	const struct modreg_plugin_desc desc = { .name = "twice" };
	struct modreg_plugin *refused;

	/* The caller of the file operation holds this module, which is LIVE. */
	f->plugin = modreg_register_module(THIS_MODULE, NULL);
	if (!check_eq(PTR_ERR_OR_ZERO(f->plugin), 0))
		return;
	check_eq(modreg_kallsyms_lookup_name(KBUILD_MODNAME ":fixtures"), fixtures);
	refused = modreg_register_module(THIS_MODULE, NULL);
	check_eq(PTR_ERR_OR_ZERO(refused), tc->err);
	refused = modreg_register_module(THIS_MODULE, &desc);
	check_eq(PTR_ERR_OR_ZERO(refused), tc->err);
	fixture_unregister(f);
	check_eq(modreg_kallsyms_lookup_name(KBUILD_MODNAME ":fixtures"), 0);
}

#define REFUSED(name, err) { "refused." #name, refused_case, spoil_##name, err }

const struct test_case refused_cases[] = {
	{ "refused.no_descriptor", no_descriptor_case, NULL, -EINVAL },
	REFUSED(no_name, -EINVAL),
	REFUSED(empty_name, -EINVAL),
	REFUSED(blank_in_name, -EINVAL),
	REFUSED(colon_in_name, -EINVAL),
	REFUSED(newline_in_name, -EINVAL),
	REFUSED(umlaut_in_name, -EINVAL),
	REFUSED(bracket_in_name, -EINVAL),
	REFUSED(letters_in_name, -EINVAL),
	REFUSED(no_owner, -EINVAL),
	REFUSED(unknown_plugin_flags, -EINVAL),
	REFUSED(overlong_name, -ENAMETOOLONG),
	REFUSED(no_regions, -EINVAL),
	REFUSED(null_regions, -EINVAL),
	REFUSED(empty_region, -EINVAL),
	REFUSED(wrapping_region, -EINVAL),
	REFUSED(huge_region, -EINVAL),
	REFUSED(large_region, -EINVAL),
	REFUSED(own_regions_overlap, -EINVAL),
	REFUSED(own_regions_equal, -EINVAL),
	REFUSED(region_inside_another, -EINVAL),
	REFUSED(unknown_region_flags, -EINVAL),
	REFUSED(too_many_regions, -E2BIG),
	REFUSED(null_symbols, -EINVAL),
	REFUSED(too_many_symbols, -E2BIG),
	REFUSED(symbol_without_name, -EINVAL),
	REFUSED(symbol_with_empty_name, -EINVAL),
	REFUSED(overlong_symbol, -ENAMETOOLONG),
	REFUSED(newline_in_symbol, -EINVAL),
	REFUSED(blank_in_symbol, -EINVAL),
	REFUSED(escape_in_symbol, -EINVAL),
	REFUSED(bytes_in_symbol, -EINVAL),
	REFUSED(symbol_below, -ERANGE),
	REFUSED(symbol_behind, -ERANGE),
	REFUSED(symbol_at_zero, -ERANGE),
	REFUSED(unknown_symbol_flags, -EINVAL),
	REFUSED(unprintable_type, -EINVAL),
	REFUSED(symbols_beside_symtab, -EINVAL),
	REFUSED(null_symtab, -EINVAL),
	REFUSED(null_typetab, -EINVAL),
	REFUSED(null_strtab, -EINVAL),
	REFUSED(empty_strtab, -EINVAL),
	REFUSED(strtab_without_nul, -EINVAL),
	REFUSED(name_outside_strtab, -EINVAL),
	REFUSED(name_far_outside_strtab, -EINVAL),
	REFUSED(overlong_symtab_name, -ENAMETOOLONG),
	REFUSED(tab_in_symtab, -EINVAL),
	REFUSED(type_in_symtab, -EINVAL),
	REFUSED(too_large_symtab, -E2BIG),
	REFUSED(null_extable, -EINVAL),
	REFUSED(too_many_exceptions, -E2BIG),
	REFUSED(unsorted_extable, -EINVAL),
	REFUSED(exception_outside, -ERANGE),
	REFUSED(exception_in_data, -ERANGE),
	REFUSED(null_params, -EINVAL),
	REFUSED(too_many_params, -E2BIG),
	REFUSED(param_without_name, -EINVAL),
	REFUSED(param_without_ops, -EINVAL),
	REFUSED(param_without_set, -EINVAL),
	REFUSED(unknown_param, -ENOENT),
	REFUSED(no_params_but_args, -ENOENT),
	REFUSED(bad_value, -EINVAL),
	REFUSED(value_out_of_range, -ERANGE),
	REFUSED(missing_value, -EINVAL),
	REFUSED(failing_init, -EXFULL),
	REFUSED(name_taken, -EEXIST),
	REFUSED(same_regions, -EEXIST),
	REFUSED(overlaps_first_byte, -EEXIST),
	REFUSED(overlaps_last_byte, -EEXIST),
	REFUSED(inside_of_another, -EEXIST),
	REFUSED(around_another, -EEXIST),
	{ "refused.no_module", no_module_case, NULL, -EINVAL },
	{ "refused.module_with_tables", module_with_tables_case, NULL, -EINVAL },
	{ "refused.module_twice", module_twice_case, NULL, -EEXIST },
	{ }
};
