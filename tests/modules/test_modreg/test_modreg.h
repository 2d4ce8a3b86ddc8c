/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the parts of test_modreg share: cases, checks, and plugins to check with.
 */
#ifndef _TEST_MODREG_H
#define _TEST_MODREG_H

#include <modreg.h>

struct fixture;

/**
 * struct test_case - one case, run by its name
 * @name: its name; the part before the first '.' is its topic.
 * @run: runs it. It has failed where a check has.
 * @spoil: of a refused case: makes a good plugin a bad one.
 * @err: of a refused case: what the registration must return.
 */
struct test_case {
	const char *name;
	void (*run)(const struct test_case *tc);
	void (*spoil)(struct fixture *f);
	long err;
};

/* Each ends in an empty one. */
extern const struct test_case reader_cases[];
extern const struct test_case writer_cases[];
extern const struct test_case state_cases[];
extern const struct test_case refused_cases[];
extern const struct test_case fault_cases[];

bool test_check(bool ok, const char *func, int line, const char *what);
bool test_check_eq(long have, long want, const char *func, int line, const char *what);
bool test_check_str(const char *have, const char *want, const char *func, int line,
		    const char *what);

/* These log what is wrong and go on, so that each case cleans up behind itself. */
#define check(cond) test_check(cond, __func__, __LINE__, #cond)
#define check_eq(have, want) \
	test_check_eq((long)(have), (long)(want), __func__, __LINE__, #have " == " #want)
#define check_str(have, want) test_check_str(have, want, __func__, __LINE__, #have)

/* Blocks until the file 'release' is written to. */
void test_hold(void);

void run_in_context(const char *context, void (*func)(void));
void generate(u32 seed, u32 first, u32 count, bool wrong);

/* Where things are in a fixture; no symbol is at the first byte of its text. */
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
 * @desc: as it is registered; change it before.
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
 * All have symbols of the same names. Nothing is ever read or run in the regions.
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

/* Exception entries reach 2 GiB, so these stand beside the regions. */
extern struct fixture fixtures[FIXTURES];

struct fixture *fixture(unsigned int i);
bool fixture_register(struct fixture *f);
void fixture_unregister(struct fixture *f);
void fixture_answers(struct fixture *f);
void fixture_is_gone(struct fixture *f);
unsigned int count_symbols(void);
void set_exception(struct exception_table_entry *entry, unsigned long insn);
bool find_symbol(const char *name, struct modreg_find_symbol_arg *fsa);
bool find_symbol_get(const char *name, struct modreg_find_symbol_arg *fsa);
unsigned long lookup(struct fixture *f, const char *symbol);

#endif /* _TEST_MODREG_H */
