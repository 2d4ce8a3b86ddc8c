// SPDX-License-Identifier: GPL-2.0

//! A CPU's section is left with preemption enabled, perhaps on another CPU.
//!
//! error: E0505: cannot move out of `guard` because it is borrowed

include!("common.in");

use primitives::reentry::Section;

static SECTION: Section = Section::new();

fn reader() {
    let guard = PreemptGuard::new();
    let inside = SECTION.enter(&guard);
    drop(guard);
    drop(inside);
}
