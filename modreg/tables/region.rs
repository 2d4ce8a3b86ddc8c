// SPDX-License-Identifier: GPL-2.0

//! A range of addresses that a plugin owns.

use core::ops::Range;

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
    /// Whether it lies outside of its owner's memory: there the kernel has no answer of its own.
    pub(crate) foreign: bool,
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
            foreign: false,
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
