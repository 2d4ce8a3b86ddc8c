// SPDX-License-Identifier: GPL-2.0

//! All that readers find in one plugin.

pub(crate) mod exports;
pub(crate) mod extable;
pub(crate) mod region;
pub(crate) mod symtab;

use self::{
    exports::Exports,
    extable::Extable,
    region::Region,
    symtab::Symtab, //
};
use kernel::{
    prelude::*,
    sync::Arc, //
};

/// All that readers find in one plugin. Replaced as a whole when the plugin becomes LIVE.
pub(crate) struct Tables {
    /// Its regions; those that stay come before those that go when the plugin is LIVE.
    pub(crate) regions: KVec<Region>,
    /// Its symbols.
    pub(crate) symtab: Symtab,
    /// Its exported symbols.
    pub(crate) exports: Arc<Exports>,
    /// Its exception entries.
    pub(crate) extable: Extable,
    /// Whether these are for the time until the plugin is LIVE only.
    pub(crate) init: bool,
}

impl Tables {
    /// Bytes of all regions together, as `module_total_size()`.
    pub(crate) fn total_size(&self) -> usize {
        self.regions
            .iter()
            .fold(0, |sum, r| sum.saturating_add(r.size))
    }

    /// Where the first text region begins, or the first region if there is no text.
    pub(crate) fn base(&self) -> usize {
        let text = self.regions.iter().find(|r| r.text);
        text.or(self.regions.first()).map_or(0, |r| r.base)
    }
}
