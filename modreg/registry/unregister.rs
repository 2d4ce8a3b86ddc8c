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
                LAST_UNLOADED, //
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
        counted_list::CountedList,
        errno::edeadlk,
        preempt::PreemptGuard,
        rcu::{
            Held,
            RcuBox,
            RcuOwned, //
        },
        rcu_batch::{
            empty_batch,
            Emptied, //
        },
        rcu_counted::RcuCounted,
        stop_machine::can_stop_machine,
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
///
/// Context: May sleep.
pub(crate) fn unregister(plugins: &[PluginRef]) -> Result {
    if !can_stop_machine() {
        return Err(edeadlk());
    }
    let mut before = KVVec::with_capacity(plugins.len(), GFP_KERNEL)?;
    let mut leaving = KVVec::with_capacity(plugins.len(), GFP_KERNEL)?;

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
    unlink(&mut leaving);
    drop(leaving);
    let mut lock = LOCK.lock();
    for plugin in plugins {
        plugin.end_removal(&mut lock);
        drop(release(plugin, &mut lock));
    }
    drop(lock);
    if orphans {
        return Err(ENODEV);
    }
    Ok(())
}

/// Releases the handle of a removed plugin, and unlinks it from the list.
pub(super) fn release(
    plugin: &RcuCounted<Plugin>,
    lock: &mut GlobalGuard<LOCK>,
) -> Option<PluginRef> {
    plugin.links().as_mut(lock).has_handle = false;
    CountedList::remove(plugin, &mut Held::new(lock))
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
            .tables_held(&Held::new(&mut lock))
            .and_then(|t| t.owner.try_pin_live()),
        false => None,
    };
    drop(lock);
    if plugin.exit().is_some() {
        if !plugin.is_quiet() {
            pr_info!("{}: going\n", plugin.name());
        }
        let (_none, sleepable) = sleepably(|| plugin.exit().and_then(|exit| exit.call()));
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
/// Does nothing if the plugin was removed. Another thread that is removing it finds it removed. If
/// the plugin's handle was handed out, its holder can still release it.
///
/// Context: May sleep.
pub(super) fn remove_now(plugin: &PluginRef) {
    unlink(&mut [Leaving::new(plugin)]);
}

/// Removes several plugins as [`remove_now`], in one stop if there is memory.
///
/// Context: May sleep.
pub(super) fn remove_all_now(plugins: &[PluginRef]) {
    let Ok(mut leaving) = KVVec::with_capacity(plugins.len(), GFP_KERNEL) else {
        return plugins.iter().for_each(remove_now);
    };
    for plugin in plugins {
        push_reserved(&mut leaving, Leaving::new(plugin));
    }
    unlink(&mut leaving);
}

/// A plugin that is being removed.
struct Leaving<'a> {
    plugin: &'a PluginRef,
    /// Whether this removes the plugin; another thread may have done so before.
    is_linked: bool,
    /// The tables that were taken from readers.
    tables: Option<RcuOwned<Tables>>,
    /// The tables for a LIVE state that the plugin has not reached.
    core: Option<RcuOwned<Tables>>,
}

impl<'a> Leaving<'a> {
    fn new(plugin: &'a PluginRef) -> Self {
        Self {
            plugin,
            is_linked: false,
            tables: None,
            core: None,
        }
    }

    /// Makes the plugin GOING, if it was not removed, and prepares its removal.
    fn begin(&mut self, lock: &mut GlobalGuard<LOCK>) {
        let links = self.plugin.links().as_ref(lock);
        self.is_linked = !links.unlinked;
        if self.is_linked {
            let id = links.id;
            if self.plugin.force_removal(lock) {
                trace::plugin_state(self.plugin);
            }
            let mut held = Held::new(lock);
            self.plugin.mark(&mut held);
            index::prepare_removal(id, &mut held);
        }
    }

    /// Takes the tables, removes what is left of the plugin in the indexes, and unlinks it unless its
    /// handle is to be released.
    fn finish(&mut self, removal: &Emptied<LOCK>, lock: &mut GlobalGuard<LOCK>) {
        if !self.is_linked {
            return;
        }
        self.tables = self.plugin.take_tables(removal, &mut Held::new(lock));
        let links = self.plugin.links().as_mut(lock);
        links.unlinked = true;
        let has_handle = links.has_handle;
        let core = links.core.take().map(KBox::into_inner);
        let (core, init) = core.map(|core| (core.tables, core.init)).unzip();
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
        if !has_handle {
            drop(release(self.plugin, lock));
        }
        trace::plugin_unregister(self.plugin);
    }
}

/// Removes `leaving` in one stop. No reader uses their tables when this returns.
///
/// Plugins that were removed before are left alone. If the machine cannot be stopped, a line in the log
/// says so for each plugin.
///
/// Context: May sleep.
fn unlink(leaving: &mut [Leaving<'_>]) {
    let last = leaving.iter().rev().find_map(|last| {
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
        return;
    }
    let mut held = Held::new(&mut lock);
    let emptied = empty_batch(&mut held, |held| {
        index::remove_prepared(held);
        let last = last.take();
        last.and_then(|last| LAST_UNLOADED.replace(Some(last), held))
    });
    let Ok((removal, last, stopped)) = emptied else {
        // Callers may sleep. The plugins go with the next removal.
        return;
    };
    add_count((n as isize).wrapping_neg(), &held);
    // The plugins have no tables, so lookups skip what the indexes have of them.
    for plugin in leaving.iter_mut() {
        plugin.finish(&removal, &mut lock);
    }
    index::tidy(&mut Held::new(&mut lock));
    drop(lock);
    drop(last);
    for leaving in leaving.iter().filter(|leaving| leaving.is_linked) {
        let plugin = leaving.plugin;
        if let Err(error) = stopped {
            pr_warn!(
                "{}: removed without stopping the machine (-{:?})\n",
                plugin.name(),
                error
            );
        }
        if !plugin.is_quiet() {
            pr_info!("{}: gone\n", plugin.name());
        }
    }
}
