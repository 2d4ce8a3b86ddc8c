// SPDX-License-Identifier: GPL-2.0

//! Preemption control.
//!
//! C header: [`include/linux/preempt.h`](srctree/include/linux/preempt.h)

use super::bindings;
use kernel::types::NotThreadSafe;

/// Evidence that preemption is disabled on the current CPU.
///
/// This is the read side of everything that is removed under `stop_machine()`: the stopper threads
/// cannot run on a CPU while a guard lives there. [`rcu::Guard`] is not enough for that, since on a
/// preemptible kernel a task may be preempted inside `rcu_read_lock()`, and then `stop_machine()`
/// does not wait for it. Conversely, since Linux 4.20 an RCU grace period waits for regions with
/// preemption disabled too, so that this guard also is a read side for
/// [`call_rcu()`](crate::primitives::rcu).
///
/// The type is explicitly not `Send` because this property is per CPU.
///
/// May be created in any context, an NMI included.
///
/// # Invariants
///
/// Preemption is disabled while instances of this guard exist.
///
/// # Examples
///
/// ```
/// let guard = PreemptGuard::new();
/// // No stop_machine() and no grace period ends before this.
/// drop(guard);
/// ```
///
/// [`rcu::Guard`]: kernel::sync::rcu::Guard
pub(crate) struct PreemptGuard(NotThreadSafe);

impl PreemptGuard {
    /// Disables preemption until the guard is dropped, as `preempt_disable()`.
    #[inline]
    pub(crate) fn new() -> Self {
        // SAFETY: An FFI call with no additional requirements.
        unsafe { bindings::preempt_disable() };
        // INVARIANT: Preemption was just disabled above.
        Self(NotThreadSafe)
    }
}

impl Drop for PreemptGuard {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: By the type invariant, this CPU's preemption count includes this guard.
        unsafe { bindings::preempt_enable() };
    }
}

/// Whether the caller may sleep as far as preemption, interrupts and RCU are concerned, as
/// `preemptible()` and `rcu_preempt_depth()`.
#[inline]
pub(crate) fn preemptible() -> bool {
    // SAFETY: FFI calls with no additional requirements.
    unsafe { bindings::preemptible() && bindings::rcu_preempt_depth() == 0 }
}
