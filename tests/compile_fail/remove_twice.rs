// SPDX-License-Identifier: GPL-2.0

//! An element is removed twice.
//!
//! error: E0382: use of moved value: `entry`

include!("common.in");

fn writer(entry: Entry<u32, LOCK>) {
    let mut lock = LOCK.lock();
    let mut held = Held::new(&mut lock);
    drop(entry.remove(&mut held));
    drop(entry.remove(&mut held));
}
