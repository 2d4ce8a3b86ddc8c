// SPDX-License-Identifier: GPL-2.0

//! The writers, and what readers find after each of their steps.

use crate::{
    modreg::{
        error::Refusal,
        index::by_name::NAMES,
        lookup,
        plugin::{
            list::PLUGINS,
            PluginRef,
            State, //
        },
        registry::{
            self,
            Content,
            Regions, //
        },
        tables::{
            exports::{
                Export,
                Exports, //
            },
            extable::Extable,
            region::Region,
            symtab::SearchedBy,
            Tables, //
        },
    },
    primitives::{
        borrowed::Borrowed,
        pages_exact::ExactVec,
        preempt::PreemptGuard,
        rcu::{
            rcu_barrier,
            RcuOwned, //
        }, //
    },
    tests::kunit::{
        indexes::numbers_agree,
        owner, request, some,
        tables::{
            copies,
            region, //
        },
    },
};
use core::ffi::CStr;
use kernel::{
    prelude::*,
    str::CString, //
};

/// An address without code; nothing reads it.
const BASE: usize = 0x10_0000;

/// Makes tables with `f` at the beginning and the exported `g` 16 bytes behind it.
fn tables(regions: &[Region], hidden: &[Region]) -> Result<RcuOwned<Tables>, Refusal> {
    let failed = |error| Refusal::new(error, "no tables");
    let base = regions.first().map_or(0, |r| r.base());
    let mut copies = copies(&[
        (Some(base), c"f"),
        (Some(base + 16), c"g"),
        (Some(base + 0x1000), c"init_f"),
    ])
    .map_err(failed)?;
    let mut marked = ExactVec::new();
    let export = Export {
        symbol: 1,
        gpl_only: true,
    };
    marked.push(export, GFP_KERNEL)?;
    let source = copies.finish().map_err(failed)?;
    let by = SearchedBy::new(source.symbols(), regions, hidden)?;
    let exports = Some(Exports::marked(source.symbols(), marked));
    let extable = Extable::new(Borrowed::empty(), &[], false)?;
    let is_init = regions.len() > 1;
    Ok(Tables::new(
        owner(),
        &source,
        by,
        exports,
        extable,
        is_init,
    )?)
}

fn register_with(
    name: &CStr,
    base: usize,
    start: impl FnOnce() -> Result<(), Refusal>,
) -> Result<PluginRef> {
    let core = region(base, 0x100)?;
    let init = some(Region::new(base + 0x1000, 0x100, true, true))?;
    let content = || {
        let mut regions = Regions::new();
        regions.push(core)?;
        regions.push(init)?;
        Ok(Content {
            regions,
            full: tables(&[core, init], &[])?,
            core: Some(tables(&[core], &[init])?),
        })
    };
    registry::register(request(name)?, content, Some(start)).map_err(|refusal| refusal.error)
}

fn register(name: &CStr, base: usize) -> Result<PluginRef> {
    register_with(name, base, || Ok(()))
}

/// Returns the number of plugins on the list, those of other modules included.
fn count() -> usize {
    PLUGINS.iter(&PreemptGuard::new()).count()
}

/// Returns the offset and the size that an address resolves to.
fn resolve(addr: usize) -> Option<(usize, usize)> {
    let guard = PreemptGuard::new();
    let (_plugin, found) = lookup::address_lookup(addr, &guard)?;
    found.map(|f| (f.offset, f.size))
}

/// Returns the address that a name resolves to.
pub(super) fn value(name: &CStr) -> Option<usize> {
    lookup::kallsyms_lookup_name(name, &PreemptGuard::new())
}

fn is_address(addr: usize) -> bool {
    lookup::is_address(addr, &PreemptGuard::new())
}

fn exported(name: &CStr, gplok: bool) -> Option<usize> {
    let guard = PreemptGuard::new();
    lookup::find_symbol(name, gplok, false, &guard).map(|e| e.value)
}

#[kunit_tests(modreg_registry)]
mod tests {
    use super::*;

    #[test]
    fn plugin_register_unregister() -> Result {
        let before = count();
        let plugin = register(c"kunit", BASE)?;
        check!(plugin.state() == State::Live);
        check_eq!(count(), before + 1);
        check_eq!(resolve(BASE + 4), Some((4, 16)));
        check_eq!(resolve(BASE + 16), Some((0, 0xf0)));
        check_eq!(value(c"kunit:g"), Some(BASE + 16));
        check_eq!(exported(c"g", true), Some(BASE + 16));
        check_eq!(exported(c"g", false), None);
        check_eq!(exported(c"f", true), None);

        registry::unregister(&[plugin])?;
        check_eq!(count(), before);
        check_eq!(resolve(BASE + 4), None);
        check!(!is_address(BASE));
        check_eq!(value(c"kunit:g"), None);
        check_eq!(exported(c"g", true), None);
        Ok(())
    }

    #[test]
    fn plugin_init_region_while_coming() -> Result {
        let mut seen = (None, false, None);
        let plugin = register_with(c"kunit", BASE, || {
            seen = (
                value(c"kunit:init_f"),
                is_address(BASE + 0x1000),
                resolve(BASE + 0x1004),
            );
            Ok(())
        })?;
        check_eq!(seen, (Some(BASE + 0x1000), true, Some((4, 0x100))));
        check_eq!(value(c"kunit:init_f"), None);
        check!(!is_address(BASE + 0x1000));
        check_eq!(resolve(BASE + 0x1004), None);
        registry::unregister(&[plugin])?;
        rcu_barrier();
        Ok(())
    }

    /// A plugin that is not the newest loses its init symbols; each number still agrees with the list.
    #[test]
    fn number_index_follows_live() -> Result {
        let mut newer = None;
        let mut agreed = false;
        let older = register_with(c"kunit_1", BASE, || {
            newer = register(c"kunit_2", BASE + 0x10000).ok();
            agreed = numbers_agree();
            Ok(())
        })?;
        check!(agreed);
        check!(numbers_agree());
        registry::unregister(&[older])?;
        check!(numbers_agree());
        registry::unregister(&[some(newer)?])?;
        check!(numbers_agree());
        Ok(())
    }

    /// A plugin with init regions has two sets of names; each name is found once.
    #[test]
    fn name_index_finds_once() -> Result {
        let found = || {
            let mut count = 0;
            let _none = NAMES.find_export(c"g", &PreemptGuard::new(), |_, _, _| {
                count += 1;
                None::<()>
            });
            count
        };
        let mut coming = 0;
        let plugin = register_with(c"kunit", BASE, || {
            coming = found();
            Ok(())
        })?;
        check_eq!((coming, found()), (1, 1));
        registry::unregister(&[plugin])?;
        check_eq!(found(), 0);
        Ok(())
    }

    #[test]
    fn register_failed_start_no_trace() -> Result {
        let before = count();
        let refused = register_with(c"kunit", BASE, || Err(Refusal::new(EIO, "on purpose")));
        check_eq!(refused.err(), Some(EIO));
        check_eq!(count(), before);
        check!(!is_address(BASE));
        // The name and the region are free again.
        registry::unregister(&[register(c"kunit", BASE)?])
    }

    #[test]
    fn register_failed_content_no_trace() -> Result {
        let before = count();
        let refused = registry::register(
            request(c"kunit")?,
            || Err(Refusal::new(ENOMEM, "on purpose")),
            Some(|| Ok(())),
        );
        check_eq!(refused.err().map(|r| r.error), Some(ENOMEM));
        check_eq!(count(), before);
        registry::unregister(&[register(c"kunit", BASE)?])
    }

    #[test]
    fn register_taken_name_or_region() -> Result {
        let one = register(c"kunit_1", BASE)?;
        check_eq!(register(c"kunit_1", BASE + 0x10000).err(), Some(EEXIST));
        check_eq!(register(c"kunit_2", BASE + 0xff).err(), Some(EEXIST));
        check_eq!(register(c"kunit_2", BASE - 0xff).err(), Some(EEXIST));
        let two = register(c"kunit_2", BASE + 0x100)?;
        check_eq!(resolve(BASE + 0xff), Some((0xef, 0xf0)));
        check_eq!(resolve(BASE + 0x100), Some((0, 16)));
        // The newest plugin answers to a plain name.
        check_eq!(value(c"f"), Some(BASE + 0x100));
        registry::unregister(&[two])?;
        check_eq!(value(c"kunit_1:f"), Some(BASE));
        registry::unregister(&[one])
    }

    #[test]
    fn unregister_referenced_busy() -> Result {
        let plugin = register(c"kunit", BASE)?;
        check_eq!(plugin.references(), 0);
        let guard = PreemptGuard::new();
        let pin = plugin.try_pin(&guard);
        drop(guard);
        check!(pin.is_some());
        check_eq!(plugin.references(), 1);
        check_eq!(registry::unregister(&[plugin.clone()]).err(), Some(EBUSY));
        check!(plugin.state() == State::Live);
        check_eq!(resolve(BASE), Some((0, 16)));
        drop(pin);
        registry::unregister(&[plugin.clone()])?;
        check!(plugin.try_pin(&PreemptGuard::new()).is_none());
        check!(plugin.tables(&PreemptGuard::new()).is_none());
        Ok(())
    }

    #[test]
    fn plugin_coming_try_pin_fails() -> Result {
        let mut got = true;
        let plugin = register_with(c"kunit", BASE, || {
            let guard = PreemptGuard::new();
            let plugin = lookup::text_address(BASE, &guard);
            got = plugin.is_none_or(|plugin| plugin.try_pin(&guard).is_some());
            Ok(())
        })?;
        check!(!got);
        registry::unregister(&[plugin])
    }

    #[test]
    fn unregister_many_all_or_none() -> Result {
        let before = count();
        let mut plugins = KVec::new();
        for i in 0..20 {
            let name = CString::try_from_fmt(fmt!("kunit_{}", i))?;
            plugins.push(register(&name, BASE + i * 0x10000)?, GFP_KERNEL)?;
        }
        let last = some(plugins.last())?.clone();
        let guard = PreemptGuard::new();
        let pin = last.try_pin(&guard);
        drop(guard);
        check!(pin.is_some());
        check_eq!(registry::unregister(&plugins).err(), Some(EBUSY));
        check_eq!(count(), before + 20);
        check!(plugins.iter().all(|p| p.state() == State::Live));
        drop(pin);
        registry::unregister(&plugins)?;
        check_eq!(count(), before);
        for i in 0..20 {
            check!(!is_address(BASE + i * 0x10000));
        }
        Ok(())
    }

    #[test]
    fn unregister_named_twice_busy() -> Result {
        let plugin = register(c"kunit", BASE)?;
        let twice = [plugin.clone(), plugin.clone()];
        check_eq!(registry::unregister(&twice).err(), Some(EBUSY));
        registry::unregister(&[plugin])
    }

    #[test]
    fn writers_refused_in_atomic() -> Result {
        let edeadlk = crate::primitives::errno::edeadlk();
        let plugin = register(c"kunit", BASE)?;
        let guard = PreemptGuard::new();
        let refused = (
            register(c"kunit_2", BASE + 0x10000).err(),
            registry::unregister(&[plugin.clone()]).err(),
        );
        drop(guard);
        check_eq!(refused, (Some(edeadlk), Some(edeadlk)));
        registry::unregister(&[plugin])
    }
}
