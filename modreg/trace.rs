// SPDX-License-Identifier: GPL-2.0

//! Tracepoints, which `glue/trace.h` declares. While one is off it costs a no-operation.

use crate::{
    bindings,
    name::Name, //
};
use kernel::{
    bindings::{
        module_state_MODULE_STATE_COMING as COMING,
        module_state_MODULE_STATE_GOING as GOING,
        module_state_MODULE_STATE_LIVE as LIVE,
        tracepoint, //
    },
    jump_label::static_branch_unlikely,
    prelude::*, //
};

/// As `kernel::declare_trace!`, which only knows the tracepoints of the kernel's own bindings.
macro_rules! trace {
    ($event:ident($($arg:expr),*)) => {
        kernel::macros::paste! {
            // SAFETY: It is always okay to query the static key of a tracepoint.
            if unsafe { static_branch_unlikely!(bindings::[<__tracepoint_ $event>], tracepoint, key) } {
                // SAFETY: The name is a string, and the rest are numbers.
                unsafe { bindings::[<rust_do_trace_ $event>]($($arg),*) };
            }
        }
    };
}

/// A plugin is visible, COMING.
#[inline]
pub(crate) fn plugin_register(name: &Name, regions: usize, symbols: u32) {
    trace!(plugin_register(
        name.as_cstr().as_char_ptr(),
        regions as u32,
        symbols
    ));
    trace!(plugin_state(name.as_cstr().as_char_ptr(), COMING));
}

/// A plugin is LIVE.
#[inline]
pub(crate) fn plugin_live(name: &Name) {
    trace!(plugin_state(name.as_cstr().as_char_ptr(), LIVE));
}

/// A plugin is GOING.
#[inline]
pub(crate) fn plugin_going(name: &Name) {
    trace!(plugin_state(name.as_cstr().as_char_ptr(), GOING));
}

/// A plugin was unlinked, and no reader can hold it.
#[inline]
pub(crate) fn plugin_unregister(name: &Name) {
    trace!(plugin_unregister(name.as_cstr().as_char_ptr()));
}
