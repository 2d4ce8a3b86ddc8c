// SPDX-License-Identifier: GPL-2.0

//! The functions of `include/modreg.h`, which documents them.
//!
//! This is where pointers from C become safe types.

mod debug;
mod descriptor;
mod module;
mod params;

use crate::{
    modreg::{
        bindings::{
            self,
            modreg_find_symbol_arg,
            modreg_plugin,
            modreg_plugin_desc, //
        },
        error::Refusal,
        foreign,
        index::by_number::Which,
        lock::LOCK,
        lookup,
        oops,
        plugin::{
            Plugin,
            PluginRef, //
        },
        registry, //
    },
    primitives::{
        borrowed::Borrowed,
        cstr::ThinCStr,
        errno::edeadlk,
        module::ModulePin,
        preempt::PreemptGuard,
        rcu::Held,
        rcu_counted::RcuCounted,
        stop_machine::{
            can_stop_machine,
            might_stop_machine, //
        },
        vec::push_reserved, //
    },
};
use core::{
    ffi::CStr,
    mem,
    ptr, //
};
use kernel::{
    bindings::{
        exception_table_entry,
        module as kernel_module,
        KSYM_NAME_LEN, //
    },
    prelude::*,
    sync::atomic::{
        Atomic,
        Full, //
    },
};

/// Initializes the lock.
///
/// The module's init function calls this before it returns, and so before C can call any function
/// of this file.
pub(crate) fn init() {
    static DONE: Atomic<bool> = Atomic::new(false);

    if !DONE.xchg(true, Full) {
        // SAFETY: `DONE` makes this the only call, and the lock is not used before it.
        unsafe { LOCK.init() };
    }
}

/// Defines functions that C calls.
///
/// Each must have the type of its prototype in the header, or the crate does not compile.
macro_rules! export {
    ($(
        $(#[$meta:meta])*
        fn $name:ident($($arg:ident: $type:ty),* $(,)?) $(-> $ret:ty)? $body:block
    )*) => {
        $(
            const _: () = {
                // The elements of an array have one type.
                let _ = [bindings::$name as unsafe extern "C" fn($($type),*) $(-> $ret)?, $name];
            };

            $(#[$meta])*
            ///
            /// # Safety
            ///
            /// The pointers are as `include/modreg.h` documents the parameters of this function.
            #[no_mangle]
            unsafe extern "C" fn $name($($arg: $type),*) $(-> $ret)? $body
        )*
    };
}

/// Writes an output, unless the caller passes null for it.
///
/// # Safety
///
/// `out` must be null or valid for writes.
unsafe fn put<T>(out: *mut T, value: T) {
    if !out.is_null() {
        // SAFETY: `out` is not null, as checked here, and so valid for writes.
        unsafe { out.write(value) };
    }
}

/// Writes a name into a buffer, unless the caller passes null for it.
///
/// Returns the name's length in the buffer; [`None`] without one.
///
/// # Safety
///
/// `out` must be null or valid for writes of `len` bytes.
unsafe fn put_name(out: *mut c_char, len: u32, name: ThinCStr<'_>) -> Option<usize> {
    (!out.is_null()).then(|| {
        // SAFETY: `out` is not null, as checked here, and so valid for writes of `len` bytes.
        let out = unsafe { core::slice::from_raw_parts_mut(out.cast(), len as usize) };
        usize::try_from(name.copy_to(out)).unwrap_or((len as usize).wrapping_sub(1))
    })
}

/// Returns the string that C passes, or [`None`] for null.
///
/// # Safety
///
/// `s` must be null or point to a NUL-terminated string that does not change during `'a`.
unsafe fn string<'a>(s: *const c_char) -> Option<&'a CStr> {
    // SAFETY: `s` is not null, as checked here; by the safety requirements it is a string that does
    // not change during `'a`.
    (!s.is_null()).then(|| unsafe { CStr::from_char_ptr(s) })
}

/// Returns the array that a member of a descriptor and its count describe.
///
/// # Errors
///
/// `E2BIG` if `num` is above `max`, and `EINVAL` if `ptr` is null and `num` is not 0; both with the
/// reason `what`.
///
/// # Safety
///
/// `ptr` must be null or valid for reads of `num` elements, which do not change while the result
/// exists.
unsafe fn array<T>(
    ptr: *const T,
    num: u32,
    max: u32,
    what: &'static str,
) -> Result<Borrowed<T>, Refusal> {
    if num > max {
        return Err(Refusal::new(E2BIG, what));
    }
    if ptr.is_null() && num != 0 {
        return Err(Refusal::new(EINVAL, what));
    }
    // SAFETY: By the safety requirements `ptr` is null or valid for reads of `num` elements, which
    // do not change while the result exists.
    Ok(unsafe { Borrowed::new(ptr, num as usize) })
}

/// Returns the handle of a plugin for C.
///
/// It owns no reference. `PLUGINS` keeps the plugin in memory until the handle is released. It leads to all of
/// the counted value, which each plugin is part of.
fn handle(plugin: &Plugin) -> *mut modreg_plugin {
    ptr::from_ref(plugin).cast_mut().cast()
}

/// Returns the plugin of a handle.
///
/// # Safety
///
/// `handle` must come from [`handle`], and the plugin must not be freed during `'a`.
unsafe fn plugin<'a>(handle: *const modreg_plugin) -> &'a RcuCounted<Plugin> {
    // SAFETY: By the safety requirements `handle` comes from a reference to the plugin, which is not freed during
    // `'a`. Each plugin is part of a counted value, and the handle leads to all of it.
    unsafe { RcuCounted::from_value(handle.cast::<Plugin>()) }
}

/// Converts the result of a registration for C, and logs a refusal.
fn answer(name: Option<&CStr>, result: Result<PluginRef, Refusal>) -> *mut modreg_plugin {
    match result {
        Ok(plugin) => handle(&plugin),
        Err(refusal) => {
            let name = ThinCStr::from(name.unwrap_or(c"(null)"));
            pr_err!("{}: refused, {}\n", name, refusal);
            refusal.error.to_ptr()
        }
    }
}

/// Unregisters the plugins of several handles.
///
/// # Safety
///
/// Each handle must be null, an `ERR_PTR()`, or a registration's that was not released before this
/// returns.
unsafe fn unregister(handles: &[*mut modreg_plugin]) -> Result {
    // The allocation below may sleep.
    if !can_stop_machine() {
        return Err(edeadlk());
    }
    let mut plugins = KVVec::with_capacity(handles.len(), GFP_KERNEL)?;
    for &handle in handles {
        if handle.is_null() || kernel::error::from_err_ptr(handle).is_err() {
            return Err(EINVAL);
        }
        // SAFETY: `handle` is neither null nor an `ERR_PTR()`, as checked here, so it was not
        // released, and its plugin is not freed.
        push_reserved(&mut plugins, PluginRef::from(unsafe { plugin(handle) }));
    }
    registry::unregister(&plugins)
}

/// Converts a result for C.
fn errno(result: Result) -> c_int {
    result.err().map_or(0, Error::to_errno)
}

export! {
    /// See `include/modreg.h`.
    fn modreg_register_plugin(desc: *const modreg_plugin_desc) -> *mut modreg_plugin {
        // SAFETY: `desc` is null or valid for the call, as documented for this function.
        let Some(desc) = (unsafe { desc.as_ref() }) else {
            return answer(None, Err(Refusal::new(EINVAL, "no descriptor")));
        };
        // SAFETY: `desc->name` is null or a string during the call, as documented for
        // `struct modreg_plugin_desc`.
        let name = unsafe { string(desc.name) };
        // SAFETY: `desc` is as documented for this function.
        answer(name, unsafe { descriptor::register(desc) })
    }

    /// See `include/modreg.h`.
    fn modreg_register_module(
        module: *mut kernel_module,
        desc: *const modreg_plugin_desc,
    ) -> *mut modreg_plugin {
        // SAFETY: `module` is null or a module, and `desc` is null or valid for the call, as
        // documented for this function.
        let (module, desc) = unsafe { (module::of(module), desc.as_ref()) };
        // SAFETY: `desc->name` is null or a string during the call, as documented for
        // `struct modreg_plugin_desc`.
        let name = desc.and_then(|desc| unsafe { string(desc.name) });
        match module {
            Some(m) => {
                // SAFETY: `m` is in a state, and `desc` as, documented for this function.
                let result = unsafe { module::register(m, desc) };
                answer(Some(name.unwrap_or(m.name())), result)
            }
            None => answer(name, Err(Refusal::new(EINVAL, "no module"))),
        }
    }

    /// See `include/modreg.h`.
    fn modreg_unregister_plugin(plugin: *mut modreg_plugin) -> c_int {
        // SAFETY: `plugin` is null, an `ERR_PTR()`, or from a registration and not unregistered, as
        // documented for this function.
        errno(unsafe { unregister(&[plugin]) })
    }

    /// See `include/modreg.h`.
    fn modreg_unregister_plugins(plugins: *mut *mut modreg_plugin, num: c_uint) -> c_int {
        if plugins.is_null() {
            return if num == 0 { 0 } else { EINVAL.to_errno() };
        }
        // SAFETY: `plugins` is not null, as checked here, and so has `num` elements, as documented
        // for this function.
        let plugins = unsafe { core::slice::from_raw_parts(plugins, num as usize) };
        // SAFETY: Each of `plugins` is as documented for `modreg_unregister_plugin()`.
        errno(unsafe { unregister(plugins) })
    }

    /// See `include/modreg.h`.
    fn modreg_replace_symbols(
        handle: *mut modreg_plugin,
        desc: *const modreg_plugin_desc,
    ) -> c_int {
        if handle.is_null() || kernel::error::from_err_ptr(handle).is_err() {
            return EINVAL.to_errno();
        }
        // SAFETY: `handle` is neither null nor an `ERR_PTR()`, as checked here, so it is a handle that
        // is not released before this returns, as documented for this function.
        let plugin: &Plugin = unsafe { plugin(handle) };
        // SAFETY: `desc` is null or valid for the call, as documented for this function.
        let desc = unsafe { desc.as_ref() };
        // SAFETY: The tables of `desc` are as documented for this function.
        let result = unsafe { descriptor::replace_symbols(plugin, desc) };
        if let Err(refusal) = &result {
            pr_err!("{}: refused, {}\n", plugin.name(), refusal);
        }
        errno(result.map_err(|refusal| refusal.error))
    }

    /// See `include/modreg.h`.
    fn modreg_find_symbol(fsa: *mut modreg_find_symbol_arg) -> bool {
        // SAFETY: `fsa` is null or valid for the call, and its name null or a string, as documented
        // for this function.
        unsafe { find_symbol(fsa, |_, _| true) }
    }

    /// See `include/modreg.h`.
    fn modreg_find_symbol_get(fsa: *mut modreg_find_symbol_arg) -> bool {
        let pin = |plugin: &Plugin, guard: &PreemptGuard| {
            // The caller puts it, by the handle.
            plugin.try_pin(guard).map(mem::forget).is_some()
        };
        // SAFETY: `fsa` is null or valid for the call, and its name null or a string, as documented
        // for this function.
        unsafe { find_symbol(fsa, pin) }
    }

    /// See `include/modreg.h`.
    fn modreg_find_symbol_put(handle: *mut modreg_plugin) {
        if handle.is_null() {
            return;
        }
        let guard = PreemptGuard::new();
        // SAFETY: `handle` is from `modreg_find_symbol_get()`, as documented for this function, so
        // its plugin is pinned. It is not freed before the guard is dropped.
        let plugin: &Plugin = unsafe { plugin(handle) };
        if let Some(tables) = plugin.tables(&guard) {
            // SAFETY: `modreg_find_symbol_get()` has forgotten a pin of this plugin and its owner, which
            // the caller gives up.
            let owner = unsafe { ModulePin::from_forgotten(&tables.owner) };
            drop(plugin.forgotten_pin(owner));
        }
    }

    /// See `include/modreg.h`.
    fn modreg_address_lookup(
        addr: c_ulong,
        size: *mut c_ulong,
        offset: *mut c_ulong,
        plugin: *mut c_char,
        namebuf: *mut c_char,
    ) -> c_int {
        let guard = PreemptGuard::new();
        let Some((owner, found)) = lookup::address_lookup(addr, &guard) else {
            return 0;
        };
        // SAFETY: `plugin` is null or valid for writes of `MODREG_NAME_LEN` bytes, as documented for
        // this function.
        unsafe { put_name(plugin, bindings::MODREG_NAME_LEN, owner.name().as_thin()) };
        let Some(found) = found else {
            return 0;
        };
        // SAFETY: `size` and `offset` are null or valid for writes, and `namebuf` is null or valid
        // for writes of `KSYM_NAME_LEN` bytes, as documented for this function.
        let len = unsafe {
            put(size, found.size);
            put(offset, found.offset);
            put_name(namebuf, KSYM_NAME_LEN, found.name)
        };
        let whole = || found.name.to_cstr().count_bytes();
        len.unwrap_or_else(|| whole().min(KSYM_NAME_LEN as usize - 1)) as c_int
    }

    /// See `include/modreg.h`.
    fn modreg_lookup_symbol_name(addr: c_ulong, symname: *mut c_char) -> c_int {
        if symname.is_null() {
            return EINVAL.to_errno();
        }
        let (none, no_name) = (ptr::null_mut(), ptr::null_mut());
        // SAFETY: `symname` is valid for writes of `KSYM_NAME_LEN` bytes, as documented for this
        // function; the other pointers are null.
        unsafe { modreg_lookup_symbol_attrs(addr, none, none, no_name, symname) }
    }

    /// See `include/modreg.h`.
    fn modreg_lookup_symbol_attrs(
        addr: c_ulong,
        size: *mut c_ulong,
        offset: *mut c_ulong,
        plugin: *mut c_char,
        name: *mut c_char,
    ) -> c_int {
        let guard = PreemptGuard::new();
        let Some((owner, Some(found))) = lookup::address_lookup(addr, &guard) else {
            return ERANGE.to_errno();
        };
        // SAFETY: `size` and `offset` are null or valid for writes; `plugin` and `name` are null or
        // valid for writes of `MODREG_NAME_LEN` and `KSYM_NAME_LEN` bytes, as documented for this
        // function.
        unsafe {
            put(size, found.size);
            put(offset, found.offset);
            put_name(plugin, bindings::MODREG_NAME_LEN, owner.name().as_thin());
            put_name(name, KSYM_NAME_LEN, found.name);
        }
        0
    }

    /// See `include/modreg.h`.
    fn modreg_get_kallsym(
        symnum: c_uint,
        value: *mut c_ulong,
        letter: *mut c_char,
        name: *mut c_char,
        plugin: *mut c_char,
        exported: *mut c_int,
    ) -> c_int {
        // SAFETY: The outputs are null or valid, as documented for this function.
        unsafe { get_kallsym(Which::All, symnum, value, letter, name, plugin, exported) }
    }

    /// See `include/modreg.h`.
    fn modreg_get_foreign_kallsym(
        symnum: c_uint,
        value: *mut c_ulong,
        letter: *mut c_char,
        name: *mut c_char,
        plugin: *mut c_char,
        exported: *mut c_int,
    ) -> c_int {
        // SAFETY: As above.
        unsafe { get_kallsym(Which::Foreign, symnum, value, letter, name, plugin, exported) }
    }

    /// See `include/modreg.h`.
    fn modreg_kallsyms_lookup_name(name: *const c_char) -> c_ulong {
        // SAFETY: `name` is null or a string during the call, as documented for this function.
        let name = unsafe { string(name) };
        let guard = PreemptGuard::new();
        name.and_then(|name| lookup::kallsyms_lookup_name(name, &guard))
            .unwrap_or(0)
    }

    /// See `include/modreg.h`.
    fn modreg_search_extables(addr: c_ulong) -> *const exception_table_entry {
        let guard = PreemptGuard::new();
        lookup::search_extables(addr, &guard).map_or(ptr::null(), ptr::from_ref)
    }

    /// See `include/modreg.h`.
    fn modreg_is_address(addr: c_ulong) -> bool {
        lookup::is_address(addr, &PreemptGuard::new())
    }

    /// See `include/modreg.h`.
    fn modreg_text_address(addr: c_ulong) -> *mut modreg_plugin {
        let guard = PreemptGuard::new();
        lookup::text_address(addr, &guard).map_or(ptr::null_mut(), handle)
    }

    /// See `include/modreg.h`.
    fn modreg_address(addr: c_ulong) -> *mut modreg_plugin {
        let guard = PreemptGuard::new();
        lookup::address(addr, &guard).map_or(ptr::null_mut(), handle)
    }

    /// See `include/modreg.h`.
    fn modreg_is_foreign_address(addr: c_ulong) -> bool {
        lookup::is_foreign(addr, &PreemptGuard::new())
    }

    /// See `include/modreg.h`.
    fn modreg_set_hooked(hooked: bool) -> c_int {
        // A removal stops the machine under the lock.
        might_stop_machine();
        let mut lock = LOCK.lock();
        match foreign::set_hooked(hooked, &mut Held::new(&mut lock)) {
            Ok(()) => 0,
            Err(_plugins) => EBUSY.to_errno(),
        }
    }

    /// See `include/modreg.h`.
    fn modreg_plugin_name(handle: *const modreg_plugin) -> *const c_char {
        // SAFETY: `handle` is from modreg, and its plugin cannot be freed during the call, as
        // documented for this function.
        unsafe { plugin(handle) }.name().as_cstr().as_char_ptr()
    }

    /// See `include/modreg.h`.
    fn modreg_print_plugins() {
        oops::print_plugins();
    }
}

/// Writes the outputs of `modreg_get_kallsym()`.
///
/// # Safety
///
/// The outputs must be null or valid for writes, `name` and `plugin` of `KSYM_NAME_LEN` and
/// `MODREG_NAME_LEN` bytes.
unsafe fn get_kallsym(
    which: Which,
    symnum: c_uint,
    value: *mut c_ulong,
    letter: *mut c_char,
    name: *mut c_char,
    plugin: *mut c_char,
    exported: *mut c_int,
) -> c_int {
    let names = [letter, name, plugin];
    if value.is_null() || names.contains(&ptr::null_mut()) || exported.is_null() {
        return EINVAL.to_errno();
    }
    let guard = PreemptGuard::new();
    let Some((of, symbol)) = lookup::get_kallsym(symnum, which, &guard) else {
        return ERANGE.to_errno();
    };
    // SAFETY: The outputs are not null, as checked above, and so valid for writes by the safety
    // requirements.
    unsafe {
        put(value, symbol.value);
        put(letter, symbol.letter);
        put_name(name, KSYM_NAME_LEN, symbol.name);
        put_name(plugin, bindings::MODREG_NAME_LEN, of.name().as_thin());
        put(exported, symbol.exported.into());
    }
    0
}

/// Finds the symbol that `fsa` names, and writes the outputs if `take` accepts its plugin.
///
/// Returns whether it did.
///
/// # Safety
///
/// `fsa` must be null or valid for reads and writes, and its name null or a string.
unsafe fn find_symbol(
    fsa: *mut modreg_find_symbol_arg,
    take: impl FnOnce(&Plugin, &PreemptGuard) -> bool,
) -> bool {
    // SAFETY: By the safety requirements `fsa` is null or valid for reads and writes.
    let Some(fsa) = (unsafe { fsa.as_mut() }) else {
        return false;
    };
    // SAFETY: By the safety requirements `fsa.name` is null or a string.
    let Some(name) = (unsafe { string(fsa.name) }) else {
        return false;
    };
    let guard = PreemptGuard::new();
    let found = lookup::find_symbol(name, fsa.gplok, fsa.warn, &guard);
    let Some(found) = found.filter(|found| take(found.plugin, &guard)) else {
        return false;
    };
    fsa.owner = handle(found.plugin);
    fsa.value = found.value;
    fsa.license = if found.gpl_only {
        bindings::modreg_license_MODREG_GPL_ONLY
    } else {
        bindings::modreg_license_MODREG_NOT_GPL_ONLY
    };
    true
}
