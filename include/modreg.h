/* SPDX-License-Identifier: GPL-2.0 */
/*
 * modreg: a registry of plugin objects that own named regions of the kernel's
 * address space.
 *
 * This header is the C contract and the only place where the shared types are
 * written down; the Rust side is generated from it.
 *
 * Contexts. "Any" means any: process, softirq, hard interrupt, NMI, oops. Such a
 * function takes no lock, allocates nothing and never sleeps. "May sleep" means
 * process context with preemption and interrupts on.
 */
#ifndef _MODREG_H
#define _MODREG_H

#include <linux/elf.h>
#include <linux/extable.h>
#include <linux/kallsyms.h>
#include <linux/module.h>
#include <linux/types.h>

/**
 * enum - limits of one plugin
 * @MODREG_NAME_LEN: bytes for a plugin's name, the final NUL included; as
 *	MODULE_NAME_LEN.
 * @MODREG_MAX_REGIONS: regions of one plugin.
 * @MODREG_MAX_SYMBOLS: symbols, and exception entries, of one plugin.
 * @MODREG_MAX_PARAMS: parameters of one plugin.
 */
enum {
	MODREG_NAME_LEN = MODULE_NAME_LEN,
	MODREG_MAX_REGIONS = 64,
	MODREG_MAX_SYMBOLS = 1 << 24,
	MODREG_MAX_PARAMS = 1 << 10,
};

/**
 * enum modreg_region_flags - what a region holds, as enum mod_mem_type
 * @MODREG_TEXT: code; exception entries may point here.
 * @MODREG_INIT: disappears from every reader once the plugin is LIVE.
 */
enum modreg_region_flags {
	MODREG_TEXT = 1 << 0,
	MODREG_INIT = 1 << 1,
};

/**
 * struct modreg_region - a range of addresses that the plugin owns
 * @base: first address.
 * @size: bytes, more than 0; @base + @size must not wrap.
 * @flags: enum modreg_region_flags.
 */
struct modreg_region {
	unsigned long base;
	unsigned long size;
	unsigned int flags;
};

/**
 * enum modreg_symbol_flags - who may find a symbol through modreg_find_symbol()
 * @MODREG_EXPORT: everybody, as EXPORT_SYMBOL().
 * @MODREG_EXPORT_GPL: GPL-compatible callers, as EXPORT_SYMBOL_GPL().
 */
enum modreg_symbol_flags {
	MODREG_EXPORT = 1 << 0,
	MODREG_EXPORT_GPL = 1 << 1,
};

/**
 * struct modreg_symbol - a named address
 * @name: shorter than KSYM_NAME_LEN, not empty.
 * @value: an address inside one of the plugin's regions.
 * @type: letter as in nm(1); 0 stands for 't' in text and 'd' elsewhere.
 * @flags: enum modreg_symbol_flags, or 0.
 */
struct modreg_symbol {
	const char *name;
	unsigned long value;
	char type;
	unsigned char flags;
};

/**
 * struct modreg_symtab - an ELF symbol table, used where it stands
 * @symtab: the symbols; entry 0 is ELF's null symbol.
 * @num_symtab: entries in @symtab and in @typetab.
 * @strtab: the names; the last byte must be NUL.
 * @strtab_size: bytes in @strtab.
 * @typetab: letters as in nm(1), one for each symbol.
 *
 * The members are those of struct mod_kallsyms. Undefined symbols are skipped;
 * symbols outside every region (absolute or per-CPU ones) answer to their name only.
 */
struct modreg_symtab {
	const Elf_Sym *symtab;
	unsigned int num_symtab;
	const char *strtab;
	unsigned long strtab_size;
	const char *typetab;
};

/**
 * struct modreg_param - a parameter that a plugin takes
 * @name: as it stands in front of '=' in the arguments.
 * @ops: how to parse it, for instance &param_ops_int.
 * @arg: where @ops puts the value.
 */
struct modreg_param {
	const char *name;
	const struct kernel_param_ops *ops;
	void *arg;
};

struct modreg_plugin;

/**
 * struct modreg_plugin_desc - what modreg_register_plugin() is told
 * @name: unique, printable, without space and ':', shorter than MODREG_NAME_LEN.
 * @owner: THIS_MODULE; NULL for built-in code.
 * @regions: copied.
 * @num_regions: at least 1, at most MODREG_MAX_REGIONS.
 * @symbols: copied, names included; or NULL.
 * @num_symbols: at most MODREG_MAX_SYMBOLS.
 * @symtab: instead of @symbols, a table that is borrowed: it must stay as it is
 *	until the plugin is unregistered.
 * @extable: exception entries, sorted by instruction address, all inside text
 *	regions. Borrowed, for their offsets are relative to where they stand.
 * @num_exentries: entries in @extable, at most MODREG_MAX_SYMBOLS.
 * @params: parameters that @args may set; used during registration only.
 * @num_params: entries in @params, at most MODREG_MAX_PARAMS.
 * @args: "name=value …" as on insmod's command line, or NULL.
 * @init: called once the plugin is visible and its arguments are parsed; an error
 *	from it undoes the registration. May be NULL.
 * @exit: called on unregistration, before the plugin is unlinked. May be NULL.
 * @data: handed to @init and @exit.
 */
struct modreg_plugin_desc {
	const char *name;
	struct module *owner;
	const struct modreg_region *regions;
	unsigned int num_regions;
	const struct modreg_symbol *symbols;
	unsigned int num_symbols;
	const struct modreg_symtab *symtab;
	const struct exception_table_entry *extable;
	unsigned int num_exentries;
	const struct modreg_param *params;
	unsigned int num_params;
	const char *args;
	int (*init)(void *data);
	void (*exit)(void *data);
	void *data;
};

/* Writers */

/**
 * modreg_register_plugin() - add a plugin to the registry
 * @desc: what it is; nothing of it is needed after the return but what is marked
 *	as borrowed.
 *
 * All that can fail or cost time comes first; then the plugin is published with
 * list_add_rcu(), state COMING. From then on every reader sees it, its @init regions
 * included, so that an oops during its start can be resolved; no reference to
 * it can be taken. The arguments are parsed and @desc->init is called. Last it
 * becomes LIVE, and its init regions and their symbols disappear from every reader at once.
 *
 * Follows load_module() and do_init_module().
 *
 * Context: May sleep. Not from @init or @exit of the same plugin.
 * Return: The plugin, or an ERR_PTR():
 * * -EINVAL - @desc or one of its members is missing or malformed: no or bad name,
 *   no regions, a region that is empty or wraps, own regions that overlap,
 *   unknown flags, a count without a table, @symbols beside @symtab, a string
 *   table without a final NUL, exception entries out of order
 * * -ENAMETOOLONG - a name is too long
 * * -E2BIG - a count is beyond its limit
 * * -ERANGE - a symbol or an exception entry lies outside the regions
 * * -EEXIST - the name is taken, or a region overlaps another plugin's
 * * -ENODEV - @desc->owner is being unloaded
 * * -ENOENT - @desc->args names an unknown parameter
 * * -EDEADLK - called where sleeping is not allowed
 * * -ENOMEM - out of memory
 * * whatever a parameter's @ops or @desc->init returned
 */
struct modreg_plugin *modreg_register_plugin(const struct modreg_plugin_desc *desc);

/**
 * modreg_register_module() - register a module's own regions and tables
 * @mod: the module. Call this from @mod's init function, from a module notifier, or with
 *	a reference to a LIVE @mod held: its memory must not change meanwhile.
 * @desc: NULL, or name (NULL for @mod's own), params, args, init, exit and data;
 *	the owner and the tables must be left out, they are @mod's.
 *
 * The symbol table, the exports and the exception table are borrowed in place.
 * Where @mod is COMING the plugin stays so until @mod is LIVE. It follows @mod's
 * init memory: it is gone from every reader before the kernel frees it.
 *
 * Follows find_module_sections() and add_kallsyms().
 *
 * Context: May sleep.
 * Return: As modreg_register_plugin().
 */
struct modreg_plugin *modreg_register_module(struct module *mod,
					     const struct modreg_plugin_desc *desc);

/**
 * modreg_unregister_plugin() - remove a plugin
 * @plugin: from modreg_register_plugin() or modreg_register_module(); gone when
 *	this returns 0.
 *
 * The plugin becomes GOING, its exit callback is called, and it is unlinked under
 * stop_machine(). No reader on any CPU can still hold it then, and it is freed.
 *
 * An owner that is unloaded with plugins still registered loses them at its
 * MODULE_STATE_GOING event, with a warning; their exit callbacks are not called.
 *
 * Follows delete_module(2) and free_module(), as they were until Linux 3.19.
 *
 * Context: May sleep.
 * Return:
 * * 0 - done
 * * -EINVAL - @plugin is NULL or an ERR_PTR()
 * * -EBUSY - a reference is held, its registration has not returned yet, or it is
 *   GOING already
 * * -EDEADLK - called where sleeping is not allowed
 * * -ENOMEM - out of memory; nothing has changed
 */
int modreg_unregister_plugin(struct modreg_plugin *plugin);

/**
 * modreg_unregister_plugins() - remove several plugins in one stop
 * @plugins: each as for modreg_unregister_plugin().
 * @num: how many.
 *
 * All or none: where one is refused, none is removed.
 *
 * Context: May sleep.
 * Return: As modreg_unregister_plugin(); -EBUSY also where one is named twice.
 */
int modreg_unregister_plugins(struct modreg_plugin **plugins, unsigned int num);

/* Readers */

/**
 * enum modreg_license - who may use an exported symbol, as enum mod_license
 * @MODREG_NOT_GPL_ONLY: everybody.
 * @MODREG_GPL_ONLY: GPL-compatible callers.
 */
enum modreg_license {
	MODREG_NOT_GPL_ONLY,
	MODREG_GPL_ONLY,
};

/**
 * struct modreg_find_symbol_arg - question and answer of modreg_find_symbol()
 * @name: input: the exported symbol's name.
 * @gplok: input: whether the asker may use GPL-only symbols.
 * @warn: input: whether to log that a GPL-only symbol was hidden.
 * @owner: output: the plugin that exports it.
 * @value: output: its address.
 * @license: output: who may use it.
 *
 * As struct find_symbol_arg of kernel/module/internal.h.
 */
struct modreg_find_symbol_arg {
	const char *name;
	bool gplok;
	bool warn;
	struct modreg_plugin *owner;
	unsigned long value;
	enum modreg_license license;
};

/**
 * modreg_find_symbol() - find an exported symbol, newest plugin first
 * @fsa: question and answer.
 *
 * @fsa->owner stays valid for as long as the caller keeps preemption disabled
 * around this call; use modreg_find_symbol_get() to keep it longer.
 *
 * Follows find_symbol().
 *
 * Context: Any.
 * Return: Whether it was found. The outputs are written only then.
 */
bool modreg_find_symbol(struct modreg_find_symbol_arg *fsa);

/**
 * modreg_find_symbol_get() - find an exported symbol and pin its plugin
 * @fsa: question and answer.
 *
 * A pinned plugin cannot be unregistered, nor can its owner be unloaded. Give
 * @fsa->owner to modreg_find_symbol_put() when done.
 *
 * Follows __symbol_get().
 *
 * Context: Any.
 * Return: Whether it was found in a LIVE plugin with a LIVE owner.
 */
bool modreg_find_symbol_get(struct modreg_find_symbol_arg *fsa);

/**
 * modreg_find_symbol_put() - give back what modreg_find_symbol_get() pinned
 * @plugin: its @owner; NULL does nothing.
 *
 * Follows symbol_put().
 *
 * Context: Any.
 */
void modreg_find_symbol_put(struct modreg_plugin *plugin);

/**
 * modreg_address_lookup() - the symbol at or below an address
 * @addr: an address.
 * @size: output: bytes from the symbol to the next one or to its region's end.
 * @offset: output: bytes from the symbol to @addr.
 * @plugin: output: the plugin's name, MODREG_NAME_LEN bytes.
 * @namebuf: output: the symbol's name, KSYM_NAME_LEN bytes.
 *
 * Every output may be NULL. @plugin is written also where the address lies in a plugin but
 * below its first symbol.
 *
 * Follows module_address_lookup(); the names are copied out.
 *
 * Context: Any.
 * Return: The length of the symbol's name, or 0 where there is none.
 */
int modreg_address_lookup(unsigned long addr, unsigned long *size,
			  unsigned long *offset, char *plugin, char *namebuf);

/**
 * modreg_lookup_symbol_name() - the name of the symbol at or below an address
 * @addr: an address.
 * @symname: output: KSYM_NAME_LEN bytes.
 *
 * Follows lookup_module_symbol_name().
 *
 * Context: Any.
 * Return: 0; -ERANGE where no symbol is found; -EINVAL where @symname is NULL.
 */
int modreg_lookup_symbol_name(unsigned long addr, char *symname);

/**
 * modreg_lookup_symbol_attrs() - all about the symbol at or below an address
 * @addr: an address.
 * @size: output, may be NULL.
 * @offset: output, may be NULL.
 * @plugin: output, MODREG_NAME_LEN bytes, may be NULL.
 * @name: output, KSYM_NAME_LEN bytes, may be NULL.
 *
 * Follows lookup_module_symbol_attrs().
 *
 * Context: Any.
 * Return: 0; -ERANGE where no symbol is found, and then no output is written.
 */
int modreg_lookup_symbol_attrs(unsigned long addr, unsigned long *size,
			       unsigned long *offset, char *plugin, char *name);

/**
 * modreg_get_kallsym() - the n-th symbol over all plugins, newest plugin first
 * @symnum: n, from 0.
 * @value: output: its address.
 * @type: output: letter as in nm(1).
 * @name: output: KSYM_NAME_LEN bytes; empty for ELF's null symbol.
 * @plugin: output: MODREG_NAME_LEN bytes.
 * @exported: output: 1 where the plugin exports it, 0 otherwise.
 *
 * Follows module_get_kallsym().
 *
 * Context: Any.
 * Return: 0; -ERANGE where @symnum is past the last; -EINVAL where an output is NULL.
 */
int modreg_get_kallsym(unsigned int symnum, unsigned long *value, char *type,
		       char *name, char *plugin, int *exported);

/**
 * modreg_kallsyms_lookup_name() - the address of a symbol
 * @name: "symbol" or "plugin:symbol".
 *
 * Among several plugins the newest that has it wins, within one the first in its table.
 *
 * Follows module_kallsyms_lookup_name().
 *
 * Context: Any.
 * Return: The address, or 0 where it is unknown.
 */
unsigned long modreg_kallsyms_lookup_name(const char *name);

/**
 * modreg_search_extables() - the exception entry for an instruction
 * @addr: the faulting instruction's address.
 *
 * Follows search_module_extables(). As there, the entry stays valid while the plugin
 * that the caller runs in stays registered, or while preemption stays disabled.
 *
 * Context: Any.
 * Return: The entry, or NULL.
 */
const struct exception_table_entry *modreg_search_extables(unsigned long addr);

/**
 * modreg_is_address() - whether an address lies in a plugin's region
 * @addr: an address.
 *
 * Follows is_module_address().
 *
 * Context: Any.
 * Return: true where it does.
 */
bool modreg_is_address(unsigned long addr);

/**
 * modreg_text_address() - the plugin whose code an address lies in
 * @addr: an address.
 *
 * The caller keeps preemption disabled for as long as it uses the answer.
 *
 * Follows __module_text_address().
 *
 * Context: Any, with preemption disabled.
 * Return: The plugin, or NULL.
 */
struct modreg_plugin *modreg_text_address(unsigned long addr);

/**
 * modreg_address() - the plugin that an address lies in
 * @addr: an address.
 *
 * The caller keeps preemption disabled for as long as it uses the answer.
 *
 * Follows __module_address().
 *
 * Context: Any, with preemption disabled.
 * Return: The plugin, or NULL.
 */
struct modreg_plugin *modreg_address(unsigned long addr);

/**
 * modreg_plugin_name() - a plugin's name
 * @plugin: a plugin that the caller keeps from going: by a reference, or by
 *	having disabled preemption before it got it.
 *
 * Context: Any.
 * Return: The name; it lives as long as @plugin.
 */
const char *modreg_plugin_name(const struct modreg_plugin *plugin);

/**
 * modreg_print_plugins() - log "Plugins linked in: a(+) b c(-) [last unloaded: d]"
 *
 * The letters are those of the owner's taints, then '+' for COMING or '-' for
 * GOING. Disables preemption itself.
 *
 * Follows print_modules().
 *
 * Context: Any.
 */
void modreg_print_plugins(void);

/* What modreg_kallsyms needs, by which the kernel itself asks modreg */

/**
 * struct modreg_bounds - where all foreign regions lie
 * @low: not above the first address of any; ULONG_MAX where there is none.
 * @high: not below the end of any; 0 where there is none.
 *
 * A region is foreign where it lies outside of its plugin's owner. Other memory may
 * lie between the bounds too.
 */
struct modreg_bounds {
	unsigned long low;
	unsigned long high;
};

/* Read it with READ_ONCE(). */
extern struct modreg_bounds modreg_foreign_bounds;

/**
 * modreg_is_foreign_address() - whether an address lies in a foreign region
 * @addr: an address.
 *
 * Context: Any.
 * Return: true where it does.
 */
bool modreg_is_foreign_address(unsigned long addr);

/**
 * modreg_set_hooked() - tell modreg that the kernel asks it, or will do so no more
 * @hooked: which.
 *
 * While the kernel asks, modreg's own lines about an oops do not repeat the kernel's.
 *
 * Context: May sleep.
 * Return: 0; -EBUSY where a plugin with exception entries for foreign regions is
 * registered, whose next fault would be an oops.
 */
int modreg_set_hooked(bool hooked);

#endif /* _MODREG_H */
