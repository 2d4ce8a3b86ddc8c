// SPDX-License-Identifier: GPL-2.0

//! Vectors with reserved capacity, vectors that take no allocation for few elements, and vectors that do not
//! change.

use super::pages_exact::ExactVec;
use core::{
    mem::{
        offset_of,
        MaybeUninit, //
    },
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

/// A vector that takes no allocation for up to `N` elements.
///
/// Meant for what a function collects, on its stack.
///
/// # Invariants
///
/// - If `many` has no capacity, the first `len` elements of `few` are initialized, and `len` is at most
///   `N`.
/// - Otherwise all elements are in `many`.
///
/// # Examples
///
/// ```
/// let mut squares = SmallVec::<u64, 3>::new();
/// for i in 1..=3 {
///     squares.push(i * i)?;
/// }
/// assert!(squares.is_small());
/// squares.push(16)?;
/// assert!(!squares.is_small());
/// assert_eq!(squares[..], [1, 4, 9, 16]);
/// # Ok::<(), Error>(())
/// ```
pub(crate) struct SmallVec<T: Copy, const N: usize> {
    few: [MaybeUninit<T>; N],
    len: usize,
    many: ExactVec<T>,
}

impl<T: Copy, const N: usize> SmallVec<T, N> {
    /// Creates an empty vector.
    pub(crate) const fn new() -> Self {
        // INVARIANT: There are no elements.
        Self {
            few: [const { MaybeUninit::uninit() }; N],
            len: 0,
            many: ExactVec::new(),
        }
    }

    /// Returns whether the elements have taken no allocation.
    pub(crate) fn is_small(&self) -> bool {
        self.many.capacity() == 0
    }

    /// Makes room for `len` elements in all, if they take an allocation and there was none yet.
    ///
    /// Context: May sleep.
    pub(crate) fn reserve(&mut self, len: usize) -> Result<(), AllocError> {
        if self.is_small() && len > N {
            let mut many = ExactVec::with_capacity(len, GFP_KERNEL)?;
            many.extend_from_slice(self, GFP_KERNEL)?;
            // INVARIANT: `many` has all elements.
            self.many = many;
        }
        Ok(())
    }

    /// Appends an element.
    ///
    /// Context: May sleep.
    pub(crate) fn push(&mut self, value: T) -> Result<(), AllocError> {
        self.extend_from_slice(&[value])
    }

    /// Appends elements.
    ///
    /// Context: May sleep.
    pub(crate) fn extend_from_slice(&mut self, values: &[T]) -> Result<(), AllocError> {
        let end = self.len.wrapping_add(values.len());
        self.reserve(end)?;
        if !self.is_small() {
            return self.many.extend_from_slice(values, GFP_KERNEL);
        }
        // INVARIANT: The elements up to `end` are initialized here; these are at most `N`, or they were
        // moved to `many`.
        if let Some(slots) = self.few.get_mut(self.len..end) {
            for (slot, value) in slots.iter_mut().zip(values) {
                slot.write(*value);
            }
            self.len = end;
        } else {
            kernel::warn_on!(true);
        }
        Ok(())
    }

    /// Returns the elements as a vector of its own.
    ///
    /// Context: May sleep.
    pub(crate) fn into_vec(self) -> Result<ExactVec<T>, AllocError> {
        if !self.is_small() {
            return Ok(self.many);
        }
        let mut vec = ExactVec::with_capacity(self.len, GFP_KERNEL)?;
        vec.extend_from_slice(&self, GFP_KERNEL)?;
        Ok(vec)
    }
}

impl<T: Copy, const N: usize> Deref for SmallVec<T, N> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        if !self.is_small() {
            return &self.many;
        }
        // SAFETY: By the type invariants, the first `len` elements are initialized.
        unsafe { slice::from_raw_parts(self.few.as_ptr().cast(), self.len) }
    }
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
