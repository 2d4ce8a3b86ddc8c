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
	FIND_SYMBOL, FIND_SYMBOL_GET, SAMPLE, GET_KALLSYM, SHARED_SYMBOL, LISTED, NOBODY,
	/* By the kernel itself, where modreg_kallsyms is loaded. */
	KERNEL_NAME, KERNEL_NAME_KEPT, KERNEL_TEXT, FIXUP, TRACE, QUESTIONS
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
	char printed[KSYM_SYMBOL_LEN];
	unsigned long trace[16];
	unsigned int trace_len;
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

/* What a name says; read_name() returns false if torture does not give such a name. */
struct told {
	struct slot *slot;
	u32 gen;
	enum place k;
};

bool read_name(const char *name, bool symbol, struct told *told);

void count(const struct asker *a, enum question q);

/* Judges an answer about a slot: found or not. Generation 0 stands for any. */
void judge(struct asker *a, enum question q, const struct slot *s, u64 before, bool found, u32 gen,
	   bool init);

void ask(struct asker *a);

/* Puts the kernel's questions about a slot, where modreg_kallsyms is loaded. Context: any. */
void ask_kernel(struct asker *a, struct slot *s, enum place k);

/* Finds the kernel's functions, and makes code that faults. */
int begin_kernel(void);
void end_kernel(void);

/* Returns whether modreg_kallsyms is loaded, so that the kernel asks modreg. */
bool kernel_asks(void);

#endif
