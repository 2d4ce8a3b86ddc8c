// SPDX-License-Identifier: GPL-2.0

//! What a module undoes before its text goes.
//!
//! A callback of a module that the kernel still knows once the module is unloaded is a call into
//! freed memory, and a value with a destructor can be forgotten. Here what registers a callback is
//! owned by the module itself, which lends it to the code that fills it.

use super::{
    rcu::WaitForCallbacks,
    vec::push_reserved, //
};
use kernel::prelude::*;

/// A step of a module's init, which dropping this undoes.
pub(super) trait Step: Send + Sync {}

/// The steps that are undone when the module is unloaded, from the first to the last.
///
/// Only [`Module`] owns a value of this type, so it cannot be forgotten or replaced.
pub(crate) struct Undo(KVec<KBox<dyn Step>>);

impl Undo {
    /// Makes room for a step, before it is taken.
    ///
    /// # Errors
    ///
    /// `ENOMEM` if there is no memory.
    ///
    /// Context: May sleep.
    pub(super) fn reserve(&mut self) -> Result {
        Ok(self.0.reserve(1, GFP_KERNEL)?)
    }

    /// Adds a step that was taken.
    pub(super) fn push(&mut self, step: KBox<dyn Step>) {
        push_reserved(&mut self.0, step);
    }
}

/// The state of a module between its init and its exit.
pub(crate) trait Body: Sized + Send + Sync {
    /// Initializes the module. What is to be undone at its exit, or if this fails, goes to `undo`.
    fn init(module: &'static ThisModule, undo: &mut Undo) -> Result<Self>;
}

/// A module with the state `B`, for `module!`.
///
/// On exit, and if the init fails, it undoes its steps, drops `B`, and waits for its RCU callbacks, in
/// this order.
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
        let mut undo = Undo(KVec::new());
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
