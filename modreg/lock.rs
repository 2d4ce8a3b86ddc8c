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

impl Writers {
    /// Takes a name off the reserved ones.
    pub(crate) fn unreserve(&mut self, name: Name) {
        let names = &mut self.unformed;
        // The last one takes its place.
        let at = names.iter().position(|n| *n == name);
        if let (Some(at), Some(last)) = (at, names.pop()) {
            if let Some(name) = names.get_mut(at) {
                *name = last;
            }
        }
    }
}
