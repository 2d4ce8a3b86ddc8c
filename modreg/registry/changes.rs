// SPDX-License-Identifier: GPL-2.0

//! Whether the registry has changed since it was last looked at.

use crate::{
    modreg::lock::LOCK,
    primitives::rcu::Held, //
};
use kernel::sync::atomic::{
    Atomic,
    Relaxed,
    Release, //
};

/// How often plugins were published or unlinked. What was read without the lock holds under it, if
/// this has not changed since before (modelled in `tests/litmus/registry-prepare.litmus`).
pub(super) static CHANGES: Atomic<usize> = Atomic::new(0);

/// Counts a change.
pub(super) fn count_change(_held: &mut Held<'_, LOCK>) {
    CHANGES.store(CHANGES.load(Relaxed).wrapping_add(1), Release);
}
