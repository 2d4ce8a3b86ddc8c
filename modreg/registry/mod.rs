// SPDX-License-Identifier: GPL-2.0

//! The writers, which add and remove plugins.
//!
//! [`LOCK`] serializes them. It is taken last: no callback of a plugin and no allocation runs under
//! it, but `stop_machine()` does. Readers take no lock.
//!
//! Adding a plugin does not stop the machine. The order of publication is modelled in
//! `tests/litmus/registry-publish.litmus`:
//!
//! 1. without the lock: check the input, copy and sort the tables, and prepare the change of each
//!    index, reading the registry as readers do;
//! 2. take the lock, and repeat the preparation if `CHANGES` shows that another writer was faster;
//! 3. enter the pages of names and publish the plugin's tables; no reader can reach them yet;
//! 4. publish the plugin in [`PLUGINS`](crate::modreg::plugin::list::PLUGINS) with `list_add_rcu()`,
//!    and in [`ORDER`];
//! 5. publish it in the address and name indexes: a plugin that a lookup returns must also be found
//!    by iteration and by symbol number;
//! 6. count the change, and drop the lock.
//!
//! Removing a plugin reverses this:
//!
//! 1. under the lock: make the plugin GOING, so that no reference can be taken;
//! 2. without the lock: call the exit callback;
//! 3. under the lock and `stop_machine()`: take the tables away, which hides the plugin from every
//!    lookup, and unlink it from the list and the order. No reader uses it after that;
//! 4. under the lock: remove the leftovers from the address and name indexes.

mod changes;
mod owners;
mod register;
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
    unregister::unregister,
};

use crate::{
    modreg::{
        index::{
            by_address::INDEX,
            by_name::NAMES,
            by_number::ORDER, //
        },
        lock::LOCK,
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
        NAMES.init();
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
        drop(INDEX.replace(None, &mut held));
        NAMES.clear(&mut held);
        ORDER.clear(&mut held);
        drop(LAST_UNLOADED.replace(None, &mut held));
        drop(lock);
    }
}

/// Returns a plugin whose handle was not released.
fn first_orphan() -> Option<PluginRef> {
    ORPHANS.iter(&PreemptGuard::new()).next().cloned()
}
