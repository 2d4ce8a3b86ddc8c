// SPDX-License-Identifier: GPL-2.0

//! The state of an open file cannot be sent to the thread that reads it.
//!
//! error: E0277: `*mut u8` cannot be sent between threads safely

include!("common.in");

use primitives::debugfs_listing::Listing;

struct Numbers(*mut u8);

impl Listing for Numbers {
    fn open(_show_values: bool) -> Result<Self> {
        Err(ENOENT)
    }

    fn start(&mut self, _pos: u64) -> bool {
        false
    }

    fn next(&mut self) -> bool {
        false
    }

    fn show(&self, _m: &kernel::seq_file::SeqFile) {}
}
