// SPDX-License-Identifier: GPL-2.0

//! A removed element is reclaimed without waiting for its readers.
//!
//! error: E0133: call to unsafe function `primitives::rcu::Retire::reclaim` is unsafe and requires unsafe block

include!("common.in");

fn writer(entry: Entry<u32, LOCK>) {
    let mut lock = LOCK.lock();
    let retired = entry.remove(&mut Held::new(&mut lock));
    drop(retired.reclaim());
}
