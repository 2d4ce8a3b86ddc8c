// SPDX-License-Identifier: GPL-2.0

//! The list of plugins, and the plugin that was unlinked last.

use super::{
    Flags,
    Plugin,
    State, //
};
use crate::{
    modreg::{
        lock::LOCK,
        name::Name,
        tables::Tables, //
    },
    primitives::{
        counted_list::{
            counted_list_head,
            Listed, //
        },
        rcu::{
            Held,
            RcuCell, //
        },
    },
};
use kernel::{
    fmt,
    prelude::*,
    sync::atomic::{
        Atomic,
        Relaxed, //
    },
};

impl Listed for Plugin {
    type Lock = LOCK;
}

counted_list_head! {
    /// The plugins, newest first.
    ///
    /// A plugin that was removed with its owner stays, without tables, until its handle is released.
    /// Readers pass it by.
    pub(crate) static PLUGINS: CountedList<Plugin>;
}

/// The number of plugins that are registered.
static COUNT: Atomic<usize> = Atomic::new(0);

/// Returns the number of registered plugins.
///
/// Context: Any, NMI included.
pub(crate) fn count() -> usize {
    COUNT.load(Relaxed)
}

/// Changes the number of registered plugins by `by`.
pub(crate) fn add_count(by: isize, _held: &Held<'_, LOCK>) {
    COUNT.store(count().wrapping_add_signed(by), Relaxed);
}

/// The plugin that was removed last.
pub(crate) static LAST_UNLOADED: RcuCell<Gone, LOCK> = RcuCell::empty();

/// The name of an unlinked plugin with its owner's taints, for `[last unloaded: …]`.
pub(crate) struct Gone {
    name: Name,
    taints: usize,
}

impl Gone {
    /// Copies what is printed about `plugin` after it is freed.
    pub(crate) fn new(plugin: &Plugin, tables: &Tables) -> Self {
        Self {
            name: *plugin.name(),
            taints: tables.owner.taints(),
        }
    }
}

impl fmt::Display for Gone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let flags = Flags {
            taints: self.taints,
            state: State::Live,
        };
        f.write_fmt(fmt!("{}{}", self.name, flags))
    }
}
