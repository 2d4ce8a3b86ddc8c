// SPDX-License-Identifier: GPL-2.0

//! An array that grows without moving what it holds.

use crate::{
    modreg::lock::LOCK,
    primitives::{
        atomic::load_relaxed,
        pages_exact::ExactVec,
        preempt::PreemptGuard,
        rcu::{
            Held,
            RcuBox,
            RcuCell,
            RcuOwned, //
        },
    },
};
use kernel::{
    alloc::AllocError,
    prelude::*,
    sync::atomic::{
        Atomic,
        Relaxed, //
    },
};

/// Elements of each of the first [`EQUAL`] segments; the next as many have twice as many each, and so on.
///
/// Powers of two, so that a few instructions find an element.
const FIRST: u32 = 8;
const EQUAL: u32 = 8;

/// As many as it takes to number the elements by a `u32`.
const SEGMENTS: usize = ((u32::BITS - (FIRST * EQUAL).ilog2()) * EQUAL) as usize;

/// An array in segments that readers look into while a writer adds another.
///
/// Less than a ninth of it is room that is not used yet.
///
/// # Invariants
///
/// `capacity` is the number of elements in the segments that there are, which come first.
pub(crate) struct Segments<T: Send + Sync + 'static> {
    segments: [RcuCell<ExactVec<T>, LOCK>; SEGMENTS],
    capacity: Atomic<u32>,
}

/// A segment that is not part of the array yet.
pub(crate) struct Segment<T>(RcuOwned<ExactVec<T>>);

/// Where an element is.
struct Position {
    /// The number of its segment.
    segment: usize,
    /// The elements of that segment.
    len: u32,
    /// Its number in that segment.
    element: u32,
}

impl Position {
    #[inline]
    fn of(i: u32) -> Self {
        // Its highest bit tells how often the length has doubled, the bits behind that the segment
        // among those of one length, and the others the element.
        let at = i.wrapping_add(FIRST * EQUAL);
        let doubled = (at.leading_zeros() ^ (u32::BITS - 1)).wrapping_sub((FIRST * EQUAL).ilog2());
        let len = FIRST.wrapping_shl(doubled);
        let among = at.wrapping_shr(doubled.wrapping_add(FIRST.ilog2()));
        let segment = doubled.wrapping_sub(1).wrapping_mul(EQUAL);
        Self {
            segment: segment.wrapping_add(among) as usize,
            len,
            element: at & len.wrapping_sub(1),
        }
    }
}

impl<T> Segment<T> {
    /// Allocates the segment that comes where there is room for `capacity` elements.
    ///
    /// Context: May sleep.
    pub(crate) fn behind(capacity: u32, element: impl Fn() -> T) -> Result<Self, AllocError> {
        let len = Position::of(capacity).len;
        let mut elements = ExactVec::with_capacity(len as usize, GFP_KERNEL)?;
        for _ in 0..len {
            elements.push(element(), GFP_KERNEL)?;
        }
        Ok(Self(RcuBox::new(elements)?))
    }
}

impl<T: Send + Sync> Segments<T> {
    /// Creates an array without elements.
    pub(crate) const fn new() -> Self {
        // INVARIANT: There is no segment.
        Self {
            segments: [const { RcuCell::empty() }; SEGMENTS],
            capacity: Atomic::new(0),
        }
    }

    /// Returns element `i`, or [`None`] if there is none.
    ///
    /// Context: Any, NMI included.
    #[inline]
    pub(crate) fn get<'g>(&'g self, i: u32, guard: &'g PreemptGuard) -> Option<&'g T> {
        let at = Position::of(i);
        let segment = self.segments.get(at.segment)?;
        segment.load(guard)?.get(at.element as usize)
    }

    /// Returns how many elements there are.
    ///
    /// Context: Any, NMI included.
    pub(crate) fn capacity(&self) -> u32 {
        load_relaxed(&self.capacity)
    }

    /// Adds a segment, unless the array has become larger meanwhile.
    pub(crate) fn extend(&self, segment: Segment<T>, held: &mut Held<'_, LOCK>) {
        let capacity = self.capacity();
        let at = Position::of(capacity);
        if segment.0.len() != at.len as usize {
            return;
        }
        if let Some(cell) = self.segments.get(at.segment) {
            // The cell was empty.
            let _none = cell.replace(Some(segment.0), held);
            // INVARIANT: The segment is the next one.
            self.capacity.store(capacity + at.len, Relaxed);
        }
    }

    /// Takes everything out.
    pub(crate) fn clear(&self, held: &mut Held<'_, LOCK>) {
        self.capacity.store(0, Relaxed);
        for segment in &self.segments {
            drop(segment.replace(None, held));
        }
    }
}
