// SPDX-License-Identifier: GPL-2.0

//! Callbacks into C code.

use super::bindings;
use kernel::{
    prelude::*,
    task::might_sleep, //
};

/// A C function, which may be missing, and its argument.
///
/// # Invariants
///
/// While this exists, `func` is [`None`] or may be called with `data` in a context that may sleep.
///
/// # Examples
///
/// ```
/// /// Halves a number.
/// ///
/// /// # Safety
/// ///
/// /// `data` is not used.
/// unsafe extern "C" fn half(data: *mut c_void) -> usize {
///     data as usize / 2
/// }
///
/// // SAFETY: `half()` may be called with any number.
/// let callback = unsafe { Callback::new(Some(half), 14 as *mut c_void) };
/// assert_eq!(callback.call(), Some(7));
///
/// // SAFETY: There is no function.
/// let none = unsafe { Callback::<usize>::new(None, core::ptr::null_mut()) };
/// assert_eq!(none.call(), None);
/// ```
pub(crate) struct Callback<R> {
    func: Option<unsafe extern "C" fn(*mut c_void) -> R>,
    data: *mut c_void,
}

// SAFETY: By the type invariants, `func` may be called by any thread that may sleep.
unsafe impl<R> Send for Callback<R> {}

// SAFETY: By the type invariants, `func` may be called by any thread that may sleep.
unsafe impl<R> Sync for Callback<R> {}

impl<R> Callback<R> {
    /// Creates a callback that passes `data` to `func`.
    ///
    /// # Safety
    ///
    /// While the result exists, `func` must be [`None`] or callable with `data` by any thread in a
    /// context that may sleep, by several at a time.
    pub(crate) unsafe fn new(
        func: Option<unsafe extern "C" fn(*mut c_void) -> R>,
        data: *mut c_void,
    ) -> Self {
        // INVARIANT: By the safety requirements, `func` is `None` or callable with `data`.
        Self { func, data }
    }

    /// Returns whether there is a function.
    pub(crate) fn is_some(&self) -> bool {
        self.func.is_some()
    }

    /// Calls the function and returns its result, or [`None`] if there is no function.
    ///
    /// Context: May sleep.
    pub(crate) fn call(&self) -> Option<R> {
        might_sleep();
        // SAFETY: By the type invariants, `func` may be called with `data` in this context.
        self.func.map(|f| unsafe { f(self.data) })
    }
}

/// Calls `f`, which runs code of others, and continues in a context that may sleep.
///
/// If `f` leaves preemption or interrupts disabled, or a read-side critical section of RCU open,
/// this ends that, as `do_one_initcall()`. Returns `false` beside the result then.
///
/// Context: May sleep.
pub(crate) fn sleepably<R>(f: impl FnOnce() -> R) -> (R, bool) {
    might_sleep();
    // SAFETY: An FFI call with no additional requirements.
    let count = unsafe { bindings::preempt_count() };
    let result = f();
    // SAFETY: The caller could sleep, with this preemption count.
    let left = unsafe { bindings::restore_context(count) };
    (result, left)
}
