// SPDX-License-Identifier: GPL-2.0

//! An element is removed without the lock.
//!
//! error: E0061: this method takes 1 argument but 0 arguments were supplied

include!("common.in");

fn writer(entry: Entry<u32, LOCK>) {
    drop(entry.remove());
}
