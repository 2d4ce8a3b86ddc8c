// SPDX-License-Identifier: GPL-2.0

//! The switch `enabled`, which adds the hooks and removes them.
//!
//! Unloading cannot remove them, since ftrace may refuse to. So the hooks pin the module, as
//! livepatch's do.

#[cfg(all(CONFIG_X86, not(CONFIG_UNWINDER_FRAME_POINTER)))]
use super::hooks::IsModuleTextAddress;
use super::{
    ffi::{
        set_hooked,
        start, //
    },
    hooks::{
        LookupModuleSymbolName,
        ModuleAddressLookup,
        ModuleGetKallsym,
        ModuleKallsymsLookupName,
        SearchModuleExtables, //
    },
    listing,
};
use crate::primitives::{
    ftrace::{
        self,
        Hook,
        Registration, //
    },
    vec::push_reserved, //
};
use kernel::prelude::*;

kernel::sync::global_lock! {
    // SAFETY: `ffi::start()` initializes it before the parameter's lock allows a write.
    pub(super) unsafe(uninit) static HOOKS: Mutex<KVec<Registration>> = KVec::new();
}

/// Starts the switch: adds the hooks, unless the module was loaded with `enabled=0`.
///
/// # Errors
///
/// As [`enable`].
///
/// Context: May sleep.
pub(crate) fn init() -> Result {
    listing::find_originals()?;
    match start() {
        // A hook that cannot be removed leads to this module, which must stay loaded then. The log
        // says so.
        Err(_) if has_hooks() => Ok(()),
        started => started,
    }
}

/// Returns whether there are hooks.
///
/// Context: May sleep.
pub(super) fn has_hooks() -> bool {
    !HOOKS.lock().is_empty()
}

/// Adds `H`, or logs the error.
fn put_in<H: Hook>(hooks: &mut KVec<Registration>) -> Result {
    hooks.reserve(1, GFP_KERNEL)?;
    match ftrace::register::<H>() {
        Ok(hook) => {
            push_reserved(hooks, hook);
            Ok(())
        }
        Err(e) => {
            pr_err!("refused: {} cannot be hooked (-{:?})\n", H::NAME, e);
            Err(e)
        }
    }
}

/// Removes all hooks.
///
/// # Errors
///
/// `ENODEV` if ftrace has disabled itself: the hooks that are left still answer.
fn take_out(hooks: &mut KVec<Registration>) -> Result {
    while let Some(hook) = hooks.pop() {
        match hook.unregister() {
            Ok(_removed) => {}
            Err((e, hook)) => {
                pr_err!(
                    "refused: {} stays hooked, ftrace is dead (-{:?})\n",
                    hook.name(),
                    e
                );
                push_reserved(hooks, hook);
                return Err(e);
            }
        }
    }
    // A static is never dropped.
    *hooks = KVec::new();
    Ok(())
}

fn put_all_in(hooks: &mut KVec<Registration>) -> Result {
    put_in::<ModuleAddressLookup>(hooks)?;
    put_in::<LookupModuleSymbolName>(hooks)?;
    #[cfg(all(CONFIG_X86, not(CONFIG_UNWINDER_FRAME_POINTER)))]
    put_in::<IsModuleTextAddress>(hooks)?;
    put_in::<SearchModuleExtables>(hooks)?;
    put_in::<ModuleGetKallsym>(hooks)?;
    put_in::<ModuleKallsymsLookupName>(hooks)
}

/// Makes the kernel ask modreg.
///
/// # Errors
///
/// As [`ftrace::register`]; the log names the function.
///
/// Context: May sleep.
pub(super) fn enable() -> Result {
    let mut hooks = HOOKS.lock();
    if let Err(e) = put_all_in(&mut hooks) {
        // If this fails too, the hooks pin the module, and answer.
        take_out(&mut hooks)?;
        return Err(e);
    }
    set_hooked(true)?;
    pr_info!("enabled, functions={}\n", hooks.len());
    Ok(())
}

/// Makes the kernel ask modreg no longer.
///
/// # Errors
///
/// `EBUSY` if a plugin's fixups depend on the hooks, `ENODEV` if ftrace has disabled itself.
///
/// Context: May sleep.
pub(super) fn disable() -> Result {
    let mut hooks = HOOKS.lock();
    set_hooked(false).inspect_err(|e| {
        pr_err!(
            "refused: a plugin's exception entries need the hooks (-{:?})\n",
            e
        );
    })?;
    if let Err(e) = take_out(&mut hooks) {
        set_hooked(true)?;
        return Err(e);
    }
    pr_info!("disabled\n");
    Ok(())
}
