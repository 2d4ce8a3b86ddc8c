// SPDX-License-Identifier: GPL-2.0

//! The readers.
//!
//! None takes a lock, allocates or sleeps, so all work in any context, an NMI included. What they
//! return lives no longer than the caller's guard.

use crate::{
    modreg::{
        bindings::MODREG_NAME_LEN,
        index::{
            by_address::{
                self,
                RegionMatch, //
            },
            by_name::NAMES,
            by_number::{
                Which,
                NUMBERS, //
            },
        },
        name::hash,
        plugin::Plugin,
        tables::{
            Found,
            Listed, //
        },
    },
    primitives::{
        cstr::ThinCStr,
        preempt::PreemptGuard, //
    },
};
use core::{
    ffi::CStr,
    mem, //
};
use kernel::{
    bindings::exception_table_entry,
    prelude::*, //
};

/// An exported symbol.
pub(crate) struct Exported<'g> {
    /// The plugin that exports it.
    pub(crate) plugin: &'g Plugin,
    /// Its address.
    pub(crate) value: usize,
    /// Whether it is for GPL-compatible callers only.
    pub(crate) gpl_only: bool,
}

/// Returns the exported symbol called `name`, of the newest plugin that has one, as `find_symbol()`.
///
/// One that is for GPL-compatible callers only is skipped without `gplok`. With `warn` the first one is
/// logged.
///
/// Context: Any, NMI included.
pub(crate) fn find_symbol<'g>(
    name: &'g CStr,
    gplok: bool,
    mut warn: bool,
    guard: &'g PreemptGuard,
) -> Option<Exported<'g>> {
    NAMES.find_export(name, guard, |plugin, value, gpl_only| {
        if gpl_only && !gplok {
            if mem::take(&mut warn) {
                pr_warn!(
                    "{}:{} is for GPL-compatible callers only\n",
                    plugin.name(),
                    ThinCStr::from(name)
                );
            }
            return None;
        }
        Some(Exported {
            plugin,
            value,
            gpl_only,
        })
    })
}

/// Returns the plugin that `addr` lies in, and the symbol there if there is one, as
/// `module_address_lookup()`.
///
/// Context: Any, NMI included.
#[inline(always)]
pub(crate) fn address_lookup(
    addr: usize,
    guard: &PreemptGuard,
) -> Option<(&Plugin, Option<Found<'_>>)> {
    let RegionMatch {
        plugin,
        tables,
        base,
        size,
        ..
    } = by_address::find(addr, guard)?;
    Some((plugin, tables.find(addr, base, size)))
}

/// Where an address lies in a symbol.
pub(crate) struct At {
    /// Bytes from the symbol to the address.
    pub(crate) offset: usize,
    /// Bytes from the symbol to the next one or to its region's end.
    pub(crate) size: usize,
}

/// Finds the plugin that `addr` lies in and its symbol, as [`address_lookup`], and copies the
/// symbol's name.
///
/// The memory that the plugin has borrowed may be gone; it has no symbol then.
///
/// Context: Any, NMI included.
pub(crate) fn address_lookup_nofault<'g>(
    addr: usize,
    name: &mut [u8],
    guard: &'g PreemptGuard,
) -> Option<(&'g Plugin, Option<At>)> {
    let found = by_address::find(addr, guard)?;
    let at = found
        .tables
        .find_nofault(addr, found.base, found.size, name);
    Some((found.plugin, at.map(|(offset, size)| At { offset, size })))
}

/// Returns the `n`-th symbol over all plugins, or over those with foreign regions, newest plugin first,
/// as `module_get_kallsym()`.
///
/// Context: Any, NMI included.
pub(crate) fn get_kallsym(
    n: u32,
    which: Which,
    guard: &PreemptGuard,
) -> Option<(&Plugin, Listed<'_>)> {
    let (plugin, i) = NUMBERS.nth(n, which, guard)?;
    let listed = plugin.tables(guard).and_then(|tables| tables.listed(i));
    // A writer may have changed the tables, and not the numbers yet.
    Some((plugin, listed.unwrap_or_else(Listed::nameless)))
}

/// Returns the address of "plugin:symbol" or "symbol", as `module_kallsyms_lookup_name()`.
///
/// Context: Any, NMI included.
pub(crate) fn kallsyms_lookup_name(name: &CStr, guard: &PreemptGuard) -> Option<usize> {
    let bytes = name.to_bytes_with_nul();
    // Most names have no colon, and `contains()` is cheaper than `position()`.
    let colon = bytes
        .contains(&b':')
        .then(|| bytes.iter().position(|&b| b == b':'))
        .flatten()
        // Behind the longest name of a plugin it belongs to the symbol, as in the kernel.
        .filter(|&at| at < MODREG_NAME_LEN as usize);
    let Some(colon) = colon else {
        return NAMES.symbol(name, guard);
    };
    let symbol = CStr::from_bytes_with_nul(bytes.get(colon + 1..)?).ok()?;
    let plugin = NAMES.plugin(bytes.get(..colon)?, guard)?;
    let symtab = plugin.tables(guard)?.symtab();
    let symbol = symtab.find_name(symbol.into(), || hash(symbol.to_bytes()))?;
    Some(symtab.symbols().value(symbol)).filter(|&value| value != 0)
}

/// Returns the exception entry for the instruction at `addr`, as `search_module_extables()`.
///
/// Context: Any, NMI included.
pub(crate) fn search_extables(addr: usize, guard: &PreemptGuard) -> Option<&exception_table_entry> {
    by_address::find(addr, guard)?
        .tables
        .extable()?
        .search(addr)
}

/// Returns whether `addr` lies in a plugin, as `is_module_address()`.
///
/// Context: Any, NMI included.
pub(crate) fn is_address(addr: usize, guard: &PreemptGuard) -> bool {
    by_address::find(addr, guard).is_some()
}

/// Returns the plugin that `addr` lies in, as `__module_address()`.
///
/// Context: Any, NMI included.
pub(crate) fn address(addr: usize, guard: &PreemptGuard) -> Option<&Plugin> {
    by_address::find(addr, guard).map(|found| found.plugin)
}

/// Returns whether `addr` lies in a foreign region.
///
/// Context: Any, NMI included.
pub(crate) fn is_foreign(addr: usize, guard: &PreemptGuard) -> bool {
    by_address::find(addr, guard).is_some_and(|found| found.is_foreign)
}

/// Returns the plugin whose code `addr` lies in, as `__module_text_address()`.
///
/// Context: Any, NMI included.
pub(crate) fn text_address(addr: usize, guard: &PreemptGuard) -> Option<&Plugin> {
    if !by_address::may_be_text(addr) {
        return None;
    }
    by_address::find(addr, guard)
        .filter(|found| found.is_text)
        .map(|found| found.plugin)
}
