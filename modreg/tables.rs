// SPDX-License-Identifier: GPL-2.0

//! All that readers find in one plugin.

use super::{
    exports::Exports,
    extable::Extable,
    symtab::Symtab, //
};
use core::ops::Range;
use kernel::{
    prelude::*,
    sync::Arc, //
};

/// A range of addresses that a plugin owns.
///
/// # Invariants
///
/// `size` is not 0, and `base + size` does not wrap.
#[derive(Clone)]
pub(crate) struct Region {
    /// The first address.
    pub(crate) base: usize,
    /// Bytes.
    pub(crate) size: usize,
    /// Whether it holds code.
    pub(crate) text: bool,
    /// Which part of the symbol table's order lies in it.
    pub(crate) symbols: Range<u32>,
}

impl Region {
    /// Makes a region of `size` bytes from `base`; nothing where it is empty or wraps.
    pub(crate) fn new(base: usize, size: usize, text: bool) -> Option<Self> {
        base.checked_add(size)?;
        // INVARIANT: Checked here.
        (size != 0).then_some(Self {
            base,
            size,
            text,
            symbols: 0..0,
        })
    }

    /// Whether `addr` lies in it.
    #[inline]
    pub(crate) fn contains(&self, addr: usize) -> bool {
        addr.wrapping_sub(self.base) < self.size
    }

    /// Whether it shares an address with `other`.
    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        self.contains(other.base) || other.contains(self.base)
    }
}

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
