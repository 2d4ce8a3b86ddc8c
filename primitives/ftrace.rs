// SPDX-License-Identifier: GPL-2.0

//! Hooks on functions of the kernel.
//!
//! C header: [`include/linux/ftrace.h`](srctree/include/linux/ftrace.h)
//!
//! A [`Hook`] redirects some of a function's calls to a replacement of the same prototype, as a
//! livepatch redirects all of them (`kernel/livepatch/patch.c`). Each of three stages may do more
//! than the one before:
//!
//! 1. [`Hook::concerns`] sees the call only. It runs at each call, in any context, also where RCU
//!    is not watching, and every caller of the function pays for it.
//! 2. [`Hook::replaces`] may look up what a [`PreemptGuard`] protects.
//! 3. The replacement answers in the function's place. It holds a guard throughout, so it can
//!    neither sleep nor block: Tasks RCU, by which [`Registration::unregister`] waits for it, would
//!    take a blocked task for one that has left.
//!
//! None of the three is traced: Rust is compiled without calls to ftrace, and so is
//! `glue/helpers.c`.

use super::{
    bindings as helpers,
    module::{
        Module,
        ModulePin, //
    },
    preempt::PreemptGuard,
    rcu::synchronize_rcu_tasks, //
};
use core::{
    ffi::CStr,
    marker::PhantomData,
    mem::ManuallyDrop, //
};
use kernel::{
    bindings,
    error::to_result,
    prelude::*,
    time::{
        delay::fsleep,
        Delta, //
    },
    types::Opaque, //
};

/// A call of a hooked function, before its first instruction.
pub(crate) struct Call<'a> {
    regs: *mut bindings::ftrace_regs,
    _regs: PhantomData<&'a ()>,
}

impl Call<'_> {
    /// Returns the first argument of the call, an integer or a pointer.
    ///
    /// Context: Any, NMI included.
    #[inline(always)]
    pub(crate) fn argument(&self) -> usize {
        // SAFETY: `regs` holds the registers of the call that this stands for.
        unsafe { helpers::ftrace_regs_get_argument_0(self.regs) }
    }
}

/// A function of the kernel, and the replacement for some of its calls.
///
/// Implement it by [`replace_function!`](crate::primitives::ftrace::replace_function), which
/// compares the prototypes.
///
/// # Safety
///
/// `REPLACEMENT` must be the address of a function that has the prototype of the function called
/// `NAME`, that does what its callers expect of it, and that neither sleeps nor blocks.
pub(crate) unsafe trait Hook: 'static {
    /// The name of the function.
    const NAME: &'static CStr;

    /// The address of the replacement.
    const REPLACEMENT: *const ();

    /// Returns whether the call may be one for the replacement.
    ///
    /// Each call of the function runs this, so it must be short.
    ///
    /// RCU may not be watching.
    ///
    /// Context: Any, NMI included.
    fn concerns(call: &Call<'_>) -> bool;

    /// Returns whether the call goes to the replacement.
    ///
    /// Called only after [`Hook::concerns`] has returned `true`, and only if RCU is watching.
    ///
    /// Context: Any, NMI included.
    fn replaces(call: &Call<'_>, guard: &PreemptGuard) -> bool;
}

/// Implements [`Hook`] for a unit type.
///
/// Takes the function's prototype, which must be that of the kernel's bindings, the two questions,
/// and the body of the replacement, which has a [`PreemptGuard`]. The caller vouches by `unsafe` that
/// the body does what the function's callers expect.
///
/// # Examples
///
/// ```
/// replace_function! {
///     /// There is module text at 1.
///     struct TextAtOne;
///
///     fn is_module_text_address(addr: usize) -> bool;
///     concerns: |call| call.argument() == 1,
///     replaces: |_call, _guard| true,
///     // SAFETY: The callers expect any answer.
///     unsafe with: |_guard| addr == 1,
/// }
///
/// let hook = register::<TextAtOne>()?;
/// assert!(hook.name() == c"is_module_text_address");
/// // Only this removes the hook.
/// let _removed = hook.unregister().map_err(|(e, _hook)| e)?;
/// # Ok::<(), Error>(())
/// ```
macro_rules! replace_function {
    (
        $(#[$meta:meta])*
        $vis:vis struct $hook:ident;

        fn $name:ident($($arg:ident: $type:ty),* $(,)?) -> $ret:ty;
        concerns: |$call:pat_param| $concerns:expr,
        replaces: |$call2:pat_param, $guard2:pat_param| $replaces:expr,
        unsafe with: |$guard:pat_param| $with:expr $(,)?
    ) => {
        $(#[$meta])*
        $vis struct $hook;

        const _: () = {
            /// Answers in the function's place.
            ///
            /// # Safety
            ///
            /// As the function asks of its arguments.
            unsafe extern "C" fn replacement($($arg: $type),*) -> $ret {
                let guard = $crate::primitives::preempt::PreemptGuard::new();
                let $guard = &guard;
                let ret: $ret = $with;
                drop(guard);
                ret
            }

            // One type, or this does not compile.
            const _: [unsafe extern "C" fn($($type),*) -> $ret; 2] =
                [$crate::primitives::bindings::$name, replacement];

            // SAFETY: The check above compares the prototypes. `guard` lives throughout, so the
            // replacement neither sleeps nor blocks. It does what the callers of the function expect, as
            // whoever wrote `unsafe with` vouches.
            unsafe impl $crate::primitives::ftrace::Hook for $hook {
                const NAME: &'static ::core::ffi::CStr = {
                    const NAME: &str = concat!(stringify!($name), "\0");
                    // SAFETY: It ends in NUL, and an identifier holds none.
                    unsafe { ::core::ffi::CStr::from_bytes_with_nul_unchecked(NAME.as_bytes()) }
                };

                const REPLACEMENT: *const () = replacement as *const ();

                #[inline(always)]
                fn concerns($call: &$crate::primitives::ftrace::Call<'_>) -> bool {
                    $concerns
                }

                #[inline(always)]
                fn replaces(
                    $call2: &$crate::primitives::ftrace::Call<'_>,
                    $guard2: &$crate::primitives::preempt::PreemptGuard,
                ) -> bool {
                    $replaces
                }
            }
        };
    };
}
pub(crate) use replace_function;

/// Evidence that no CPU and no task is inside a hook's callback or replacement, and that none will
/// enter them.
#[must_use]
pub(crate) struct Removed(());

/// A registered hook.
///
/// Pins the module, since the hook leads to its text. Only [`Registration::unregister`] removes the
/// hook; dropping this leaks the hook and the reference to the module.
///
/// # Invariants
///
/// - `ops` is registered with ftrace, or ftrace is dead and has left calls redirected.
/// - `pin` keeps the module loaded, whose text `ops` leads to.
#[must_use = "a hook that is dropped cannot be removed"]
pub(crate) struct Registration {
    ops: ManuallyDrop<KBox<Opaque<bindings::ftrace_ops>>>,
    pin: ManuallyDrop<ModulePin>,
    name: &'static CStr,
}

// SAFETY: ftrace has its own locks, so any thread may unregister `ops`.
unsafe impl Send for Registration {}

// SAFETY: A shared reference gives access to the name only.
unsafe impl Sync for Registration {}

/// Set once `ftrace_startup()` may have redirected calls.
const ENABLED: c_ulong = bindings::FTRACE_OPS_FL_ENABLED as c_ulong;

/// The number of attempts to register while ftrace changes a BPF trampoline on the same function.
const TRIES: u32 = 100;

/// Registers hook `H`, as `register_ftrace_function()`.
///
/// Context: May sleep.
///
/// # Errors
///
/// - `ENOENT` if the kernel has no such function, `EINVAL` if it cannot be traced.
/// - `EBUSY` if its calls are redirected already, by a livepatch or a kprobe with a post handler.
/// - `ENODEV` if ftrace has disabled itself, or the module is unloading. If ftrace does so meanwhile, this
///   succeeds, and no hook can be removed any more.
/// - `EAGAIN` if a BPF trampoline on the function was being changed at each attempt.
/// - `ENOMEM` if there is no memory.
pub(crate) fn register<H: Hook>() -> Result<Registration> {
    /// Redirects a call, or lets it continue; calls no traced function.
    ///
    /// ftrace calls this with preemption enabled or disabled. It does not block, so Tasks RCU waits
    /// for it.
    ///
    /// # Safety
    ///
    /// `regs` must hold the registers of a call of `H`'s function.
    unsafe extern "C" fn callback<H: Hook>(
        _ip: c_ulong,
        parent: c_ulong,
        _ops: *mut bindings::ftrace_ops,
        regs: *mut bindings::ftrace_regs,
    ) {
        let call = Call {
            regs,
            _regs: PhantomData,
        };
        if !H::concerns(&call) {
            return;
        }
        // The replacement itself may call the function. Not a loop over all of the module's memory.
        let (text, len) = Module::this().memory(bindings::mod_mem_type_MOD_TEXT);
        if parent.wrapping_sub(text) < len {
            return;
        }
        // SAFETY: An FFI call with no additional requirements.
        if !unsafe { bindings::rcu_is_watching() } {
            return;
        }
        if H::replaces(&call, &PreemptGuard::new()) {
            // SAFETY: `regs` holds the registers of the call. By the safety requirements of `Hook`,
            // `REPLACEMENT` has the function's prototype and does what its callers expect.
            unsafe {
                helpers::ftrace_regs_set_instruction_pointer(regs, H::REPLACEMENT as c_ulong)
            };
        }
    }

    // By address, since a filter by name matches the functions of that name in modules too.
    let ip = function_address(H::NAME)?;
    let pin = Module::this().try_pin().ok_or(ENODEV)?;
    let ops = KBox::new(
        Opaque::new(bindings::ftrace_ops {
            func: Some(callback::<H>),
            // As klp_patch_func().
            flags: (bindings::FTRACE_OPS_FL_SAVE_ARGS
                | bindings::FTRACE_OPS_FL_IPMODIFY
                | bindings::FTRACE_OPS_FL_PERMANENT) as c_ulong,
            ..Default::default()
        }),
        GFP_KERNEL,
    )?;

    // SAFETY: `ops` is initialized and not registered.
    to_result(unsafe { bindings::ftrace_set_filter_ip(ops.get(), ip, 0, 0) })?;
    let mut tries = TRIES;
    loop {
        // SAFETY: `ops` is on the heap and is freed only after it is unregistered; `pin` keeps the
        // text loaded until then. ftrace passes `callback` the registers of calls of `H`'s
        // function.
        match to_result(unsafe { bindings::register_ftrace_function(ops.get()) }) {
            Ok(()) => break,
            Err(EAGAIN) if tries > 1 => {
                tries = tries.wrapping_sub(1);
                fsleep(Delta::from_millis(1));
            }
            // ftrace has disabled itself after it redirected the function's calls: `ftrace_startup()`
            // leaves them as they are.
            // SAFETY: `ops` is initialized, and ftrace has ended with it.
            Err(ENODEV) if unsafe { (*ops.get()).flags } & ENABLED != 0 => break,
            Err(e) => {
                // `ftrace_startup()` may have put `ops` on ftrace's list, where tracers still are.
                synchronize_rcu_tasks();
                // SAFETY: `ops` is initialized and not registered, and nobody uses it any more.
                unsafe { bindings::ftrace_free_filter(ops.get()) };
                return Err(e);
            }
        }
    }
    // INVARIANT: `ops` was registered above, or ftrace is dead and may call it for ever.
    Ok(Registration {
        ops: ManuallyDrop::new(ops),
        pin: ManuallyDrop::new(pin),
        name: H::NAME,
    })
}

impl Registration {
    /// Returns the name of the function.
    pub(crate) fn name(&self) -> &'static CStr {
        self.name
    }

    /// Removes the hook, as `unregister_ftrace_function()`.
    ///
    /// Waits with Tasks RCU until no task is in ftrace's trampoline, the callback or the
    /// replacement, none of which blocks. `synchronize_rcu_tasks()` begins and ends with an RCU
    /// grace period, which waits for interrupts and NMIs there, and for readers that use what a
    /// replacement has returned.
    ///
    /// Context: May sleep.
    ///
    /// # Errors
    ///
    /// `ENODEV` if ftrace has disabled itself (`ftrace_kill()`), with the hook, which is still
    /// active.
    pub(crate) fn unregister(self) -> Result<Removed, (Error, Self)> {
        // SAFETY: By the type invariants, `ops` is registered.
        if let Err(e) = to_result(unsafe { bindings::unregister_ftrace_function(self.ops.get()) }) {
            return Err((e, self));
        }
        // SAFETY: `ops` was unregistered above.
        unsafe { bindings::ftrace_free_filter(self.ops.get()) };
        drop(ManuallyDrop::into_inner(self.ops));
        drop(ManuallyDrop::into_inner(self.pin));
        Ok(Removed(()))
    }
}

/// Returns the address of the kernel's function `name`, which a kprobe finds.
///
/// Context: May sleep.
///
/// # Errors
///
/// `ENOENT` if there is no such function, or another error of `register_kprobe()`.
///
/// # Examples
///
/// ```
/// let address = function_address(c"is_module_text_address")?;
/// assert!(crate::primitives::address::has_kernel_symbol(address));
/// assert_eq!(function_address(c"no such function").err(), Some(ENOENT));
/// # Ok::<(), Error>(())
/// ```
pub(crate) fn function_address(name: &CStr) -> Result<usize> {
    let mut addr = 0;
    // SAFETY: `name` is NUL-terminated, and `addr` is valid for writes.
    to_result(unsafe { helpers::function_address(name.as_char_ptr(), &mut addr) })?;
    Ok(addr)
}
