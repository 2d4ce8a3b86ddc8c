// SPDX-License-Identifier: GPL-2.0

//! An array that grows without moving what it holds.

use crate::{
    modreg::lock::LOCK,
    primitives::rcu::{
        Held,
        RcuBox,
        RcuCell,
        RcuRead, //
    },
};
use kernel::{
    alloc::AllocError,
    prelude::*, //
};

/// How many elements the first segment has; each further one has twice as many as the last.
const FIRST: u32 = 64;

/// As many as it takes to number the elements by a `u32`.
const SEGMENTS: usize = 26;

/// An array in segments that readers look into while a writer adds another.
pub(crate) struct Segments<T: Send + Sync + 'static>([RcuCell<KVVec<T>, LOCK>; SEGMENTS]);

/// A segment that is not part of the array yet.
pub(crate) struct Segment<T>(KBox<RcuBox<KVVec<T>>>);

impl<T> Segment<T> {
    /// The one that comes where there is room for `capacity` elements. May sleep.
    pub(crate) fn behind(capacity: u32, element: impl Fn() -> T) -> Result<Self, AllocError> {
        let len = capacity.wrapping_add(FIRST);
        let mut elements = KVVec::with_capacity(len as usize, GFP_KERNEL)?;
        for _ in 0..len {
            elements.push(element(), GFP_KERNEL)?;
        }
        Ok(Self(RcuBox::new(elements)?))
    }
}

impl<T: Send + Sync> Segments<T> {
    /// An array without elements.
    pub(crate) const fn new() -> Self {
        Self([const { RcuCell::empty() }; SEGMENTS])
    }

    /// Element `i`. From any context.
    #[inline]
    pub(crate) fn get<'a>(&'a self, i: u32, by: impl RcuRead<'a, LOCK>) -> Option<&'a T> {
        let at = i.wrapping_add(FIRST);
        let log = at.leading_zeros() ^ (u32::BITS - 1);
        let segment = log.wrapping_sub(FIRST.ilog2());
        by.read(self.0.get(segment as usize)?)?
            .get(at.wrapping_sub(1 << (log & (u32::BITS - 1))) as usize)
    }

    /// How many elements there are.
    pub(crate) fn capacity<'a>(&'a self, by: impl RcuRead<'a, LOCK>) -> u32 {
        let segments = self.0.iter().take_while(|s| by.read(s).is_some());
        segments.fold(0u32, |sum, _| sum.wrapping_mul(2).wrapping_add(FIRST))
    }

    /// Adds a segment, unless the array has become larger meanwhile.
    pub(crate) fn extend(&self, segment: Segment<T>, held: &mut Held<'_, LOCK>) {
        let behind = (segment.0.len() as u32).wrapping_sub(FIRST);
        let empty = self.0.iter().find(|s| s.load_held(held).is_none());
        if let Some(cell) = empty.filter(|_| behind == self.capacity(&*held)) {
            // The cell was empty.
            let _none = cell.replace(Some(segment.0), held);
        }
    }

    /// Takes everything out.
    pub(crate) fn clear(&self, held: &mut Held<'_, LOCK>) {
        for segment in &self.0 {
            drop(segment.replace(None, held));
        }
    }
}
