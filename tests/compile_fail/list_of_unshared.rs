// SPDX-License-Identifier: GPL-2.0

//! A list has elements that only one thread may use.
//!
//! error: E0277: `Cell<u32>` cannot be shared between threads safely

include!("common.in");

fn share<T: Sync>() {}

fn declare() {
    share::<RcuList<core::cell::Cell<u32>, LOCK>>();
}
