// SPDX-License-Identifier: GPL-2.0

//! Kernel modules, and the tables that the loader made for them.
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

/// A module's state, as `enum module_state`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum ModuleState {
    /// It is initialized.
    Live,
    /// It is loaded; its init function runs or is about to.
    Coming,
    /// It is being unloaded.
    Going,
    /// The loader is setting it up.
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

/// A loaded module.
///
/// # Invariants
///
/// The pointer leads to a module that stays loaded while this or a copy exists.
///
/// # Examples
///
/// ```
/// // SAFETY: This module stays loaded while its code runs.
/// let this = unsafe { Module::new(module.as_ptr()) }.ok_or(ENODEV)?;
/// assert!(this.state() == ModuleState::Coming);
/// pr_info!("taints of {}: {:#x}\n", this.name().to_str()?, this.taints());
///
/// assert!(this.try_get());
/// this.put();
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Module(NonNull<bindings::module>);

// SAFETY: By the type invariants the module stays loaded, and each method may be called by any
// thread.
unsafe impl Send for Module {}

// SAFETY: By the type invariants the module stays loaded, and each method may be called by any
// thread.
unsafe impl Sync for Module {}

impl Module {
    /// Borrows a module, or returns [`None`] if `ptr` is null, which stands for built-in code.
    ///
    /// # Safety
    ///
    /// `ptr` must be null or lead to a module that stays loaded while the result or a copy exists.
    pub(crate) unsafe fn new(ptr: *mut bindings::module) -> Option<Self> {
        // INVARIANT: By the safety requirements, a `ptr` that is not null leads to a module that
        // stays loaded.
        NonNull::new(ptr).map(Self)
    }

    /// Returns the module's address.
    pub(crate) fn as_ptr(self) -> *mut bindings::module {
        self.0.as_ptr()
    }

    /// Returns the module's state.
    pub(crate) fn state(self) -> ModuleState {
        // SAFETY: By the type invariants, the pointer leads to a loaded module.
        ModuleState::from_raw(unsafe { helpers::module_state(self.as_ptr()) } as u32)
    }

    /// Returns the module's name.
    pub(crate) fn name(&self) -> &CStr {
        // SAFETY: By the type invariants, the pointer leads to a loaded module. Its name ends in
        // NUL and does not change.
        unsafe { CStr::from_char_ptr((&raw const (*self.as_ptr()).name).cast()) }
    }

    /// Returns the module's taint flags.
    pub(crate) fn taints(self) -> usize {
        // SAFETY: By the type invariants, the pointer leads to a loaded module.
        unsafe { (&raw const (*self.as_ptr()).taints).read_volatile() }
    }

    /// Returns the address and the size of the module's memory of one type.
    pub(crate) fn memory(self, kind: bindings::mod_mem_type) -> (usize, usize) {
        // SAFETY: By the type invariants, the pointer leads to a loaded module.
        let memory = unsafe { (&raw const (*self.as_ptr()).mem).cast::<bindings::module_memory>() };
        // SAFETY: `mem` has an entry for each type. The loader changes only those of init memory,
        // after the LIVE event.
        let memory = unsafe { memory.add(kind as usize).read() };
        (memory.base as usize, memory.size as usize)
    }

    /// Returns whether a range lies in one piece of the module's memory, as `within_module()`.
    ///
    /// Context: Any, NMI included.
    pub(crate) fn contains(self, base: usize, size: usize) -> bool {
        (0..bindings::mod_mem_type_MOD_MEM_NUM_TYPES).any(|kind| {
            let (start, len) = self.memory(kind);
            let at = base.wrapping_sub(start);
            at < len && size <= len.wrapping_sub(at)
        })
    }

    /// Returns the module's symbol table: with `init` the one of its init, otherwise the one that
    /// stays.
    ///
    /// # Safety
    ///
    /// With `init`, the module must be COMING until this returns.
    pub(crate) unsafe fn kallsyms(self, init: bool) -> bindings::mod_kallsyms {
        // SAFETY: By the type invariants, the pointer leads to a loaded module. By the safety
        // requirements, `kallsyms` is read only while it leads to the init table.
        unsafe {
            if init {
                (*self.as_ptr()).kallsyms.read()
            } else {
                (&raw const (*self.as_ptr()).core_kallsyms).read()
            }
        }
    }

    /// Returns the module's exported symbols.
    pub(crate) fn ksymtab(self) -> Ksymtab {
        // SAFETY: By the type invariants, the pointer leads to a loaded module. `flagstab` has
        // `num_syms` bytes, which do not change while the module is loaded.
        unsafe {
            let (syms, flags) = ((*self.as_ptr()).syms, (*self.as_ptr()).flagstab);
            // INVARIANT: `syms` has `num_syms` entries, which do not change either.
            Ksymtab {
                syms,
                flags: Borrowed::new(flags, (*self.as_ptr()).num_syms as usize),
            }
        }
    }

    /// Returns the module's exception table.
    ///
    /// After the module's init, the loader moves the pointer past the entries of init code.
    pub(crate) fn extable(self) -> Borrowed<bindings::exception_table_entry> {
        // SAFETY: By the type invariants, the pointer leads to a loaded module. Its exception table
        // has `num_exentries` entries, which do not change while the module is loaded.
        unsafe {
            Borrowed::new(
                (*self.as_ptr()).extable.cast_const(),
                (*self.as_ptr()).num_exentries as usize,
            )
        }
    }

    /// Takes a reference, as `try_module_get()`, or returns `false` if the module is unloading.
    ///
    /// Context: Any, NMI included.
    pub(crate) fn try_get(self) -> bool {
        // SAFETY: By the type invariants, the pointer leads to a loaded module.
        unsafe { bindings::try_module_get(self.as_ptr()) }
    }

    /// Drops a reference that [`Module::try_get`] took, as `module_put()`.
    ///
    /// Context: Any, NMI included.
    pub(crate) fn put(self) {
        // SAFETY: By the type invariants, the pointer leads to a loaded module.
        unsafe { bindings::module_put(self.as_ptr()) }
    }
}

/// A module's exported symbols, sorted by name, as `mod->syms` and `mod->flagstab`.
///
/// # Invariants
///
/// - `syms` is valid for reads of as many `struct kernel_symbol` as `flags` has bytes.
/// - The symbols and their names do not change while this exists.
///
/// # Examples
///
/// ```
/// // SAFETY: This module stays loaded while its code runs.
/// let this = unsafe { Module::new(module.as_ptr()) }.ok_or(ENODEV)?;
/// let symbols = this.ksymtab();
/// for i in 0..symbols.len() {
///     let name = symbols.name(i).ok_or(EINVAL)?;
///     let (value, gpl_only) = symbols.value(i).ok_or(EINVAL)?;
///     pr_info!("{} {value:#x} {gpl_only}\n", name.to_cstr().to_str()?);
/// }
/// // Past the end.
/// assert!(symbols.name(symbols.len()).is_none());
/// # Ok::<(), Error>(())
/// ```
pub(crate) struct Ksymtab {
    syms: *const bindings::kernel_symbol,
    flags: Borrowed<u8>,
}

// SAFETY: By the type invariants, the symbols may be read by any thread.
unsafe impl Send for Ksymtab {}

// SAFETY: By the type invariants, the symbols may be read by any thread.
unsafe impl Sync for Ksymtab {}

impl Ksymtab {
    /// Returns the number of symbols.
    pub(crate) fn len(&self) -> usize {
        self.flags.len()
    }

    /// Returns the name of symbol `i`, or [`None`] if there is no such symbol.
    pub(crate) fn name(&self, i: usize) -> Option<ThinCStr<'_>> {
        self.flags.get(i)?;
        // SAFETY: `flags` has an entry `i`, so by the type invariants `syms` has one too. Its name
        // ends in NUL and does not change.
        Some(unsafe { ThinCStr::from_ptr(helpers::kernel_symbol_name(self.syms, i as u32)) })
    }

    /// Returns the address of symbol `i` and whether only GPL-compatible callers may use it, or
    /// [`None`] if there is no such symbol.
    pub(crate) fn value(&self, i: usize) -> Option<(usize, bool)> {
        let flags = *self.flags.get(i)?;
        // SAFETY: `flags` has an entry `i`, so by the type invariants `syms` has one too.
        let value = unsafe { helpers::kernel_symbol_value(self.syms, i as u32) };
        Some((
            value,
            u32::from(flags) & helpers::ksym_flags_KSYM_FLAG_GPL_ONLY != 0,
        ))
    }
}

/// Returns the address of the instruction that an exception entry is for, as `ex_to_insn()`.
///
/// On architectures with relative tables the entry must be where the loader put it.
///
/// # Examples
///
/// ```
/// // SAFETY: This module stays loaded while its code runs.
/// let this = unsafe { Module::new(module.as_ptr()) }.ok_or(ENODEV)?;
/// let table = this.extable();
/// // The loader has sorted it.
/// assert!(table.is_sorted_by_key(ex_to_insn));
/// # Ok::<(), Error>(())
/// ```
pub(crate) fn ex_to_insn(entry: &bindings::exception_table_entry) -> usize {
    // SAFETY: `entry` is valid for reads, and is read in place.
    unsafe { helpers::ex_to_insn(entry) }
}

/// Returns the address where a fault goes on, as `ex_fixup_addr()`.
///
/// On architectures with relative tables the entry must be where the loader put it.
///
/// Context: Any, NMI included.
pub(crate) fn ex_to_fixup(entry: &bindings::exception_table_entry) -> usize {
    // SAFETY: `entry` is valid for reads, and is read in place.
    unsafe { helpers::ex_to_fixup(entry) }
}

/// Returns whether the handler of an exception entry's type makes sense outside of the kernel's own
/// code.
///
/// Context: Any, NMI included.
pub(crate) fn ex_type_is_general(entry: &bindings::exception_table_entry) -> bool {
    // SAFETY: `entry` is valid for reads, and is read in place.
    unsafe { helpers::ex_type_is_general(entry) }
}

/// Returns the state that a module notifier's `action` stands for.
pub(super) fn notifier_state(action: usize) -> ModuleState {
    ModuleState::from_raw(action as u32)
}

extern "C" {
    // A `struct module`; only its address is used.
    static __this_module: u8;
}

/// The address of this module.
///
/// `module::this_module()` of the kernel crate came with Linux 7.3 only.
pub(crate) const THIS_MODULE: *mut bindings::module = (&raw const __this_module).cast_mut().cast();

/// A reference to this module, which is not unloaded while this exists.
///
/// # Examples
///
/// ```
/// let pin = Pin::new().ok_or(ENODEV)?;
/// // `rmmod` says that the module is in use.
/// drop(pin);
/// # Ok::<(), Error>(())
/// ```
#[must_use = "the module is pinned until this is dropped"]
pub(crate) struct Pin(());

impl Pin {
    /// Takes a reference to this module, as `try_module_get(THIS_MODULE)`, or returns [`None`] if
    /// the module is unloading.
    ///
    /// Context: Any, NMI included.
    pub(crate) fn new() -> Option<Self> {
        // SAFETY: `THIS_MODULE` is loaded, since this is its code.
        unsafe { bindings::try_module_get(THIS_MODULE) }.then_some(Self(()))
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        // SAFETY: `THIS_MODULE` is loaded, and `new()` has taken the reference that is put here.
        unsafe { bindings::module_put(THIS_MODULE) };
    }
}
