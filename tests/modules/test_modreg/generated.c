// SPDX-License-Identifier: GPL-2.0
/*
 * Generated descriptors for modreg_register_plugin(), from good to hostile.
 *
 * Each begins as a good one and is spoiled in a few places or in none. expected.c finds the
 * errors that it may have then. modreg's answer must be one of them, or success if there is none.
 * A descriptor depends on the seed, on its number, and on the descriptors of its group that are
 * registered before it; so a run that begins with the first of a group can be replayed.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/prandom.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "generated.h"

/* Exception entries reach 2 GiB, so they and what they point to are in the module's memory. */
static struct exception_table_entry entries[PLUGINS][ENTRIES];
static char text[PLUGINS][PLACE];

struct subject *subjects;
static struct rnd_state rnd;

static u32 below(u32 n)
{
	return n ? prandom_u32_state(&rnd) % n : 0;
}

static bool one_in(u32 n)
{
	return !below(n);
}

/* Returns a boundary value. */
static unsigned long odd_number(void)
{
	static const unsigned long odd[] = {
		0, 1, 7, 8, PAGE_SIZE - 1, PAGE_SIZE, INT_MAX, UINT_MAX, 1UL << 32, LONG_MAX,
		1UL << 63, -PAGE_SIZE, -2UL, -1UL,
	};

	return odd[below(ARRAY_SIZE(odd))] + (one_in(3) ? below(16) : 0);
}

/* Returns a count beyond the limit, or one that the arrays have room for. */
static unsigned int odd_count(unsigned int limit, unsigned int there)
{
	switch (below(4)) {
	case 0:
		return limit + 1 + below(16);
	case 1:
		return UINT_MAX - below(16);
	case 2:
		return 0;
	default:
		return below(min(limit, there) + 1);
	}
}

static const char *odd_string(struct subject *s)
{
	unsigned int i, len;

	switch (below(5)) {
	case 0:
		return NULL;
	case 1:
		return "";
	case 2:
		len = KSYM_NAME_LEN - 2 + below(4);
		break;
	case 3:
		len = MODREG_NAME_LEN - 2 + below(4);
		break;
	default:
		len = 1 + below(40);
	}
	for (i = 0; i < len; i++)
		s->names[i] = 1 + below(one_in(2) ? 255 : 126);
	s->names[len] = 0;
	return s->names;
}

static int generated_init(void *data)
{
	return ((struct subject *)data)->init_returns;
}

/* Arguments with the error that they lead to; there is one parameter, "number". */
static const struct {
	const char *args;
	int err;
} arguments[] = {
	{ NULL }, { "" }, { "number=1" }, { " number=0x7f  number=-1 " }, { "number=\"3\"" },
	{ "number", -EINVAL }, { "number=", -EINVAL }, { "number=x", -EINVAL },
	{ "number=99999999999", -ERANGE }, { "other=1", -ENOENT }, { "=", -ENOENT },
	{ "number=1 other", -ENOENT }, { "\"", -ENOENT }, { "\xff=\x01", -ENOENT },
};

/* Makes a good plugin of random size in its own place. */
static void generate_good(struct subject *s)
{
	unsigned long base = (unsigned long)text[s->place];
	unsigned int i, n = 1 + below(4), symbols = below(SYMBOLS), size = PLACE / 8;
	struct exception_table_entry *table = entries[s->place];
	struct modreg_region *r;
	char *at = s->names;

	memset(s, 0, offsetof(struct subject, place));
	snprintf(s->name, sizeof(s->name), "generated_%u", s->place);
	for (i = 0; i < n; i++)
		s->regions[i] = (struct modreg_region){
			.base = base + i * size,
			.size = 1 + below(size),
			.flags = i ? below(4) : MODREG_TEXT,
		};
	at += 1;
	for (i = 0; i < symbols; i++) {
		r = &s->regions[below(n)];
		s->symbols[i] = (struct modreg_symbol){
			.name = at,
			.value = r->base + below(r->size),
			.type = one_in(2) ? 0 : '!' + below('~' - '!' + 1),
			.flags = below(4),
		};
		s->elf[i] = (struct elf64_sym){
			.st_name = at - s->names,
			.st_shndx = !one_in(4),
			.st_value = s->symbols[i].value,
		};
		s->types[i] = 't';
		at += 1 + snprintf(at, 16, "s%x", below(1 << below(16)));
	}
	for (i = 0; i < ENTRIES; i++)
		set_exception(&table[i], base + i * s->regions[0].size / ENTRIES);
	s->params[0] = (struct modreg_param){ "number", &param_ops_int, &s->numbers[0] };

	s->desc = (struct modreg_plugin_desc){
		.name = s->name,
		.owner = THIS_MODULE,
		.regions = s->regions,
		.num_regions = n,
		.extable = table,
		.num_exentries = below(ENTRIES + 1),
		.params = s->params,
		.num_params = 1,
		.init = one_in(2) ? generated_init : NULL,
		.data = s,
	};
	s->symtab = (struct modreg_symtab){
		.symtab = s->elf,
		.num_symtab = symbols,
		.strtab = s->names,
		.strtab_size = at - s->names,
		.typetab = s->types,
	};
	if (one_in(3)) {
		s->desc.symtab = &s->symtab;
	} else {
		s->desc.symbols = s->symbols;
		s->desc.num_symbols = symbols;
	}
}

static void spoil(struct subject *s)
{
	struct modreg_region *r = &s->regions[below(4)];
	struct modreg_symbol *symbol = &s->symbols[below(SYMBOLS)];
	struct elf64_sym *elf = &s->elf[below(SYMBOLS)];
	struct exception_table_entry *entry = &entries[s->place][below(ENTRIES)];
	struct subject *other = &subjects[below(PLUGINS)];
	unsigned int i;

	switch (below(31)) {
	case 0:
		s->desc.name = odd_string(s);
		break;
	case 1:
		strscpy(s->name, other->name);
		break;
	case 2:
		s->name[below(strlen(s->name) + 1)] = below(256);
		break;
	case 3:
		s->desc.regions = NULL;
		break;
	case 4:
		s->desc.num_regions = odd_count(MODREG_MAX_REGIONS, REGIONS);
		break;
	case 5:
		r->base = odd_number();
		break;
	case 6:
		r->size = odd_number();
		break;
	case 7:
		r->flags ^= 1 << below(32);
		break;
	case 8:
		r->base = s->regions[0].base + below(s->regions[0].size);
		break;
	case 9:
		r->base = (unsigned long)text[other->place] + below(PLACE);
		break;
	case 10:
		r->base += below(2 * PLACE) - PLACE;
		break;
	case 11:
		for (i = 1; i < REGIONS; i++)
			s->regions[i] = (struct modreg_region){
				s->regions[0].base + PLACE / 2 + i * 8, 1 + below(9), MODREG_TEXT
			};
		s->desc.num_regions = MODREG_MAX_REGIONS - 1 + below(3);
		break;
	case 12:
		s->desc.symbols = NULL;
		break;
	case 13:
		s->desc.num_symbols = odd_count(MODREG_MAX_SYMBOLS, SYMBOLS);
		break;
	case 14:
		symbol->name = odd_string(s);
		break;
	case 15:
		symbol->value = odd_number();
		break;
	case 16:
		symbol->value += below(2 * PLACE) - PLACE;
		break;
	case 17:
		symbol->type = below(256);
		break;
	case 18:
		symbol->flags = below(256);
		break;
	case 19:
		s->desc.symtab = &s->symtab;
		break;
	case 20:
		s->symtab.num_symtab = odd_count(MODREG_MAX_SYMBOLS, SYMBOLS);
		break;
	case 21:
		s->symtab.strtab_size = one_in(2) ? (1UL << 32) + odd_number() % (1UL << 40) :
			below(NAMES);
		break;
	case 22:
		elf->st_name = one_in(2) ? odd_number() : below(NAMES);
		break;
	case 23:
		elf->st_value = odd_number();
		break;
	case 24:
		if (one_in(2))
			s->symtab.symtab = NULL;
		else if (one_in(2))
			s->symtab.strtab = NULL;
		else
			s->symtab.typetab = NULL;
		break;
	case 25:
		s->desc.num_exentries = odd_count(MODREG_MAX_SYMBOLS, ENTRIES);
		if (one_in(4))
			s->desc.extable = NULL;
		break;
	case 26:
		set_exception(entry, (unsigned long)text[s->place] + below(PLACE));
		break;
	case 27:
		i = below(ARRAY_SIZE(arguments));
		s->desc.args = arguments[i].args;
		s->args_err = arguments[i].err;
		break;
	case 28:
		s->init_returns = one_in(2) ? -(int)(1 + below(MAX_ERRNO)) : (int)below(10);
		break;
	case 29:
		s->desc.num_params = odd_count(MODREG_MAX_PARAMS, PARAMS);
		if (one_in(4))
			s->desc.params = NULL;
		if (one_in(4))
			s->params[0].ops = NULL;
		if (one_in(4))
			s->params[0].name = NULL;
		break;
	case 30:
		if (one_in(2))
			s->desc.owner = NULL;
		else
			s->desc.flags = odd_number();
		break;
	}
}

/* Puts any question to every reader: answers are as documented, and strings end. */
static void ask_anything(const struct subject *s)
{
	struct modreg_find_symbol_arg fsa = { .gplok = one_in(2) };
	char name[KSYM_NAME_LEN], plugin[MODREG_NAME_LEN], type;
	unsigned long addr, size, offset, value;
	int ret, exported;

	addr = one_in(4) ? odd_number() : (unsigned long)text[below(PLUGINS)] + below(PLACE);
	ret = modreg_lookup_symbol_attrs(addr, one_in(2) ? &size : NULL, &offset, plugin, name);
	check(ret == 0 || ret == -ERANGE);
	if (!ret)
		check(strnlen(name, sizeof(name)) < sizeof(name) &&
		      strnlen(plugin, sizeof(plugin)) < sizeof(plugin));
	check_eq(modreg_lookup_symbol_name(addr, name), ret);
	check_eq(modreg_address_lookup(addr, &size, NULL, NULL, name) != 0, ret == 0);
	if (!modreg_is_address(addr))
		check_eq(ret, -ERANGE);
	ret = modreg_get_kallsym(odd_number(), &value, &type, name, plugin, &exported);
	check(ret == 0 || ret == -ERANGE);
	fsa.name = one_in(4) ? odd_string(&subjects[PLUGINS]) : s->symbols[below(SYMBOLS)].name;
	modreg_kallsyms_lookup_name(fsa.name);
	if (modreg_find_symbol_get(&fsa))
		modreg_find_symbol_put(fsa.owner);
	modreg_search_extables(addr);
}

/* Removes all generated plugins in one stop. */
static void unregister_all(void)
{
	struct modreg_plugin *plugins[PLUGINS];
	unsigned int i, n = 0;

	for (i = 0; i < PLUGINS; i++)
		if (subjects[i].plugin)
			plugins[n++] = subjects[i].plugin;
	if (n)
		check_eq(modreg_unregister_plugins(plugins, n), 0);
	for (i = 0; i < PLUGINS; i++)
		subjects[i].plugin = NULL;
}

/* Negative control: a registry that mixes up two errors. */
static struct modreg_plugin *register_wrong(const struct modreg_plugin_desc *desc)
{
	struct modreg_plugin *plugin = modreg_register_plugin(desc);

	return plugin == ERR_PTR(-ERANGE) ? ERR_PTR(-EINVAL) : plugin;
}

/* Returns whether modreg's answer to descriptor n is right. */
static bool generate_one(u32 seed, u32 n, bool wrong, u32 *good)
{
	struct subject *s;
	long err;
	u32 i;

	prandom_seed_state(&rnd, ((u64)seed << 32) | n);
	for (i = 0; i < PLUGINS; i++)
		subjects[i].place = i;
	for (s = subjects; s->plugin; s++)
		;
	generate_good(s);
	for (i = below(5); i; i--)
		spoil(s);
	find_faults(s);

	s->plugin = wrong ? register_wrong(&s->desc) : modreg_register_plugin(&s->desc);
	err = PTR_ERR_OR_ZERO(s->plugin);
	if (err) {
		s->plugin = NULL;
		if (!check(test_bit(-err, faults)))
			goto failed;
	} else {
		++*good;
		if (!check(bitmap_empty(faults, MAX_ERRNO + 1)))
			goto failed;
	}
	ask_anything(s);
	return true;
failed:
	pr_err("descriptor %u of seed %u: %ld, expected %*pbl\n", n, seed, err, MAX_ERRNO + 1,
	       faults);
	return false;
}

/* Tries descriptors and leaves nothing behind. */
void generate(u32 seed, u32 first, u32 count, bool wrong)
{
	unsigned int symbols = count_symbols();
	u32 n, good = 0, failed = 0;

	subjects = kvcalloc(PLUGINS + 1, sizeof(*subjects), GFP_KERNEL);
	if (!check(subjects))
		return;
	first -= first % PLUGINS;
	for (n = first; n - first < count && failed < 5; n++) {
		failed += !generate_one(seed, n, wrong, &good);
		if (n % PLUGINS == PLUGINS - 1) {
			unregister_all();
			/* A group does not depend on the one before it. */
			memset(subjects, 0, (PLUGINS + 1) * sizeof(*subjects));
		}
		cond_resched();
	}
	unregister_all();
	check_eq(count_symbols(), symbols);
	kvfree(subjects);
	pr_info("seed %u: %u descriptors, %u registered, %u failed\n", seed, n - first, good,
		failed);
}
