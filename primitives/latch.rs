// SPDX-License-Identifier: GPL-2.0

//! A latch over two copies of data.
//!
//! C header: [`include/linux/seqlock.h`](srctree/include/linux/seqlock.h)
//!
//! As `seqcount_latch_t`: readers use one copy while a writer changes the other. So a reader in an NMI
//! that interrupts the writer finds a whole copy. Here the flip from one to the other is an act of its
//! own: what it publishes can be prepared before `stop_machine()`, and flipped under it.

use super::atomic::{
    acquire_fence,
    load_acquire,
    load_relaxed,
    write_fence, //
};
use kernel::sync::atomic::{
    Atomic,
    Release, //
};

/// Tells readers which of two copies to use.
///
/// A writer changes the [`idle`](Latch::idle) copy, [flips](Latch::flip) the latch, and repeats the
/// change in the copy that is idle then. The flip orders its stores.
///
/// # Examples
///
/// ```
/// use crate::primitives::atomic::load_relaxed;
/// use kernel::sync::atomic::{Atomic, Relaxed};
///
/// let latch = Latch::new();
/// let copies = [Atomic::new(0), Atomic::new(0)];
///
/// copies[latch.idle()].store(7, Relaxed);
/// assert_eq!(latch.read(|copy| load_relaxed(&copies[copy])), 0);
/// latch.flip();
/// assert_eq!(latch.read(|copy| load_relaxed(&copies[copy])), 7);
/// copies[latch.idle()].store(7, Relaxed);
/// ```
pub(crate) struct Latch(Atomic<u32>);

impl Latch {
    /// Creates a latch.
    pub(crate) const fn new() -> Self {
        Self(Atomic::new(0))
    }

    /// Calls `f` with the copy to read, until no flip has come between.
    ///
    /// Context: Any, NMI included.
    #[inline]
    pub(crate) fn read<R>(&self, f: impl Fn(usize) -> R) -> R {
        // Modelled in tests/litmus/latch-flip.litmus.
        loop {
            let flips = load_acquire(&self.0);
            let result = f((flips % 2) as usize);
            acquire_fence();
            if load_relaxed(&self.0) == flips {
                return result;
            }
        }
    }

    /// Returns the copy that no reader uses: one that still does repeats what it reads.
    ///
    /// Context: Any; only the writer.
    pub(crate) fn idle(&self) -> usize {
        (load_relaxed(&self.0).wrapping_add(1) % 2) as usize
    }

    /// Makes readers use the idle copy.
    ///
    /// What was stored before is seen with the flip, and what is stored after is not seen without it.
    ///
    /// Context: Any, NMI included; only the writer.
    pub(crate) fn flip(&self) {
        self.0.store(load_relaxed(&self.0).wrapping_add(1), Release);
        write_fence();
    }
}
