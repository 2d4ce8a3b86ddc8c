// SPDX-License-Identifier: GPL-2.0

//! The numbers of `/proc/kallsyms`: first the modules' symbols, then the plugins'.
//!
//! Plugins come last, so that the modules keep their numbers when plugins come and go.

use super::ffi::{
    bindings as helpers,
    is_foreign_address, //
};
use crate::{
    modreg::bindings as modreg_sys,
    primitives::{
        ftrace::function_address,
        preempt::PreemptGuard, //
    },
};
use core::{
    ffi::CStr,
    mem::MaybeUninit, //
};
use kernel::{
    bindings::KSYM_NAME_LEN,
    prelude::*,
    sync::atomic::{
        Atomic,
        Relaxed, //
    },
};

/// The number of symbols of all modules when it was last counted.
static TOTAL: Atomic<u32> = Atomic::new(0);

/// Finds the functions that hooks call.
///
/// They are called by static calls, which are direct: if the kernel never takes a function's address,
/// its entry refuses indirect calls.
///
/// Context: May sleep.
pub(super) fn find_originals() -> Result {
    let find = |name: &CStr| {
        function_address(name).inspect_err(|e| {
            pr_err!("refused: {} cannot be called (-{:?})\n", name, e);
        })
    };
    let (get, lookup, module) = (
        find(c"module_get_kallsym")?,
        find(c"module_kallsyms_lookup_name")?,
        find(c"__module_address")?,
    );
    // SAFETY: These are the addresses of the functions whose prototypes the static calls have.
    unsafe { helpers::modreg_kallsyms_set_originals(get, lookup, module) };
    Ok(())
}

/// Returns whether an address lies in a module, as `is_module_address()`.
///
/// Context: Any, NMI included.
pub(super) fn is_module_address(addr: usize, _guard: &PreemptGuard) -> bool {
    // SAFETY: The guard keeps preemption disabled, which is an RCU reader, as `__module_address()` asks.
    unsafe { helpers::modreg_kallsyms_is_module_address(addr) != 0 }
}

/// Calls the kernel's own `module_kallsyms_lookup_name()`.
///
/// # Safety
///
/// `name` must be a string.
pub(super) unsafe fn original_lookup_name(name: *const c_char) -> usize {
    // SAFETY: By the safety requirements `name` is a string.
    unsafe { helpers::modreg_kallsyms_original_lookup(name) }
}

/// Returns whether modules have a symbol of number `n`.
fn modules_have(n: u32) -> bool {
    let (mut value, mut letter, mut exported) = (0, 0, 0);
    let mut name = MaybeUninit::<[c_char; KSYM_NAME_LEN as usize]>::uninit();
    let mut module = MaybeUninit::<[c_char; modreg_sys::MODREG_NAME_LEN as usize]>::uninit();
    // SAFETY: The outputs are valid, the names' of the lengths that the function writes.
    let err = unsafe {
        helpers::modreg_kallsyms_original_get(
            n,
            &mut value,
            &mut letter,
            name.as_mut_ptr().cast(),
            module.as_mut_ptr().cast(),
            &mut exported,
        )
    };
    err == 0
}

/// Returns the number of symbols of all modules, which have no symbol `beyond`.
///
/// Two questions tell whether the number is that of the last time, as it mostly is; otherwise this
/// bisects. While modules come and go, the number is that of some moment in between.
fn modules_total(beyond: u32) -> u32 {
    let last = TOTAL.load(Relaxed).min(beyond);
    let is_last = |n: u32| !modules_have(n) && n.checked_sub(1).is_none_or(modules_have);
    if is_last(last) {
        return last;
    }
    let (mut low, mut high) = (0, beyond);
    while low < high {
        let middle = low.wrapping_add(high.wrapping_sub(low) / 2);
        if modules_have(middle) {
            low = middle.wrapping_add(1);
        } else {
            high = middle;
        }
    }
    TOTAL.store(low, Relaxed);
    low
}

/// Answers `module_get_kallsym()`.
///
/// # Safety
///
/// Every output must be valid, `name` for `KSYM_NAME_LEN` bytes and `module_name` for
/// `MODULE_NAME_LEN`.
pub(super) unsafe fn get_kallsym(
    symnum: u32,
    value: *mut c_ulong,
    letter: *mut c_char,
    name: *mut c_char,
    module_name: *mut c_char,
    exported: *mut c_int,
    _guard: &PreemptGuard,
) -> c_int {
    // SAFETY: By the safety requirements all outputs are valid.
    let err = unsafe {
        helpers::modreg_kallsyms_original_get(symnum, value, letter, name, module_name, exported)
    };
    if err == 0 {
        return 0;
    }
    // SAFETY: By the safety requirements.
    unsafe { get_behind_modules(symnum, value, letter, name, module_name, exported) }
}

/// Answers `module_get_kallsym()` for a number that modules do not have.
///
/// # Safety
///
/// As [`get_kallsym`].
// Not inlined, since a line of a module would set up its variables.
#[inline(never)]
unsafe fn get_behind_modules(
    symnum: u32,
    value: *mut c_ulong,
    letter: *mut c_char,
    name: *mut c_char,
    module_name: *mut c_char,
    exported: *mut c_int,
) -> c_int {
    let n = symnum.wrapping_sub(modules_total(symnum));
    // SAFETY: By the safety requirements; a plugin's name is as long as a module's at most.
    let err = unsafe {
        modreg_sys::modreg_get_foreign_kallsym(n, value, letter, name, module_name, exported)
    };
    // SAFETY: By the safety requirements; the value was written where there is no error.
    if err == 0 && !is_foreign_address(unsafe { *value }) {
        // A plugin with foreign regions may have symbols in its owner's memory, which were listed already.
        // The kernel skips symbols without name.
        // SAFETY: By the safety requirements.
        unsafe { *name = 0 };
    }
    err
}
