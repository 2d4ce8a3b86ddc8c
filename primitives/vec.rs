// SPDX-License-Identifier: GPL-2.0

//! Vectors with reserved capacity, and vectors that do not change.

use super::pages_exact::ExactVec;
use core::{
    mem::offset_of,
    ops::Deref,
    ptr::NonNull,
    slice, //
};
use kernel::{
    alloc::{
        AllocError,
        Allocator, //
    },
    page::PAGE_SIZE,
    prelude::*, //
};

/// Appends `value` to a vector whose capacity was reserved before.
///
/// If there is no room, the caller has counted wrongly: warns, as `WARN_ON()`, and drops `value`.
///
/// Context: Any, NMI included.
///
/// # Examples
///
/// ```
/// let mut squares = KVec::with_capacity(3, GFP_KERNEL)?;
/// for i in 1..=3 {
///     push_reserved(&mut squares, i * i);
/// }
/// assert_eq!(squares[..], [1, 4, 9]);
/// # Ok::<(), Error>(())
/// ```
pub(crate) fn push_reserved<T, A: Allocator>(vec: &mut Vec<T, A>, value: T) {
    kernel::warn_on!(vec.push_within_capacity(value).is_err());
}

/// Creates a vector of `len` times `value`.
///
/// # Errors
///
/// [`AllocError`] if out of memory.
///
/// Context: May sleep.
///
/// # Examples
///
/// ```
/// assert_eq!(filled(3, 7)?[..], [7, 7, 7]);
/// # Ok::<(), Error>(())
/// ```
pub(crate) fn filled<T: Copy>(len: usize, value: T) -> Result<ExactVec<T>, AllocError> {
    // `Vec::extend_with()` has a check that the compiler does not always remove.
    let mut vec = ExactVec::with_capacity(len, GFP_KERNEL)?;
    for _ in 0..len {
        push_reserved(&mut vec, value);
    }
    Ok(vec)
}

/// A vector that does not change any more, and whose layout a debugger can know.
///
/// # Invariants
///
/// - `ptr`, `len` and `capacity` came from an `ExactVec`, which this owns.
///
/// # Examples
///
/// ```
/// assert_eq!(FixedVec::from(filled(3, 7)?)[..], [7, 7, 7]);
/// # Ok::<(), Error>(())
/// ```
#[repr(C)]
pub(crate) struct FixedVec<T> {
    ptr: NonNull<T>,
    len: usize,
    capacity: usize,
}

// SAFETY: By the type invariants this owns the elements, which are `Send`.
unsafe impl<T: Send> Send for FixedVec<T> {}

// SAFETY: A `FixedVec` gives access to shared references to `T` only, and `T` is `Sync`.
unsafe impl<T: Sync> Sync for FixedVec<T> {}

impl<T> FixedVec<T> {
    /// The offset of the pointer to the first element.
    pub(crate) const PTR: usize = offset_of!(Self, ptr);
    /// The offset of the number of elements.
    pub(crate) const LEN: usize = offset_of!(Self, len);
}

impl<T> From<ExactVec<T>> for FixedVec<T> {
    fn from(mut vec: ExactVec<T>) -> Self {
        let pages = |len: usize| len.wrapping_mul(size_of::<T>()).div_ceil(PAGE_SIZE);
        // A vector that has grown may have more than it needs.
        if pages(vec.len()) < pages(vec.capacity()) {
            if let Ok(mut exact) = ExactVec::with_capacity(vec.len(), GFP_KERNEL) {
                for element in vec.drain_all() {
                    push_reserved(&mut exact, element);
                }
                vec = exact;
            }
        }
        let (ptr, len, capacity) = vec.into_raw_parts();
        // INVARIANT: These are the parts of an `ExactVec`, whose ownership it gave up.
        Self {
            // SAFETY: The pointer of an `ExactVec` is not null.
            ptr: unsafe { NonNull::new_unchecked(ptr) },
            len,
            capacity,
        }
    }
}

impl<T> Deref for FixedVec<T> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        // SAFETY: By the type invariants, `ptr` is valid for reads of `len` elements.
        unsafe { slice::from_raw_parts(self.ptr.as_ptr(), self.len) }
    }
}

impl<T> Drop for FixedVec<T> {
    fn drop(&mut self) {
        // SAFETY: By the type invariants, these are the parts of an `ExactVec` that this owns.
        drop(unsafe { ExactVec::from_raw_parts(self.ptr.as_ptr(), self.len, self.capacity) });
    }
}
