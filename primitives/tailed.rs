// SPDX-License-Identifier: GPL-2.0

//! Values with an array and strings behind them.
//!
//! C header: [`include/linux/overflow.h`](srctree/include/linux/overflow.h)
//!
//! These are for many small values, which then take one allocation each. If the value is large, or its
//! array is shared, use [`FixedVec`](super::vec::FixedVec).

use super::cstr::StrTab;
use core::{
    alloc::Layout,
    marker::PhantomPinned,
    mem::offset_of,
    ops::Deref,
    pin::Pin,
    ptr::{
        self,
        NonNull, //
    },
    slice, //
};
use kernel::{
    alloc::{
        allocator::Kmalloc,
        AllocError,
        Allocator,
        NumaNode, //
    },
    prelude::*, //
};

/// A value with an array and a table of strings behind it, its tail, as a C structure whose last member is
/// a flexible array.
///
/// The tail is part of the allocation, and not of the type. So the value is pinned, and made by what
/// allocates it, as [`RcuBox::with_tail`](super::rcu::RcuBox::with_tail). A `&Tailed` leads to the tail, as
/// bindgen's `__IncompleteArrayField` leads to a flexible array.
///
/// # Invariants
///
/// - Each instance is the last member of an allocation, in which `num` initialized elements follow from
///   `elements` on, and `size` bytes behind these. They do not change.
/// - Those bytes are empty, or the last one is NUL.
/// - It does not move.
///
/// # Examples
///
/// ```
/// use crate::primitives::{cstr::StrTab, rcu::RcuBox};
///
/// let names = StrTab::new(&b"one\0two\0"[..]).ok_or(EINVAL)?;
/// let mut numbers = RcuBox::with_tail(3, &[1_u64, 2], names)?;
/// assert_eq!(***numbers, 3);
/// assert_eq!(numbers.elements(), [1, 2]);
/// assert!(numbers.strings().get(4).to_cstr() == c"two");
///
/// *numbers.as_mut().value_mut().value_mut() = 4;
/// assert_eq!(***numbers, 4);
/// # Ok::<(), Error>(())
/// ```
#[repr(C)]
pub(crate) struct Tailed<T, E> {
    value: T,
    num: u32,
    size: u32,
    elements: [E; 0],
    _pinned: PhantomPinned,
}

impl<T, E> Tailed<T, E> {
    /// Where the value is.
    pub(crate) const VALUE: usize = offset_of!(Self, value);
    /// Where the number of elements is, a `u32`.
    pub(crate) const NUM: usize = offset_of!(Self, num);
    /// Where the number of bytes of the strings is, a `u32`.
    pub(crate) const SIZE: usize = offset_of!(Self, size);
    /// Where the elements are, with the strings behind the last one.
    pub(crate) const ELEMENTS: usize = offset_of!(Self, elements);

    /// Returns the elements.
    #[inline]
    pub(crate) fn elements(&self) -> &[E] {
        // SAFETY: By the type invariants, `num` elements follow from `elements` on, and do not change.
        unsafe { slice::from_raw_parts(self.elements.as_ptr(), self.num as usize) }
    }

    /// Returns the strings.
    #[inline]
    pub(crate) fn strings(&self) -> StrTab<&[u8]> {
        let bytes = self.elements.as_ptr().wrapping_add(self.num as usize);
        // SAFETY: By the type invariants, `size` bytes follow behind the elements, and do not change; they
        // are empty, or the last one is NUL.
        unsafe { StrTab::new_unchecked(slice::from_raw_parts(bytes.cast(), self.size as usize)) }
    }

    /// Returns the value, which is not pinned.
    pub(crate) fn value_mut(self: Pin<&mut Self>) -> &mut T {
        // SAFETY: Only the value is given away, not what tells how long the tail is.
        &mut unsafe { self.get_unchecked_mut() }.value
    }
}

impl<T, E> Deref for Tailed<T, E> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.value
    }
}

/// The tail of a [`Tailed`] that is to be allocated.
///
/// # Invariants
///
/// The number of `elements` and that of the bytes of `strings` fit into a `u32`.
pub(super) struct Tail<'a, E> {
    elements: &'a [E],
    strings: StrTab<&'a [u8]>,
}

impl<'a, E: Copy> Tail<'a, E> {
    /// Takes what the tail is a copy of.
    ///
    /// # Errors
    ///
    /// [`AllocError`] if it is too large.
    pub(super) fn new(elements: &'a [E], strings: StrTab<&'a [u8]>) -> Result<Self, AllocError> {
        let lengths = [elements.len(), strings.as_bytes().len()];
        if lengths.iter().any(|&len| u32::try_from(len).is_err()) {
            return Err(AllocError);
        }
        // INVARIANT: Checked here.
        Ok(Self { elements, strings })
    }

    /// Allocates memory for an `O` with the tail behind it.
    ///
    /// Context: May sleep.
    pub(super) fn alloc<O>(&self) -> Result<NonNull<O>, AllocError> {
        let size = size_of::<O>()
            .checked_add(size_of_val(self.elements))
            .and_then(|size| size.checked_add(self.strings.as_bytes().len()))
            .ok_or(AllocError)?;
        let layout = Layout::from_size_align(size, align_of::<O>()).map_err(|_| AllocError)?;
        Ok(Kmalloc::alloc(layout, GFP_KERNEL, NumaNode::NO_NODE)?.cast())
    }

    /// Writes a value with the tail behind it.
    ///
    /// # Safety
    ///
    /// `to` must be the last member of memory that `self.alloc()` has returned, which the caller owns. What is
    /// written must not be moved.
    pub(super) unsafe fn write<T>(self, value: T, to: *mut Tailed<T, E>) {
        let bytes = self.strings.as_bytes();
        let (num, size) = (self.elements.len(), bytes.len());
        // INVARIANT: `num` elements and `size` bytes of a table of strings are written behind `to`, which
        // stays where it is by the safety requirements.
        // SAFETY: By the safety requirements, `to` is owned, and there is room for the elements from
        // `elements` on, and for the bytes behind them.
        unsafe {
            (&raw mut (*to).value).write(value);
            (&raw mut (*to).num).write(num as u32);
            (&raw mut (*to).size).write(size as u32);
            let elements = (&raw mut (*to).elements).cast::<E>();
            ptr::copy_nonoverlapping(self.elements.as_ptr(), elements, num);
            let strings = elements.wrapping_add(num).cast();
            ptr::copy_nonoverlapping(bytes.as_ptr(), strings, size);
        }
    }
}
