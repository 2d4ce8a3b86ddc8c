// SPDX-License-Identifier: GPL-2.0

//! Exported symbols whose plugins are pinned.

use super::bindings;
use core::{
    ffi::CStr,
    ptr::NonNull,
    slice, //
};
use kernel::{
    bindings::strlen,
    prelude::*, //
};

/// An exported symbol and a reference to its plugin, which dropping this puts.
///
/// Context: Any, NMI included.
///
/// # Invariants
///
/// A reference to `plugin` is held.
///
/// # Examples
///
/// ```
/// /// Logs where the exported symbol `filter` is.
/// fn log_filter() {
///     if let Some(filter) = Pinned::find(c"filter") {
///         let plugin = filter.plugin().to_str().unwrap_or("?");
///         pr_info!("filter is at {:#x} in {plugin}\n", filter.value());
///     }
/// }
///
/// log_filter();
/// assert!(Pinned::find(c"filter").is_none());
/// ```
pub(crate) struct Pinned {
    plugin: NonNull<bindings::modreg_plugin>,
    value: usize,
}

// SAFETY: Any thread may put a reference.
unsafe impl Send for Pinned {}

// SAFETY: A shared reference gives access to reads of data that does not change.
unsafe impl Sync for Pinned {}

impl Pinned {
    /// Takes a reference to the newest LIVE plugin that exports `name`, as
    /// `modreg_find_symbol_get()`.
    ///
    /// Returns [`None`] if there is no such plugin, or its owner is not LIVE.
    ///
    /// Context: Any, NMI included.
    pub(crate) fn find(name: &CStr) -> Option<Self> {
        let mut fsa = bindings::modreg_find_symbol_arg {
            name: name.as_char_ptr(),
            gplok: true,
            ..Default::default()
        };
        // SAFETY: `fsa` is valid for reads and writes, and `fsa.name` is NUL-terminated.
        if !unsafe { bindings::modreg_find_symbol_get(&mut fsa) } {
            return None;
        }
        // INVARIANT: `modreg_find_symbol_get()` has taken a reference to `owner`.
        Some(Self {
            plugin: NonNull::new(fsa.owner)?,
            value: fsa.value,
        })
    }

    /// Returns the symbol's address.
    ///
    /// Context: Any, NMI included.
    pub(crate) fn value(&self) -> usize {
        self.value
    }

    /// Returns the name of the symbol's plugin.
    ///
    /// Context: Any, NMI included.
    pub(crate) fn plugin(&self) -> &CStr {
        // SAFETY: By the type invariants, a reference to `plugin` is held.
        let name = unsafe { bindings::modreg_plugin_name(self.plugin.as_ptr()) };
        // `CStr::from_ptr()` has code that panics.
        // SAFETY: `name` is NUL-terminated.
        let len = unsafe { strlen(name) };
        // SAFETY: `name` is valid for `len` bytes and the NUL behind them, and does not change
        // while `self` holds the reference.
        unsafe {
            CStr::from_bytes_with_nul_unchecked(slice::from_raw_parts(
                name.cast(),
                len.wrapping_add(1),
            ))
        }
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        // SAFETY: By the type invariants, a reference to `plugin` is held; it is put once.
        unsafe { bindings::modreg_find_symbol_put(self.plugin.as_ptr()) };
    }
}
