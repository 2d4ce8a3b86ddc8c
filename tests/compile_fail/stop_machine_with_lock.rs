// SPDX-License-Identifier: GPL-2.0

//! The callback of stop_machine() captures the lock's guard, and drops it on another thread.
//!
//! error: E0277: `*mut ()` cannot be sent between threads safely

include!("common.in");

fn writer() -> Result {
    let mut lock = Some(LOCK.lock());
    stop_machine(|_stopped| drop(lock.take()))
}
