// SPDX-License-Identifier: GPL-2.0

//! What bindgen makes of `glue/bindings_helper.h`: the types of `include/modreg.h`, and the
//! kernel's functions that the kernel crate does not bind.

#![allow(
    clippy::all,
    clippy::undocumented_unsafe_blocks,
    dead_code,
    improper_ctypes,
    missing_docs,
    non_camel_case_types,
    non_snake_case,
    non_upper_case_globals,
    unreachable_pub,
    unsafe_op_in_unsafe_fn
)]

use kernel::bindings::*;

include!(env!("MODREG_BINDINGS"));
