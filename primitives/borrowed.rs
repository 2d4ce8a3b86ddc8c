// SPDX-License-Identifier: GPL-2.0

//! Arrays that belong to C code.

use core::{
    mem::offset_of,
    ops::Deref,
    ptr::NonNull,
    slice, //
};
use kernel::prelude::*;

/// An array that belongs to C code, which keeps it alive and unchanged.
///
/// # Invariants
///
/// - `ptr` is valid for reads of `len` elements while this exists.
/// - The elements do not change while this exists.
///
/// # Examples
///
/// ```
/// static LETTERS: [u8; 3] = *b"tdb";
///
/// // SAFETY: `LETTERS` is a static that does not change.
/// let letters = unsafe { Borrowed::new(LETTERS.as_ptr(), LETTERS.len()) };
/// assert_eq!(letters.first(), Some(&b't'));
///
/// // C has null for an empty array.
/// // SAFETY: `ptr` is null.
/// let none = unsafe { Borrowed::<u8>::new(core::ptr::null(), 0) };
/// assert!(none.is_empty());
/// ```
#[repr(C)]
pub(crate) struct Borrowed<T> {
    ptr: NonNull<T>,
    len: usize,
}

// SAFETY: A `Borrowed` gives access to shared references to `T` only, and `T` is `Sync`.
unsafe impl<T: Sync> Send for Borrowed<T> {}

// SAFETY: A `Borrowed` gives access to shared references to `T` only, and `T` is `Sync`.
unsafe impl<T: Sync> Sync for Borrowed<T> {}

impl<T> Borrowed<T> {
    /// The offset of the pointer to the first element.
    pub(crate) const PTR: usize = offset_of!(Self, ptr);
    /// The offset of the number of elements.
    pub(crate) const LEN: usize = offset_of!(Self, len);

    /// Creates an empty array.
    pub(crate) const fn empty() -> Self {
        // INVARIANT: A dangling pointer is valid for reads of zero elements.
        Self {
            ptr: NonNull::dangling(),
            len: 0,
        }
    }

    /// Borrows an array of `len` elements, or an empty one if `ptr` is null.
    ///
    /// # Safety
    ///
    /// `ptr` must be null, or valid for reads of `len` elements that do not change while the result
    /// exists.
    pub(crate) unsafe fn new(ptr: *const T, len: usize) -> Self {
        // INVARIANT: By the safety requirements, a `ptr` that is not null is valid for reads of
        // `len` elements, which do not change.
        NonNull::new(ptr.cast_mut()).map_or(Self::empty(), |ptr| Self { ptr, len })
    }
}

impl<T> Deref for Borrowed<T> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        // SAFETY: By the type invariants, `ptr` is valid for reads of `len` elements, which do not
        // change while `self` is borrowed.
        unsafe { slice::from_raw_parts(self.ptr.as_ptr(), self.len) }
    }
}
