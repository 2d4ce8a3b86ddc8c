// SPDX-License-Identifier: GPL-2.0

//! The indexes over all plugins, of addresses and of names, against a search that looks at all.

use crate::{
    modreg::{
        error::Refusal,
        index::by_number::{
            Which,
            NUMBERS, //
        },
        lookup,
        plugin::{
            list::PLUGINS,
            Plugin,
            PluginRef, //
        },
        registry::{
            self,
            Content,
            Regions, //
        },
    },
    primitives::{
        preempt::PreemptGuard, //
    },
    tests::kunit::{
        registry::value,
        request, some,
        tables::{
            region,
            tables,
            Described, //
        },
    },
};
use core::ffi::CStr;
use kernel::{
    prelude::*,
    str::CString, //
};

/// An address without code.
const BASE: usize = 0x20_0000;

/// Registers a plugin with these symbols in regions of its own.
fn register(name: &CStr, described: &[Described<'_>], bases: &[usize]) -> Result<PluginRef> {
    let failed = |error| Refusal::new(error, "no tables");
    let content = || {
        let mut regions = Regions::new();
        for &base in bases {
            regions.push(region(base, 0x10).map_err(failed)?)?;
        }
        let full = tables(described, &regions, &[]).map_err(failed)?;
        Ok(Content {
            regions,
            full,
            core: None,
        })
    };
    let start = None::<fn() -> Result<(), Refusal>>;
    registry::register(request(name)?, content, start).map_err(|r| r.error)
}

/// Returns whether an address belongs to the plugin, or to none.
fn belongs(addr: usize, plugin: Option<&Plugin>) -> bool {
    let guard = PreemptGuard::new();
    let found = lookup::address_lookup(addr, &guard).map(|(p, _)| core::ptr::from_ref(p));
    found == plugin.map(core::ptr::from_ref)
}

/// Returns whether each number leads to the symbol that the list has there.
pub(super) fn numbers_agree() -> bool {
    let guard = PreemptGuard::new();
    let mut n = 0;
    for plugin in PLUGINS.iter(&guard) {
        let len = plugin
            .tables(&guard)
            .map_or(0, |tables| tables.symtab().len());
        for i in 0..len {
            match NUMBERS.nth(n, Which::All, &guard) {
                Some((found, symbol)) if symbol == i && core::ptr::eq(found, &**plugin) => {
                    n += 1;
                }
                _ => return false,
            }
        }
    }
    let is_end = |n| NUMBERS.nth(n, Which::All, &guard).is_none();
    is_end(n) && is_end(u32::MAX)
}

/// Returns the next pseudo-random number.
fn next(state: &mut u32) -> usize {
    *state = state.wrapping_mul(1664525).wrapping_add(1013904223);
    (*state >> 16) as usize
}

#[kunit_tests(modreg_indexes)]
mod tests {
    use super::*;

    /// Enough regions for several chunks, added and removed in any order.
    #[test]
    fn address_index_find() -> Result {
        const PLUGINS: usize = 150;

        let mut state = 3;
        let mut plugins: KVec<Option<PluginRef>> = KVec::new();
        for _ in 0..PLUGINS {
            plugins.push(None, GFP_KERNEL)?;
        }
        let bases = |i: usize| [BASE + i * 0x10, BASE + (2 * PLUGINS - i) * 0x10];
        for round in 0..4 * PLUGINS {
            let i = if round < 2 * PLUGINS {
                next(&mut state) % PLUGINS
            } else {
                // All of them are removed.
                round % PLUGINS
            };
            let slot = some(plugins.get_mut(i))?;
            match slot.take() {
                Some(plugin) => registry::unregister(&[plugin])?,
                None if round < 2 * PLUGINS => {
                    let name = CString::try_from_fmt(fmt!("kunit_{}", i))?;
                    *slot = Some(register(&name, &[], &bases(i))?);
                }
                None => continue,
            }
            if round % 16 != 0 {
                continue;
            }
            for (i, plugin) in plugins.iter().enumerate() {
                for base in bases(i) {
                    for addr in [base, base + 0xf] {
                        check!(belongs(addr, plugin.as_ref().map(|p| &***p)));
                    }
                }
            }
            check!(belongs(BASE - 1, None));
            check!(belongs(BASE + (2 * PLUGINS + 1) * 0x10, None));
        }
        Ok(())
    }

    /// Names that many plugins share, and names of their own; the newest plugin answers.
    #[test]
    fn name_index_find() -> Result {
        const PLUGINS: usize = 40;
        const SHARED: usize = 30;

        let mut texts = KVec::new();
        for i in 0..SHARED + PLUGINS {
            texts.push(CString::try_from_fmt(fmt!("name_{}", i))?, GFP_KERNEL)?;
        }
        let mut state = 5;
        // Oldest first, each with its number.
        let mut plugins: KVec<(usize, PluginRef)> = KVec::new();
        for round in 0..6 * PLUGINS {
            let i = next(&mut state) % PLUGINS;
            if let Some(at) = plugins.iter().position(|(n, _)| *n == i) {
                let (_, plugin) = plugins.remove(at).map_err(|_| ENODATA)?;
                registry::unregister(&[plugin])?;
            } else {
                let base = BASE + i * 0x10;
                let mut described: KVec<Described<'_>> = KVec::new();
                for text in texts.iter().take(SHARED) {
                    described.push((Some(base), text), GFP_KERNEL)?;
                }
                let own: &CStr = some(texts.get(SHARED + i))?;
                described.push((Some(base + 1), own), GFP_KERNEL)?;
                // The first symbol in a table answers.
                described.push((Some(base + 2), own), GFP_KERNEL)?;
                let name = CString::try_from_fmt(fmt!("kunit_{}", i))?;
                plugins.push((i, register(&name, &described, &[base])?), GFP_KERNEL)?;
            }
            if round % 8 != 0 {
                continue;
            }
            let newest = plugins.last().map(|(n, _)| BASE + n * 0x10);
            for text in texts.iter().take(SHARED) {
                check_eq!(value(text), newest);
            }
            for i in 0..PLUGINS {
                let base = plugins
                    .iter()
                    .find(|(n, _)| *n == i)
                    .map(|_| BASE + i * 0x10);
                check_eq!(value(some(texts.get(SHARED + i))?), base.map(|b| b + 1));
                let shared = CString::try_from_fmt(fmt!("kunit_{}:name_7", i))?;
                check_eq!(value(&shared), base);
                let not_its = CString::try_from_fmt(fmt!("kunit_{}:name_{}", i, SHARED + i + 1))?;
                check_eq!(value(&not_its), None);
            }
        }
        for (_, plugin) in plugins {
            registry::unregister(&[plugin])?;
        }
        check_eq!(value(c"name_7"), None);
        Ok(())
    }

    /// Plugins with few symbols and with none, removed one by one and several at once.
    #[test]
    fn number_index_nth() -> Result {
        const PLUGINS: usize = 150;

        let names = [c"a", c"b", c"c"];
        let mut state = 7;
        let mut plugins: KVec<PluginRef> = KVec::new();
        for i in 0..PLUGINS {
            let base = BASE + i * 0x10;
            let described = names.map(|name| (Some(base), name));
            let described = described.get(..next(&mut state) % 4).unwrap_or(&[]);
            let name = CString::try_from_fmt(fmt!("kunit_{}", i))?;
            plugins.push(register(&name, described, &[base])?, GFP_KERNEL)?;
            check!(numbers_agree());
        }
        while !plugins.is_empty() {
            let mut going = KVec::new();
            for _ in 0..1 + next(&mut state) % 4 {
                let at = next(&mut state) % plugins.len().max(1);
                if let Ok(plugin) = plugins.remove(at) {
                    going.push(plugin, GFP_KERNEL)?;
                }
            }
            registry::unregister(&going)?;
            check!(numbers_agree());
        }
        Ok(())
    }

    #[test]
    fn name_index_grow() -> Result {
        let mut texts = KVec::new();
        for i in 0..3000_usize {
            texts.push(CString::try_from_fmt(fmt!("symbol_{}", i * 7))?, GFP_KERNEL)?;
        }
        let mut described: KVec<Described<'_>> = KVec::new();
        for (i, text) in texts.iter().enumerate() {
            described.push((Some(0x10000 + i), text), GFP_KERNEL)?;
        }
        let plugin = register(c"kunit", &described, &[BASE])?;
        for (value_of, text) in &described {
            check_eq!(value(text), *value_of);
        }
        check_eq!(value(c"symbol_1"), None);
        check_eq!(value(c""), None);
        registry::unregister(&[plugin])?;
        for text in &texts {
            check_eq!(value(text), None);
        }
        Ok(())
    }

    #[test]
    fn name_index_skips_nameless() -> Result {
        let described = [
            (Some(BASE), c"f"),
            (Some(BASE + 1), c""),
            (Some(BASE + 2), c"$x"),
            (None, c"elsewhere"),
        ];
        let plugin = register(c"kunit", &described, &[BASE])?;
        check_eq!(value(c"elsewhere"), None);
        check_eq!(value(c"$x"), Some(BASE + 2));
        check_eq!(value(c"kunit:"), None);
        check_eq!(value(c"f1"), None);
        registry::unregister(&[plugin])
    }
}
