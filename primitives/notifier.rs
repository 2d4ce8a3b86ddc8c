// SPDX-License-Identifier: GPL-2.0

//! The kernel's notifier chains.
//!
//! C header: [`include/linux/notifier.h`](srctree/include/linux/notifier.h)

use super::bindings as helpers;
use super::module::{
    notifier_state,
    Module,
    ModuleState, //
};
use core::ptr::NonNull;
use kernel::{
    bindings,
    error::to_result,
    prelude::*,
    types::Opaque, //
};

/// A callback on a notifier chain; off the chain when dropped.
///
/// # Invariants
///
/// `nb` is on the chain that `unregister` takes it off, and stays where it is.
#[must_use = "the callback is taken off the chain when this is dropped"]
pub(crate) struct Registration {
    nb: KBox<Opaque<bindings::notifier_block>>,
    unregister: unsafe fn(*mut bindings::notifier_block),
}

// SAFETY: The chains are locked.
unsafe impl Send for Registration {}

// SAFETY: A shared reference gives access to nothing.
unsafe impl Sync for Registration {}

impl Registration {
    /// # Safety
    ///
    /// `register` must put a block on a chain that calls `call` as it expects, and `unregister`
    /// take it off.
    unsafe fn new(
        call: unsafe extern "C" fn(*mut bindings::notifier_block, c_ulong, *mut c_void) -> c_int,
        priority: i32,
        register: unsafe fn(*mut bindings::notifier_block) -> c_int,
        unregister: unsafe fn(*mut bindings::notifier_block),
    ) -> Result<Self> {
        let nb = KBox::new(
            Opaque::new(bindings::notifier_block {
                notifier_call: Some(call),
                priority,
                ..Default::default()
            }),
            GFP_KERNEL,
        )?;
        // SAFETY: By the requirement of this function; the block stays where it is until it is
        // taken off.
        to_result(unsafe { register(nb.get()) })?;
        // INVARIANT: It was just put on the chain.
        Ok(Self { nb, unregister })
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        // SAFETY: By the type invariant.
        unsafe { (self.unregister)(self.nb.get()) };
    }
}

/// Follows modules through their lives.
pub(crate) trait ModuleNotify {
    /// `module` has reached `state`. May sleep; the module stays loaded until this returns.
    fn module_state(module: Module, state: ModuleState);
}

/// Puts `T` on the module notifier chain, as `register_module_notifier()`, behind all others.
pub(crate) fn register_module_notifier<T: ModuleNotify>() -> Result<Registration> {
    /// # Safety
    ///
    /// `module` must be a module that stays loaded until this returns.
    unsafe extern "C" fn call<T: ModuleNotify>(
        _nb: *mut bindings::notifier_block,
        action: c_ulong,
        module: *mut c_void,
    ) -> c_int {
        // SAFETY: By the requirement of this function.
        if let Some(module) = unsafe { Module::new(module.cast()) } {
            T::module_state(module, notifier_state(action));
        }
        bindings::NOTIFY_OK as c_int
    }

    // SAFETY: The functions belong together, and this chain passes a module.
    unsafe {
        Registration::new(
            call::<T>,
            i32::MIN,
            |nb| bindings::register_module_notifier(nb),
            |nb| {
                bindings::unregister_module_notifier(nb);
            },
        )
    }
}

/// Where an oops or a panic happened.
pub(crate) struct Trouble {
    /// The address of the instruction, where it is known.
    pub(crate) ip: Option<usize>,
    /// The part of the stack that was in use; it may be on any stack, and unreadable.
    pub(crate) stack: core::ops::Range<usize>,
}

impl Trouble {
    fn new(ip: Option<usize>, sp: usize) -> Self {
        Self {
            ip,
            // SAFETY: An FFI call with no additional requirements.
            stack: sp..unsafe { helpers::stack_end(sp) },
        }
    }
}

/// Is told of oopses and panics.
pub(crate) trait TroubleNotify {
    /// The kernel has reported an oops, or is about to stop. Called in any context, an NMI
    /// included.
    fn trouble(at: &Trouble);
}

/// Puts `T` on the die chain, for oopses, as `register_die_notifier()`.
pub(crate) fn register_die_notifier<T: TroubleNotify>() -> Result<Registration> {
    /// # Safety
    ///
    /// `args` must point to a `struct die_args`.
    unsafe extern "C" fn call<T: TroubleNotify>(
        _nb: *mut bindings::notifier_block,
        action: c_ulong,
        args: *mut c_void,
    ) -> c_int {
        if action as helpers::die_val == helpers::die_val_DIE_OOPS {
            // SAFETY: By the requirement of this function.
            let regs = unsafe { (*args.cast::<helpers::die_args>()).regs };
            // SAFETY: The chain passes valid registers or none.
            let kernel = NonNull::new(regs).filter(|r| unsafe { !helpers::user_mode(r.as_ptr()) });
            if let Some(regs) = kernel.map(NonNull::as_ptr) {
                // SAFETY: The registers are valid, as above.
                let (ip, sp) = unsafe {
                    (
                        helpers::instruction_pointer(regs),
                        helpers::kernel_stack_pointer(regs),
                    )
                };
                T::trouble(&Trouble::new(Some(ip), sp));
            }
        }
        bindings::NOTIFY_DONE as c_int
    }

    // SAFETY: The functions belong together, and this chain passes `die_args`.
    unsafe {
        Registration::new(
            call::<T>,
            0,
            |nb| helpers::register_die_notifier(nb),
            |nb| {
                helpers::unregister_die_notifier(nb);
            },
        )
    }
}

/// Puts `T` on the panic chain, `panic_notifier_list`.
pub(crate) fn register_panic_notifier<T: TroubleNotify>() -> Result<Registration> {
    /// # Safety
    ///
    /// None; nothing of what is passed is read.
    unsafe extern "C" fn call<T: TroubleNotify>(
        _nb: *mut bindings::notifier_block,
        _action: c_ulong,
        _message: *mut c_void,
    ) -> c_int {
        // SAFETY: An FFI call with no additional requirements.
        let sp = unsafe { helpers::current_stack_pointer() };
        T::trouble(&Trouble::new(None, sp));
        bindings::NOTIFY_DONE as c_int
    }

    // SAFETY: The functions belong together, and `call` reads nothing of what it is passed.
    unsafe {
        Registration::new(
            call::<T>,
            0,
            |nb| {
                bindings::atomic_notifier_chain_register(&raw mut helpers::panic_notifier_list, nb)
            },
            |nb| {
                bindings::atomic_notifier_chain_unregister(
                    &raw mut helpers::panic_notifier_list,
                    nb,
                );
            },
        )
    }
}
