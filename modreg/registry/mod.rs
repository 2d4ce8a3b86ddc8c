// SPDX-License-Identifier: GPL-2.0

//! The writers, which add and remove plugins.
//!
//! [`LOCK`] serializes them. It is taken last: no callback of a plugin runs under it, and no
//! allocation but that of a tracepoint that is on. `stop_machine()` does. Readers take no lock.
//!
//! Adding a plugin does not stop the machine. The order of publication is modelled in
//! `tests/litmus/registry-publish.litmus`:
//!
//! 1. without the lock: check the input, copy and sort the tables, hash the names, and allocate what
//!    the indexes have too little of;
//! 2. take the lock, check the name and the regions against those of other plugins, and start again
//!    with 1 if other writers have used up the room;
//! 3. publish the plugin's tables; no reader can reach them yet;
//! 4. publish the plugin in [`PLUGINS`](crate::modreg::plugin::list::PLUGINS) with `list_add_rcu()`;
//! 5. publish it in the indexes, by number first: a plugin that a lookup returns must also be found by
//!    iteration and by symbol number;
//! 6. drop the lock.
//!
//! Removing a plugin reverses this:
//!
//! 1. under the lock: make the plugin GOING, so that no reference can be taken;
//! 2. without the lock: call the exit callback;
//! 3. under the lock: prepare the numbers of symbols without the plugin;
//! 4. under `stop_machine()` too: take the tables away, which hides the plugin from every lookup, unlink
//!    it from the list, and flip to the prepared numbers. No reader uses it after that;
//! 5. under the lock: remove the leftovers from the indexes.

mod owners;
mod register;
mod replace;
mod unregister;

pub(crate) use self::{
    owners::{
        FailedLoads,
        Owners, //
    },
    register::{
        register,
        Content,
        Request,
        OWNER_GOING, //
    },
    replace::replace_symbols,
    unregister::unregister,
};

use crate::{
    modreg::{
        index,
        lock::LOCK,
        name::HASH_KEY,
        plugin::{
            list::{
                LAST_UNLOADED,
                ORPHANS, //
            },
            PluginRef, //
        },
    },
    primitives::{
        preempt::PreemptGuard,
        rcu::Held, //
    },
};

/// The registry, which exists from modreg's init to its exit.
///
/// When it is dropped there are no plugins, since each pins modreg, and no holders of handles, since
/// the modules that call modreg pin it.
pub(crate) struct Registry(());

impl Registry {
    /// Creates the registry, which is empty.
    pub(crate) fn new() -> Self {
        HASH_KEY.randomize();
        Self(())
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let mut lock = LOCK.lock();
        while let Some(plugin) = first_orphan() {
            if let Some(entry) = plugin.links().as_mut(&mut lock).entry.take() {
                drop(entry.remove(&mut Held::new(&mut lock)));
            }
        }
        let mut held = Held::new(&mut lock);
        let spares = index::clear(&mut held);
        drop(LAST_UNLOADED.replace(None, &mut held));
        drop(lock);
        drop(spares);
    }
}

/// Returns a plugin whose handle was not released.
fn first_orphan() -> Option<PluginRef> {
    ORPHANS.iter(&PreemptGuard::new()).next().cloned()
}
