// SPDX-License-Identifier: GPL-2.0

//! Replacing the symbols of a plugin.
//!
//! The machine is not stopped. As at the switch to LIVE, readers find the old tables or the new ones:
//!
//! 1. without the lock: check and order the symbols, hash their names, and allocate room;
//! 2. under the lock: link the new names, which do not count yet, and publish the tables: from then on the
//!    new names count and the old ones do not;
//! 3. under the lock: change the numbers of symbols, and unlink the old names;
//! 4. without the lock: wait for the readers of the old tables.

use super::register::NO_NUMBERS;
use crate::{
    modreg::{
        error::Refusal,
        foreign,
        index::{
            self,
            by_name::NAMES,
            name_set::NameSet, //
        },
        lock::LOCK,
        plugin::{
            Plugin,
            State, //
        },
        tables::Tables,
        trace, //
    },
    primitives::{
        errno::edeadlk,
        preempt::preemptible,
        rcu::{
            synchronize_rcu,
            synchronize_rcu_tasks,
            Held,
            RcuOwned, //
        },
        stop_machine::might_stop_machine, //
    },
};
use core::mem;
use kernel::prelude::*;

/// Replaces the tables of a LIVE plugin by those that `make` returns.
///
/// What the old tables have borrowed is not used any more when this returns.
///
/// # Errors
///
/// - `EDEADLK` if called where sleeping is not allowed.
/// - `EBUSY` if the plugin is not LIVE.
/// - `E2BIG` if all plugins together would have 2^32 symbols.
/// - `ENOMEM` if out of memory.
/// - What `make` returned.
///
/// Context: May sleep.
pub(crate) fn replace_symbols(
    plugin: &Plugin,
    make: impl FnOnce() -> Result<RcuOwned<Tables>, Refusal>,
) -> Result<(), Refusal> {
    if !preemptible() {
        return Err(Refusal::new(
            edeadlk(),
            "called where sleeping is not allowed",
        ));
    }
    // A removal stops the machine under the lock.
    might_stop_machine();
    let mut tables = make()?;
    let symbols = tables.symtab().len();
    let mut is_large = NAMES.takes_large(symbols);
    let mut names = NameSet::new(plugin.name(), &tables, is_large)?;

    let mut lock = loop {
        if let Some(short) = index::shortage(0, &[Some(&names)]) {
            let room = short.reserve()?;
            index::extend(room, &mut Held::new(&mut LOCK.lock()));
            continue;
        }
        let mut lock = LOCK.lock();
        if plugin.state() != State::Live {
            return Err(Refusal::new(EBUSY, "it is not live"));
        }
        if !index::has_numbers(symbols, &Held::new(&mut lock)) {
            return Err(NO_NUMBERS);
        }
        // Other writers may have used up the room, and the place of a large plugin.
        let id = plugin.links().as_ref(&lock).id;
        let has_place = !is_large || NAMES.takes_large(u32::MAX) || NAMES.is_large(id);
        if has_place && index::shortage(0, &[Some(&names)]).is_none() {
            break lock;
        }
        drop(lock);
        is_large = NAMES.takes_large(symbols);
        names = NameSet::new(plugin.name(), &tables, is_large)?;
    };
    // With the lock, since these are of the same generation as those of another replacement.
    trace::plugin_symbols(plugin, &tables, None);
    let links = plugin.links().as_mut(&mut lock);
    let (id, old_names, old_foreign) = (links.id, mem::take(&mut links.names), links.foreign);
    let mut held = Held::new(&mut lock);
    let version = plugin
        .tables_held(&held)
        .map_or(0, |old| 1_u8.wrapping_sub(old.version));
    tables.as_mut().value_mut().value_mut().version = version;
    let had_entries = plugin
        .tables_held(&held)
        .and_then(Tables::extable)
        .is_some_and(|old| !old.is_empty());
    let foreign = foreign::replace(old_foreign, plugin.regions(), &tables, &mut held);
    let linked = index::publish_names(id, &names, tables.version, is_large, &mut held);
    let old = index::exchange(&mut held, |held| plugin.replace_tables(tables, held));
    index::replace(plugin, id, symbols, &old_names, is_large, &mut held);
    trace::plugin_replace(plugin, symbols);
    let links = plugin.links().as_mut(&mut lock);
    links.names = linked;
    links.foreign = foreign;
    drop(lock);
    // Frees the memory of the tables, but what they have borrowed is the caller's to free.
    drop(old);
    synchronize_rcu();
    if had_entries {
        // A fault handler keeps an entry in no RCU reader, but does not sleep until it has used it.
        synchronize_rcu_tasks();
    }
    Ok(())
}
