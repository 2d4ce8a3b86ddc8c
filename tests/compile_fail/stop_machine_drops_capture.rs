// SPDX-License-Identifier: GPL-2.0

//! The callback of stop_machine() drops what it has captured, where memory must not be freed.
//!
//! error: E0507: cannot move out of `number`, a captured variable in an `FnMut` closure

include!("common.in");

fn writer() -> Result {
    let number = KBox::new(7, GFP_KERNEL)?;
    stop_machine(|_stopped| drop(number))
}
