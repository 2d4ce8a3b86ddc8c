// SPDX-License-Identifier: GPL-2.0

//! Preemption control.
//!
//! C header: [`include/linux/preempt.h`](srctree/include/linux/preempt.h)

use super::bindings;
use kernel::types::NotThreadSafe;

/// Evidence that preemption is disabled on the current CPU.
///
/// This is the read side of everything that is removed under `stop_machine()`: no stopper thread
/// runs on a CPU while a guard lives there. [`rcu::Guard`] is not enough: a preemptible kernel may
/// preempt a task inside `rcu_read_lock()`, and `stop_machine()` does not wait for that task.
///
/// An RCU grace period waits for regions with preemption disabled too (since Linux 4.20), so this
/// is a read side for [`call_rcu()`](crate::primitives::rcu) as well. Where RCU is not watching, in an idle
/// processor for instance, it waits for nobody: a kernel with `CONFIG_PROVE_RCU` warns there.
///
/// The type is explicitly not `Send` because this property is per CPU.
///
/// # Invariants
///
/// Preemption is disabled while instances of this guard exist.
///
/// # Examples
///
/// ```
/// let guard = PreemptGuard::new();
/// assert!(!preemptible());
/// // `stop_machine()` and grace periods of other CPUs wait for this.
/// drop(guard);
/// ```
///
/// [`rcu::Guard`]: kernel::sync::rcu::Guard
pub(crate) struct PreemptGuard(NotThreadSafe);

impl PreemptGuard {
    /// Disables preemption until the guard is dropped, as `preempt_disable_notrace()`.
    ///
    /// Tracers are readers too, so what a reader calls must not be traced.
    ///
    /// Context: Any, NMI included.
    #[inline]
    pub(crate) fn new() -> Self {
        #[cfg(CONFIG_PROVE_RCU)]
        // SAFETY: An FFI call with no additional requirements.
        unsafe {
            bindings::rcu_warn_unless_watching()
        };
        count::disable();
        // INVARIANT: Preemption was disabled above.
        Self(NotThreadSafe)
    }
}

impl Drop for PreemptGuard {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: By the type invariants, the current CPU's preemption count includes this guard.
        unsafe { count::enable() };
    }
}

/// The preemption count, by the kernel's macros.
#[cfg(not(all(target_arch = "x86_64", not(CONFIG_UML), CONFIG_PREEMPTION)))]
mod count {
    use super::bindings;

    #[inline]
    pub(super) fn disable() {
        // SAFETY: An FFI call with no additional requirements.
        unsafe { bindings::preempt_disable_notrace() };
    }

    /// # Safety
    ///
    /// Each call undoes one [`disable()`].
    #[inline]
    pub(super) unsafe fn enable() {
        // SAFETY: By the safety requirements, preemption is disabled.
        unsafe { bindings::preempt_enable_notrace() };
    }
}

/// The preemption count, inlined: `arch/x86/include/asm/preempt.h` in Rust. The calls of two helpers
/// would take longer than the search for an address.
#[cfg(all(target_arch = "x86_64", not(CONFIG_UML), CONFIG_PREEMPTION))]
mod count {
    use super::bindings;
    use core::arch::asm;
    use kernel::prelude::*;

    extern "C" {
        /// A per-CPU variable. Bit 31 or 63 is clear if the task is to be rescheduled.
        static __preempt_count: c_ulong;
    }

    #[inline(always)]
    pub(super) fn disable() {
        // SAFETY: `__preempt_count_add(1)`. The count is in the low 32 bits and does not overflow.
        unsafe { asm!("inc dword ptr gs:[rip + {}]", sym __preempt_count) };
    }

    /// # Safety
    ///
    /// Each call undoes one [`disable()`].
    #[inline(always)]
    pub(super) unsafe fn enable() {
        let reschedule: u8;
        // SAFETY: `__preempt_count_dec_and_test()`. By the safety requirements, the count is not 0.
        unsafe {
            #[cfg(CONFIG_HAS_SEPARATE_PREEMPT_RESCHED_BITS)]
            asm!(
                "dec qword ptr gs:[rip + {}]",
                "setz {}",
                sym __preempt_count,
                out(reg_byte) reschedule,
            );
            #[cfg(not(CONFIG_HAS_SEPARATE_PREEMPT_RESCHED_BITS))]
            asm!(
                "dec dword ptr gs:[rip + {}]",
                "setz {}",
                sym __preempt_count,
                out(reg_byte) reschedule,
            );
        }
        if reschedule != 0 {
            // SAFETY: An FFI call with no additional requirements; preemption is enabled.
            unsafe { bindings::preempt_schedule_notrace() };
        }
    }
}

/// Returns whether preemption, interrupts and RCU allow the caller to sleep, as `preemptible()`
/// with `rcu_preempt_depth()`.
///
/// Context: Any, NMI included.
///
/// # Examples
///
/// ```
/// use kernel::sync::rcu;
///
/// let guard = rcu::read_lock();
/// assert!(!preemptible());
/// drop(guard);
/// ```
#[inline]
pub(crate) fn preemptible() -> bool {
    // SAFETY: FFI calls with no additional requirements.
    unsafe { bindings::preemptible() && bindings::rcu_preempt_depth() == 0 }
}
