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
//! Removing plugins reverses this:
//!
//! 1. under the lock: make the plugins GOING, so that no reference can be taken;
//! 2. without the lock: call the exit callbacks;
//! 3. under the lock: mark the tables of the plugins, and prepare the numbers of symbols without them;
//! 4. under `stop_machine()` too: empty what is marked, which hides the plugins from every lookup, and
//!    flip to the prepared numbers. With the plugin that went last, these are three stores, however many plugins there are. No reader uses
//!    the tables after that;
//! 5. under the lock: take the tables out, remove the leftovers from the indexes, and unlink the plugins
//!    from the list, where readers may still come by: RCU frees them.
//!
//! If the machine cannot be stopped, 4 waits for a grace period instead. Then readers that were there
//! meanwhile may have found a plugin by its name, for instance, and not by its address.

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
        Regions,
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
                PLUGINS, //
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
/// the modules that call modreg pin it. There may be plugins that were removed with their owner, and
/// whose handle was not released.
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
        let first = || {
            PLUGINS
                .iter(&PreemptGuard::new())
                .next()
                .map(PluginRef::from)
        };
        while let Some(plugin) = first() {
            drop(unregister::release(&plugin, &mut LOCK.lock()));
        }
        let mut lock = LOCK.lock();
        let mut held = Held::new(&mut lock);
        let spares = index::clear(&mut held);
        drop(LAST_UNLOADED.replace(None, &mut held));
        drop(lock);
        drop(spares);
    }
}
