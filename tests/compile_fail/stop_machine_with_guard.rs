// SPDX-License-Identifier: GPL-2.0

//! The callback of stop_machine() captures a guard: the stop would wait for itself.
//!
//! error: E0277: `*mut ()` cannot be sent between threads safely

include!("common.in");

fn writer() -> Result {
    let mut guard = Some(PreemptGuard::new());
    stop_machine(|_stopped| drop(guard.take()))
}
