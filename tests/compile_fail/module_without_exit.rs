// SPDX-License-Identifier: GPL-2.0

//! The module does not wait for its RCU callbacks before its text goes.
//!
//! error: E0277: the trait bound `Module: Undoes` is not satisfied

mod primitives;

// As `module!` defines it.
type LocalModule = Module;
const __LOG_PREFIX: &[u8] = b"compile_fail\0";

struct Module;
