// SPDX-License-Identifier: GPL-2.0

//! A counted value is moved out of its allocation, to where RCU cannot free it.
//!
//! error: E0507: cannot move out of dereference of `ARef<RcuCounted<u32>>`

include!("common.in");

use primitives::rcu_counted::{RcuCounted, RcuRef};

fn value(counted: RcuRef<u32>) -> RcuCounted<u32> {
    *counted
}
