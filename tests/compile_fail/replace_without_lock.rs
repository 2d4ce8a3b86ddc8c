// SPDX-License-Identifier: GPL-2.0

//! A value is replaced without the lock.
//!
//! error: E0061: this method takes 2 arguments but 1 argument was supplied

include!("common.in");

fn writer() {
    drop(CELL.replace(None));
}
