// SPDX-License-Identifier: GPL-2.0

//! The module that a notifier is told of is kept, and may be unloaded.
//!
//! error: lifetime may not live long enough

include!("common.in");

use primitives::module::Module;

fn keep(module: &Module) -> &'static Module {
    module
}
