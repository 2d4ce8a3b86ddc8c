// SPDX-License-Identifier: GPL-2.0

//! A count of changes, which tells whether what was read without the lock still holds.

use crate::{
    modreg::lock::LOCK,
    primitives::rcu::Held, //
};
use kernel::sync::atomic::{
    Atomic,
    Relaxed,
    Release, //
};

/// The number of times that plugins were published or unlinked.
///
/// What a writer read without the lock still holds under it, if this has not changed since before
/// it was read (modelled in `tests/litmus/registry-prepare.litmus`).
pub(super) static CHANGES: Atomic<usize> = Atomic::new(0);

/// Counts a change that was made under the lock.
pub(super) fn count_change(_held: &mut Held<'_, LOCK>) {
    CHANGES.store(CHANGES.load(Relaxed).wrapping_add(1), Release);
}
