/* SPDX-License-Identifier: GPL-2.0 */
/*
 * modreg for debuggers: the place and the layout of the registry, live or in a dump.
 *
 * The symbol modreg_debug_info in modreg leads to everything. The structures behind it are
 * Rust's and change; the compiler that lays them out computes the offsets here.
 * tools/modreg_debug.py reads them.
 *
 * This is not for the kernel's code, which calls the functions of modreg.h.
 */
#ifndef _MODREG_DEBUG_H
#define _MODREG_DEBUG_H

#include <linux/types.h>

/* "modr". Another version shares only the first three members. */
#define MODREG_DEBUG_MAGIC 0x72646f6d
#define MODREG_DEBUG_VERSION 5

/**
 * struct modreg_debug_symbols - the layout of a plugin's symbols, in one of their forms
 * @table: in the symbols: a pointer to an array of symbols. This and the members below are
 *	offsets in bytes, unless they say otherwise.
 * @num: an unsigned long, their number.
 * @strings: a pointer to their names.
 * @strings_size: an unsigned long, bytes of all names.
 * @types: a pointer to their letters as in nm(1), one byte each; 0 if a symbol has its own.
 * @symbol_size: bytes of a symbol in the array.
 * @symbol_name: in a symbol: a u32, where its name begins.
 * @symbol_value: a u64, its address.
 * @symbol_type: a u8, its letter, if there is no @types.
 */
struct modreg_debug_symbols {
	__u32 table;
	__u32 num;
	__u32 strings;
	__u32 strings_size;
	__u32 types;
	__u32 symbol_size;
	__u32 symbol_name;
	__u32 symbol_value;
	__u32 symbol_type;
};

/**
 * struct modreg_debug_info - the layout of the registry
 * @magic: MODREG_DEBUG_MAGIC.
 * @version: MODREG_DEBUG_VERSION.
 * @size: bytes of this structure; later ones add members at its end.
 * @plugins: address of the list of plugins, a struct list_head, newest first.
 * @plugin_node: in a plugin: its node of that list. This and the members below are
 *	offsets in bytes, unless they say otherwise.
 * @plugin_name: its name, a string in an array of @plugin_name_size bytes.
 * @plugin_name_size: bytes.
 * @plugin_generation: a u64 that no other plugin has or had.
 * @plugin_state: a u32, enum module_state.
 * @plugin_references: an int, one more than the number of references while LIVE.
 * @plugin_tables: a pointer to its tables, whose last three bits are not part of it; NULL
 *	otherwise if the plugin is not published or was removed, and no reader finds it.
 * @plugin_regions: an array of regions.
 * @plugin_num_regions: a u32, their number.
 * @tables_is_init: in the tables: a u8, whether the plugin still has its init regions.
 * @tables_symbols: a pointer to the symbols; NULL if these are the tail of the tables.
 * @tables_tail: an array of symbols, of the layout in the first of @forms, with their names right
 *	behind it.
 * @tables_num_tail: a u32, the number of these symbols.
 * @tables_strings_size: a u32, bytes of their names.
 * @tables_orders: a pointer to what the symbols are searched by; NULL if readers see all.
 * @orders_visible: in what that leads to: a pointer to the numbers of the symbols that readers
 *	see, an array of u32; NULL if they see all.
 * @orders_num_visible: an unsigned long, how many these are.
 * @region_size: bytes of a region in the array.
 * @region_base: in a region: an unsigned long, its first address.
 * @region_length: an unsigned long, whose lowest bits are its bytes.
 * @region_length_bits: the number of these bits.
 * @region_text: the number of the bit of @region_length that is set if it holds code.
 * @region_init: that of the bit that is set if it is gone once the plugin is LIVE.
 * @symbols_form: in the symbols: an unsigned long, which of @forms they have.
 * @forms: the layouts of symbols.
 * @reserved: 0.
 */
struct modreg_debug_info {
	__u32 magic;
	__u32 version;
	__u32 size;
	__u32 plugin_node;
	const void *plugins;
	__u32 plugin_name;
	__u32 plugin_name_size;
	__u32 plugin_generation;
	__u32 plugin_state;
	__u32 plugin_references;
	__u32 plugin_tables;
	__u32 plugin_regions;
	__u32 plugin_num_regions;
	__u32 tables_is_init;
	__u32 tables_symbols;
	__u32 tables_tail;
	__u32 tables_num_tail;
	__u32 tables_strings_size;
	__u32 tables_orders;
	__u32 orders_visible;
	__u32 orders_num_visible;
	__u32 region_size;
	__u32 region_base;
	__u32 region_length;
	__u32 region_length_bits;
	__u32 region_text;
	__u32 region_init;
	__u32 symbols_form;
	struct modreg_debug_symbols forms[2];
	__u32 reserved;
};

extern const struct modreg_debug_info modreg_debug_info;

#endif /* _MODREG_DEBUG_H */
