// SPDX-License-Identifier: GPL-2.0
/*
 * The kernel's kernel/kallsyms_selftest.c as it stands in the kernel's source, with modreg in
 * the place of kallsyms. Writing 1 to the parameter 'run' asks its questions about all plugins;
 * the write fails if an answer is wrong, and the log says which.
 *
 * What the test asks about vmlinux's symbols is asked about the symbols of all plugins, which
 * modreg_mirror makes of the loaded modules. The functions and variables among its test items
 * are its own, so they are this module's; two are functions of vmlinux, for which this module has
 * others of the same name.
 *
 * modreg lacks these functions:
 *
 *   kallsyms_on_each_symbol()		asks modreg_get_kallsym() for each
 *   kallsyms_on_each_match_symbol()	is a hash table over the answers of modreg_get_kallsym()
 *   test_kallsyms_compression_ratio()	is left out: modreg's tables are not compressed
 *   test_perf_kallsyms_on_each_*()	are left out: they measure the two functions above
 */

#include <linux/hash.h>
#include <linux/init.h>
#include <linux/kallsyms.h>
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/module.h>
#include <linux/module_symbol.h>
#include <linux/random.h>
#include <linux/slab.h>
#include <linux/stringhash.h>
#include <linux/vmalloc.h>

#include <modreg.h>

#include "kallsyms_internal.h"

/* A symbol from modreg_get_kallsym(). Symbols of one slot stay in its order. */
struct listed {
	unsigned long addr;
	struct listed *next;
	char *name;
};

#define SLOT_BITS 16

static struct listed *listed;
static struct listed **slots;
static unsigned int num_listed;

static bool get_symbol(unsigned int n, unsigned long *addr, char *name)
{
	char plugin[MODREG_NAME_LEN], type;
	int exported;

	return !modreg_get_kallsym(n, addr, &type, name, plugin, &exported);
}

/* Mapping symbols answer to no address, and vmlinux's table has none. */
static unsigned long symbol_address(unsigned int n)
{
	static char name[KSYM_NAME_LEN];
	unsigned long addr;

	return get_symbol(n, &addr, name) && !is_mapping_symbol(name) ? addr : 0;
}

static int on_each_symbol(int (*fn)(void *data, const char *name, unsigned long addr), void *data)
{
	static char name[KSYM_NAME_LEN];
	unsigned long addr;
	unsigned int i;
	int ret = 0;

	for (i = 0; !ret && get_symbol(i, &addr, name); i++) {
		/* ELF's null symbol does not count. */
		if (*name)
			ret = fn(data, name, addr);
		cond_resched();
	}
	return ret;
}

static struct listed **slot_of(const char *name)
{
	return &slots[hash_32(full_name_hash(NULL, name, strlen(name)), SLOT_BITS)];
}

static int on_each_match_symbol(int (*fn)(void *data, unsigned long addr), const char *name,
				void *data)
{
	struct listed *at;
	int ret = 0;

	for (at = *slot_of(name); !ret && at; at = at->next)
		if (!strcmp(at->name, name))
			ret = fn(data, at->addr);
	return ret;
}

#define kallsyms_lookup_name		modreg_kallsyms_lookup_name
#define lookup_symbol_name		modreg_lookup_symbol_name
#define is_ksym_addr			modreg_is_address
#define kallsyms_num_syms		num_listed
#define kallsyms_sym_address		symbol_address
#define kallsyms_on_each_symbol		on_each_symbol
#define kallsyms_on_each_match_symbol	on_each_match_symbol
/* The parameter starts the test: what starts it at boot, and what that calls, is unused. */
#undef late_initcall
#define late_initcall(fn)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#undef pr_fmt
/* modreg refuses regions in vmlinux, so these stand in for two of its functions. */
static __used noinline void other_vmalloc(void)
	asm("vmalloc_noprof");
static void other_vmalloc(void)
{
	barrier();
}

static __used noinline void other_vfree(void)
	asm("vfree");
static void other_vfree(void)
{
	barrier();
}

#define vmalloc_noprof other_vmalloc
#define vfree other_vfree
#include "kallsyms_selftest.c"
#pragma GCC diagnostic pop

static void forget(void)
{
	unsigned int i;

	for (i = 0; listed && i < num_listed; i++)
		kfree(listed[i].name);
	kvfree(listed);
	kvfree(slots);
	listed = NULL;
	slots = NULL;
}

static int list_symbols(void)
{
	static char name[KSYM_NAME_LEN];
	unsigned long addr;
	unsigned int i;

	for (num_listed = 0; get_symbol(num_listed, &addr, name); num_listed++)
		cond_resched();
	listed = kvzalloc_objs(*listed, num_listed);
	slots = kvzalloc_objs(*slots, 1 << SLOT_BITS);
	if (!listed || !slots)
		return -ENOMEM;
	/* From the last to the first, so that the first symbol is first in its slot. */
	for (i = num_listed; i--;) {
		if (!get_symbol(i, &addr, name))
			return -EAGAIN;
		listed[i].name = kstrdup(name, GFP_KERNEL);
		if (!listed[i].name)
			return -ENOMEM;
		listed[i].addr = addr;
		if (!*name)
			continue;
		listed[i].next = *slot_of(name);
		*slot_of(name) = &listed[i];
		cond_resched();
	}
	return 0;
}

static int run_set(const char *val, const struct kernel_param *kp)
{
	int err;

	err = list_symbols() ?: test_kallsyms_basic_function();
	if (!err) {
		test_perf_kallsyms_lookup_name();
		pr_info("asked about %u symbols\n", num_listed);
	}
	forget();
	return err;
}

static const struct kernel_param_ops run_ops = { .set = run_set };
module_param_cb(run, &run_ops, NULL, 0200);
MODULE_PARM_DESC(run, "asks the questions when written to");

MODULE_AUTHOR("The modreg developers");
MODULE_DESCRIPTION("The kernel's kallsyms_selftest, pointed at modreg");
MODULE_LICENSE("GPL");
