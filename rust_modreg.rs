// SPDX-License-Identifier: GPL-2.0

//! modreg: a registry of plugin objects that own named regions of the kernel's address space.
//!
//! Plugins are added to an RCU list without stopping the machine, removed under `stop_machine()`,
//! and looked up without a lock from any context: from an address to a symbol, from a name to an
//! address, from a faulting instruction to its fixup. It is what `kernel/module/` does for modules,
//! for everybody else who owns code and data.

/// The C contract, and what else bindgen makes for us.
#[path = "modreg/bindings.rs"]
mod bindings;

/// The kernel's own primitives made safe.
#[path = "modreg/primitives/mod.rs"]
mod primitives;

// What is registered.
#[path = "modreg/exports.rs"]
mod exports;
#[path = "modreg/extable.rs"]
mod extable;
#[path = "modreg/name.rs"]
mod name;
#[path = "modreg/plugin.rs"]
mod plugin;
#[path = "modreg/symtab.rs"]
mod symtab;
#[path = "modreg/tables.rs"]
mod tables;

// The writers and the readers.
#[path = "modreg/index.rs"]
mod index;
#[path = "modreg/lock.rs"]
mod lock;
#[path = "modreg/lookup.rs"]
mod lookup;
#[path = "modreg/names.rs"]
mod names;
#[path = "modreg/order.rs"]
mod order;
#[path = "modreg/refusal.rs"]
mod refusal;
#[path = "modreg/registry.rs"]
mod registry;
#[path = "modreg/segments.rs"]
mod segments;

// The faces: C callers, files, the log, tracepoints.
#[path = "modreg/capi/mod.rs"]
mod capi;
#[path = "modreg/files.rs"]
mod files;
#[path = "modreg/report.rs"]
mod report;
#[path = "modreg/trace.rs"]
mod trace;

#[cfg(MODREG_KUNIT)]
#[path = "tests/kunit/mod.rs"]
mod kunit;

use kernel::prelude::*;

module! {
    type: Modreg,
    name: "modreg",
    authors: ["The modreg developers"],
    description: "Registry of plugin objects that own named regions",
    license: "GPL",
}

/// What lives as long as the module.
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
                primitives::notifier::register_die_notifier::<report::Report>()?,
                primitives::notifier::register_panic_notifier::<report::Report>()?,
            ],
            _files: files::create(),
        })
    }
}

impl Drop for Modreg {
    fn drop(&mut self) {
        // What was replaced may still be waiting for its grace period, and its callback is in our
        // text.
        registry::clear();
        primitives::rcu::rcu_barrier();
    }
}
