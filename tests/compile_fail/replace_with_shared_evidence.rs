// SPDX-License-Identifier: GPL-2.0

//! A value is replaced while its writer still uses it.
//!
//! error: E0502: cannot borrow `held` as mutable because it is also borrowed as immutable

include!("common.in");

fn writer() -> Option<u32> {
    let mut lock = LOCK.lock();
    let mut held = Held::new(&mut lock);
    let value = CELL.load_held(&held);
    drop(CELL.replace(None, &mut held));
    value.copied()
}
