// SPDX-License-Identifier: GPL-2.0

//! The value of a cell is used after preemption is enabled.
//!
//! error: E0505: cannot move out of `guard` because it is borrowed

include!("common.in");

fn reader() -> Option<u32> {
    let guard = PreemptGuard::new();
    let value = CELL.load(&guard);
    drop(guard);
    value.copied()
}
