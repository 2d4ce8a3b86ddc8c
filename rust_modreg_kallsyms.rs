// SPDX-License-Identifier: GPL-2.0

//! modreg_kallsyms: the kernel itself asks modreg.
//!
//! Hooks the functions of the unmodified kernel by which its oops, its traces, its fault handler
//! and `/proc/kallsyms` ask about modules. If the question is about memory of a plugin that lies
//! outside of its owner module, the kernel can have no answer and modreg answers in its place. In
//! every other case the kernel's function runs unchanged.

/// Kernel primitives made safe.
mod primitives;

/// The interface to modreg.
mod modreg {
    pub(crate) mod bindings;
}

/// Answers to questions that the kernel cannot answer.
mod modreg_kallsyms {
    mod ffi;
    mod hooks;
    mod listing;
    pub(crate) mod switch;
}

use kernel::prelude::*;
use modreg_kallsyms::switch;
use primitives::exit;

module! {
    type: ModregKallsyms,
    name: "modreg_kallsyms",
    authors: ["The modreg developers"],
    description: "Makes the kernel ask modreg",
    license: "GPL",
}

type ModregKallsyms = exit::Module<State>;

/// The hooks pin the module, so none is left when it is unloaded.
struct State;

impl exit::Body for State {
    fn init(_module: &'static ThisModule, _undo: &mut exit::Undo) -> Result<Self> {
        switch::init()?;
        Ok(Self)
    }
}
