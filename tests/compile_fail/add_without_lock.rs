// SPDX-License-Identifier: GPL-2.0

//! An element is added without the lock.
//!
//! error: E0061: this method takes 2 arguments but 1 argument was supplied

include!("common.in");

fn writer() -> Result {
    let _entry = LIST.add(Node::new(7)?);
    Ok(())
}
