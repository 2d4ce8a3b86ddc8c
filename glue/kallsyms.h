/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Calls between the C and the Rust code of modreg_kallsyms.
 */
#ifndef _MODREG_KALLSYMS_H
#define _MODREG_KALLSYMS_H

#include <linux/module.h>

/* Defined in C: the kernel's own functions, and the switch. */
void modreg_kallsyms_set_originals(unsigned long get_kallsym, unsigned long lookup_name,
				   unsigned long module_address);
int modreg_kallsyms_original_get(unsigned int symnum, unsigned long *value, char *type,
				 char *name, char *module_name, int *exported);
unsigned long modreg_kallsyms_original_lookup(const char *name);
int modreg_kallsyms_is_module_address(unsigned long addr);
int modreg_kallsyms_start(void);

/* Defined in Rust: adds the hooks, removes them. */
int modreg_kallsyms_enable(void);
int modreg_kallsyms_disable(void);

/* Defined in Rust: whether there are hooks. */
bool modreg_kallsyms_has_hooks(void);

#endif /* _MODREG_KALLSYMS_H */
