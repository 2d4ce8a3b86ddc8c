// SPDX-License-Identifier: GPL-2.0

//! Notifier chains.
//!
//! C header: [`include/linux/notifier.h`](srctree/include/linux/notifier.h)

use super::bindings as helpers;
use super::{
    exit::{
        Step,
        Undo, //
    },
    module::{
        notifier_state,
        Module,
        ModuleState, //
    },
};
use core::ptr::NonNull;
use kernel::{
    bindings,
    error::to_result,
    prelude::*,
    types::Opaque, //
};

/// A callback on a notifier chain, which dropping this removes.
///
/// # Invariants
///
/// - `nb` is on the chain that `unregister` removes it from.
/// - `nb` does not move.
#[must_use = "the callback is taken off the chain when this is dropped"]
pub(crate) struct Registration {
    nb: KBox<Opaque<bindings::notifier_block>>,
    unregister: unsafe fn(*mut bindings::notifier_block),
}

// SAFETY: A chain's lock allows any thread to remove the callback.
unsafe impl Send for Registration {}

// SAFETY: No method takes a shared reference.
unsafe impl Sync for Registration {}

impl Undo {
    /// Adds `call` to a chain until the module's exit.
    ///
    /// # Safety
    ///
    /// - `register` must add a block to a chain that passes `call` the arguments that it requires.
    /// - `unregister` must remove the block from that chain, and wait for running calls.
    unsafe fn notifier(
        &mut self,
        call: unsafe extern "C" fn(*mut bindings::notifier_block, c_ulong, *mut c_void) -> c_int,
        priority: i32,
        register: unsafe fn(*mut bindings::notifier_block) -> c_int,
        unregister: unsafe fn(*mut bindings::notifier_block),
    ) -> Result {
        self.reserve()?;
        let place = KBox::<Registration>::new_uninit(GFP_KERNEL)?;
        let nb = KBox::new(
            Opaque::new(bindings::notifier_block {
                notifier_call: Some(call),
                priority,
                ..Default::default()
            }),
            GFP_KERNEL,
        )?;
        // SAFETY: By the safety requirements, the chain passes `call` what it requires. `nb` is on
        // the heap and is freed only after `drop()` has removed it.
        to_result(unsafe { register(nb.get()) })?;
        // INVARIANT: `register` has added `nb` to the chain.
        let registration = KBox::write(place, Registration { nb, unregister });
        self.push(registration);
        Ok(())
    }
}

impl Step for Registration {}

impl Drop for Registration {
    fn drop(&mut self) {
        // SAFETY: By the type invariants, `nb` is on the chain that `unregister` removes it from.
        unsafe { (self.unregister)(self.nb.get()) };
    }
}

/// A callback on the module notifier chain.
pub(crate) trait ModuleNotify {
    /// The callback's place on the chain, as `notifier_block.priority`: higher ones come first.
    const PRIORITY: i32;

    /// Called when `module` goes to `state`; the module stays loaded until this returns.
    ///
    /// If a later callback on the chain refuses a module that is COMING, the earlier ones are told
    /// that it is GOING. Its own state is COMING then.
    ///
    /// Context: May sleep.
    fn module_state(module: &Module, state: ModuleState);
}

/// Adds `T` to the module notifier chain until the module's exit, as `register_module_notifier()`.
///
/// Context: May sleep.
///
/// # Errors
///
/// `ENOMEM` if there is no memory.
///
/// # Examples
///
/// ```
/// use crate::primitives::{
///     exit::Undo,
///     module::{Module, ModuleState},
/// };
///
/// struct Unloads;
///
/// impl ModuleNotify for Unloads {
///     const PRIORITY: i32 = 0;
///
///     fn module_state(module: &Module, state: ModuleState) {
///         if state == ModuleState::Going {
///             pr_info!("{} is unloaded\n", module.name().to_str().unwrap_or("?"));
///         }
///     }
/// }
///
/// /// To be called when the module is loaded.
/// fn begin(undo: &mut Undo) -> Result {
///     register_module_notifier::<Unloads>(undo)
/// }
/// ```
pub(crate) fn register_module_notifier<T: ModuleNotify>(undo: &mut Undo) -> Result {
    /// # Safety
    ///
    /// `module` must lead to a module that stays loaded until this returns.
    unsafe extern "C" fn call<T: ModuleNotify>(
        _nb: *mut bindings::notifier_block,
        action: c_ulong,
        module: *mut c_void,
    ) -> c_int {
        // SAFETY: By the safety requirements, `module` leads to a module that stays loaded until
        // the callback has returned.
        if let Some(module) = unsafe { Module::from_raw(module.cast()) } {
            T::module_state(module, notifier_state(action));
        }
        bindings::NOTIFY_OK as c_int
    }

    // SAFETY: The two functions are of one chain, which passes a module that stays loaded, and
    // whose lock `unregister_module_notifier()` takes.
    unsafe {
        undo.notifier(
            call::<T>,
            T::PRIORITY,
            |nb| bindings::register_module_notifier(nb),
            |nb| {
                bindings::unregister_module_notifier(nb);
            },
        )
    }
}

/// The place of an oops or a panic.
pub(crate) struct Trouble {
    /// The address of the instruction, or [`None`] if it is not known.
    pub(crate) ip: Option<usize>,
    /// The used part of the stack, which may be any stack and may be unreadable.
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

/// A callback for oopses and panics.
pub(crate) trait TroubleNotify {
    /// Called after the kernel has reported an oops, or before it stops in a panic.
    ///
    /// Context: Any, NMI included.
    fn trouble(at: &Trouble);
}

/// Adds `T` to the die chain for oopses of the kernel, as `register_die_notifier()`.
///
/// Context: May sleep.
///
/// # Errors
///
/// `ENOMEM` if there is no memory.
///
/// # Examples
///
/// ```
/// use crate::primitives::exit::Undo;
///
/// struct Report;
///
/// impl TroubleNotify for Report {
///     fn trouble(at: &Trouble) {
///         if let Some(ip) = at.ip {
///             pr_info!("oops at {ip:#x}\n");
///         }
///     }
/// }
///
/// /// To be called when the module is loaded.
/// fn begin(undo: &mut Undo) -> Result {
///     register_die_notifier::<Report>(undo)
/// }
/// ```
pub(crate) fn register_die_notifier<T: TroubleNotify>(undo: &mut Undo) -> Result {
    /// # Safety
    ///
    /// `args` must point to a `struct die_args`.
    unsafe extern "C" fn call<T: TroubleNotify>(
        _nb: *mut bindings::notifier_block,
        action: c_ulong,
        args: *mut c_void,
    ) -> c_int {
        if action as helpers::die_val == helpers::die_val_DIE_OOPS {
            // SAFETY: By the safety requirements, `args` points to a `struct die_args`.
            let regs = unsafe { (*args.cast::<helpers::die_args>()).regs };
            // SAFETY: The chain passes registers that are null or valid, and these are not null.
            let kernel = NonNull::new(regs).filter(|r| unsafe { !helpers::user_mode(r.as_ptr()) });
            if let Some(regs) = kernel.map(NonNull::as_ptr) {
                // SAFETY: `regs` is not null, so the registers are valid.
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

    // SAFETY: The two functions are of one chain, which passes a `struct die_args`, and which
    // `unregister_die_notifier()` waits for.
    unsafe {
        undo.notifier(
            call::<T>,
            0,
            |nb| helpers::register_die_notifier(nb),
            |nb| {
                helpers::unregister_die_notifier(nb);
            },
        )
    }
}

/// Adds `T` to the panic chain, `panic_notifier_list`.
///
/// Context: May sleep.
///
/// # Errors
///
/// `ENOMEM` if there is no memory.
///
/// # Examples
///
/// ```
/// use crate::primitives::exit::Undo;
///
/// struct Report;
///
/// impl TroubleNotify for Report {
///     fn trouble(at: &Trouble) {
///         pr_info!("panic with the stack at {:#x}\n", at.stack.start);
///     }
/// }
///
/// /// To be called when the module is loaded.
/// fn begin(undo: &mut Undo) -> Result {
///     register_panic_notifier::<Report>(undo)
/// }
/// ```
pub(crate) fn register_panic_notifier<T: TroubleNotify>(undo: &mut Undo) -> Result {
    /// # Safety
    ///
    /// None: no argument is used.
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

    // SAFETY: The two functions are of one chain, which the second one waits for. `call` uses no
    // argument.
    unsafe {
        undo.notifier(
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
