// SPDX-License-Identifier: GPL-2.0

//! Reading memory that may not be there.
//!
//! C header: [`include/linux/uaccess.h`](srctree/include/linux/uaccess.h)

use core::mem::size_of;
use kernel::{
    bindings,
    prelude::*, //
};

/// The word at `addr`, or nothing where it cannot be read, as `get_kernel_nofault()`. From any
/// context.
pub(crate) fn read_word(addr: usize) -> Option<usize> {
    let mut word = 0usize;
    // SAFETY: The destination is valid; any source address will do.
    let err = unsafe {
        bindings::copy_from_kernel_nofault(
            (&raw mut word).cast(),
            addr as *const c_void,
            size_of::<usize>(),
        )
    };
    (err == 0).then_some(word)
}
