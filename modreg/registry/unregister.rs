// SPDX-License-Identifier: GPL-2.0

//! Removing plugins.

use super::changes::count_change;
use crate::{
    modreg::{
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
            Position, //
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

/// Removes started plugins that nobody holds a reference to, in one stop; all or none.
///
/// Follows `delete_module(2)`. Sleeps.
///
/// # Errors
///
/// `EBUSY` where one is referenced, not started yet, GOING, or named twice; `EDEADLK` where
/// sleeping is not allowed; `ENOMEM`.
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
        let (name, n) = (plugin.name(), plugin.references());
        pr_err!("{}: refused, busy with {} references (-EBUSY)\n", name, n);
        return Err(EBUSY);
    }
    for plugin in plugins {
        let links = plugin.links().as_mut(&mut lock);
        if let Some(entry) = links.entry.take() {
            push_reserved(&mut entries, (entry, links.place));
        }
    }
    drop(lock);

    for plugin in plugins {
        trace::plugin_going(plugin.name());
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

/// Removes a plugin whose start failed or whose owner goes; that cannot be refused. Sleeps.
pub(super) fn remove_now(plugin: &Arc<Plugin>) {
    let mut lock = LOCK.lock();
    if plugin.force_removal(&Held::new(&mut lock)) {
        trace::plugin_going(plugin.name());
        let links = plugin.links().as_mut(&mut lock);
        let (entry, place) = (links.entry.take(), links.place);
        drop(lock);
        let done = unlink(core::slice::from_ref(plugin), |held| {
            entry.map(|entry| take_off(entry, place, held))
        });
        if done.is_err() {
            pr_err!("{}: not unlinked\n", plugin.name());
        }
        return;
    }
    drop(lock);
    // Somebody else is about it.
    while plugin.tables(&PreemptGuard::new()).is_some() {
        fsleep(Delta::from_millis(1));
    }
    // And holds the lock until the stop is over.
    drop(LOCK.lock());
}

type Removed = (Retired<Node<Arc<Plugin>>>, Option<Retired<Tables>>);

/// Takes a plugin off the list, and away from readers that find it through the index.
fn take_off(
    entry: Entry<Arc<Plugin>, LOCK>,
    place: Position,
    held: &mut Held<'_, LOCK>,
) -> Removed {
    let tables = entry.clear(held);
    ORDER.mark(place, held);
    (entry.remove(held), tables)
}

/// Unlinks `plugins` under `stop_machine()`. When it returns, no reader can hold one.
///
/// No error stands in the way of this but that of `stop_machine()`: where there is no memory for an
/// index without them, it goes on leading to plugins that have no tables.
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
    // They have no tables any more, so readers pass them by until here.
    if let Some(change) = &mut change {
        change.apply(&mut held);
    }
    count_change(&mut held);
    // Of equal names the newest plugin's come first, and the newest are likely to be the last here.
    for plugin in plugins.iter().rev() {
        let Links { names, core, .. } = mem::take(plugin.links().as_mut(&mut lock));
        let mut held = Held::new(&mut lock);
        for names in [names, core.unzip().1].iter().flatten() {
            NAMES.unlink(names, &mut held);
        }
    }
    drop(lock);
    drop(change);
    // No reader is left: their tables are freed here, they themselves with their last handle.
    drop(gone);
    for plugin in plugins {
        trace::plugin_unregister(plugin.name());
        pr_info!("{}: gone\n", plugin.name());
    }
    Ok(())
}
