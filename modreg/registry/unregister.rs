// SPDX-License-Identifier: GPL-2.0

//! Removing plugins.

use crate::{
    modreg::{
        foreign,
        index::{
            self,
            by_owner,
            Leftovers, //
        },
        lock::LOCK,
        name::Name,
        plugin::{
            list::{
                add_count,
                Gone,
                LAST_UNLOADED,
                ORPHANS, //
            },
            Plugin,
            PluginRef,
            State, //
        },
        tables::Tables,
        trace, //
    },
    primitives::{
        callback::sleepably,
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
    sync::GlobalGuard, //
};

/// Removes plugins in one stop, all or none, and releases their handles.
///
/// A plugin that was unlinked with its owner only has its handle released.
///
/// Follows `delete_module(2)`.
///
/// # Errors
///
/// - `EBUSY` if a plugin is referenced, has not started, is being removed, or is named twice.
/// - `EDEADLK` if called where sleeping is not allowed.
/// - `ENOMEM` if out of memory.
/// - `ENODEV` if a plugin was unlinked with its owner. The others were removed, and all handles are
///   released.
/// - Those of [`stop_machine`]. The exit callbacks were called, and the plugins stay GOING until this
///   is called again.
///
/// Context: May sleep.
pub(crate) fn unregister(plugins: &[PluginRef]) -> Result {
    if !can_stop_machine() {
        return Err(edeadlk());
    }
    let mut before = KVVec::with_capacity(plugins.len(), GFP_KERNEL)?;
    let mut leaving = KVVec::with_capacity(plugins.len(), GFP_KERNEL)?;
    let mut removed = Some(KVVec::with_capacity(plugins.len(), GFP_KERNEL)?);

    let mut lock = LOCK.lock();
    for plugin in plugins {
        if let Some(was) = plugin.try_begin_removal(&mut lock) {
            push_reserved(&mut before, was);
            continue;
        }
        for (plugin, &was) in plugins.iter().zip(&before) {
            plugin.cancel_removal(was, &mut lock);
        }
        drop(lock);
        say_busy(plugin);
        return Err(EBUSY);
    }
    for (plugin, &was) in plugins.iter().zip(&before) {
        if was != State::Going {
            trace::plugin_state(plugin);
        }
    }
    let orphans = plugins.iter().any(|p| p.links().as_ref(&lock).unlinked);
    drop(lock);

    for plugin in plugins {
        call_exit(plugin);
        push_reserved(&mut leaving, Leaving::new(plugin));
    }
    let done = unlink(&mut leaving, |leaving, held| {
        let mut removed = removed.take()?;
        for plugin in leaving {
            push_reserved(&mut removed, plugin.take_off(held));
        }
        Some(removed)
    });
    let mut lock = LOCK.lock();
    for plugin in plugins {
        plugin.end_removal(&mut lock);
        if done.is_ok() {
            drop(release(plugin, &mut lock));
        }
    }
    drop(lock);
    done?;
    if orphans {
        return Err(ENODEV);
    }
    Ok(())
}

/// Releases the handle of an unlinked plugin.
fn release(plugin: &Plugin, lock: &mut GlobalGuard<LOCK>) -> Option<Retired<Node<PluginRef>>> {
    let links = plugin.links().as_mut(lock);
    links.has_handle = false;
    let entry = links.entry.take()?;
    Some(entry.remove(&mut Held::new(lock)))
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

/// Calls the exit callback of a plugin that has started, once.
///
/// A LIVE owner is pinned meanwhile. Another owner may be unloaded while its code runs here, as with
/// any callback: one that is COMING is freed, when its init fails, in spite of references.
///
/// Context: May sleep.
pub(super) fn call_exit(plugin: &Plugin) {
    let mut lock = LOCK.lock();
    if !plugin.take_exit(&mut lock) {
        return;
    }
    let owner = match plugin.exit().is_some() {
        true => plugin
            .tables(&Held::new(&mut lock))
            .and_then(|t| t.owner.try_pin_live()),
        false => None,
    };
    drop(lock);
    if plugin.exit().is_some() {
        if !plugin.is_quiet() {
            pr_info!("{}: going\n", plugin.name());
        }
        let (_none, sleepable) = sleepably(|| plugin.exit().call());
        if !sleepable {
            say_atomic(plugin.name(), "exit");
        }
    }
    drop(owner);
}

/// Reports a callback that returned where sleeping is not allowed, which was restored.
pub(super) fn say_atomic(name: &Name, callback: &str) {
    pr_err!(
        "{}: its {} callback left preemption, interrupts or RCU disabled\n",
        name,
        callback
    );
}

/// Removes a plugin whose start failed or whose owner is unloaded.
///
/// Does nothing if the plugin was unlinked. Another thread that is removing it finds it unlinked. If
/// the plugin's handle was handed out, its holder can still release it.
///
/// Returns `false`, with a line in the log, if [`stop_machine`] fails.
///
/// Context: May sleep.
pub(super) fn remove_now(plugin: &PluginRef) -> bool {
    let mut leaving = [Leaving::new(plugin)];
    let removed = unlink(&mut leaving, |leaving, held| {
        leaving.first_mut().map(|plugin| plugin.take_off(held))
    });
    let Ok(removed) = removed else {
        return false;
    };
    let Some((Some(node), tables)) = removed.flatten() else {
        return true;
    };
    drop(tables);
    let mut lock = LOCK.lock();
    if plugin.links().as_ref(&lock).has_handle {
        let entry = ORPHANS.add(node, &mut Held::new(&mut lock));
        plugin.links().as_mut(&mut lock).entry = Some(entry);
    }
    true
}

/// A plugin that is being unlinked.
struct Leaving<'a> {
    plugin: &'a PluginRef,
    /// Whether this unlinks the plugin; another thread may have done so before.
    is_linked: bool,
    entry: Option<Entry<PluginRef, LOCK>>,
    /// The tables for a LIVE state that the plugin has not reached.
    core: Option<KBox<RcuBox<Tables>>>,
}

/// What unlinking has taken from readers.
type Removed = (Option<Retired<Node<PluginRef>>>, Option<Retired<Tables>>);

impl<'a> Leaving<'a> {
    fn new(plugin: &'a PluginRef) -> Self {
        Self {
            plugin,
            is_linked: false,
            entry: None,
            core: None,
        }
    }

    /// Takes the plugin's entry, if it is linked, makes it GOING, and prepares the indexes.
    fn begin(&mut self, lock: &mut GlobalGuard<LOCK>) {
        let links = self.plugin.links().as_mut(lock);
        self.is_linked = !links.unlinked;
        if self.is_linked {
            self.entry = links.entry.take();
            let id = links.id;
            if self.plugin.force_removal(lock) {
                trace::plugin_state(self.plugin);
            }
            index::prepare_removal(id, &mut Held::new(lock));
        }
    }

    /// Gives the entry back.
    fn cancel(&mut self, lock: &mut GlobalGuard<LOCK>) {
        if self.is_linked {
            let links = self.plugin.links().as_mut(lock);
            links.entry = self.entry.take();
            let id = links.id;
            index::cancel_removal(id, &mut Held::new(lock));
        }
    }

    /// Takes the plugin off the list, and its tables away from lookups.
    fn take_off(&mut self, held: &mut Held<'_, LOCK>) -> Removed {
        let Some(entry) = self.entry.take() else {
            return (None, None);
        };
        let tables = entry.clear(held);
        (Some(entry.remove(held)), tables)
    }

    /// Removes what is left of the plugin in the indexes.
    fn finish(&mut self, lock: &mut GlobalGuard<LOCK>) {
        if !self.is_linked {
            return;
        }
        let links = self.plugin.links().as_mut(lock);
        links.unlinked = true;
        let (core, init) = links.core.take().unzip();
        self.core = core;
        drop(links.pin.take());
        let foreign = mem::take(&mut links.foreign);
        let left = Leftovers {
            plugin: self.plugin,
            id: mem::take(&mut links.id),
            names: mem::take(&mut links.names),
            init,
        };
        let mut held = Held::new(lock);
        foreign::remove(foreign, &mut held);
        index::finish_removal(&left, &mut held);
        drop(by_owner::leave(self.plugin, left.id, lock));
        trace::plugin_unregister(self.plugin);
    }
}

/// Unlinks `leaving` under `stop_machine()`, where `off` takes each off. No reader uses them when
/// this returns.
///
/// Plugins that were unlinked before are left alone. Returns what `off` returned, or [`None`] if there
/// is nothing to do.
///
/// # Errors
///
/// Those of [`stop_machine`], with a line in the log; nothing is unlinked then.
///
/// Context: May sleep.
fn unlink<R>(
    leaving: &mut [Leaving<'_>],
    mut off: impl FnMut(&mut [Leaving<'_>], &mut Held<'_, LOCK>) -> R + Send,
) -> Result<Option<R::Output>>
where
    R: Retire + Send,
{
    let last = leaving.last().and_then(|last| {
        let guard = PreemptGuard::new();
        let tables = last.plugin.tables(&guard)?;
        Some(Gone::new(last.plugin, tables))
    });
    let mut last = last.and_then(|last| RcuBox::new(last).ok());

    let mut lock = LOCK.lock();
    for plugin in leaving.iter_mut() {
        plugin.begin(&mut lock);
    }
    let n = leaving.iter().filter(|plugin| plugin.is_linked).count();
    if n == 0 {
        return Ok(None);
    }
    let mut held = Held::new(&mut lock);
    let gone = stop_machine(|_stopped| {
        let off = off(leaving, &mut held);
        index::remove_prepared(&mut held);
        let last = last.take();
        let last = last.and_then(|last| LAST_UNLOADED.replace(Some(last), &mut held));
        (off, last)
    });
    let gone = match gone {
        Ok(gone) => gone,
        Err(error) => {
            for plugin in leaving.iter_mut() {
                plugin.cancel(&mut lock);
                pr_err!("{}: not unlinked (-{:?})\n", plugin.plugin.name(), error);
            }
            return Err(error);
        }
    };
    add_count((n as isize).wrapping_neg(), &held);
    // The plugins have no tables, so lookups skip what the indexes have of them.
    for plugin in leaving.iter_mut() {
        plugin.finish(&mut lock);
    }
    index::tidy(&mut Held::new(&mut lock));
    drop(lock);
    let (off, last) = gone;
    drop(last);
    for Leaving {
        plugin, is_linked, ..
    } in leaving.iter()
    {
        if !is_linked {
            continue;
        }
        if !plugin.is_quiet() {
            pr_info!("{}: gone\n", plugin.name());
        }
    }
    Ok(Some(off))
}
