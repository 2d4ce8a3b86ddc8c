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
    mem,
    ops::Deref,
    ptr::NonNull, //
};
use kernel::{
    bindings,
    str::CStrExt as _,
    types::Opaque, //
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

/// A kernel module that is loaded, as `struct module`.
///
/// It is used through references only, which live no longer than the module is known to stay.
///
/// # Examples
///
/// ```
/// let this = Module::this();
/// assert!(this.state() == ModuleState::Coming);
/// pr_info!("taints of {}: {:#x}\n", this.name().to_str()?, this.taints());
///
/// let pin = this.try_pin().ok_or(ENODEV)?;
/// // It can be unloaded again.
/// drop(pin);
/// # Ok::<(), Error>(())
/// ```
#[repr(transparent)]
pub(crate) struct Module(Opaque<bindings::module>);

// SAFETY: The functions below may be called by any thread, in any context.
unsafe impl Send for Module {}

// SAFETY: The functions below may be called by any thread, in any context.
unsafe impl Sync for Module {}

/// The identity of a module, which tells it from others while both are loaded.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ModuleId(usize);

impl Module {
    /// Returns the module at `ptr`, or [`None`] for null.
    ///
    /// # Safety
    ///
    /// `ptr` must be null or a module that stays loaded during `'a`.
    pub(crate) unsafe fn from_raw<'a>(ptr: *mut bindings::module) -> Option<&'a Self> {
        // SAFETY: By the safety requirements, `ptr` is null or valid during `'a`. A `Module` is a
        // `struct module`.
        unsafe { ptr.cast::<Self>().as_ref() }
    }

    /// Returns the module that this code is part of, as `THIS_MODULE`.
    #[inline(always)]
    pub(crate) fn this() -> &'static Self {
        // SAFETY: This is the `struct module` of the code that runs here, which stays loaded while
        // it runs.
        unsafe { &*THIS_MODULE.cast::<Self>() }
    }

    /// Returns a pointer to the `struct module`.
    pub(crate) fn as_ptr(&self) -> *mut bindings::module {
        self.0.get()
    }

    /// Returns the module's identity.
    pub(crate) fn id(&self) -> ModuleId {
        ModuleId(self.as_ptr().addr())
    }

    /// Returns the module's state.
    ///
    /// Context: Any, NMI included.
    pub(crate) fn state(&self) -> ModuleState {
        // SAFETY: `self` is a loaded module.
        ModuleState::from_raw(unsafe { helpers::module_state(self.as_ptr()) } as u32)
    }

    /// Returns the module's name.
    pub(crate) fn name(&self) -> &CStr {
        // SAFETY: `self` is a loaded module. The loader ends the name in NUL and does not change it.
        unsafe { CStr::from_char_ptr((&raw const (*self.as_ptr()).name).cast()) }
    }

    /// Returns the module's taint flags.
    ///
    /// Context: Any, NMI included.
    pub(crate) fn taints(&self) -> usize {
        // SAFETY: `self` is a loaded module.
        unsafe { (&raw const (*self.as_ptr()).taints).read_volatile() }
    }

    /// Returns the first address and the size of the module's memory of one type.
    ///
    /// Context: Any, NMI included.
    #[inline(always)]
    pub(crate) fn memory(&self, kind: bindings::mod_mem_type) -> (usize, usize) {
        // SAFETY: `self` is a loaded module, which has an entry for each type.
        let memory = unsafe { (&raw const (*self.as_ptr()).mem).cast::<bindings::module_memory>() };
        // SAFETY: As above. The loader changes only the entries of init memory, after the LIVE
        // event.
        let memory = unsafe { memory.add(kind as usize).read() };
        (memory.base as usize, memory.size as usize)
    }

    /// Returns whether a range lies in one piece of the module's memory, as `within_module()`.
    ///
    /// Context: Any, NMI included.
    pub(crate) fn contains(&self, base: usize, size: usize) -> bool {
        (0..bindings::mod_mem_type_MOD_MEM_NUM_TYPES).any(|kind| {
            let (start, len) = self.memory(kind);
            let at = base.wrapping_sub(start);
            at < len && size <= len.wrapping_sub(at)
        })
    }

    /// Returns the module's symbol table: the one that it has during its init, or the one that
    /// stays.
    ///
    /// # Safety
    ///
    /// With `init`, the module must be COMING and stay so during the call.
    pub(crate) unsafe fn kallsyms(&self, init: bool) -> bindings::mod_kallsyms {
        // SAFETY: `self` is a loaded module. By the safety requirements its pointer to the init table
        // is valid if it is read.
        unsafe {
            if init {
                (*self.as_ptr()).kallsyms.read()
            } else {
                (&raw const (*self.as_ptr()).core_kallsyms).read()
            }
        }
    }

    /// Returns the module's exported symbols.
    ///
    /// # Safety
    ///
    /// The module must stay loaded while the result is used.
    pub(crate) unsafe fn ksymtab(&self) -> Ksymtab {
        // SAFETY: `self` is a loaded module. The loader made as many flags as symbols. Neither
        // changes, and by the safety requirements they stay while the result is used.
        unsafe {
            let (syms, flags) = ((*self.as_ptr()).syms, (*self.as_ptr()).flagstab);
            // INVARIANT: As above.
            Ksymtab {
                syms,
                flags: Borrowed::new(flags, (*self.as_ptr()).num_syms as usize),
            }
        }
    }

    /// Returns the module's exception table.
    ///
    /// After the module's init, the kernel moves the pointer past init entries.
    ///
    /// # Safety
    ///
    /// The module must stay loaded while the result is used.
    pub(crate) unsafe fn extable(&self) -> Borrowed<bindings::exception_table_entry> {
        // SAFETY: `self` is a loaded module, and by the safety requirements its entries stay while
        // the result is used.
        unsafe {
            Borrowed::new(
                (*self.as_ptr()).extable.cast_const(),
                (*self.as_ptr()).num_exentries as usize,
            )
        }
    }

    /// Pins the module, as `try_module_get()`.
    ///
    /// Returns [`None`] if it is being unloaded.
    ///
    /// Context: Any, NMI included.
    pub(crate) fn try_pin(&self) -> Option<ModulePin> {
        // SAFETY: `self` is a loaded module.
        let pinned = unsafe { bindings::try_module_get(self.as_ptr()) };
        // INVARIANT: The reference was just taken.
        pinned.then(|| ModulePin(NonNull::from(&self.0)))
    }

    /// Pins the module that this code is part of, as `try_module_get(THIS_MODULE)`.
    ///
    /// Returns [`None`] if it is being unloaded.
    ///
    /// Context: Any, NMI included.
    pub(crate) fn try_pin_this() -> Option<ThisModulePin> {
        // INVARIANT: The reference of `pin` becomes that of the result.
        Self::this().try_pin().map(|pin| {
            mem::forget(pin);
            ThisModulePin(())
        })
    }

    /// Pins the module if it is LIVE, as `strong_try_module_get()`.
    ///
    /// Context: Any, NMI included.
    pub(crate) fn try_pin_live(&self) -> Option<ModulePin> {
        if self.state() != ModuleState::Live {
            return None;
        }
        self.try_pin()
    }

    /// Lends the module to a structure that does not pin it.
    ///
    /// # Safety
    ///
    /// The module must stay loaded while the result is used.
    pub(crate) unsafe fn lend(&self) -> LentModule {
        // INVARIANT: By the safety requirements.
        LentModule(NonNull::from(&self.0))
    }
}

/// A module that stays loaded while this is used, though nothing pins it.
///
/// # Invariants
///
/// - The pointer is a loaded module.
pub(crate) struct LentModule(NonNull<Opaque<bindings::module>>);

// SAFETY: This gives access to a `Module` only, which is `Sync`.
unsafe impl Send for LentModule {}

// SAFETY: As above.
unsafe impl Sync for LentModule {}

impl Deref for LentModule {
    type Target = Module;

    fn deref(&self) -> &Module {
        // SAFETY: By the type invariant this is a loaded module.
        unsafe { self.0.cast().as_ref() }
    }
}

/// A module that cannot be unloaded until this is dropped, as `module_put()`.
///
/// # Examples
///
/// ```
/// let pin = Module::this().try_pin().ok_or(ENODEV)?;
/// // `rmmod` says that the module is in use.
/// drop(pin);
/// # Ok::<(), Error>(())
/// ```
///
/// # Invariants
///
/// - The pointer is a module, and this owns a reference to it.
#[must_use = "the module is pinned until this is dropped"]
pub(crate) struct ModulePin(NonNull<Opaque<bindings::module>>);

// SAFETY: Any thread may put the reference.
unsafe impl Send for ModulePin {}

// SAFETY: A shared reference gives access to nothing.
unsafe impl Sync for ModulePin {}

impl ModulePin {
    /// Takes over a reference to `module` whose [`ModulePin`] was forgotten.
    ///
    /// # Safety
    ///
    /// There must be such a reference, and the caller must give it up.
    pub(crate) unsafe fn from_forgotten(module: &Module) -> Self {
        // INVARIANT: By the safety requirements this owns a reference.
        Self(NonNull::from(&module.0))
    }
}

impl Drop for ModulePin {
    fn drop(&mut self) {
        // SAFETY: By the type invariant this owns a reference to the module.
        unsafe { bindings::module_put(self.0.as_ref().get()) };
    }
}

/// A [`ModulePin`] of the module that this code is part of. It takes no memory.
///
/// # Invariants
///
/// - This owns a reference to `THIS_MODULE`.
#[must_use = "the module is pinned until this is dropped"]
pub(crate) struct ThisModulePin(());

impl Drop for ThisModulePin {
    fn drop(&mut self) {
        // SAFETY: By the type invariant this owns a reference to the module.
        unsafe { bindings::module_put(THIS_MODULE) };
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
/// let this = Module::this();
/// // SAFETY: This module stays loaded while its code runs.
/// let symbols = unsafe { this.ksymtab() };
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
/// let this = Module::this();
/// // SAFETY: This module stays loaded while its code runs.
/// let table = unsafe { this.extable() };
/// // The loader has sorted it.
/// assert!(table.is_sorted_by_key(ex_to_insn));
/// # Ok::<(), Error>(())
/// ```
pub(crate) fn ex_to_insn(entry: &bindings::exception_table_entry) -> usize {
    // SAFETY: `entry` is valid for reads, and is read in place.
    unsafe { helpers::ex_to_insn(entry) }
}

/// Returns the address where execution continues after a fault, as `ex_fixup_addr()`.
///
/// On architectures with relative tables the entry must be where the loader put it.
///
/// Context: Any, NMI included.
pub(crate) fn ex_to_fixup(entry: &bindings::exception_table_entry) -> usize {
    // SAFETY: `entry` is valid for reads, and is read in place.
    unsafe { helpers::ex_to_fixup(entry) }
}

/// Returns whether the handler of an exception entry's type works outside of the kernel's own code.
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
