// SPDX-License-Identifier: GPL-2.0

//! What a module undoes before its text goes.
//!
//! A callback of a module that the kernel still knows once the module is unloaded is a call into
//! freed memory, and a value with a destructor can be forgotten. Here what registers a callback is
//! owned by the module itself, which lends it to the code that fills it.

use super::{
    debugfs::Dir,
    notifier::Registration,
    rcu::WaitForCallbacks, //
};
use kernel::prelude::*;

/// What is undone when the module is unloaded, in this order.
///
/// Only [`Module`] owns a value of this type, so it cannot be forgotten or replaced.
pub(crate) struct Undo {
    /// The callbacks on notifier chains, which are taken off first.
    pub(super) notifiers: KVec<Registration>,
    /// The directories in debugfs.
    pub(super) dirs: KVec<Dir>,
}

/// The state of a module between its init and its exit.
pub(crate) trait Body: Sized + Send + Sync {
    /// Initializes the module. What is to be undone at its exit, or if this fails, goes to `undo`.
    fn init(module: &'static ThisModule, undo: &mut Undo) -> Result<Self>;
}

/// A module with the state `B`, for `module!`.
///
/// On exit, and if the init fails, it takes its callbacks off the notifier chains, removes its files,
/// drops `B`, and waits for its RCU callbacks, in this order.
///
/// # Examples
///
/// ```
/// /// In the root of the crate: "module! { type: Example, … }".
/// type Example = Module<State>;
///
/// struct State;
///
/// impl Body for State {
///     fn init(_module: &'static ThisModule, undo: &mut Undo) -> Result<Self> {
///         let _dir = undo.debugfs_dir(c"modreg_example")?;
///         Ok(Self)
///     }
/// }
/// ```
pub(crate) struct Module<B> {
    // Fields are dropped from the first to the last.
    _undo: Undo,
    _body: B,
    _callbacks: WaitForCallbacks,
}

impl<B: Body> kernel::Module for Module<B> {
    fn init(module: &'static ThisModule) -> Result<Self> {
        // Locals are dropped from the last to the first.
        let callbacks = WaitForCallbacks;
        let mut undo = Undo {
            notifiers: KVec::new(),
            dirs: KVec::new(),
        };
        let body = B::init(module, &mut undo)?;
        Ok(Self {
            _undo: undo,
            _body: body,
            _callbacks: callbacks,
        })
    }
}

/// A module that undoes what is in [`Undo`], and waits for its RCU callbacks, on exit.
///
/// # Safety
///
/// [`kernel::Module::init`] of the type must return a value whose destructor does so.
unsafe trait Undoes {}

// SAFETY: `_undo` and `_callbacks` do so when they are dropped.
unsafe impl<B: Body> Undoes for Module<B> {}

// `module!` gives the module's type the name `LocalModule`. So a crate that uses these primitives
// does not compile unless its module is a `Module`. The reference is no module.
#[cfg(not(doc))]
const _: fn() = || {
    fn undoes<M: Undoes>() {}
    undoes::<crate::LocalModule>();
};
