// SPDX-License-Identifier: GPL-2.0

//! A range of addresses that a plugin owns.

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
    /// Whether it is gone once the plugin is LIVE.
    pub(crate) init: bool,
    /// Whether it lies outside of its owner's memory: there the kernel has no answer of its own.
    pub(crate) foreign: bool,
}

impl Region {
    /// Creates a region of `size` bytes from `base`, or returns [`None`] if it is empty or wraps.
    pub(crate) fn new(base: usize, size: usize, text: bool, init: bool) -> Option<Self> {
        base.checked_add(size)?;
        // INVARIANT: Checked here.
        (size != 0).then_some(Self {
            base,
            size,
            text,
            init,
            foreign: false,
        })
    }

    /// Returns whether `addr` lies in it.
    #[inline]
    pub(crate) fn contains(&self, addr: usize) -> bool {
        addr.wrapping_sub(self.base) < self.size
    }

    /// Returns whether it shares an address with `other`.
    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        self.contains(other.base) || other.contains(self.base)
    }
}
