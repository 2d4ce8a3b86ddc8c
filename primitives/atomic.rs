// SPDX-License-Identifier: GPL-2.0

//! Atomic loads without a call.

use kernel::sync::atomic::{
    Atomic,
    AtomicType, //
};

/// Reads an atomic, as `smp_load_acquire()`.
///
/// Inline, unlike [`Atomic::load()`]: the readers are made of this. On x86 the processor itself keeps
/// a load in front of what follows, so only the compiler must be told.
#[inline(always)]
pub(crate) fn load_acquire<T: AtomicType>(atomic: &Atomic<T>) -> T {
    const { assert!(cfg!(target_arch = "x86_64")) };
    // SAFETY: The pointer is valid, and others access it atomically only, for which a volatile read
    // is `READ_ONCE()`. An empty asm block is `barrier()`.
    unsafe {
        let value = atomic.as_ptr().read_volatile();
        core::arch::asm!("");
        value
    }
}
