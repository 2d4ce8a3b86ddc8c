// SPDX-License-Identifier: GPL-2.0

//! Runs the examples in the documentation of `primitives/` and `include/modreg/`.
//!
//! `generate.py` turns them into functions. Loading this module runs each of them and logs a line
//! for it: "NAME: ok" or "NAME: failed (ERRNO), see FILE:LINE".

#![allow(dead_code)]

mod modreg;
mod primitives;

use core::ops::Range;
use kernel::prelude::*;
use primitives::exit;

module! {
    type: Examples,
    name: "modreg_examples",
    authors: ["The modreg developers"],
    description: "Runs the examples in modreg's documentation",
    license: "GPL",
}

kernel::sync::global_lock! {
    // SAFETY: Initialized before the first example runs.
    unsafe(uninit) static LOCK: Mutex<()> = ();
}

primitives::rcu_batch::batch_lock!(LOCK);

/// The example's name, its place, and the function, if it can be run.
type Example = (
    &'static str,
    &'static str,
    Option<fn(&'static ThisModule) -> Result>,
);

// An assertion of `core` would panic, and one of KUnit would not run destructors.
macro_rules! assert {
    ($cond:expr) => {
        if !$cond {
            pr_err!("{} is false\n", stringify!($cond));
            return Err(EINVAL);
        }
    };
}

macro_rules! assert_eq {
    ($left:expr, $right:expr) => {
        match (&$left, &$right) {
            (left, right) if left != right => {
                pr_err!("{} is {left:?}, not {right:?}\n", stringify!($left));
                return Err(EINVAL);
            }
            _ => {}
        }
    };
}

/// Returns two ranges of addresses that belong to this module.
fn ranges() -> (Range<usize>, Range<usize>) {
    static MEMORY: [u8; 4096] = [0; 4096];

    let (start, end) = (MEMORY.as_ptr().addr(), MEMORY.as_ptr_range().end.addr());
    let middle = start.midpoint(end);
    (start..middle, middle..end)
}

/// The functions that `generate.py` made.
#[allow(non_snake_case, unused)]
mod generated {
    use super::*;

    include!(env!("MODREG_EXAMPLES"));
}

type Examples = exit::Module<State>;

struct State;

impl exit::Body for State {
    fn init(module: &'static ThisModule, _undo: &mut exit::Undo) -> Result<Self> {
        // SAFETY: Called once.
        unsafe { LOCK.init() };
        for (name, place, example) in generated::EXAMPLES {
            match example.map(|example| example(module)) {
                None => pr_info!("{name}: built\n"),
                Some(Ok(())) => pr_info!("{name}: ok\n"),
                Some(Err(e)) => pr_err!("{name}: failed ({}), see {place}\n", e.to_errno()),
            }
        }
        Ok(Self)
    }
}
