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
use crate::primitives::{
    borrowed::MaybeOwned,
    cstr::ThinCStr,
    module::LentModule, //
};
use kernel::sync::Arc;

/// All that readers find in one plugin. Replaced as a whole when the plugin becomes LIVE.
pub(crate) struct Tables {
    /// The module that owns the plugin.
    pub(crate) owner: LentModule,
    /// Its regions; those that stay come before those that go when the plugin is LIVE.
    pub(crate) regions: MaybeOwned<Region>,
    /// Its symbols.
    pub(crate) symtab: Symtab,
    /// Its exported symbols.
    pub(crate) exports: Arc<Exports>,
    /// Its exception entries.
    pub(crate) extable: Extable,
    /// Whether these are for the time until the plugin is LIVE only.
    pub(crate) init: bool,
}

/// One symbol of a listing.
pub(crate) struct Listed<'a> {
    /// Its address.
    pub(crate) value: usize,
    /// Its type letter.
    pub(crate) letter: u8,
    /// Its name; empty for some that only debuggers care for.
    pub(crate) name: ThinCStr<'a>,
    /// Whether its plugin exports it.
    pub(crate) exported: bool,
}

impl Listed<'_> {
    /// The letter as `/proc/kallsyms` shows it: upper case if the symbol is exported.
    pub(crate) fn shown_letter(&self) -> u8 {
        if self.exported {
            self.letter.to_ascii_uppercase()
        } else {
            self.letter.to_ascii_lowercase()
        }
    }
}

impl Tables {
    /// The `n`-th symbol that readers see. Constant but for asking whether it is exported.
    pub(crate) fn listed(&self, n: u32) -> Option<Listed<'_>> {
        let i = self.symtab.nth(n)?;
        let symbols = self.symtab.symbols();
        let (name, value) = (symbols.name(i), symbols.value(i));
        Some(Listed {
            value,
            letter: symbols.letter(i),
            name,
            exported: self.exports.find(name).is_some_and(|(v, _)| v == value),
        })
    }

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
