// SPDX-License-Identifier: GPL-2.0

//! The evidence that the machine is stopped is used after the stop.
//!
//! error: E0277: `*mut ()` cannot be shared between threads safely

include!("common.in");

fn writer() -> Result {
    let mut evidence: &Stopped;
    stop_machine(|stopped| evidence = stopped)
}
