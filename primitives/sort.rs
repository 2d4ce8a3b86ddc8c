// SPDX-License-Identifier: GPL-2.0

//! Sorting that cannot panic.
//!
//! C header: [`include/linux/sort.h`](srctree/include/linux/sort.h)

use super::bindings;
use core::{
    cmp::Ordering,
    mem::size_of, //
};
use kernel::prelude::*;

/// Sorts a slice in place, as `sort_r()`.
///
/// The sort is not stable. Unlike `core`'s, it cannot panic. It takes time in the order of
/// `n * log(n)` in the worst case too.
///
/// Context: Any, NMI included.
///
/// # Examples
///
/// ```
/// let mut symbols = [(0x30, b't'), (0x10, b'd'), (0x20, b't')];
/// sort_by(&mut symbols, |a, b| a.0.cmp(&b.0));
/// assert_eq!(symbols[0], (0x10, b'd'));
/// ```
pub(crate) fn sort_by<T: Copy, F: Fn(&T, &T) -> Ordering>(slice: &mut [T], cmp: F) {
    /// # Safety
    ///
    /// `a` and `b` must point to a `T` each, and `cmp` to an `F`.
    unsafe extern "C" fn compare<T, F: Fn(&T, &T) -> Ordering>(
        a: *const c_void,
        b: *const c_void,
        cmp: *const c_void,
    ) -> c_int {
        // SAFETY: By the safety requirements, `a` and `b` point to a `T`, and `cmp` to an `F`.
        let (cmp, a, b) = unsafe { (&*cmp.cast::<F>(), &*a.cast::<T>(), &*b.cast::<T>()) };
        cmp(a, b) as c_int
    }

    // SAFETY: `slice` is valid for its length, and `T` is `Copy`, so it may be moved as bytes.
    // `sort_r()` passes `compare` two elements and the pointer to `cmp`.
    unsafe {
        bindings::sort_r(
            slice.as_mut_ptr().cast(),
            slice.len(),
            size_of::<T>(),
            Some(compare::<T, F>),
            None,
            (&raw const cmp).cast(),
        )
    };
}
