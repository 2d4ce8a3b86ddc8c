/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Shared by the parts of modreg_mirror: main.c registers modules, questions.c asks about
 * modules that stay, churn.c about modules that come and go. answers.c asks the kernel alone.
 */
#ifndef _MIRROR_H
#define _MIRROR_H

#include <linux/kallsyms.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/module_symbol.h>
#include <linux/mutex.h>
#include <linux/seq_file.h>

#include <modreg.h>

#include "../kernel_functions.h"

extern struct kernel_functions kernel;

/* A registered module. */
struct mirrored {
	struct list_head list;
	struct module *mod;
	struct modreg_plugin *plugin;
};

/* The registered modules, newest first; protected by mirror_lock. */
extern struct list_head mirrored;
extern struct mutex mirror_lock;

/* The kinds of questions, in the order of the table. */
enum kind {
	FIRST_BYTE, ALIAS, MIDDLE, LAST_BYTE, BESIDE, INSIDE, OUTSIDE, INIT_ADDRESS, FORMER_INIT,
	SYMBOL_NAME, SYMBOL_ATTRS, SPRINT, QUALIFIED, PLAIN, DUPLICATE, INIT_NAME, LISTING,
	EXPORTED, GPL_GATE, PINNED, EXTABLE, NO_EXTABLE, IS_ADDRESS, TEXT_ADDRESS,
	THROUGHOUT, THERE, GONE, INIT_THERE, INIT_GONE, NUM_KINDS,
};

/* Reasons not to compare an answer. */
enum uncompared {
	NO_ADDRESS, NOT_GPL_ONLY, VMLINUX_TOO, DISORDER, IN_BETWEEN, NUM_UNCOMPARED,
};

void count(enum kind kind, bool equal);
void leave_out(enum uncompared why);

/* One symbol in so many is asked about. */
extern unsigned int every;

/* Questions about modules that stay. All are asked under mirror_lock. */
void ask_all(void);
void ask_exports(void);
void ask_coming(struct module *mod);

/* The kernel's own answers. */
int find_answers(unsigned long lookup);
extern const struct file_operations answers_fops;

/* Modules that come and go. */
int churn_start(char *names);
void churn_stop(void);
bool churn_is_on(void);
void churn_begin(const struct module *mod);
void churn_end(struct module *mod, enum module_state state);
unsigned long churned(void);

#endif /* _MIRROR_H */
