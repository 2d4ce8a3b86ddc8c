// SPDX-License-Identifier: GPL-2.0

//! The functions that are hooked, and what answers in their place.
//!
//! A plugin may be unregistered between the check and the replacement. The answer is then that of the
//! kernel's function for memory that no module owns.
//!
//! This is a C boundary: the replacements pass the kernel's own pointers to modreg's functions, which
//! take the same.

use super::{
    ffi::{
        foreign_bounds,
        is_foreign_address, //
    },
    listing, //
};
use crate::{
    modreg::bindings as modreg_sys,
    primitives::{
        address::may_be_module,
        cstr::ThinCStr,
        ftrace::{
            replace_function,
            Call, //
        },
        preempt::PreemptGuard, //
    },
};
use core::ptr;
use kernel::{
    bindings,
    prelude::*, //
};

/// Bytes of a build id, which plugins have none of.
#[cfg(CONFIG_STACKTRACE_BUILD_ID)]
static BUILD_ID: [u8; 20] = [0; 20];

/// Returns whether the call's argument is an address that may lie in a foreign region.
#[inline(always)]
fn may_be_foreign(call: &Call<'_>) -> bool {
    foreign_bounds().contains(&call.argument())
}

/// Returns whether the call's argument is an address about which the kernel has no answer.
///
/// If no module can lie there, the replacement's "not found" equals the kernel's, so this looks
/// nothing up. Otherwise a module may lie inside a foreign region, in a hole that is not checked or where
/// it was loaded later.
#[inline(always)]
fn is_foreign(call: &Call<'_>, guard: &PreemptGuard) -> bool {
    let addr = call.argument();
    !may_be_module(addr) || (is_foreign_address(addr) && !listing::is_module_address(addr, guard))
}

replace_function! {
    /// Names in every report of the kernel: `%pS`, `%pB`, an oops, a warning, lockdep, ftrace.
    pub(super) struct ModuleAddressLookup;

    fn module_address_lookup(
        addr: c_ulong,
        size: *mut c_ulong,
        offset: *mut c_ulong,
        modname: *mut *mut c_char,
        modbuildid: *mut *const u8,
        namebuf: *mut c_char,
    ) -> c_int;
    concerns: |call| may_be_foreign(call),
    replaces: |call, guard| is_foreign(call, guard),
    // SAFETY: It fills in the outputs and returns as the function does for an address in a module.
    unsafe with: |_guard| {
        // SAFETY: Preemption is disabled, as `modreg_address()` asks.
        let plugin = unsafe { modreg_sys::modreg_address(addr) };
        if plugin.is_null() {
            0
        } else {
            // SAFETY: Each output is null or valid, as `module_address_lookup()` asks of its callers.
            // The name stays for as long as they keep it, which is inside `rcu_read_lock()` or with
            // preemption disabled: modreg frees it by RCU.
            unsafe {
                if !modname.is_null() {
                    *modname = modreg_sys::modreg_plugin_name(plugin).cast_mut();
                }
                if !modbuildid.is_null() {
                    *modbuildid = build_id();
                }
                modreg_sys::modreg_address_lookup(addr, size, offset, ptr::null_mut(), namebuf)
            }
        }
    },
}

/// Returns a build id of zeros if the kernel prints build ids, since it warns if there is none.
fn build_id() -> *const u8 {
    #[cfg(CONFIG_STACKTRACE_BUILD_ID)]
    return BUILD_ID.as_ptr();
    #[cfg(not(CONFIG_STACKTRACE_BUILD_ID))]
    ptr::null()
}

replace_function! {
    /// The name of where a task sleeps, and of functions in trace output.
    pub(super) struct LookupModuleSymbolName;

    fn lookup_module_symbol_name(addr: c_ulong, symname: *mut c_char) -> c_int;
    concerns: |call| may_be_foreign(call),
    replaces: |call, guard| is_foreign(call, guard),
    // SAFETY: `symname` is valid for `KSYM_NAME_LEN` bytes, as the function asks of its callers. It is
    // filled in as by the function.
    unsafe with: |_guard| unsafe { modreg_sys::modreg_lookup_symbol_name(addr, symname) },
}

#[cfg(all(CONFIG_X86, not(CONFIG_UNWINDER_FRAME_POINTER)))]
replace_function! {
    /// The unwinder, and with it stack traces and perf's call chains.
    ///
    /// Left out if the unwinder follows frame pointers: the answer would mark a trace as reliable, on
    /// which livepatch relies.
    pub(super) struct IsModuleTextAddress;

    fn is_module_text_address(addr: c_ulong) -> bool;
    concerns: |call| may_be_foreign(call),
    replaces: |call, guard| is_foreign(call, guard),
    // SAFETY: Preemption is disabled, as `modreg_text_address()` asks. Text regions can be read, as code
    // of a module can.
    unsafe with: |_guard| unsafe { !modreg_sys::modreg_text_address(addr).is_null() },
}

replace_function! {
    /// The fault handlers: a fault with an exception entry continues at its fixup.
    pub(super) struct SearchModuleExtables;

    fn search_module_extables(addr: c_ulong) -> *const bindings::exception_table_entry;
    concerns: |call| may_be_foreign(call),
    replaces: |call, guard| is_foreign(call, guard),
    // SAFETY: An FFI call with no additional requirements. The entry stays while the plugin that
    // faults is registered, since its owner ends what runs there before. Its type and its fixup were
    // checked.
    unsafe with: |_guard| unsafe { modreg_sys::modreg_search_extables(addr) },
}

replace_function! {
    /// `/proc/kallsyms` and BPF's iterator: plugins' symbols follow the modules'.
    pub(super) struct ModuleGetKallsym;

    fn module_get_kallsym(
        symnum: c_uint,
        value: *mut c_ulong,
        letter: *mut c_char,
        name: *mut c_char,
        module_name: *mut c_char,
        exported: *mut c_int,
    ) -> c_int;
    concerns: |_call| !foreign_bounds().is_empty(),
    replaces: |_call, _guard| true,
    // SAFETY: The outputs are valid, as the function asks of its callers. They are filled in as by it.
    unsafe with: |guard| unsafe {
        listing::get_kallsym(symnum, value, letter, name, module_name, exported, guard)
    },
}

replace_function! {
    /// The kernel's lookups by name: `plugin:name`, if no module of that name has the symbol.
    ///
    /// A name without a colon is never looked up in plugins, since that could satisfy BPF's search
    /// for a kernel function; nor is `__this_module` of a module, which BTF asks for.
    pub(super) struct ModuleKallsymsLookupName;

    fn module_kallsyms_lookup_name(name: *const c_char) -> c_ulong;
    concerns: |_call| !foreign_bounds().is_empty(),
    // SAFETY: The argument is a string, as the function asks of its callers.
    replaces: |call, _guard| unsafe { plugin_value(call.argument() as *const c_char) } != 0,
    // SAFETY: `name` is a string, as above. The result is the address of a symbol of that name, or 0.
    unsafe with: |_guard| unsafe {
        match listing::original_lookup_name(name) {
            0 => plugin_value(name),
            value => value,
        }
    },
}

/// Returns the address of `plugin:name` in a foreign region, or 0.
///
/// # Safety
///
/// `name` must be a string.
unsafe fn plugin_value(name: *const c_char) -> usize {
    // SAFETY: By the safety requirements `name` is a string.
    let text = unsafe { ThinCStr::from_ptr(name) }.to_cstr().to_bytes();
    if !text.contains(&b':') || text.ends_with(b":__this_module") {
        return 0;
    }
    // SAFETY: `name` is a string, as above.
    let value = unsafe { modreg_sys::modreg_kallsyms_lookup_name(name) };
    if is_foreign_address(value) {
        value
    } else {
        0
    }
}
