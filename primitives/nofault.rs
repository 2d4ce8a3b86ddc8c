// SPDX-License-Identifier: GPL-2.0

//! Reads of memory that may not be mapped.
//!
//! C header: [`include/linux/uaccess.h`](srctree/include/linux/uaccess.h)

use super::bindings as helpers;
use core::ops::Range;
use kernel::{
    page::PAGE_SIZE,
    prelude::*, //
};

/// Returns whether every page of a range can be read.
///
/// The answer holds for as long as the owner keeps the range mapped.
///
/// Context: Any, NMI included.
///
/// # Examples
///
/// ```
/// let page = KVec::from_elem(0u8, 4096, GFP_KERNEL)?;
/// let range = page.as_ptr_range();
/// assert!(is_readable(range.start.addr()..range.end.addr()));
/// assert!(!is_readable(0..4096));
/// # Ok::<(), Error>(())
/// ```
pub(crate) fn is_readable(range: Range<usize>) -> bool {
    let Some(last) = range.end.checked_sub(1) else {
        return false;
    };
    let mut at = range.start;
    while at < last {
        if read_byte(at).is_none() {
            return false;
        }
        let Some(next) = (at | PAGE_SIZE.wrapping_sub(1)).checked_add(1) else {
            break;
        };
        at = next;
    }
    read_byte(last).is_some()
}

/// Copies the string at `addr` and its NUL to `buf`, truncated to what fits, as
/// `strncpy_from_kernel_nofault()`.
///
/// Returns `false` if it cannot be read.
///
/// Context: Any, NMI included.
///
/// # Examples
///
/// ```
/// let mut buf = [0; 4];
/// assert!(copy_string(c"filter".as_char_ptr().addr(), &mut buf));
/// assert_eq!(&buf, b"fil\0");
/// assert!(!copy_string(8, &mut buf));
/// ```
pub(crate) fn copy_string(addr: usize, buf: &mut [u8]) -> bool {
    let Some((nul, room)) = buf.split_last_mut() else {
        return true;
    };
    *nul = 0;
    for (i, to) in room.iter_mut().enumerate() {
        match read_byte(addr.wrapping_add(i)) {
            Some(byte) => *to = byte,
            None => return false,
        }
        if *to == 0 {
            break;
        }
    }
    true
}

/// Returns the word at `addr`, or [`None`] if it cannot be read.
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
    read(addr).map(usize::from_ne_bytes)
}

/// Returns the byte at `addr`, or [`None`] if it cannot be read.
fn read_byte(addr: usize) -> Option<u8> {
    read(addr).map(u8::from_ne_bytes)
}

/// Returns the bytes at `addr`, or [`None`] if they cannot be read, as `get_kernel_nofault()`.
fn read<const N: usize>(addr: usize) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    // SAFETY: `bytes` is valid for writes of `N` bytes. The source may be any address.
    let err = unsafe {
        helpers::copy_from_kernel_nofault(bytes.as_mut_ptr().cast(), addr as *const c_void, N)
    };
    (err == 0).then_some(bytes)
}
