// SPDX-License-Identifier: GPL-2.0

//! The writers' lock.

use kernel::prelude::*;

kernel::sync::global_lock! {
    // SAFETY: `capi::init()` initializes the lock before C can call a function that takes it.
    /// Serializes all writers. Readers never take it.
    pub(crate) unsafe(uninit) static LOCK: Mutex<()> = ();
}
