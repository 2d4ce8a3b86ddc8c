// SPDX-License-Identifier: GPL-2.0

//! Addresses as the kernel sees them.

use super::bindings as helpers;

/// Returns whether an address lies in the kernel's part of the address space, as
/// `fault_in_kernel_space()`.
///
/// Context: Any, NMI included.
///
/// # Examples
///
/// ```
/// static NUMBER: u32 = 7;
///
/// assert!(is_kernel_address((&raw const NUMBER).addr()));
/// ```
pub(crate) fn is_kernel_address(addr: usize) -> bool {
    // SAFETY: An FFI call with no additional requirements.
    unsafe { helpers::is_kernel_address(addr) }
}

/// Returns whether the kernel has a symbol for an address, as `kallsyms_lookup()`: in vmlinux, in a
/// module, in code of BPF or ftrace, or where a hook answers.
///
/// Context: Any, NMI included.
///
/// # Examples
///
/// ```
/// fn named() {}
///
/// assert!(has_kernel_symbol(named as fn() as usize));
/// let page = KVec::from_elem(0u8, 4096, GFP_KERNEL)?;
/// assert!(!has_kernel_symbol(page.as_ptr().addr()));
/// # Ok::<(), Error>(())
/// ```
pub(crate) fn has_kernel_symbol(addr: usize) -> bool {
    // SAFETY: An FFI call with no additional requirements.
    unsafe { helpers::has_kernel_symbol(addr) }
}

/// Returns whether an address may lie in a module, which few instructions can tell.
///
/// Context: Any, NMI included.
#[inline(always)]
pub(crate) fn may_be_module(addr: usize) -> bool {
    // SAFETY: An FFI call with no additional requirements.
    unsafe { helpers::may_be_module(addr) }
}
