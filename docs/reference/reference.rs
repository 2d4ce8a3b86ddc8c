// SPDX-License-Identifier: GPL-2.0

//! The Rust interfaces of modreg.
//!
//! - [`modreg`]: the wrapper of `modreg.h`, for plugins in Rust.
//! - [`primitives`]: kernel primitives made safe, which modreg is built on.

// All items are private to the crate.
#![allow(rustdoc::private_intra_doc_links)]

mod modreg;
mod primitives;

/// As `module!` defines it.
#[doc(hidden)]
const __LOG_PREFIX: &[u8] = b"modreg\0";
