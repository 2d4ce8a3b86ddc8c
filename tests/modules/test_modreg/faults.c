// SPDX-License-Identifier: GPL-2.0
/*
 * Every allocation fails once: in the n-th turn of a case its n-th allocation fails, until
 * there are no more. The call under test then returns -ENOMEM and has changed nothing, or it
 * succeeds without the allocation.
 *
 * The cases of the topic 'broken' fail. They show that the checks notice.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "test_modreg.h"

/**
 * struct attempt - a call that meets a failing allocation
 * @prepare: makes what the call needs; may be NULL.
 * @run: the call; returns an errno.
 * @undo: takes back a success.
 * @tidy: takes @prepare back; may be NULL.
 */
struct attempt {
	bool (*prepare)(void);
	int (*run)(void);
	void (*undo)(void);
	void (*tidy)(void);
};

#ifdef CONFIG_FAULT_INJECTION
static void set_fail_nth(unsigned int n)
{
	current->fail_nth = n;
}

static unsigned int get_fail_nth(void)
{
	return current->fail_nth;
}
#else
static void set_fail_nth(unsigned int n)
{
}

static unsigned int get_fail_nth(void)
{
	return 1;
}
#endif

/* Returns a hash over all that readers answer. */
static u32 all_answers(void)
{
	char name[KSYM_NAME_LEN], plugin[MODREG_NAME_LEN], type;
	u32 sum = 0, n;
	unsigned long value;
	unsigned int i;
	int exported;
	const char *p;

	for (n = 0; !modreg_get_kallsym(n, &value, &type, name, plugin, &exported); n++) {
		for (p = name; *p; p++)
			sum = 31 * sum + *p;
		for (p = plugin; *p; p++)
			sum = 31 * sum + *p;
		sum = 31 * sum + value + type + exported;
	}
	for (i = 0; i < FIXTURES; i++) {
		sum = 31 * sum + modreg_is_address(fixtures[i].text);
		sum = 31 * sum + modreg_is_address(fixtures[i].start);
		sum = 31 * sum + !!modreg_search_extables(fixtures[i].text + BETA + 8);
		/* Whether the name is taken. */
		sum = 31 * sum + (modreg_kallsyms_lookup_name(fixtures[i].name) != 0);
	}
	return sum;
}

/* Runs the call with each of its allocations failing once. Returns their number. */
static unsigned int each_fails(const struct attempt *a)
{
	unsigned int n, left, refused = 0;
	u32 before;
	int err;

	for (n = 1; n < 1000; n++) {
		if (a->prepare && !a->prepare())
			return 0;
		before = all_answers();
		set_fail_nth(n);
		err = a->run();
		left = get_fail_nth();
		set_fail_nth(0);
		if (err) {
			refused++;
			check_eq(err, -ENOMEM);
			check_eq(left, 0);
			check_eq(all_answers(), before);
			/* The same call with memory. */
			if (check_eq(a->run(), 0))
				a->undo();
		} else {
			a->undo();
		}
		if (a->tidy)
			a->tidy();
		if (left)
			break;
	}
	pr_info("%u allocations, %u of them refused\n", n - 1, refused);
	return n - 1;
}

/* The body of a case: its call must have an allocation. */
static void attempt(const struct attempt *a)
{
	check(each_fails(a) > 0);
}

static int result_of(struct fixture *f)
{
	return PTR_ERR_OR_ZERO(f->plugin);
}

static int register_fixture(void)
{
	struct fixture *f = fixture(0);

	f->desc.args = "some_number=1";
	f->plugin = modreg_register_plugin(&f->desc);
	if (result_of(f)) {
		check_eq(f->exits, 0);
		fixture_is_gone(f);
	}
	return result_of(f);
}

static void unregister_fixture(void)
{
	fixture_answers(&fixtures[0]);
	fixture_unregister(&fixtures[0]);
	check_eq(fixtures[0].exits, 1);
}

static void register_case(const struct test_case *tc)
{
	static const struct attempt a = { .run = register_fixture, .undo = unregister_fixture };

	attempt(&a);
}

/* A plugin with the least that it must have. */
static int register_least(void)
{
	struct fixture *f = fixture(0);

	f->desc = (struct modreg_plugin_desc){
		.name = f->name,
		.owner = THIS_MODULE,
		.regions = f->regions,
		.num_regions = 1,
	};
	f->plugin = modreg_register_plugin(&f->desc);
	return result_of(f);
}

static void unregister_least(void)
{
	fixture_unregister(&fixtures[0]);
}

static void register_least_case(const struct test_case *tc)
{
	attempt(&(struct attempt){ .run = register_least, .undo = unregister_least });
}

static int register_symtab(void)
{
	static const char names[] = "\0one\0two";
	static struct elf64_sym symbols[3];
	static const struct modreg_symtab symtab = {
		.symtab = symbols,
		.num_symtab = ARRAY_SIZE(symbols),
		.strtab = names,
		.strtab_size = sizeof(names),
		.typetab = "?td",
	};
	struct fixture *f = fixture(0);

	symbols[1] = (struct elf64_sym){ .st_name = 1, .st_shndx = 1, .st_value = f->text };
	symbols[2] = (struct elf64_sym){ .st_name = 5, .st_shndx = 1, .st_value = f->start };
	f->desc.symbols = NULL;
	f->desc.num_symbols = 0;
	f->desc.symtab = &symtab;
	f->plugin = modreg_register_plugin(&f->desc);
	return result_of(f);
}

static void register_symtab_case(const struct test_case *tc)
{
	attempt(&(struct attempt){ .run = register_symtab, .undo = unregister_least });
}

/* So many symbols that kmalloc() has no room for the tables. */
static struct modreg_symbol *many_symbols;
static char *many_names;

enum { MANY_NAME = 16 };

/* And more regions than are collected without memory. */
static int register_large(void)
{
	enum { PIECES = 8, PIECE = REGION_SIZE / PIECES };
	struct modreg_region pieces[PIECES];
	struct fixture *f = fixture(0);
	unsigned int i;

	for (i = 0; i < PIECES; i++)
		pieces[i] = (struct modreg_region){ f->text + i * PIECE, PIECE, MODREG_TEXT };
	f->desc.regions = pieces;
	f->desc.num_regions = PIECES;
	f->desc.num_exentries = 0;
	f->desc.symbols = many_symbols;
	f->desc.num_symbols = LARGE / 10;
	f->plugin = modreg_register_plugin(&f->desc);
	return result_of(f);
}

static void register_large_case(const struct test_case *tc)
{
	unsigned int i, n = LARGE / 10;

	many_symbols = kvcalloc(n, sizeof(*many_symbols), GFP_KERNEL);
	many_names = kvcalloc(n, MANY_NAME, GFP_KERNEL);
	if (check(many_symbols && many_names)) {
		for (i = 0; i < n; i++) {
			many_symbols[i] = (struct modreg_symbol){
				.name = many_names + i * MANY_NAME,
				.value = fixture(0)->text + i % REGION_SIZE,
				.flags = i % 2,
			};
			snprintf(many_names + i * MANY_NAME, MANY_NAME, "many_%u", i);
		}
		attempt(&(struct attempt){ .run = register_large, .undo = unregister_least });
	}
	kvfree(many_names);
	kvfree(many_symbols);
}

static int register_module(void)
{
	struct fixture *f = fixture(0);

	f->plugin = modreg_register_module(THIS_MODULE, NULL);
	return result_of(f);
}

static void register_module_case(const struct test_case *tc)
{
	attempt(&(struct attempt){ .run = register_module, .undo = unregister_least });
}

/* So many plugins that every table of the registry grows. */
enum { CROWD = 300 };

static struct modreg_plugin *crowd[CROWD];

static struct modreg_plugin *register_one_of_crowd(unsigned int i)
{
	const struct modreg_region region = {
		.base = fixtures[0].text + 4 * i, .size = 4, .flags = MODREG_TEXT,
	};
	struct modreg_symbol symbol = { .value = region.base, .flags = MODREG_EXPORT };
	char name[16];
	const struct modreg_plugin_desc desc = {
		.name = name,
		.owner = THIS_MODULE,
		.regions = &region, .num_regions = 1,
		.symbols = &symbol, .num_symbols = 1,
	};

	symbol.name = name;
	snprintf(name, sizeof(name), "crowd_%u", i);
	return modreg_register_plugin(&desc);
}

static void crowd_case(const struct test_case *tc)
{
	unsigned int i, n, turns = 0;

	fixture(0);
	for (i = 0; i < CROWD; i++) {
		u32 before = all_answers();

		/* Registering one takes as many turns as it has allocations. */
		for (n = 1; ; n++) {
			set_fail_nth(n);
			crowd[i] = register_one_of_crowd(i);
			set_fail_nth(0);
			turns++;
			if (!IS_ERR(crowd[i]))
				break;
			if (!check_eq(PTR_ERR(crowd[i]), -ENOMEM) || n > 1000)
				break;
			if (i % 50 == 0)
				check_eq(all_answers(), before);
		}
		if (IS_ERR(crowd[i])) {
			crowd[i] = NULL;
			break;
		}
		check_eq(modreg_is_address(fixtures[0].text + 4 * i), true);
	}
	check_eq(i, CROWD);
	pr_info("%u plugins in %u turns\n", i, turns);
	check_eq(modreg_unregister_plugins(crowd, i), 0);
	check_eq(modreg_is_address(fixtures[0].text), false);
}

static bool registered(void)
{
	return !register_fixture();
}

/* More symbols than are part of their plugin's tables. */
static int replace_symbols(void)
{
	struct fixture *f = &fixtures[0];
	struct modreg_symbol symbols[12];
	const struct modreg_plugin_desc desc = {
		.symbols = symbols, .num_symbols = ARRAY_SIZE(symbols),
		.extable = f->extable, .num_exentries = 1,
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(symbols); i++)
		symbols[i] = (struct modreg_symbol){
			.name = "replaced", .value = f->text + i, .flags = MODREG_EXPORT,
		};
	return modreg_replace_symbols(f->plugin, &desc);
}

static void replace_back(void)
{
	struct fixture *f = &fixtures[0];
	const struct modreg_plugin_desc desc = {
		.symbols = f->symbols, .num_symbols = ARRAY_SIZE(f->symbols) - 1,
		.extable = f->extable, .num_exentries = ARRAY_SIZE(f->extable) - 1,
	};

	check_eq(modreg_kallsyms_lookup_name("replaced"), f->text);
	check_eq(modreg_replace_symbols(f->plugin, &desc), 0);
}

static void replace_case(const struct test_case *tc)
{
	attempt(&(struct attempt){
		.prepare = registered, .run = replace_symbols, .undo = replace_back,
		.tidy = unregister_fixture,
	});
}

static int unregister_one(void)
{
	int err = modreg_unregister_plugin(fixtures[0].plugin);

	if (err) {
		check_eq(fixtures[0].exits, 0);
		fixture_answers(&fixtures[0]);
	}
	return err;
}

static void is_gone(void)
{
	check_eq(fixtures[0].exits, 1);
	fixture_is_gone(&fixtures[0]);
}

static void unregister_case(const struct test_case *tc)
{
	attempt(&(struct attempt){
		.prepare = registered, .run = unregister_one, .undo = is_gone,
	});
}

static bool registered_all(void)
{
	unsigned int i;

	for (i = 0; i < FIXTURES; i++)
		if (!fixture_register(fixture(i)))
			return false;
	return true;
}

static int unregister_all(void)
{
	struct modreg_plugin *plugins[FIXTURES];
	unsigned int i;
	int err;

	for (i = 0; i < FIXTURES; i++)
		plugins[i] = fixtures[i].plugin;
	err = modreg_unregister_plugins(plugins, FIXTURES);
	for (i = 0; err && i < FIXTURES; i++)
		check_eq(fixtures[i].exits, 0);
	return err;
}

static void are_gone(void)
{
	unsigned int i;

	for (i = 0; i < FIXTURES; i++) {
		check_eq(fixtures[i].exits, 1);
		fixture_is_gone(&fixtures[i]);
	}
}

static void unregister_several_case(const struct test_case *tc)
{
	attempt(&(struct attempt){
		.prepare = registered_all, .run = unregister_all, .undo = are_gone,
	});
}

/* If the start fails, the plugin is unlinked, even if there is no memory for it. */
static int fails(struct fixture *f)
{
	return -EXFULL;
}

static int register_failing(void)
{
	struct fixture *f = fixture(0);

	f->in_init = fails;
	f->plugin = modreg_register_plugin(&f->desc);
	fixture_is_gone(f);
	return result_of(f) == -EXFULL ? 0 : result_of(f);
}

static void nothing(void)
{
}

static void failed_init_case(const struct test_case *tc)
{
	attempt(&(struct attempt){ .run = register_failing, .undo = nothing });
}

/* Readers allocate nothing. */
static int read_all(void)
{
	struct modreg_find_symbol_arg fsa;

	fixture_answers(&fixtures[0]);
	if (find_symbol_get("beta", &fsa))
		modreg_find_symbol_put(fsa.owner);
	return 0;
}

static void read_case(const struct test_case *tc)
{
	const struct attempt reading = { .run = read_all, .undo = nothing };

	if (!fixture_register(fixture(0)))
		return;
	check_eq(each_fails(&reading), 0);
	fixture_unregister(&fixtures[0]);
}

/*
 * Returns whether one of several allocations fails. If the page of a slab fails, the slab has
 * another.
 */
static bool one_fails(void)
{
	bool fails = false;
	unsigned int i;

	for (i = 0; i < 8; i++) {
		void *p = kmalloc(64, GFP_KERNEL);

		/* Keeps the compiler from removing the allocation. */
		OPTIMIZER_HIDE_VAR(p);
		fails |= !p;
		kfree(p);
	}
	return fails;
}

/* Broken: a plugin stays registered after an error, and an error is not documented. */
static int register_forgotten(void)
{
	if (IS_ERR_OR_NULL(fixtures[0].plugin) && register_fixture())
		return result_of(&fixtures[0]);
	return one_fails() ? -ENOMEM : 0;
}

static void forgets_case(const struct test_case *tc)
{
	fixture(0);
	attempt(&(struct attempt){ .run = register_forgotten, .undo = unregister_least });
}

static int register_confused(void)
{
	return register_fixture() ? -EINVAL : 0;
}

static void confuses_case(const struct test_case *tc)
{
	attempt(&(struct attempt){ .run = register_confused, .undo = unregister_fixture });
}

/* Broken: memory is lost if the next allocation fails. Only kmemleak notices. */
static int register_leaking(void)
{
	void *first = kmalloc(64, GFP_KERNEL);

	if (!first || one_fails())
		return -ENOMEM;
	kfree(first);
	return 0;
}

static void leaks_case(const struct test_case *tc)
{
	attempt(&(struct attempt){ .run = register_leaking, .undo = nothing });
}

const struct test_case fault_cases[] = {
	{ "faults.register", register_case },
	{ "faults.register_least", register_least_case },
	{ "faults.register_symtab", register_symtab_case },
	{ "faults.register_large", register_large_case },
	{ "faults.register_module", register_module_case },
	{ "faults.failed_init", failed_init_case },
	{ "faults.crowd", crowd_case },
	{ "faults.replace", replace_case },
	{ "faults.unregister", unregister_case },
	{ "faults.unregister_several", unregister_several_case },
	{ "faults.read", read_case },
	{ "broken.forgets", forgets_case },
	{ "broken.confuses", confuses_case },
	{ "broken.leaks", leaks_case },
	{ }
};
