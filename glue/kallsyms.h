/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the C and the Rust of modreg_kallsyms call of each other.
 */
#ifndef _MODREG_KALLSYMS_H
#define _MODREG_KALLSYMS_H

#include <linux/module.h>

/* In C: the kernel's own functions, and the switch. */
void modreg_kallsyms_set_originals(unsigned long get_kallsym,
				   unsigned long lookup_name);
int modreg_kallsyms_original_get(unsigned int symnum, unsigned long *value, char *type,
				 char *name, char *module_name, int *exported);
unsigned long modreg_kallsyms_original_lookup(const char *name);
int modreg_kallsyms_start(void);

/* In Rust: puts the hooks in, takes them out. */
int modreg_kallsyms_enable(void);
int modreg_kallsyms_disable(void);

#endif /* _MODREG_KALLSYMS_H */
