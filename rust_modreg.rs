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

module! {
    type: Modreg,
    name: "modreg",
    authors: ["The modreg developers"],
    description: "Registry of plugin objects that own named regions",
    license: "GPL",
}

/// The module's files and notifiers.
struct Modreg {
    _files: primitives::debugfs::Dir,
    _notifiers: [primitives::notifier::Registration; 3],
}

impl kernel::Module for Modreg {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        capi::init();
        Ok(Self {
            _notifiers: [
                primitives::notifier::register_module_notifier::<registry::Owners>()?,
                primitives::notifier::register_die_notifier::<oops::Report>()?,
                primitives::notifier::register_panic_notifier::<oops::Report>()?,
            ],
            _files: debugfs::create(),
        })
    }
}

impl Drop for Modreg {
    fn drop(&mut self) {
        // RCU callbacks that wait for a grace period are in this module's text.
        registry::clear();
        primitives::rcu::rcu_barrier();
    }
}
