// SPDX-License-Identifier: GPL-2.0

//! Vectors that are filled where no memory can be allocated.

use kernel::{
    alloc::Allocator,
    prelude::*, //
};

/// Appends `value` to a vector whose capacity was reserved before.
///
/// If there is no room, the caller has counted wrongly: warns, as `WARN_ON()`, and drops `value`.
///
/// Context: Any, NMI included.
///
/// # Examples
///
/// ```
/// let mut squares = KVec::with_capacity(3, GFP_KERNEL)?;
/// for i in 1..=3 {
///     push_reserved(&mut squares, i * i);
/// }
/// assert_eq!(squares[..], [1, 4, 9]);
/// # Ok::<(), Error>(())
/// ```
pub(crate) fn push_reserved<T, A: Allocator>(vec: &mut Vec<T, A>, value: T) {
    kernel::warn_on!(vec.push_within_capacity(value).is_err());
}
