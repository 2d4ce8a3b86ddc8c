// SPDX-License-Identifier: GPL-2.0

//! Kernel modules and the tables that the loader made of them.
//!
//! C header: [`include/linux/module.h`](srctree/include/linux/module.h)

use super::bindings as helpers;
use super::{
    borrowed::Borrowed,
    cstr::ThinCStr, //
};
use core::{
    ffi::CStr,
    ptr::NonNull, //
};
use kernel::{
    bindings,
    str::CStrExt as _, //
};

/// Where a module stands in its life, as `enum module_state`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum ModuleState {
    /// It runs.
    Live,
    /// Its init function runs, or is about to.
    Coming,
    /// It is being unloaded.
    Going,
    /// The loader is still setting it up.
    Unformed,
}

impl ModuleState {
    fn from_raw(state: u32) -> Self {
        match state {
            bindings::module_state_MODULE_STATE_LIVE => Self::Live,
            bindings::module_state_MODULE_STATE_COMING => Self::Coming,
            bindings::module_state_MODULE_STATE_GOING => Self::Going,
            _ => Self::Unformed,
        }
    }
}

/// A kernel module.
///
/// # Invariants
///
/// The module stays loaded while this exists.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Module(NonNull<bindings::module>);

// SAFETY: What is reached through this may be used from any context.
unsafe impl Send for Module {}

// SAFETY: As above.
unsafe impl Sync for Module {}

impl Module {
    /// Nothing where `ptr` is null, which stands for built-in code.
    ///
    /// # Safety
    ///
    /// Unless null, `ptr` must be a module that stays loaded while the result or a copy exists.
    pub(crate) unsafe fn new(ptr: *mut bindings::module) -> Option<Self> {
        // INVARIANT: By the requirement of this function.
        NonNull::new(ptr).map(Self)
    }

    /// The module, for comparing.
    pub(crate) fn as_ptr(self) -> *mut bindings::module {
        self.0.as_ptr()
    }

    /// Its state.
    pub(crate) fn state(self) -> ModuleState {
        // SAFETY: By the type invariant.
        ModuleState::from_raw(unsafe { helpers::module_state(self.as_ptr()) } as u32)
    }

    /// Its name.
    pub(crate) fn name(&self) -> &CStr {
        // SAFETY: By the type invariant; the loader ends the name in NUL and does not change it.
        unsafe { CStr::from_char_ptr((&raw const (*self.as_ptr()).name).cast()) }
    }

    /// Its taint flags.
    pub(crate) fn taints(self) -> usize {
        // SAFETY: By the type invariant.
        unsafe { (&raw const (*self.as_ptr()).taints).read_volatile() }
    }

    /// Where its memory of one type begins, and how many bytes that is.
    pub(crate) fn memory(self, kind: bindings::mod_mem_type) -> (usize, usize) {
        // SAFETY: By the type invariant; there is an entry for each type.
        let memory = unsafe { (&raw const (*self.as_ptr()).mem).cast::<bindings::module_memory>() };
        // SAFETY: As above. The loader changes the entries of init memory only, behind the LIVE
        // event.
        let memory = unsafe { memory.add(kind as usize).read() };
        (memory.base as usize, memory.size as usize)
    }

    /// Its symbol table: what it has during its init, or what stays after.
    ///
    /// # Safety
    ///
    /// `init` only where the module is COMING, and stays so during the call.
    pub(crate) unsafe fn kallsyms(self, init: bool) -> bindings::mod_kallsyms {
        // SAFETY: By the type invariant; a COMING module's pointer leads to its init table.
        unsafe {
            if init {
                (*self.as_ptr()).kallsyms.read()
            } else {
                (&raw const (*self.as_ptr()).core_kallsyms).read()
            }
        }
    }

    /// Its exported symbols.
    pub(crate) fn ksymtab(self) -> Ksymtab {
        // SAFETY: By the type invariant; the loader made as many flags as symbols, and neither
        // changes.
        unsafe {
            let (syms, flags) = ((*self.as_ptr()).syms, (*self.as_ptr()).flagstab);
            // INVARIANT: As just said.
            Ksymtab {
                syms,
                flags: Borrowed::new(flags, (*self.as_ptr()).num_syms as usize),
            }
        }
    }

    /// Its exception table. After its init, the kernel moves the pointer past init entries.
    pub(crate) fn extable(self) -> Borrowed<bindings::exception_table_entry> {
        // SAFETY: By the type invariant; the entries stay as long as the module.
        unsafe {
            Borrowed::new(
                (*self.as_ptr()).extable.cast_const(),
                (*self.as_ptr()).num_exentries as usize,
            )
        }
    }

    /// Pins the module, as `try_module_get()`. From any context.
    pub(crate) fn try_get(self) -> bool {
        // SAFETY: By the type invariant.
        unsafe { bindings::try_module_get(self.as_ptr()) }
    }

    /// Gives back what [`Module::try_get`] pinned. From any context.
    pub(crate) fn put(self) {
        // SAFETY: By the type invariant.
        unsafe { bindings::module_put(self.as_ptr()) }
    }
}

/// A module's exported symbols, sorted by name, as `mod->syms` and `mod->flagstab`.
///
/// # Invariants
///
/// `syms` leads to as many `struct kernel_symbol` as `flags` has bytes; they do not change while
/// this exists.
pub(crate) struct Ksymtab {
    syms: *const bindings::kernel_symbol,
    flags: Borrowed<u8>,
}

// SAFETY: The symbols are only read.
unsafe impl Send for Ksymtab {}

// SAFETY: The symbols are only read.
unsafe impl Sync for Ksymtab {}

impl Ksymtab {
    /// How many symbols there are.
    pub(crate) fn len(&self) -> usize {
        self.flags.len()
    }

    /// The name of symbol `i`.
    pub(crate) fn name(&self, i: usize) -> Option<ThinCStr<'_>> {
        self.flags.get(i)?;
        // SAFETY: By the type invariant there is a symbol `i`, and its name ends in NUL.
        Some(unsafe { ThinCStr::from_ptr(helpers::kernel_symbol_name(self.syms, i as u32)) })
    }

    /// The address of symbol `i`, and whether it is for GPL-compatible callers only.
    pub(crate) fn value(&self, i: usize) -> Option<(usize, bool)> {
        let flags = *self.flags.get(i)?;
        // SAFETY: By the type invariant there is a symbol `i`.
        let value = unsafe { helpers::kernel_symbol_value(self.syms, i as u32) };
        Some((
            value,
            u32::from(flags) & helpers::ksym_flags_KSYM_FLAG_GPL_ONLY != 0,
        ))
    }
}

/// The address of the instruction that an exception entry is for, as `ex_to_insn()`.
pub(crate) fn ex_to_insn(entry: &bindings::exception_table_entry) -> usize {
    // SAFETY: Only `entry` is read, in place.
    unsafe { helpers::ex_to_insn(entry) }
}

pub(super) fn notifier_state(action: usize) -> ModuleState {
    ModuleState::from_raw(action as u32)
}
