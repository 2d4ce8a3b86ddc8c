// SPDX-License-Identifier: GPL-2.0

//! Sections that no CPU enters twice at a time.

use super::preempt::PreemptGuard;
use core::marker::PhantomData;
use kernel::{
    bindings::NR_CPUS,
    cpu::CpuId,
    sync::atomic::{
        Atomic,
        Full, //
    },
};

/// A section that a CPU does not enter while it is inside, not even in an NMI or after a fault.
///
/// # Examples
///
/// ```
/// use crate::primitives::preempt::PreemptGuard;
///
/// static REPORT: Section = Section::new();
///
/// let guard = PreemptGuard::new();
/// let inside = REPORT.enter(&guard);
/// assert!(inside.is_some());
/// assert!(REPORT.enter(&guard).is_none());
/// drop(inside);
/// assert!(REPORT.enter(&guard).is_some());
/// ```
pub(crate) struct Section([Atomic<bool>; NR_CPUS as usize]);

/// Evidence that the CPU is inside of a [`Section`], which dropping this leaves.
///
/// # Invariants
///
/// - `is_inside` is that of the CPU, on which the guard keeps the thread.
pub(crate) struct Inside<'a> {
    is_inside: &'a Atomic<bool>,
    _guard: PhantomData<&'a PreemptGuard>,
}

impl Section {
    /// Creates a section that no CPU is inside of.
    pub(crate) const fn new() -> Self {
        Self([const { Atomic::new(false) }; NR_CPUS as usize])
    }

    /// Enters the section, or returns [`None`] if this CPU is inside.
    ///
    /// Context: Any, with preemption disabled.
    pub(crate) fn enter<'a>(&'a self, _guard: &'a PreemptGuard) -> Option<Inside<'a>> {
        let is_inside = self.0.get(CpuId::current().as_u32() as usize)?;
        // INVARIANT: The guard keeps the thread on this CPU.
        (!is_inside.xchg(true, Full)).then_some(Inside {
            is_inside,
            _guard: PhantomData,
        })
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.is_inside.xchg(false, Full);
    }
}
