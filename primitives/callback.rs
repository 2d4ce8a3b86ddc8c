// SPDX-License-Identifier: GPL-2.0

//! Callbacks of C.

use kernel::prelude::*;

/// A C function and what it is to be called with.
///
/// # Invariants
///
/// `func` may be called with `data`, in a context that may sleep, for as long as this exists.
pub(crate) struct Callback<R> {
    func: Option<unsafe extern "C" fn(*mut c_void) -> R>,
    data: *mut c_void,
}

// SAFETY: By the type invariant any thread may call it.
unsafe impl<R> Send for Callback<R> {}

// SAFETY: By the type invariant any thread may call it.
unsafe impl<R> Sync for Callback<R> {}

impl<R> Callback<R> {
    /// # Safety
    ///
    /// `func`, where there is one, must be callable with `data` in a context that may sleep for as
    /// long as the result exists.
    pub(crate) unsafe fn new(
        func: Option<unsafe extern "C" fn(*mut c_void) -> R>,
        data: *mut c_void,
    ) -> Self {
        // INVARIANT: By the requirement of this function.
        Self { func, data }
    }

    /// Whether there is a function.
    pub(crate) fn is_some(&self) -> bool {
        self.func.is_some()
    }

    /// Calls the function, where there is one. Sleeps as it does.
    pub(crate) fn call(&self) -> Option<R> {
        // SAFETY: By the type invariant.
        self.func.map(|f| unsafe { f(self.data) })
    }
}
