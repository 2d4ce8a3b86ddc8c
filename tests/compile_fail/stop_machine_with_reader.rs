// SPDX-License-Identifier: GPL-2.0

//! The callback of stop_machine() captures a reader's iterator, which belongs to a CPU.
//!
//! error: E0277: `*mut kernel::bindings::list_head` cannot be sent between threads safely

include!("common.in");

fn writer() -> Result {
    let guard = PreemptGuard::new();
    let mut readers = LIST.iter(&guard);
    stop_machine(|_stopped| drop(readers.next()))
}
