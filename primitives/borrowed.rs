// SPDX-License-Identifier: GPL-2.0

//! Memory that its owner lends.

use core::{
    ops::Deref,
    ptr::NonNull,
    slice, //
};
use kernel::prelude::*;

/// An array that somebody else owns and promised to keep.
///
/// # Invariants
///
/// `ptr` is valid for reads of `len` elements, which do not change, for as long as this exists.
pub(crate) struct Borrowed<T> {
    ptr: NonNull<T>,
    len: usize,
}

// SAFETY: This only gives shared references to `T`.
unsafe impl<T: Sync> Send for Borrowed<T> {}

// SAFETY: This only gives shared references to `T`.
unsafe impl<T: Sync> Sync for Borrowed<T> {}

impl<T> Borrowed<T> {
    /// Nothing.
    pub(crate) const fn empty() -> Self {
        // INVARIANT: A dangling pointer is valid for reads of nothing.
        Self {
            ptr: NonNull::dangling(),
            len: 0,
        }
    }

    /// Borrows an array of C; nothing where `ptr` is null.
    ///
    /// # Safety
    ///
    /// Unless null, `ptr` must be valid for reads of `len` elements that do not change for as long
    /// as the result exists.
    pub(crate) unsafe fn new(ptr: *const T, len: usize) -> Self {
        // INVARIANT: By the requirement of this function.
        NonNull::new(ptr.cast_mut()).map_or(Self::empty(), |ptr| Self { ptr, len })
    }
}

impl<T> Deref for Borrowed<T> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        // SAFETY: By the type invariant.
        unsafe { slice::from_raw_parts(self.ptr.as_ptr(), self.len) }
    }
}

/// An array of one's own or of somebody else's.
pub(crate) enum MaybeOwned<T> {
    /// One's own.
    Own(KVVec<T>),
    /// Lent by its owner.
    Lent(Borrowed<T>),
}

impl<T> Deref for MaybeOwned<T> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        match self {
            Self::Own(v) => v,
            Self::Lent(b) => b,
        }
    }
}
