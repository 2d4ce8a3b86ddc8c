// SPDX-License-Identifier: GPL-2.0

//! The writers' lock.

use crate::primitives::rcu_batch::batch_lock;
use kernel::prelude::*;

kernel::sync::global_lock! {
    // SAFETY: `capi::init()` initializes the lock before C can call a function that takes it.
    /// Serializes all writers. Readers never take it.
    pub(crate) unsafe(uninit) static LOCK: Mutex<()> = ();
}

// A batch is the tables of the plugins that are removed in one stop.
batch_lock!(LOCK);
