/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Shared by generated.c, which makes descriptors, and expected.c, which knows their errors.
 */
#ifndef _GENERATED_H
#define _GENERATED_H

#include "test_modreg.h"

enum {
	PLUGINS = 8,
	REGIONS = MODREG_MAX_REGIONS + 2,
	SYMBOLS = 24,
	ENTRIES = 16,
	PARAMS = 4,
	NAMES = 4096,
	/* Each descriptor of a group has a place of its own, and may stray from it. */
	PLACE = 0x1000,
};

/* A descriptor with all that it points to; each array is larger than the valid counts used. */
struct subject {
	struct modreg_plugin_desc desc;
	struct modreg_plugin *plugin;
	struct modreg_region regions[REGIONS];
	struct modreg_symbol symbols[SYMBOLS];
	struct modreg_param params[PARAMS];
	struct modreg_symtab symtab;
	struct elf64_sym elf[SYMBOLS];
	char types[SYMBOLS];
	char name[MODREG_NAME_LEN + 8];
	char names[NAMES];
	int numbers[PARAMS];
	int init_returns;
	/* The error that the arguments lead to. */
	int args_err;
	unsigned int place;
};

/* PLUGINS of them and a spare one. */
extern struct subject *subjects;

/* The errors that a descriptor may have, as a set; written by find_faults(). */
extern unsigned long faults[BITS_TO_LONGS(MAX_ERRNO + 1)];

void find_faults(const struct subject *s);

#endif /* _GENERATED_H */
