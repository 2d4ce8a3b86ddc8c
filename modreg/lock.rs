// SPDX-License-Identifier: GPL-2.0

//! The one lock of the writers. No reader takes it.

use kernel::prelude::*;

kernel::sync::global_lock! {
    // SAFETY: `rust_modreg.rs` initializes it before anything can be registered.
    pub(crate) unsafe(uninit) static LOCK: Mutex<()> = ();
}
