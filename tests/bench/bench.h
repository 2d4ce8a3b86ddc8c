/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Shared by the parts of modreg_bench: bench.c takes commands and times them, plugins.c makes
 * plugins, lookup.c asks modreg, the kernel and the floor, hooks.c asks with modreg_kallsyms and
 * without, writers.c times writers and bystanders, variants.rs has other ways to keep plugins.
 */
#ifndef _MODREG_BENCH_H
#define _MODREG_BENCH_H

#include <linux/kallsyms.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/seq_buf.h>

/* Readable bytes behind the code of a region that lies outside of every module. */
#define ROOM 16

#include <modreg.h>

#include "../modules/kernel_functions.h"

extern struct kernel_functions kernel;

/* kallsyms_lookup_name() */
unsigned long kernel_lookup(const char *name);

/* A table of symbols: a module's or a plugin's. */
struct table {
	const char *name;
	const Elf_Sym *symtab;
	unsigned int num_symtab;
	const char *strtab;
	/* What its addresses lie in. */
	const struct module *mod;
	unsigned long base, size;
	struct modreg_plugin *plugin;
};

struct question {
	unsigned long addr;
	const char *name;
	/* The table that it is from. */
	const char *table;
};

/* What is asked, and where the answer goes; one for each CPU that asks. */
struct asker {
	struct question *questions;
	/* Names that are in no table. */
	char *pool;
	unsigned int num, next;
	unsigned long size, offset;
	char plugin[MODREG_NAME_LEN];
	char name[KSYM_NAME_LEN];
};

/* One of the ways to answer that are compared. Returns what is the same for each of them. */
struct leg {
	const char *name;
	unsigned long (*ask)(struct asker *asker, const struct question *q);
	/* Other questions than those that compare() is given. */
	struct asker *asker;
	/* How many questions make a batch: found out by compare(). */
	unsigned long calls;
};

extern unsigned int batches, batch_us;

/* One line for each batch: what is measured, its parameter, the nanoseconds of each leg. */
int compare(struct seq_buf *out, const char *what, unsigned long param, struct asker *asker,
	    struct leg *legs, unsigned int num);
int same_answers(struct asker *asker, const struct leg *legs, unsigned int num);
u64 time_leg(struct asker *asker, const struct leg *leg);

/* glue/kernel_private.c, for Rust */
struct kernel_symbol;
unsigned long rust_helper_kernel_symbol_value(const struct kernel_symbol *syms,
					      unsigned int i);
const char *rust_helper_kernel_symbol_name(const struct kernel_symbol *syms,
					   unsigned int i);

/* hooks.c */
int run_hooks(struct seq_buf *out, int argc, char **argv);
void hooks_exit(void);

/* longest.c */
int run_longest(struct seq_buf *out, int argc, char **argv);
void longest_exit(void);

/* lookup.c */
int run_lookup(struct seq_buf *out, int argc, char **argv);
void lookup_exit(void);

/* plugins.c */
int run_plugins(struct seq_buf *out, int argc, char **argv);
typedef int table_fn(const struct table *table, void *data);
int each_table(const char *names, table_fn *fn, void *data);
void plugins_exit(void);

/* scale.c */
int run_scale(struct seq_buf *out, int argc, char **argv);
void scale_exit(void);

/* writers.c */
const struct module *find_modreg(void);
int run_writers(struct seq_buf *out, int argc, char **argv);

/* variants.rs */
void variants_init(void);
s64 variants_insert(unsigned long base, unsigned long size, unsigned long cookie, bool stop);
void variants_clear(void);
unsigned long variants_find(unsigned long addr);

#endif /* _MODREG_BENCH_H */
