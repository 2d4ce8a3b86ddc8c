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
        name::Name, //
    },
    primitives::{
        module::Module,
        rcu::RcuCell,
        rculist::rculist_head, //
    },
};
use kernel::{
    fmt,
    prelude::*,
    sync::Arc, //
};

rculist_head! {
    /// The plugins, newest first.
    pub(crate) static PLUGINS: RcuList<Arc<Plugin>, LOCK>;
}

/// The plugin that was unlinked last.
pub(crate) static LAST_UNLOADED: RcuCell<Gone, LOCK> = RcuCell::empty();

/// The name of an unlinked plugin with its owner's taints, for `[last unloaded: …]`.
pub(crate) struct Gone {
    name: Name,
    taints: usize,
}

impl Gone {
    /// Copies what is printed about `plugin` after it is freed.
    pub(crate) fn new(plugin: &Plugin) -> Self {
        Self {
            name: *plugin.name(),
            taints: plugin.owner().map_or(0, Module::taints),
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
