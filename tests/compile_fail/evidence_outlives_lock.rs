// SPDX-License-Identifier: GPL-2.0

//! The evidence that the lock is held is used after the lock is released.
//!
//! error: E0505: cannot move out of `lock` because it is borrowed

include!("common.in");

fn writer() {
    let mut lock = LOCK.lock();
    let mut held = Held::new(&mut lock);
    drop(lock);
    drop(CELL.replace(None, &mut held));
}
