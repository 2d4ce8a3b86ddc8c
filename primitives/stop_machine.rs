// SPDX-License-Identifier: GPL-2.0

//! `stop_machine()`.
//!
//! C header: [`include/linux/stop_machine.h`](srctree/include/linux/stop_machine.h)

use super::bindings;
use super::{
    errno::edeadlk,
    preempt::preemptible,
    rcu::Retire, //
};
use core::ptr;
use kernel::{
    prelude::*,
    types::NotThreadSafe, //
};

/// Evidence that the machine is stopped: all other CPUs spin with interrupts disabled.
///
/// The type is explicitly not `Send` because the callback runs on one CPU.
///
/// # Invariants
///
/// Instances of this exist only while [`stop_machine()`] runs its callback.
pub(crate) struct Stopped(NotThreadSafe);

/// Stops the machine, runs `f` on one CPU, and gives back what `f` unpublished.
///
/// While `f` runs, no other CPU is inside a region with preemption disabled, except for NMI
/// handlers: `f` must keep intact what they read. Another thread may run `f`, so `f` must be
/// `Send`, which keeps a [`PreemptGuard`](super::preempt::PreemptGuard) out of it.
///
/// Interrupts are disabled while `f` runs, so it must not allocate, nor may it free on `PREEMPT_RT`.
/// `f` is an [`FnMut`], so what it has captured is not moved into it and dropped at its end.
///
/// No reader still uses what `f` returned as retired, so it is given back to the caller:
///
/// - A reader with preemption disabled left its region before its CPU's stopper thread could run
///   (modelled in `tests/litmus/stop_machine-enter.litmus`).
/// - A reader in an NMI interrupts a stopper thread, or the code before it. `multi_cpu_stop()` lets
///   no thread leave before all have acknowledged `MULTI_STOP_RUN`, which is after `f`, and
///   `stop_machine()` returns only after every stopper thread has returned. An interrupted thread
///   does not return, so an NMI that may have seen what `f` removed has returned as well. Later
///   NMIs do not find it (modelled in `tests/litmus/stop_machine-leave.litmus`).
///
/// Must not be called from a CPU hotplug callback, nor inside `cpus_read_lock()`.
///
/// Context: May sleep.
///
/// # Errors
///
/// - `EDEADLK`, with a line in the log, if the caller may not sleep: it would wait for itself.
/// - Those of the kernel's `stop_machine()`.
///
/// `f` has not run then.
///
/// # Examples
///
/// ```
/// use crate::primitives::{
///     rcu::Held,
///     rculist::{rculist_head, Node, RcuList},
/// };
///
/// rculist_head! {
///     static NUMBERS: RcuList<u32, LOCK>;
/// }
///
/// let node = Node::new(7)?;
/// let mut lock = LOCK.lock();
/// let mut held = Held::new(&mut lock);
/// let mut seven = Some(NUMBERS.add(node, &mut held));
///
/// let node = stop_machine(|_stopped| seven.take().map(|seven| seven.remove(&mut held)))?;
/// drop(lock);
/// // No reader uses 7, which is freed at once.
/// drop(node);
/// # Ok::<(), Error>(())
/// ```
pub(crate) fn stop_machine<F, R>(f: F) -> Result<R::Output>
where
    F: FnMut(&Stopped) -> R + Send,
    R: Retire + Send,
{
    struct Call<F, R> {
        f: F,
        ret: Option<R>,
    }

    /// # Safety
    ///
    /// `data` must point to a `Call<F, R>` that is used by nothing else during the call.
    unsafe extern "C" fn run<F, R>(data: *mut c_void) -> c_int
    where
        F: FnMut(&Stopped) -> R,
    {
        // SAFETY: By the safety requirements, `data` points to a `Call<F, R>` without other users.
        let call = unsafe { &mut *data.cast::<Call<F, R>>() };
        // INVARIANT: This is the callback of `stop_machine()`.
        call.ret = Some((call.f)(&Stopped(NotThreadSafe)));
        0
    }

    if !can_stop_machine() {
        return Err(edeadlk());
    }
    let mut call = Call { f, ret: None };
    // SAFETY: `run` gets a pointer to `call`, which outlives the stop and is used by nothing else
    // until `stop_machine()` returns. `F` and `R` are `Send`, so another thread may call `f`.
    let err =
        unsafe { bindings::stop_machine(Some(run::<F, R>), (&raw mut call).cast(), ptr::null()) };
    let ret: R = call.ret.ok_or_else(|| Error::from_errno(err))?;
    // SAFETY: As shown in the documentation, every reader that may have found `ret` before `f`
    // unpublished it has dropped its guard.
    Ok(unsafe { ret.reclaim() })
}

/// Tells lockdep that [`stop_machine()`] may be called here.
///
/// A caller that holds a lock which it takes is reported, whether it is called or not.
///
/// Context: May sleep.
pub(crate) fn might_stop_machine() {
    // SAFETY: The caller may sleep.
    unsafe { bindings::might_stop_machine() };
}

/// Returns whether [`stop_machine()`] may be called here, and logs a line if not.
///
/// Context: Any, NMI included.
///
/// # Examples
///
/// ```
/// use crate::primitives::preempt::PreemptGuard;
///
/// assert!(can_stop_machine());
/// let guard = PreemptGuard::new();
/// assert!(!can_stop_machine());
/// drop(guard);
/// ```
pub(crate) fn can_stop_machine() -> bool {
    let ok = preemptible();
    if ok {
        might_stop_machine();
    } else {
        pr_err!("refused: stop_machine() where sleeping is not allowed (-EDEADLK)\n");
    }
    ok
}
