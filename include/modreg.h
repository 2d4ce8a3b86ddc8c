/* SPDX-License-Identifier: GPL-2.0 */
/*
 * modreg: a registry of plugin objects that own named regions of the kernel's
 * address space.
 *
 * This header is the C contract and the only definition of the shared types; the
 * Rust bindings are generated from it.
 */
#ifndef _MODREG_H
#define _MODREG_H

#include <linux/elf.h>
#include <linux/extable.h>
#include <linux/kallsyms.h>
#include <linux/module.h>
#include <linux/types.h>

/**
 * DOC: Contexts
 *
 * * "Any, NMI included": process, softirq, hard interrupt, NMI and oops context, where RCU
 *   is watching (rcu_is_watching()). The function takes no lock, allocates nothing and
 *   does not sleep.
 * * "Any, with preemption disabled": the same, and the caller has disabled preemption.
 * * "May sleep": process context with preemption and interrupts enabled.
 */

/**
 * DOC: Limits of one plugin
 *
 * * MODREG_NAME_LEN: bytes of its name, the final NUL included; as MODULE_NAME_LEN.
 * * MODREG_MAX_REGIONS: regions.
 * * MODREG_MAX_SYMBOLS: symbols, and exception entries.
 * * MODREG_MAX_PARAMS: parameters.
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
 * @MODREG_INIT: init memory; no reader finds it once the plugin is LIVE.
 */
enum modreg_region_flags {
	MODREG_TEXT = 1 << 0,
	MODREG_INIT = 1 << 1,
};

/**
 * struct modreg_region - a range of addresses that the plugin owns
 * @base: first address.
 * @size: bytes, more than 0 and less than 2^61; @base + @size must not wrap.
 * @flags: enum modreg_region_flags.
 *
 * Code outside of the owner's memory, and the 16 bytes behind it, must be readable as long
 * as the plugin is registered: perf decodes instructions there in NMIs. Other regions
 * are not accessed.
 */
struct modreg_region {
	unsigned long base;
	unsigned long size;
	unsigned int flags;
};

/**
 * enum modreg_symbol_flags - callers that find a symbol with modreg_find_symbol()
 * @MODREG_EXPORT: all callers, as EXPORT_SYMBOL().
 * @MODREG_EXPORT_GPL: GPL-compatible callers, as EXPORT_SYMBOL_GPL().
 */
enum modreg_symbol_flags {
	MODREG_EXPORT = 1 << 0,
	MODREG_EXPORT_GPL = 1 << 1,
};

/**
 * struct modreg_symbol - a named address
 * @name: printable, without space, shorter than KSYM_NAME_LEN, not empty.
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
 * struct modreg_symtab - an ELF symbol table, used in place
 * @symtab: the symbols; entry 0 is ELF's null symbol.
 * @num_symtab: entries in @symtab and in @typetab.
 * @strtab: the names; the last byte must be NUL.
 * @strtab_size: bytes in @strtab.
 * @typetab: letters as in nm(1), one for each symbol.
 *
 * The members are those of struct mod_kallsyms. Undefined symbols are skipped;
 * symbols outside every region (absolute or per-CPU ones) are found by name only.
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
 * @name: the text in front of '=' in the arguments.
 * @ops: parses the value, for instance &param_ops_int.
 * @arg: passed to @ops, which stores the value there.
 */
struct modreg_param {
	const char *name;
	const struct kernel_param_ops *ops;
	void *arg;
};

/**
 * enum modreg_plugin_flags - how a plugin is treated
 * @MODREG_QUIET: its life is not logged; errors are.
 */
enum modreg_plugin_flags {
	MODREG_QUIET = 1 << 0,
};

struct modreg_plugin;

/**
 * struct modreg_plugin_desc - a plugin, for modreg_register_plugin()
 * @name: unique, printable, without space, ':', brackets and parentheses, shorter
 *	than MODREG_NAME_LEN.
 * @owner: THIS_MODULE, or another module whose code or tables these are.
 * @regions: copied.
 * @num_regions: at least 1, at most MODREG_MAX_REGIONS.
 * @symbols: copied, names included; or NULL.
 * @num_symbols: at most MODREG_MAX_SYMBOLS.
 * @symtab: a table instead of @symbols. Borrowed: it must not change until the
 *	plugin is unregistered.
 * @extable: exception entries, sorted by instruction address, all inside text
 *	regions. Borrowed, since their offsets are relative to their own addresses.
 * @num_exentries: entries in @extable, at most MODREG_MAX_SYMBOLS.
 * @params: parameters that @args may set; used during registration only.
 * @num_params: entries in @params, at most MODREG_MAX_PARAMS.
 * @args: "name=value …" as on insmod's command line, or NULL.
 * @init: called once the plugin is visible and its arguments are parsed; an error
 *	undoes the registration. May be NULL. May sleep.
 * @exit: called on unregistration, before the plugin is unlinked; also if the owner is
 *	being unloaded when @init has succeeded, which is -ENODEV. May be NULL. May sleep.
 * @data: passed to @init and @exit.
 * @flags: enum modreg_plugin_flags, or 0.
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
	unsigned int flags;
};

/* Writers */

/**
 * modreg_register_plugin() - add a plugin to the registry
 * @desc: the description; only the tables that are marked as borrowed are used after
 *	the return.
 *
 * Copying, sorting and indexing, which may fail and take time, come first. Then the
 * plugin is published with list_add_rcu() in state COMING: every reader finds it, its
 * init regions included, so that an oops during its start can be resolved, but no
 * reference to it can be taken. The arguments are parsed and @desc->init is called.
 * Last the plugin becomes LIVE, and no reader finds its init regions and their symbols.
 *
 * Follows load_module() and do_init_module().
 *
 * @desc->init and @desc->exit must not register or unregister the same plugin.
 *
 * Context: May sleep.
 * Return: The plugin, or an ERR_PTR():
 *
 * * -EINVAL - @desc or one of its members is missing or malformed: no or bad name,
 *   no owner, no regions, a region that is empty, wraps or is too large, own regions
 *   that overlap, unknown flags, a count without a table, @symbols beside @symtab, a symbol without
 *   a name, with a character that is not printable in it, or with a type that is no
 *   letter, a string table without a final NUL, a name outside of it, exception entries
 *   out of order, a parameter without name, @ops or value; for a region outside of
 *   the owner also an address in the user half, or an exception entry of a type for
 *   the kernel's own code
 * * -ENAMETOOLONG - a name is too long
 * * -E2BIG - a count is beyond its limit, or all plugins would have 2^32 symbols
 * * -ERANGE - a symbol or an exception entry lies outside the regions; for an instruction
 *   outside of the owner also its fixup, or a fixup that goes before the instruction
 * * -EEXIST - the name is taken, or a region overlaps another plugin's or has symbols of
 *   the kernel's own
 * * -EFAULT - a text region outside of the owner, or the 16 bytes behind it, cannot be read
 * * -ENODEV - @desc->owner or modreg is being unloaded
 * * -ENOENT - @desc->args names an unknown parameter
 * * -EDEADLK - called where sleeping is not allowed
 * * -ENOMEM - out of memory
 * * the error of a parameter's @ops or of @desc->init
 */
struct modreg_plugin *modreg_register_plugin(const struct modreg_plugin_desc *desc);

/**
 * modreg_register_module() - register a module's own regions and tables
 * @mod: the module. Its memory must not change during the call: call this from its init
 *	function, from a module notifier, or with a reference to a LIVE @mod held.
 * @desc: NULL, or name (NULL for @mod's own), params, args, init, exit, data and flags;
 *	the owner and the tables are @mod's and must not be set.
 *
 * The symbol table, the exports and the exception table are borrowed in place.
 * If @mod is COMING, so is the plugin until @mod is LIVE. No reader finds @mod's init
 * memory once the kernel may free it.
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
 * @plugin: from modreg_register_plugin() or modreg_register_module(). It is valid until
 *	this has returned 0 or -ENODEV for it, once, and must not be used after.
 *
 * The plugin becomes GOING, its exit callback is called, and it is unlinked under
 * stop_machine(). No reader on any CPU uses it then, nor what it has borrowed.
 * This waits for readers, not for threads that run the plugin's code: before, the owner
 * ends these and removes callbacks into it. A LIVE owner cannot be unloaded while the exit
 * callback runs.
 *
 * If an owner is unloaded with plugins registered, modreg removes them at its
 * MODULE_STATE_GOING event, with a warning and without a call of their exit callbacks. A
 * module notifier that registers plugins for other modules unregisters them at that event;
 * its priority must be above INT_MIN. If a notifier refuses the load of a module, modreg
 * removes that module's plugins before other notifiers see the event. In both cases
 * @plugin stays valid, and this returns -ENODEV.
 *
 * Follows delete_module(2) and free_module(), as they were until Linux 3.19.
 *
 * Context: May sleep.
 * Return:
 * * 0 - success
 * * -EINVAL - @plugin is NULL or an ERR_PTR()
 * * -EBUSY - a reference is held, or this was called for it and has not returned, as
 *   in its exit callback
 * * -ENODEV - it was unlinked when its owner was unloaded; @plugin is released
 * * -EDEADLK - called where sleeping is not allowed
 * * -ENOMEM - out of memory; nothing has changed
 */
int modreg_unregister_plugin(struct modreg_plugin *plugin);

/**
 * modreg_unregister_plugins() - remove several plugins in one stop
 * @plugins: each as for modreg_unregister_plugin().
 * @num: number of @plugins.
 *
 * If one is refused, none is removed. One that was unlinked when its owner
 * was unloaded is not refused.
 *
 * Context: May sleep.
 * Return: As modreg_unregister_plugin(); -EBUSY also if a plugin occurs twice, and -ENODEV
 * if any had been unlinked when its owner was unloaded: the others were removed, and all of
 * @plugins are released.
 */
int modreg_unregister_plugins(struct modreg_plugin **plugins, unsigned int num);

/**
 * modreg_replace_symbols() - replace all symbols and exception entries of a plugin
 * @plugin: a plugin of modreg_register_plugin() that is LIVE and stays registered during
 *	the call.
 * @desc: the new ones: symbols or symtab, and extable. All other members must be left
 *	out. What is borrowed stays so until it is replaced or @plugin is unregistered.
 *
 * The machine is not stopped. Every reader finds all of the old ones or all of the new
 * ones; a symbol that is among both is found at any time. When this returns, nothing that
 * the old ones have borrowed is used any more: if there were exception entries, it waits for
 * tasks that were preempted in a fault handler too, as synchronize_rcu_tasks(). Among
 * equal names of several plugins the new symbols count as the newest.
 *
 * Follows the end of do_init_module(), which swaps mod->kallsyms.
 *
 * Context: May sleep.
 * Return:
 * * 0 - done
 * * -EINVAL - @plugin is NULL or an ERR_PTR(); @desc is NULL, has other members, or is
 *   malformed as for modreg_register_plugin(); @plugin is from modreg_register_module()
 * * -EBUSY - @plugin is not LIVE
 * * -ENAMETOOLONG, -E2BIG, -ERANGE - as for modreg_register_plugin()
 * * -EDEADLK - called where sleeping is not allowed
 * * -ENOMEM - out of memory; nothing has changed
 */
int modreg_replace_symbols(struct modreg_plugin *plugin,
			   const struct modreg_plugin_desc *desc);

/* Readers */

/**
 * enum modreg_license - callers that may use an exported symbol, as enum mod_license
 * @MODREG_NOT_GPL_ONLY: all callers.
 * @MODREG_GPL_ONLY: GPL-compatible callers.
 */
enum modreg_license {
	MODREG_NOT_GPL_ONLY,
	MODREG_GPL_ONLY,
};

/**
 * struct modreg_find_symbol_arg - question and answer of modreg_find_symbol()
 * @name: input: the exported symbol's name.
 * @gplok: input: whether the caller may use GPL-only symbols.
 * @warn: input: whether to log that a GPL-only symbol was hidden.
 * @owner: output: the plugin that exports it.
 * @value: output: its address.
 * @license: output: callers that may use it.
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
 * around this call; modreg_find_symbol_get() keeps it longer.
 *
 * Follows find_symbol().
 *
 * Context: Any, NMI included.
 * Return: true if it was found. The outputs are written only then.
 */
bool modreg_find_symbol(struct modreg_find_symbol_arg *fsa);

/**
 * modreg_find_symbol_get() - find an exported symbol and pin its plugin
 * @fsa: question and answer.
 *
 * A pinned plugin cannot be unregistered, nor can its owner be unloaded, until
 * @fsa->owner is passed to modreg_find_symbol_put().
 *
 * Follows __symbol_get().
 *
 * Context: Any, NMI included.
 * Return: true if it was found in a LIVE plugin with a LIVE owner.
 */
bool modreg_find_symbol_get(struct modreg_find_symbol_arg *fsa);

/**
 * modreg_find_symbol_put() - put the reference of modreg_find_symbol_get()
 * @plugin: @owner of that call; NULL does nothing.
 *
 * Follows symbol_put().
 *
 * Context: Any, NMI included.
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
 * Every output may be NULL. @plugin is written also if the address lies in a plugin but
 * below its first symbol.
 *
 * Follows module_address_lookup(); the names are copied out.
 *
 * Context: Any, NMI included.
 * Return: The length of the symbol's name, or 0 if there is none.
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
 * Context: Any, NMI included.
 * Return: 0; -ERANGE if no symbol is found; -EINVAL if @symname is NULL.
 */
int modreg_lookup_symbol_name(unsigned long addr, char *symname);

/**
 * modreg_lookup_symbol_attrs() - the attributes of the symbol at or below an address
 * @addr: an address.
 * @size: output, may be NULL.
 * @offset: output, may be NULL.
 * @plugin: output, MODREG_NAME_LEN bytes, may be NULL.
 * @name: output, KSYM_NAME_LEN bytes, may be NULL.
 *
 * Follows lookup_module_symbol_attrs().
 *
 * Context: Any, NMI included.
 * Return: 0; -ERANGE if no symbol is found, and then no output is written.
 */
int modreg_lookup_symbol_attrs(unsigned long addr, unsigned long *size,
			       unsigned long *offset, char *plugin, char *name);

/**
 * modreg_get_kallsym() - the n-th symbol over all plugins, newest plugin first
 * @symnum: n, from 0.
 * @value: output: its address.
 * @type: output: letter as in nm(1).
 * @name: output: KSYM_NAME_LEN bytes; empty for ELF's null symbol, and for one that a
 *	writer is taking away.
 * @plugin: output: MODREG_NAME_LEN bytes.
 * @exported: output: 1 if the plugin exports it, 0 otherwise.
 *
 * Follows module_get_kallsym().
 *
 * Context: Any, NMI included.
 * Return: 0; -ERANGE if @symnum is past the last; -EINVAL if an output is NULL.
 */
int modreg_get_kallsym(unsigned int symnum, unsigned long *value, char *type,
		       char *name, char *plugin, int *exported);

/**
 * modreg_get_foreign_kallsym() - the n-th symbol over plugins with foreign regions
 * @symnum: n, from 0.
 * @value: output, as of modreg_get_kallsym().
 * @type: output, as of modreg_get_kallsym().
 * @name: output, as of modreg_get_kallsym().
 * @plugin: output, as of modreg_get_kallsym().
 * @exported: output, as of modreg_get_kallsym().
 *
 * Numbers all symbols of the plugins that have a region outside of their owner's
 * memory, newest plugin first. Those of their other regions, which the kernel's own
 * listing has too, are among them.
 *
 * Context: Any, NMI included.
 * Return: As modreg_get_kallsym().
 */
int modreg_get_foreign_kallsym(unsigned int symnum, unsigned long *value,
			       char *type, char *name, char *plugin,
			       int *exported);

/**
 * modreg_kallsyms_lookup_name() - the address of a symbol
 * @name: "symbol" or "plugin:symbol".
 *
 * If several plugins have the symbol, the newest one counts; within one, the first in its
 * table.
 *
 * Follows module_kallsyms_lookup_name().
 *
 * Context: Any, NMI included.
 * Return: The address, or 0 if there is no such symbol.
 */
unsigned long modreg_kallsyms_lookup_name(const char *name);

/**
 * modreg_search_extables() - the exception entry for an instruction
 * @addr: the faulting instruction's address.
 *
 * Follows search_module_extables(). As there, the entry is valid while the plugin in
 * which the fault happened is registered, or while preemption is disabled. If its symbols
 * are replaced, the entry is valid until the caller sleeps.
 *
 * Context: Any, NMI included.
 * Return: The entry, or NULL.
 */
const struct exception_table_entry *modreg_search_extables(unsigned long addr);

/**
 * modreg_is_address() - whether an address lies in a plugin's region
 * @addr: an address.
 *
 * Follows is_module_address().
 *
 * Context: Any, NMI included.
 * Return: true if it does.
 */
bool modreg_is_address(unsigned long addr);

/**
 * modreg_text_address() - the plugin whose code an address lies in
 * @addr: an address.
 *
 * The caller keeps preemption disabled while it uses the plugin.
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
 * The caller keeps preemption disabled while it uses the plugin.
 *
 * Follows __module_address().
 *
 * Context: Any, with preemption disabled.
 * Return: The plugin, or NULL.
 */
struct modreg_plugin *modreg_address(unsigned long addr);

/**
 * modreg_plugin_name() - a plugin's name
 * @plugin: a plugin that the caller keeps registered: by a reference, or with preemption
 *	disabled since before the lookup.
 *
 * Context: Any, NMI included.
 * Return: The name, which is valid as long as @plugin.
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
 * Context: Any, NMI included.
 */
void modreg_print_plugins(void);

/* For modreg_kallsyms, through which the kernel itself asks modreg */

/**
 * struct modreg_bounds - bounds of all foreign regions
 * @low: at or below the first address of each; ULONG_MAX if there is none.
 * @high: at or above the end of each; 0 if there is none.
 *
 * A region is foreign if it lies outside of its plugin's owner. Other memory may lie
 * between the bounds too.
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
 * Context: Any, NMI included.
 * Return: true if it does.
 */
bool modreg_is_foreign_address(unsigned long addr);

/**
 * modreg_set_hooked() - tell modreg whether the kernel asks it
 * @hooked: whether it does.
 *
 * While the kernel asks, modreg's own lines about an oops do not repeat the kernel's.
 *
 * Context: May sleep.
 * Return: 0; -EBUSY if @hooked is false and a plugin with exception entries for foreign
 * regions is registered, since its next fault would be an oops.
 */
int modreg_set_hooked(bool hooked);

#endif /* _MODREG_H */
