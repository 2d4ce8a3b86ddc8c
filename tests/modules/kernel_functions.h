/* SPDX-License-Identifier: GPL-2.0 */
/* The kernel's own functions that modreg's functions follow, for modules that compare both. */
#ifndef _KERNEL_FUNCTIONS_H
#define _KERNEL_FUNCTIONS_H

#include <linux/kallsyms.h>
#include <linux/list.h>
#include <linux/module.h>

/* As in kernel/module/internal.h. */
struct find_symbol_arg {
	const char *name;
	bool gplok;
	bool warn;

	struct module *owner;
	const u32 *crc;
	const void *sym;
	int license;
};

/* The kernel's own functions. They are not exported. */
struct kernel_functions {
	int (*module_address_lookup)(unsigned long addr, unsigned long *size,
				     unsigned long *offset, char **modname,
				     const unsigned char **modbuildid, char *namebuf);
	int (*lookup_module_symbol_name)(unsigned long addr, char *symname);
	unsigned long (*module_kallsyms_lookup_name)(const char *name);
	int (*module_get_kallsym)(unsigned int symnum, unsigned long *value, char *type,
				  char *name, char *module_name, int *exported);
	const struct exception_table_entry *(*search_module_extables)(unsigned long addr);
	bool (*is_module_address)(unsigned long addr);
	struct module *(*__module_text_address)(unsigned long addr);
	bool (*find_symbol)(struct find_symbol_arg *fsa);
	struct list_head *modules;
};

/* Finds them by kallsyms_lookup_name(), which is not exported either; a kprobe finds that. */
static inline int find_kernel_functions(struct kernel_functions *kernel,
					unsigned long (*lookup)(const char *name))
{
	const struct {
		const char *name;
		void *function;
	} wanted[] = {
		{ "module_address_lookup", &kernel->module_address_lookup },
		{ "lookup_module_symbol_name", &kernel->lookup_module_symbol_name },
		{ "module_kallsyms_lookup_name", &kernel->module_kallsyms_lookup_name },
		{ "module_get_kallsym", &kernel->module_get_kallsym },
		{ "search_module_extables", &kernel->search_module_extables },
		{ "is_module_address", &kernel->is_module_address },
		{ "__module_text_address", &kernel->__module_text_address },
		{ "find_symbol", &kernel->find_symbol },
		{ "modules", &kernel->modules },
	};
	unsigned int i;

	if (!lookup)
		return -ENOENT;
	for (i = 0; i < ARRAY_SIZE(wanted); i++) {
		unsigned long addr = lookup(wanted[i].name);

		if (!addr) {
			pr_err("the kernel has no %s\n", wanted[i].name);
			return -ENOENT;
		}
		*(unsigned long *)wanted[i].function = addr;
	}
	return 0;
}

#endif
