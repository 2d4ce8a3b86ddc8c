// SPDX-License-Identifier: GPL-2.0

//! The lock is released, but the evidence that it is held is still used.
//!
//! error: E0505: cannot move out of `lock` because it is borrowed

include!("common.in");

fn writer() {
    let mut lock = LOCK.lock();
    let mut held = Held::new(&mut lock);
    drop(lock);
    drop(CELL.replace(None, &mut held));
}
