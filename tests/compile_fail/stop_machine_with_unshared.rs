// SPDX-License-Identifier: GPL-2.0

//! The callback of stop_machine() captures a value that only one thread may use.
//!
//! error: E0277: `Cell<i32>` cannot be shared between threads safely

include!("common.in");

fn writer() -> Result {
    let counter = core::cell::Cell::new(0);
    stop_machine(|_stopped| counter.set(1))
}
