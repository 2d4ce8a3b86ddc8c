/* SPDX-License-Identifier: GPL-2.0 */
/* Shared by the parts of test_modreg: cases, checks, and plugins to test with. */
#ifndef _TEST_MODREG_H
#define _TEST_MODREG_H

#include <modreg.h>

#include "../extable.h"

struct fixture;

/**
 * struct test_case - one case, run by its name
 * @name: the part before the first '.' is its topic.
 * @run: runs it. The case fails if a check does.
 * @spoil: for a refused case: makes a good plugin a bad one.
 * @err: for a refused case: what the registration must return.
 */
struct test_case {
	const char *name;
	void (*run)(const struct test_case *tc);
	void (*spoil)(struct fixture *f);
	long err;
};

/* Each array ends with an empty element. */
extern const struct test_case reader_cases[];
extern const struct test_case writer_cases[];
extern const struct test_case state_cases[];
extern const struct test_case refused_cases[];
extern const struct test_case replace_cases[];
extern const struct test_case foreign_cases[];
extern const struct test_case owner_cases[];
extern const struct test_case oops_cases[];
extern const struct test_case limit_cases[];
extern const struct test_case fault_cases[];

/* jit.c has code for this architecture. */
#if defined(CONFIG_X86_64) && !defined(CONFIG_UML)
#define HAVE_JIT
extern const struct test_case kallsyms_cases[];
#endif

bool test_check(bool ok, const char *func, int line, const char *what);
bool test_check_eq(long have, long want, const char *func, int line, const char *what);
bool test_check_str(const char *have, const char *want, const char *func, int line,
		    const char *what);

/* A failed check logs what is wrong and goes on, so that each case cleans up. */
#define check(cond) test_check(cond, __func__, __LINE__, #cond)
#define check_eq(have, want) \
	test_check_eq((long)(have), (long)(want), __func__, __LINE__, #have " == " #want)
#define check_str(have, want) test_check_str(have, want, __func__, __LINE__, #have)

/* Blocks until user space writes to the file 'release'. */
void test_hold(void);

int owners_init(void);
void owners_exit(void);
void run_in_context(const char *context, void (*func)(void));
void generate(u32 seed, u32 first, u32 count, bool wrong);

/* Offsets in a fixture; no symbol is at the first byte of its text. */
enum {
	ALPHA = 0x10,
	BETA = 0x40,
	GAMMA = 0x80,
	REGION_SIZE = 0x800,
	FIXTURES = 4,
	LARGE = 100000,
};

/**
 * struct fixture - a plugin with everything: three regions, exported and other symbols, an alias,
 *	exception entries, a parameter and callbacks
 * @desc: what is registered; a case may change it before.
 * @plugin: set by fixture_register().
 * @text: address of its text region.
 * @data: address of its data region.
 * @start: address of its init region.
 * @number: its parameter "some_number".
 * @inits: how often its init callback was called.
 * @exits: how often its exit callback was called.
 * @in_init: called by its init callback; may be NULL.
 * @in_exit: called by its exit callback; may be NULL.
 *
 * All fixtures have symbols of the same names. Nothing in the regions is ever read or run.
 */
struct fixture {
	struct modreg_plugin_desc desc;
	struct modreg_plugin *plugin;
	unsigned long text, data, start;
	int number;
	int inits, exits;
	int (*in_init)(struct fixture *f);
	void (*in_exit)(struct fixture *f);

	char name[16];
	struct modreg_region regions[3];
	struct modreg_symbol symbols[6];
	struct modreg_param params[1];
	struct exception_table_entry extable[3];
};

/* Static, beside the regions, because exception entries reach 2 GiB. */
extern struct fixture fixtures[FIXTURES];

struct fixture *fixture(unsigned int i);
bool fixture_register(struct fixture *f);
void fixture_unregister(struct fixture *f);
void fixture_answers(struct fixture *f);
void fixture_is_gone(struct fixture *f);
unsigned int register_many(struct modreg_plugin **plugins, unsigned int n, unsigned long base,
			   unsigned int size);
unsigned int count_symbols(void);
void set_exception(struct exception_table_entry *entry, unsigned long insn);
bool find_symbol(const char *name, struct modreg_find_symbol_arg *fsa);
bool find_symbol_get(const char *name, struct modreg_find_symbol_arg *fsa);
unsigned long lookup(struct fixture *f, const char *symbol);

#endif /* _TEST_MODREG_H */
