// SPDX-License-Identifier: GPL-2.0

//! Stopping the machine.
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

/// Evidence that the machine is stopped: all other CPUs spin with interrupts off.
///
/// The type is explicitly not `Send` because the callback runs on one CPU.
pub(crate) struct Stopped(NotThreadSafe);

/// Stops the machine, runs `f` on one CPU, starts the machine again.
///
/// No other CPU is inside a region with preemption disabled while `f` runs, but for NMI handlers:
/// `f` must leave whole what they read. `f` may come through a thread other than the caller's, so
/// it must be `Send`; that keeps a [`PreemptGuard`](super::preempt::PreemptGuard) out of it.
///
/// What `f` returns as retired is given back as the caller's own, since by then every reader is
/// gone:
///
/// - a reader with preemption disabled has left its region before its CPU's stopper thread could
///   run (modelled in `tests/litmus/stop_machine-enter.litmus`);
/// - a reader in an NMI sits on top of a stopper thread (or of the code before it).
///   `multi_cpu_stop()` lets no thread leave before all have acknowledged `MULTI_STOP_RUN`, which
///   is after `f`, and `stop_machine()` returns only after every stopper thread has returned. None
///   does while an NMI sits on top of it, so an NMI that could see what `f` removed has returned as
///   well; later ones do not find it (modelled in `tests/litmus/stop_machine-leave.litmus`).
///
/// Sleeps. Not from a CPU hotplug callback.
///
/// # Errors
///
/// `EDEADLK`, with a line in the log, where the caller may not sleep: it would wait for itself.
///
/// # Examples
///
/// ```
/// let mut lock = LOCK.lock();
/// let mut held = Held::new(&mut lock);
/// let node = stop_machine(|_stopped| entry.remove(&mut held))?;
/// // Nobody can hold it now.
/// drop(node);
/// ```
pub(crate) fn stop_machine<F, R>(f: F) -> Result<R::Output>
where
    F: FnOnce(&Stopped) -> R + Send,
    R: Retire + Send,
{
    struct Call<F, R> {
        f: Option<F>,
        ret: Option<R>,
    }

    /// # Safety
    ///
    /// `data` must point to a `Call<F, R>` that nobody else uses.
    unsafe extern "C" fn run<F, R>(data: *mut c_void) -> c_int
    where
        F: FnOnce(&Stopped) -> R,
    {
        // SAFETY: By the requirement of this function.
        let call = unsafe { &mut *data.cast::<Call<F, R>>() };
        if let Some(f) = call.f.take() {
            call.ret = Some(f(&Stopped(NotThreadSafe)));
        }
        0
    }

    if !can_stop_machine() {
        return Err(edeadlk());
    }
    let mut call = Call {
        f: Some(f),
        ret: None,
    };
    // SAFETY: `run` gets `call`, which outlives the stop; the caller waits meanwhile. `F` and `R`
    // are `Send`, so another thread may run the one and make the other.
    let err =
        unsafe { bindings::stop_machine(Some(run::<F, R>), (&raw mut call).cast(), ptr::null()) };
    let ret: R = call.ret.ok_or_else(|| Error::from_errno(err))?;
    // SAFETY: See above; all readers from before `f` returned are gone.
    Ok(unsafe { ret.reclaim() })
}

/// Whether [`stop_machine()`] may be called here; says so in the log where it may not.
pub(crate) fn can_stop_machine() -> bool {
    let ok = preemptible();
    if !ok {
        pr_err!("refused: stop_machine() where sleeping is not allowed (-EDEADLK)\n");
    }
    ok
}
