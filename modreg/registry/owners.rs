// SPDX-License-Identifier: GPL-2.0

//! The owner modules of plugins, whose states plugins follow.

use super::{
    register::{
        drop_init,
        say_live, //
    },
    unregister::{
        remove_all_now,
        remove_now, //
    }, //
};
use crate::{
    modreg::{
        index::by_owner,
        lock::LOCK,
        name::Name,
        plugin::PluginRef,
        trace, //
    },
    primitives::{
        module::{
            Module,
            ModuleId,
            ModuleState, //
        },
        notifier::ModuleNotify,
        rcu::Held,
        vec::push_reserved, //
    },
};
use kernel::prelude::*;

/// Plugins that are removed in one stop when their owner is unloaded.
const BATCH: usize = 256;

/// Makes plugins follow the states of their owners, behind all other callbacks of the module
/// notifier chain.
///
/// So a module notifier may register plugins for a module that is COMING, and unregister those of
/// one that is GOING.
pub(crate) struct Owners;

impl ModuleNotify for Owners {
    const PRIORITY: i32 = i32::MIN;

    fn module_state(module: &Module, state: ModuleState) {
        match state {
            ModuleState::Live => go_live(module.id()),
            ModuleState::Going => remove_all(module.id(), |name| {
                pr_warn!(
                    "{}: owner unloaded with the plugin registered, removing it\n",
                    name
                );
            }),
            ModuleState::Coming | ModuleState::Unformed => {}
        }
    }
}

/// Removes the plugins of a module whose load fails, in front of all other callbacks.
///
/// If a callback refuses a module that is COMING, only those in front of it are told that the module
/// is GOING, and [`Owners`] never is. The others are still to be told, and find their plugins
/// unlinked.
pub(crate) struct FailedLoads;

impl ModuleNotify for FailedLoads {
    const PRIORITY: i32 = i32::MAX;

    fn module_state(module: &Module, state: ModuleState) {
        // A module that is unloaded is in state GOING itself.
        if state == ModuleState::Going && module.state() == ModuleState::Coming {
            remove_all(module.id(), |name| {
                pr_info!("{}: owner failed to load, removing the plugin\n", name);
            });
        }
    }
}

/// Takes the init regions of an owner's plugins away, and makes those LIVE that wait for it.
///
/// The kernel frees the init memory next, so a plugin in any state loses its init regions there: one that
/// has not started, and one that is GOING and whose exit callback runs.
fn go_live(owner: ModuleId) {
    let mut last = None;
    loop {
        let mut lock = LOCK.lock();
        let Some(plugin) = by_owner::next(owner, last.as_ref(), &lock) else {
            return;
        };
        if plugin.follows_owner() || plugin.has_init_in_owner() {
            let full = drop_init(&plugin, &mut lock);
            let live = plugin.awaits_owner(&lock);
            if live {
                plugin.set_live(&Held::new(&mut lock));
                trace::plugin_state(&plugin);
            }
            drop(lock);
            if live {
                say_live(&plugin);
            }
            drop(full);
        }
        last = Some(plugin);
    }
}

/// Removes the plugins of an owner, and reports each with `say`.
///
/// This does not wait for a thread that runs an exit callback of such a plugin: the callback may
/// wait for what the caller holds, such as the module notifier chain.
fn remove_all(owner: ModuleId, say: impl Fn(&Name)) {
    loop {
        let mut plugins: KVVec<PluginRef> =
            KVVec::with_capacity(BATCH, GFP_KERNEL).unwrap_or_default();
        let lock = LOCK.lock();
        let Some(first) = by_owner::next(owner, None, &lock) else {
            return;
        };
        let mut last = Some(first.clone());
        while let Some(plugin) = last.filter(|_| plugins.len() < plugins.capacity()) {
            last = by_owner::next(owner, Some(&plugin), &lock);
            push_reserved(&mut plugins, plugin);
        }
        drop(lock);
        if plugins.is_empty() {
            // There was no memory for more.
            say(first.name());
            remove_now(&first);
        }
        plugins.iter().for_each(|plugin| say(plugin.name()));
        remove_all_now(&plugins);
    }
}
