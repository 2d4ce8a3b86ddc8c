/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Shared by questions.c, which asks and judges, and readers.c, which runs it in every context.
 */
#ifndef _READERS_H
#define _READERS_H

#include <linux/hrtimer.h>
#include <linux/percpu.h>

#include "torture.h"

enum question {
	ADDRESS_LOOKUP, SYMBOL_NAME, SYMBOL_ATTRS, IS_ADDRESS, TEXT_ADDRESS, EXTABLES, LOOKUP_NAME,
	FIND_SYMBOL, FIND_SYMBOL_GET, GET_KALLSYM, SHARED_SYMBOL, LISTED, NOBODY, QUESTIONS
};

/* A reader. It is too large for the stack of an NMI. */
struct asker {
	struct hrtimer timer;
	struct task_struct *task;
	enum context context;
	struct rnd_state rnd;
	u64 before[SLOTS];
	char plugin[MODREG_NAME_LEN];
	char name[KSYM_NAME_LEN];
	char wanted[2 * NAME_LEN];
};

struct counts {
	unsigned long asked[CONTEXTS][QUESTIONS];
};

extern struct counts __percpu *counts;
extern atomic_t print_wanted[CONTEXTS];
extern const char * const question_names[QUESTIONS];
extern const char * const context_names[CONTEXTS];

#define wrong(a, q, fmt, ...) do {							\
	if (atomic_long_inc_return(&errors) <= LOUD_ERRORS)				\
		pr_err("wrong: %s in %s: " fmt "\n", question_names[q],			\
		       context_names[(a)->context], ##__VA_ARGS__);			\
} while (0)

void ask(struct asker *a);

#endif
