// SPDX-License-Identifier: GPL-2.0

//! Reads of memory that may not be mapped.
//!
//! C header: [`include/linux/uaccess.h`](srctree/include/linux/uaccess.h)

use core::mem::size_of;
use kernel::{
    bindings,
    prelude::*, //
};

/// Returns the word at `addr`, or [`None`] if it cannot be read, as `get_kernel_nofault()`.
///
/// Context: Any, NMI included.
///
/// # Examples
///
/// ```
/// let word = 7usize;
/// assert_eq!(read_word((&raw const word).addr()), Some(7));
/// assert_eq!(read_word(8), None);
/// ```
pub(crate) fn read_word(addr: usize) -> Option<usize> {
    let mut word = 0usize;
    // SAFETY: `word` is valid for writes of its size. The source may be any address.
    let err = unsafe {
        bindings::copy_from_kernel_nofault(
            (&raw mut word).cast(),
            addr as *const c_void,
            size_of::<usize>(),
        )
    };
    (err == 0).then_some(word)
}
