// SPDX-License-Identifier: GPL-2.0

//! The callback of stop_machine() returns an element that is still on the list.
//!
//! error: E0277: the trait bound `rculist::Entry<u32, LOCK>: Retire` is not satisfied

include!("common.in");

fn writer(entry: Entry<u32, LOCK>) -> Result {
    let mut entry = Some(entry);
    drop(stop_machine(|_stopped| entry.take())?);
    Ok(())
}
