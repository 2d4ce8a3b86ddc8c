// SPDX-License-Identifier: GPL-2.0

//! The readers.
//!
//! None takes a lock, allocates or sleeps, so all work in any context, an NMI included. What they
//! return lives no longer than the caller's guard.

use crate::{
    modreg::{
        index::{
            by_address::{
                Index,
                RegionMatch, //
            },
            by_name::{
                Bearer,
                NAMES, //
            },
            by_number::{
                Moving,
                ORDER, //
            },
        },
        plugin::{
            list::PLUGINS,
            Plugin, //
        },
        tables::{
            symtab::Found,
            Listed,
            Tables, //
        },
    },
    primitives::{
        cstr::ThinCStr,
        preempt::PreemptGuard, //
    },
};
use core::{
    ffi::CStr,
    ptr, //
};
use kernel::{
    bindings::exception_table_entry,
    prelude::*, //
};

/// The plugins with their tables, newest first.
fn plugins<'g>(guard: &'g PreemptGuard) -> impl Iterator<Item = (&'g Plugin, &'g Tables)> {
    PLUGINS
        .iter(guard)
        .filter_map(move |p| Some((&***p, p.tables(guard)?)))
}

/// An exported symbol.
pub(crate) struct Exported<'g> {
    /// The plugin that exports it.
    pub(crate) plugin: &'g Plugin,
    /// Its address.
    pub(crate) value: usize,
    /// Whether it is for GPL-compatible callers only.
    pub(crate) gpl_only: bool,
}

/// Finds an exported symbol, newest plugin first, as `find_symbol()`. Where the caller may not use
/// it, it stays hidden, and the log says so if asked for.
pub(crate) fn find_symbol<'g>(
    name: &'g CStr,
    gplok: bool,
    warn: bool,
    guard: &'g PreemptGuard,
) -> Option<Exported<'g>> {
    NAMES.find(name, guard).find_map(|bearer| {
        let Bearer::Export(plugin, value, gpl_only) = bearer else {
            return None;
        };
        if gpl_only && !gplok {
            if warn {
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

/// The plugin that `addr` lies in, and the symbol there if any, as `module_address_lookup()`.
#[inline]
pub(crate) fn address_lookup(
    addr: usize,
    guard: &PreemptGuard,
) -> Option<(&Plugin, Option<Found<'_>>)> {
    let RegionMatch {
        plugin,
        tables,
        region,
    } = Index::find(addr, guard)?;
    Some((plugin, tables.symtab.find(addr, region)))
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
    let found = Index::find(addr, guard)?;
    let at = found.tables.symtab.find_nofault(addr, found.region, name);
    Some((found.plugin, at.map(|(offset, size)| At { offset, size })))
}

/// The `n`-th symbol over all plugins, newest first, as `module_get_kallsym()`.
pub(crate) fn get_kallsym(mut n: u32, guard: &PreemptGuard) -> Option<(&Plugin, Listed<'_>)> {
    match ORDER.nth(n, guard) {
        Ok(None) => return None,
        Ok(Some((plugin, i))) => {
            let tables = plugin.tables(guard);
            if let Some(found) = tables.and_then(|tables| tables.listed(i)) {
                return Some((plugin, found));
            }
        }
        Err(Moving) => {}
    }
    // A writer is about it.
    for (plugin, tables) in plugins(guard) {
        match n.checked_sub(tables.symtab.len()) {
            None => return Some((plugin, tables.listed(n)?)),
            Some(rest) => n = rest,
        }
    }
    None
}

/// The address of "plugin:symbol" or "symbol", as `module_kallsyms_lookup_name()`.
pub(crate) fn kallsyms_lookup_name<'g>(name: &'g CStr, guard: &'g PreemptGuard) -> Option<usize> {
    let bytes = name.to_bytes_with_nul();
    // Most names have none, and whether they do is faster asked than where.
    let colon = bytes
        .contains(&b':')
        .then(|| bytes.iter().position(|&b| b == b':'))
        .flatten()
        // Behind the longest name of a plugin it belongs to the symbol, as in the kernel.
        .filter(|&at| at < crate::modreg::bindings::MODREG_NAME_LEN as usize);
    let (plugin, symbol) = match colon {
        Some(colon) => {
            let symbol = bytes.get(colon.wrapping_add(1)..)?;
            (bytes.get(..colon), CStr::from_bytes_with_nul(symbol).ok()?)
        }
        None => (None, name),
    };
    let mut last = None;
    NAMES
        .find(symbol, guard)
        .filter_map(|b| match b {
            Bearer::Symbol(p, value) if plugin.is_none_or(|name| p.name().is(name)) => {
                Some((p, value))
            }
            _ => None,
        })
        // In one plugin the first counts.
        .filter(|&(p, _)| !last.replace(p).is_some_and(|last| ptr::eq(last, p)))
        .map(|(_, value)| value)
        .find(|&value| value != 0)
}

/// The exception entry for the instruction at `addr`, as `search_module_extables()`.
pub(crate) fn search_extables(addr: usize, guard: &PreemptGuard) -> Option<&exception_table_entry> {
    Index::find(addr, guard)?.tables.extable.search(addr)
}

/// Whether `addr` lies in a plugin, as `is_module_address()`.
pub(crate) fn is_address(addr: usize, guard: &PreemptGuard) -> bool {
    Index::find(addr, guard).is_some()
}

/// Returns the plugin that `addr` lies in, as `__module_address()`.
pub(crate) fn address(addr: usize, guard: &PreemptGuard) -> Option<&Plugin> {
    Index::find(addr, guard).map(|found| found.plugin)
}

/// Returns whether `addr` lies in a foreign region.
pub(crate) fn is_foreign(addr: usize, guard: &PreemptGuard) -> bool {
    Index::find(addr, guard).is_some_and(|found| found.region.foreign)
}

/// The plugin whose code `addr` lies in, as `__module_text_address()`.
pub(crate) fn text_address(addr: usize, guard: &PreemptGuard) -> Option<&Plugin> {
    if !Index::may_be_text(addr) {
        return None;
    }
    Index::find(addr, guard)
        .filter(|place| place.region.text)
        .map(|place| place.plugin)
}
