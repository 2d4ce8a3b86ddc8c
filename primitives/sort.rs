// SPDX-License-Identifier: GPL-2.0

//! Sorting.
//!
//! C header: [`include/linux/sort.h`](srctree/include/linux/sort.h)

use super::bindings;
use core::{
    cmp::Ordering,
    mem::size_of, //
};
use kernel::prelude::*;

/// Sorts in place with the kernel's `sort_r()`, which unlike `core`'s cannot panic. Not stable.
///
/// Takes time in the order of `n * log(n)`. From any context that has it.
pub(crate) fn sort_by<T: Copy, F: Fn(&T, &T) -> Ordering>(slice: &mut [T], cmp: F) {
    /// # Safety
    ///
    /// `a` and `b` must point to a `T`, and `cmp` to an `F`.
    unsafe extern "C" fn compare<T, F: Fn(&T, &T) -> Ordering>(
        a: *const c_void,
        b: *const c_void,
        cmp: *const c_void,
    ) -> c_int {
        // SAFETY: By the requirement of this function.
        let (cmp, a, b) = unsafe { (&*cmp.cast::<F>(), &*a.cast::<T>(), &*b.cast::<T>()) };
        cmp(a, b) as c_int
    }

    // SAFETY: The slice is valid, `T` is `Copy` so it may be moved about as bytes, and `compare`
    // gets what it requires.
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
