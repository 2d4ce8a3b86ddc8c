// SPDX-License-Identifier: GPL-2.0

//! An element of the list is used after preemption is enabled.
//!
//! error: E0597: `guard` does not live long enough

include!("common.in");

fn reader() -> Option<u32> {
    let first = {
        let guard = PreemptGuard::new();
        LIST.iter(&guard).next()
    };
    first.copied()
}
