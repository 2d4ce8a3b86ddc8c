// SPDX-License-Identifier: GPL-2.0

//! A guard is shared with another thread, which may run on another CPU.
//!
//! error: E0277: `*mut ()` cannot be shared between threads safely

include!("common.in");

fn send<T: Send>(value: T) {
    drop(value);
}

fn reader() {
    send(&PreemptGuard::new());
}
