// SPDX-License-Identifier: GPL-2.0

//! Removing plugins.

use super::changes::count_change;
use crate::{
    modreg::{
        foreign,
        index::{
            by_address::Change,
            by_name::NAMES,
            by_number::ORDER, //
        },
        lock::LOCK,
        plugin::{
            list::{
                Gone,
                LAST_UNLOADED, //
            },
            Links,
            Plugin,
            Position,
            State, //
        },
        tables::Tables,
        trace, //
    },
    primitives::{
        errno::edeadlk,
        preempt::PreemptGuard,
        rcu::{
            Held,
            RcuBox,
            Retire,
            Retired, //
        },
        rculist::{
            Entry,
            Node, //
        },
        stop_machine::{
            can_stop_machine,
            stop_machine, //
        },
        vec::push_reserved, //
    },
};
use core::mem;
use kernel::{
    prelude::*,
    sync::Arc,
    time::{
        delay::fsleep,
        Delta, //
    },
};

/// Removes plugins in one stop: all, or none.
///
/// Follows `delete_module(2)`.
///
/// # Errors
///
/// - `EBUSY` if a plugin is referenced, has not started, is GOING, or is named twice.
/// - `EDEADLK` if called where sleeping is not allowed.
/// - `ENOMEM` if out of memory.
///
/// Context: May sleep.
pub(crate) fn unregister(plugins: &[Arc<Plugin>]) -> Result {
    if !can_stop_machine() {
        return Err(edeadlk());
    }
    let mut before = KVec::with_capacity(plugins.len(), GFP_KERNEL)?;
    let mut entries = KVec::with_capacity(plugins.len(), GFP_KERNEL)?;
    let mut retired = KVec::with_capacity(plugins.len(), GFP_KERNEL)?;

    let mut lock = LOCK.lock();
    let held = Held::new(&mut lock);
    for plugin in plugins {
        if let Some(was) = plugin.try_begin_removal(&held) {
            push_reserved(&mut before, was);
            continue;
        }
        for (plugin, &was) in plugins.iter().zip(&before) {
            plugin.cancel_removal(was, &held);
        }
        drop(lock);
        say_busy(plugin);
        return Err(EBUSY);
    }
    for plugin in plugins {
        trace::plugin_state(plugin);
        let links = plugin.links().as_mut(&mut lock);
        if let Some(entry) = links.entry.take() {
            push_reserved(&mut entries, (entry, links.place));
        }
    }
    drop(lock);

    for plugin in plugins {
        if plugin.exit().is_some() {
            pr_info!("{}: going\n", plugin.name());
            plugin.exit().call();
        }
    }
    unlink(plugins, move |held| {
        for (entry, place) in entries {
            // Without room, it would be freed after a grace period.
            push_reserved(&mut retired, take_off(entry, place, held));
        }
        retired
    })
}

/// Reports why a plugin cannot be removed.
fn say_busy(plugin: &Plugin) {
    let name = plugin.name();
    match plugin.state() {
        State::Coming => pr_err!("{}: refused, busy, not started (-EBUSY)\n", name),
        State::Live => {
            let references = plugin.references();
            pr_err!(
                "{}: refused, busy, references={} (-EBUSY)\n",
                name,
                references
            );
        }
        State::Going => pr_err!("{}: refused, busy, going already (-EBUSY)\n", name),
    }
}

/// Removes a plugin whose start failed or whose owner is unloaded.
///
/// Waits if another thread is removing it.
///
/// Context: May sleep.
pub(super) fn remove_now(plugin: &Arc<Plugin>) {
    let mut lock = LOCK.lock();
    if plugin.force_removal(&Held::new(&mut lock)) {
        trace::plugin_state(plugin);
        let links = plugin.links().as_mut(&mut lock);
        let (entry, place) = (links.entry.take(), links.place);
        drop(lock);
        let done = unlink(core::slice::from_ref(plugin), |held| {
            entry.map(|entry| take_off(entry, place, held))
        });
        if let Err(error) = done {
            pr_err!("{}: not unlinked (-{:?})\n", plugin.name(), error);
        }
        return;
    }
    drop(lock);
    // Another thread is removing this plugin: wait until it has cleared the tables, then for the end
    // of its `stop_machine()`, during which it holds the lock.
    while plugin.tables(&PreemptGuard::new()).is_some() {
        fsleep(Delta::from_millis(1));
    }
    drop(LOCK.lock());
}

type Removed = (Retired<Node<Arc<Plugin>>>, Option<Retired<Tables>>);

/// Takes a plugin off the list, and its tables away from lookups.
fn take_off(
    entry: Entry<Arc<Plugin>, LOCK>,
    place: Position,
    held: &mut Held<'_, LOCK>,
) -> Removed {
    let tables = entry.clear(held);
    ORDER.mark(place, held);
    (entry.remove(held), tables)
}

/// Unlinks `plugins` under `stop_machine()`. No reader uses them when this returns.
///
/// Without memory for a new address index, the old one keeps their slots, which lead to plugins
/// without tables.
///
/// # Errors
///
/// Those of [`stop_machine`]; nothing is unlinked then.
fn unlink<R>(plugins: &[Arc<Plugin>], off: impl FnOnce(&mut Held<'_, LOCK>) -> R + Send) -> Result
where
    R: Retire + Send,
{
    let last = plugins.last().map(|p| RcuBox::new(Gone::new(p)));
    let last = last.and_then(Result::ok);

    let mut lock = LOCK.lock();
    let mut held = Held::new(&mut lock);
    let mut change = Change::remove(plugins, &held).ok();
    let gone = stop_machine(|_stopped| {
        let off = off(&mut held);
        ORDER.remove(plugins.len(), &mut held);
        let last = last.and_then(|last| LAST_UNLOADED.replace(Some(last), &mut held));
        (off, last)
    })?;
    // The plugins have no tables, so lookups skip them until the indexes are changed.
    if let Some(change) = &mut change {
        change.apply(&mut held);
    }
    count_change(&mut held);
    // Among equal names those of the newest plugin come first. The newest plugins are likely to be
    // the last here, so their names are found soonest in this order.
    for plugin in plugins.iter().rev() {
        let Links {
            names,
            foreign,
            core,
            ..
        } = mem::take(plugin.links().as_mut(&mut lock));
        let mut held = Held::new(&mut lock);
        foreign::remove(foreign, &mut held);
        for names in [names, core.unzip().1].iter().flatten() {
            NAMES.unlink(names, &mut held);
        }
        trace::plugin_unregister(plugin);
    }
    drop(lock);
    drop(change);
    // No reader is left. This frees the tables; the last reference frees each plugin.
    drop(gone);
    for plugin in plugins {
        pr_info!("{}: gone\n", plugin.name());
    }
    Ok(())
}
