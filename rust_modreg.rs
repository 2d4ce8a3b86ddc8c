// SPDX-License-Identifier: GPL-2.0

//! modreg: a registry of plugin objects that own named regions of the kernel's address space.
//!
//! Plugins are added to an RCU list without stopping the machine, removed under `stop_machine()`,
//! and looked up without a lock from any context: an address gives a symbol, a name an address, a
//! faulting instruction its fixup. `kernel/module/` does this for modules; modreg does it for every
//! other owner of code and data.

/// Kernel primitives made safe.
mod primitives;

/// The registry. A module below needs only those above it.
mod modreg {
    pub(crate) mod bindings;
    pub(crate) mod error;
    pub(crate) mod lock;
    pub(crate) mod name;

    pub(crate) mod tables;

    pub(crate) mod foreign;

    pub(crate) mod plugin;
    pub(crate) mod trace;

    pub(crate) mod index;

    pub(crate) mod registry;

    pub(crate) mod lookup;

    pub(crate) mod debugfs;
    pub(crate) mod oops;

    pub(crate) mod capi;
}

#[cfg(MODREG_KUNIT)]
mod tests {
    mod kunit;
}

use kernel::prelude::*;
use modreg::{
    capi,
    debugfs,
    oops,
    registry, //
};
use primitives::{
    exit::{
        self,
        Undo, //
    },
    notifier::{
        register_die_notifier,
        register_module_notifier,
        register_panic_notifier, //
    },
};

module! {
    type: Modreg,
    name: "modreg",
    authors: ["The modreg developers"],
    description: "Registry of plugin objects that own named regions",
    license: "GPL",
}

type Modreg = exit::Module<State>;

/// What exists from the module's init to its exit.
struct State {
    _registry: registry::Registry,
}

impl exit::Body for State {
    fn init(_module: &'static ThisModule, undo: &mut Undo) -> Result<Self> {
        capi::init();
        let registry = registry::Registry::new();
        register_module_notifier::<registry::FailedLoads>(undo)?;
        register_module_notifier::<registry::Owners>(undo)?;
        register_die_notifier::<oops::Report>(undo)?;
        register_panic_notifier::<oops::Report>(undo)?;
        debugfs::create(undo)?;
        Ok(Self {
            _registry: registry,
        })
    }
}
