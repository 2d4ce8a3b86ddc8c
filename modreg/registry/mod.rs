// SPDX-License-Identifier: GPL-2.0

//! The writers: how plugins come and go.
//!
//! Adding a plugin stops nobody. All that can fail or cost time is done before the lock; under it
//! the plugin is published by `list_add_rcu()` and found through the index from then on. Removing
//! one is done under `stop_machine()`, after which no reader can hold it.

mod changes;
mod owners;
mod register;
mod unregister;

pub(crate) use self::{
    owners::Owners,
    register::{
        register,
        Content,
        Ownership, //
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
        plugin::list::LAST_UNLOADED, //
    },
    primitives::rcu::Held, //
};

/// Frees what is left when the module goes; there are no plugins then, since each owner that calls
/// modreg pins it.
pub(crate) fn clear() {
    let mut lock = LOCK.lock();
    let mut held = Held::new(&mut lock);
    drop(INDEX.replace(None, &mut held));
    NAMES.clear(&mut held);
    ORDER.clear(&mut held);
    drop(LAST_UNLOADED.replace(None, &mut held));
}
