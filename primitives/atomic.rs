// SPDX-License-Identifier: GPL-2.0

//! Atomic loads that are inlined.
//!
//! C header: [`include/asm-generic/barrier.h`](srctree/include/asm-generic/barrier.h)
//!
//! Only a reader that must be fast needs this. Everything else uses [`Atomic`].

use kernel::sync::atomic::{
    Atomic,
    AtomicType, //
};

/// Loads an atomic, as `smp_load_acquire()`.
///
/// [`Atomic::load()`] orders the same, but calls a C helper.
///
/// Context: Any, NMI included.
///
/// # Examples
///
/// ```
/// use kernel::sync::atomic::{Atomic, Release};
///
/// let ready = Atomic::new(0);
/// ready.store(1, Release);
/// assert_eq!(load_acquire(&ready), 1);
/// ```
#[inline(always)]
pub(crate) fn load_acquire<T: AtomicType>(atomic: &Atomic<T>) -> T {
    const { assert!(cfg!(target_arch = "x86_64")) };
    // SAFETY: `as_ptr()` is valid for the borrow of `atomic`. Other threads access it only
    // atomically, for which a volatile read is `READ_ONCE()`.
    let value = unsafe { atomic.as_ptr().read_volatile() };
    // x86 does not reorder a load with later accesses, so `barrier()` is enough.
    // SAFETY: The block is empty.
    unsafe { core::arch::asm!("") };
    value
}
