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
/// // SAFETY: A static is valid for ever, and this one does not change.
/// let letters = unsafe { Borrowed::new(LETTERS.as_ptr(), LETTERS.len()) };
/// assert_eq!(letters.first(), Some(&b't'));
///
/// // C has null for an empty array.
/// // SAFETY: `ptr` is null.
/// let none = unsafe { Borrowed::<u8>::new(core::ptr::null(), 0) };
/// assert!(none.is_empty());
/// ```
pub(crate) struct Borrowed<T> {
    ptr: NonNull<T>,
    len: usize,
}

// SAFETY: A `Borrowed` gives access to shared references to `T` only, and `T` is `Sync`.
unsafe impl<T: Sync> Send for Borrowed<T> {}

// SAFETY: A `Borrowed` gives access to shared references to `T` only, and `T` is `Sync`.
unsafe impl<T: Sync> Sync for Borrowed<T> {}

impl<T> Borrowed<T> {
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

/// An array that is either owned or borrowed from C code.
///
/// Reading it does not ask which. The pointer and the length come first, for debuggers.
///
/// # Invariants
///
/// - `ptr` is valid for reads of `len` elements, which do not change while this exists.
/// - If `capacity` is not 0, `ptr`, `len` and `capacity` came from a `KVVec`, which this owns.
///
/// # Examples
///
/// ```
/// let mut own = KVVec::new();
/// own.push(7, GFP_KERNEL)?;
/// assert_eq!(MaybeOwned::own(own).first(), Some(&7));
///
/// let lent = MaybeOwned::lent(Borrowed::<u32>::empty());
/// assert!(lent.is_empty());
/// # Ok::<(), Error>(())
/// ```
#[repr(C)]
pub(crate) struct MaybeOwned<T> {
    ptr: NonNull<T>,
    len: usize,
    capacity: usize,
}

// SAFETY: By the type invariants this owns the elements, and `T` is `Send`, or it borrows them, and
// `T` is `Sync`.
unsafe impl<T: Send + Sync> Send for MaybeOwned<T> {}

// SAFETY: A `MaybeOwned` gives access to shared references to `T` only, and `T` is `Sync`.
unsafe impl<T: Sync> Sync for MaybeOwned<T> {}

impl<T> MaybeOwned<T> {
    /// Where the pointer to the first element is.
    pub(crate) const PTR: usize = offset_of!(Self, ptr);
    /// Where the number of elements is.
    pub(crate) const LEN: usize = offset_of!(Self, len);

    /// Takes an array over.
    pub(crate) fn own(array: KVVec<T>) -> Self {
        let (ptr, len, capacity) = array.into_raw_parts();
        // INVARIANT: These are the parts of a `KVVec`. Without capacity there are no elements.
        Self {
            // SAFETY: The pointer of a `KVVec` is not null.
            ptr: unsafe { NonNull::new_unchecked(ptr) },
            len,
            capacity,
        }
    }

    /// Borrows an array.
    pub(crate) fn lent(array: Borrowed<T>) -> Self {
        // INVARIANT: The invariants of `array` are those of an array that is borrowed.
        Self {
            ptr: array.ptr,
            len: array.len,
            capacity: 0,
        }
    }
}

impl<T> MaybeOwned<T> {
    /// Returns the address of element `i`, or [`None`] if it is past the end.
    ///
    /// The element is not read.
    pub(crate) fn address(&self, i: u32) -> Option<usize> {
        let i = i as usize;
        (i < self.len()).then(|| self.as_ptr().wrapping_add(i).addr())
    }
}

impl<T> Deref for MaybeOwned<T> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        // SAFETY: By the type invariants, `ptr` is valid for reads of `len` elements, which do not
        // change while `self` is borrowed.
        unsafe { slice::from_raw_parts(self.ptr.as_ptr(), self.len) }
    }
}

impl<T> Drop for MaybeOwned<T> {
    fn drop(&mut self) {
        if self.capacity != 0 {
            // SAFETY: By the type invariants, these are the parts of a `KVVec` that this owns.
            drop(unsafe { KVVec::from_raw_parts(self.ptr.as_ptr(), self.len, self.capacity) });
        }
    }
}
