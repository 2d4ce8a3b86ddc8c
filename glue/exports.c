// SPDX-License-Identifier: GPL-2.0
/*
 * Exports the functions of include/modreg.h, which Rust defines and the header declares, as
 * rust/exports.c does for the kernel crate.
 */

#include <linux/export.h>
#include <linux/module.h>

#include <modreg.h>

EXPORT_SYMBOL_GPL(modreg_register_plugin);
EXPORT_SYMBOL_GPL(modreg_register_module);
EXPORT_SYMBOL_GPL(modreg_replace_symbols);
EXPORT_SYMBOL_GPL(modreg_unregister_plugin);
EXPORT_SYMBOL_GPL(modreg_unregister_plugins);
EXPORT_SYMBOL_GPL(modreg_find_symbol);
EXPORT_SYMBOL_GPL(modreg_find_symbol_get);
EXPORT_SYMBOL_GPL(modreg_find_symbol_put);
EXPORT_SYMBOL_GPL(modreg_address_lookup);
EXPORT_SYMBOL_GPL(modreg_lookup_symbol_name);
EXPORT_SYMBOL_GPL(modreg_lookup_symbol_attrs);
EXPORT_SYMBOL_GPL(modreg_get_kallsym);
EXPORT_SYMBOL_GPL(modreg_get_foreign_kallsym);
EXPORT_SYMBOL_GPL(modreg_kallsyms_lookup_name);
EXPORT_SYMBOL_GPL(modreg_search_extables);
EXPORT_SYMBOL_GPL(modreg_is_address);
EXPORT_SYMBOL_GPL(modreg_text_address);
EXPORT_SYMBOL_GPL(modreg_address);
EXPORT_SYMBOL_GPL(modreg_foreign_bounds);
EXPORT_SYMBOL_GPL(modreg_is_foreign_address);
EXPORT_SYMBOL_GPL(modreg_set_hooked);
EXPORT_SYMBOL_GPL(modreg_plugin_name);
EXPORT_SYMBOL_GPL(modreg_print_plugins);

MODULE_VERSION(MODREG_VERSION);
