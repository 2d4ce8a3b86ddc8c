// SPDX-License-Identifier: GPL-2.0

//! The bytes of a string table may be others when they are used than when they were checked.
//!
//! error: E0277: the trait bound `Changing: StableBytes` is not satisfied

include!("common.in");

use primitives::cstr::StrTab;

struct Changing(core::cell::Cell<bool>);

impl core::ops::Deref for Changing {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        if self.0.replace(true) {
            b"no NUL"
        } else {
            b"\0"
        }
    }
}

fn table() -> bool {
    StrTab::new(Changing(core::cell::Cell::new(false))).is_some()
}
