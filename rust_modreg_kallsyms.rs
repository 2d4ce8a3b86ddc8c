// SPDX-License-Identifier: GPL-2.0

//! modreg_kallsyms: the kernel itself asks modreg.
//!
//! Hooks those functions of the unmodified kernel by which its oops, its traces, its fault handler
//! and `/proc/kallsyms` ask about modules. Where the question is about a plugin's memory that lies
//! outside of its owner module, so that the kernel can have no answer, modreg answers in its place;
//! in every other case the kernel's function runs as ever.

/// The kernel's own primitives made safe.
mod primitives;

/// `include/modreg.rs`, by which other modules reach modreg.
mod include {
    pub(crate) mod modreg;
}

/// What becomes of a call that the kernel cannot answer.
mod modreg_kallsyms {
    mod ffi;
    mod hooks;
    mod listing;
    pub(crate) mod switch;
}

use kernel::prelude::*;
use modreg_kallsyms::switch;

module! {
    type: ModregKallsyms,
    name: "modreg_kallsyms",
    authors: ["The modreg developers"],
    description: "Makes the kernel ask modreg",
    license: "GPL",
}

/// What the switch has put in pins the module: there is nothing left when it goes.
struct ModregKallsyms;

impl kernel::Module for ModregKallsyms {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        switch::init()?;
        Ok(Self)
    }
}
