// SPDX-License-Identifier: GPL-2.0

//! A range of addresses that a plugin owns.

use core::mem::offset_of;

/// The bits of a size that tell what the region is: no region is that large.
const TEXT: usize = 1 << (usize::BITS - 1);
const INIT: usize = TEXT >> 1;
const FOREIGN: usize = TEXT >> 2;
const MARKS: usize = TEXT | INIT | FOREIGN;

/// A range of addresses that a plugin owns.
///
/// # Invariants
///
/// `size` without [`MARKS`] is not 0, and `base` with it does not wrap.
#[derive(Clone, Copy)]
pub(crate) struct Region {
    base: usize,
    size: usize,
}

impl Region {
    /// Where the members are that debuggers read.
    pub(crate) const BASE: usize = offset_of!(Self, base);
    pub(crate) const SIZE: usize = offset_of!(Self, size);
    /// The numbers of the bits of [`Region::SIZE`] that tell whether it has text, and is an init region,
    /// and of the lowest one that is not part of the size.
    pub(crate) const TEXT_BIT: u32 = TEXT.ilog2();
    pub(crate) const INIT_BIT: u32 = INIT.ilog2();
    pub(crate) const SIZE_BITS: u32 = MARKS.trailing_zeros();

    /// Creates a region of `size` bytes from `base`, or returns [`None`] if it is empty, wraps or takes
    /// 2^61 bytes.
    pub(crate) fn new(base: usize, size: usize, text: bool, init: bool) -> Option<Self> {
        base.checked_add(size)?;
        let marks = if text { TEXT } else { 0 } | if init { INIT } else { 0 };
        // INVARIANT: Checked here.
        (size != 0 && size & MARKS == 0).then_some(Self {
            base,
            size: size | marks,
        })
    }

    /// Returns the region as one that lies outside of its owner's memory: there the kernel has no answer of
    /// its own.
    pub(crate) fn as_foreign(self) -> Self {
        Self {
            base: self.base,
            size: self.size | FOREIGN,
        }
    }

    /// Returns the first address.
    #[inline]
    pub(crate) fn base(&self) -> usize {
        self.base
    }

    /// Returns the number of bytes.
    #[inline]
    pub(crate) fn size(&self) -> usize {
        self.size & !MARKS
    }

    /// Returns the address behind the last one.
    #[inline]
    pub(crate) fn end(&self) -> usize {
        self.base.wrapping_add(self.size())
    }

    /// Returns whether it holds code.
    #[inline]
    pub(crate) fn is_text(&self) -> bool {
        self.size & TEXT != 0
    }

    /// Returns whether it is gone once the plugin is LIVE.
    #[inline]
    pub(crate) fn is_init(&self) -> bool {
        self.size & INIT != 0
    }

    /// Returns whether it lies outside of its owner's memory.
    #[inline]
    pub(crate) fn is_foreign(&self) -> bool {
        self.size & FOREIGN != 0
    }

    /// Returns whether `addr` lies in it.
    #[inline]
    pub(crate) fn contains(&self, addr: usize) -> bool {
        addr.wrapping_sub(self.base) < self.size()
    }

    /// Returns whether it shares an address with `other`.
    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        self.contains(other.base) || other.contains(self.base)
    }
}
