// SPDX-License-Identifier: GPL-2.0

//! The one lock of the writers. No reader takes it.

use super::name::Name;
use kernel::prelude::*;

kernel::sync::global_lock! {
    // SAFETY: `rust_modreg.rs` initializes it before anything can be registered.
    pub(crate) unsafe(uninit) static LOCK: Mutex<Writers> = Writers { unformed: KVec::new() };
}

/// What only writers see.
pub(crate) struct Writers {
    /// The names of UNFORMED plugins: reserved, and invisible to readers.
    pub(crate) unformed: KVec<Name>,
}
