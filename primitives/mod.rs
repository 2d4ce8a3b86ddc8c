// SPDX-License-Identifier: GPL-2.0

//! Kernel primitives made safe.
//!
//! Nothing here knows what it is used for. Any crate root beside `rust_modreg.rs` can say
//! `mod primitives;` too.
//!
//! The examples are built and run by `make test`. Each sees the items of its own file; `LOCK`
//! stands for a `Mutex<()>` of `global_lock!`, and `module` for the argument of
//! `kernel::Module::init()`.

// A root uses some of it only.
#![allow(dead_code, unused_imports, unused_macros)]

pub(crate) mod address;
pub(crate) mod atomic;
pub(crate) mod bindings;
pub(crate) mod borrowed;
pub(crate) mod callback;
pub(crate) mod counted_list;
pub(crate) mod cstr;
pub(crate) mod debugfs;
pub(crate) mod debugfs_listing;
pub(crate) mod debugfs_question;
pub(crate) mod errno;
pub(crate) mod exit;
#[cfg(all(CONFIG_DYNAMIC_FTRACE_WITH_ARGS, CONFIG_KPROBES))]
pub(crate) mod ftrace;
pub(crate) mod hash;
pub(crate) mod kptr;
pub(crate) mod latch;
pub(crate) mod module;
pub(crate) mod nofault;
pub(crate) mod notifier;
pub(crate) mod pages_exact;
pub(crate) mod preempt;
pub(crate) mod range_tree;
pub(crate) mod rcu;
pub(crate) mod rcu_batch;
pub(crate) mod rcu_counted;
pub(crate) mod rculist;
pub(crate) mod reentry;
pub(crate) mod sort;
pub(crate) mod stop_machine;
pub(crate) mod tailed;
pub(crate) mod vec;
