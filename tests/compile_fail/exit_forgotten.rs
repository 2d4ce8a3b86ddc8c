// SPDX-License-Identifier: GPL-2.0

//! What the module's exit is to undo is forgotten.
//!
//! error: E0507: cannot move out of `*undo` which is behind a mutable reference

include!("common.in");

fn init(undo: &mut primitives::exit::Undo) {
    core::mem::forget(*undo);
}
