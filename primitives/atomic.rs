// SPDX-License-Identifier: GPL-2.0

//! Atomic loads and barriers that are inlined.
//!
//! C header: [`include/asm-generic/barrier.h`](srctree/include/asm-generic/barrier.h)
//!
//! Only what must be fast needs this. Everything else uses [`Atomic`].

use core::arch::asm;
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
    let value = load_relaxed(atomic);
    acquire_fence();
    value
}

/// Loads an atomic, as `READ_ONCE()`.
///
/// Context: Any, NMI included.
#[inline(always)]
pub(crate) fn load_relaxed<T: AtomicType>(atomic: &Atomic<T>) -> T {
    // SAFETY: `as_ptr()` is valid for the borrow of `atomic`. Other threads access it only
    // atomically, for which a volatile read is `READ_ONCE()`.
    unsafe { atomic.as_ptr().read_volatile() }
}

/// Orders earlier loads before all later accesses: several [`load_relaxed()`] become loads with
/// acquire semantics.
///
/// Context: Any, NMI included.
#[inline(always)]
pub(crate) fn acquire_fence() {
    // SAFETY: The block is empty or a barrier.
    unsafe {
        // x86 does not reorder a load with later accesses, so `barrier()` is enough.
        #[cfg(target_arch = "x86_64")]
        asm!("");
        #[cfg(target_arch = "aarch64")]
        asm!("dmb ishld");
    }
}

/// Orders earlier stores before all later stores, as `smp_wmb()`.
///
/// Context: Any, NMI included.
#[inline(always)]
pub(crate) fn write_fence() {
    // SAFETY: The block is empty or a barrier.
    unsafe {
        // x86 does not reorder stores, so `barrier()` is enough.
        #[cfg(target_arch = "x86_64")]
        asm!("");
        #[cfg(target_arch = "aarch64")]
        asm!("dmb ishst");
    }
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
compile_error!("acquire_fence() does not know this architecture's barrier");
