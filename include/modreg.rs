// SPDX-License-Identifier: GPL-2.0

//! Plugins of modreg in Rust: `modreg.h` made safe.
//!
//! A plugin module takes this file as a module of its own, and its Kbuild exports
//! `MODREG_BINDINGS`, the path of what bindgen made of `modreg.h`:
//!
//! ```ignore
//! #[path = "../include/modreg.rs"]
//! mod modreg;
//! ```
//!
//! # Examples
//!
//! A page of generated code that is known by name for as long as `Jit` lives:
//!
//! ```ignore
//! struct Jit {
//!     _plugin: modreg::Registration<Program>,
//! }
//!
//! impl modreg::Plugin for Program {}
//!
//! fn publish(module: &'static ThisModule, program: KBox<Program>) -> Result<Jit> {
//!     let code = program.code();
//!     let plugin = modreg::Builder::new(c"jit", module)
//!         .regions(&[modreg::Region::text(code.clone())])
//!         .symbols(&[modreg::Symbol::new(c"filter", code.start)])
//!         .register(program)?;
//!     Ok(Jit { _plugin: plugin })
//! }
//! ```

// Nobody needs all of it.
#![allow(dead_code)]

use core::{
    ffi::CStr,
    marker::PhantomData,
    mem::ManuallyDrop,
    ops::{
        Deref,
        Range, //
    },
    ptr::NonNull,
    slice, //
};
use kernel::{
    bindings::{
        exception_table_entry,
        kernel_param_ops,
        param_ops_int,
        strlen, //
    },
    error::{
        from_err_ptr,
        to_result, //
    },
    prelude::*,
    sync::atomic::Atomic,
    time::{
        delay::fsleep,
        Delta, //
    },
};

#[path = "../modreg/bindings.rs"]
mod bindings;

/// A range of addresses that a plugin owns.
///
/// It is a claim only: nothing in it is ever read, so it may be any memory.
///
/// # Examples
///
/// ```ignore
/// let code = Region::text(start..end);
/// let startup = Region::text(init_start..init_end).init();
/// let table = Region::data(base..base + size);
/// ```
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(crate) struct Region(bindings::modreg_region);

impl Region {
    fn new(range: Range<usize>, flags: u32) -> Self {
        Self(bindings::modreg_region {
            base: range.start,
            size: range.end.wrapping_sub(range.start),
            flags,
        })
    }

    /// Code.
    pub(crate) fn text(range: Range<usize>) -> Self {
        Self::new(range, bindings::modreg_region_flags_MODREG_TEXT)
    }

    /// Anything else.
    pub(crate) fn data(range: Range<usize>) -> Self {
        Self::new(range, 0)
    }

    /// The same region, which disappears from every reader once the plugin is LIVE.
    pub(crate) fn init(mut self) -> Self {
        self.0.flags |= bindings::modreg_region_flags_MODREG_INIT;
        self
    }
}

/// A named address.
///
/// # Examples
///
/// ```ignore
/// let filter = Symbol::new(c"filter", code.start).export_gpl();
/// ```
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(crate) struct Symbol<'a>(bindings::modreg_symbol, PhantomData<&'a CStr>);

impl<'a> Symbol<'a> {
    /// Names `value`, an address inside one of the plugin's regions. Its type letter is 't' in text
    /// and 'd' elsewhere.
    pub(crate) fn new(name: &'a CStr, value: usize) -> Self {
        let symbol = bindings::modreg_symbol {
            name: name.as_char_ptr(),
            value,
            ..Default::default()
        };
        Self(symbol, PhantomData)
    }

    /// The same symbol with another type letter, as in nm(1).
    pub(crate) fn letter(mut self, letter: u8) -> Self {
        self.0.type_ = letter;
        self
    }

    /// The same symbol, which everybody may find with `modreg_find_symbol()`.
    pub(crate) fn export(mut self) -> Self {
        self.0.flags = bindings::modreg_symbol_flags_MODREG_EXPORT as u8;
        self
    }

    /// The same symbol, which GPL-compatible callers may find with `modreg_find_symbol()`.
    pub(crate) fn export_gpl(mut self) -> Self {
        self.0.flags = bindings::modreg_symbol_flags_MODREG_EXPORT_GPL as u8;
        self
    }
}

/// A parameter that a plugin takes.
///
/// # Examples
///
/// ```ignore
/// static STEP: Atomic<i32> = Atomic::new(1);
///
/// let builder = builder.params(&[Param::int(c"step", &STEP)]).args(c"step=3");
/// ```
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(crate) struct Param<'a>(bindings::modreg_param, PhantomData<&'a CStr>);

impl<'a> Param<'a> {
    /// An integer.
    pub(crate) fn int(name: &'a CStr, value: &'a Atomic<i32>) -> Self {
        // SAFETY: `param_ops_int` stores an `int` where it is told to, which is `value`.
        unsafe { Self::new(name, &raw const param_ops_int, value.as_ptr().cast()) }
    }

    /// Anything that a `kernel_param_ops` can parse.
    ///
    /// # Safety
    ///
    /// During `'a` it must be sound to call `ops.set` with `arg`.
    pub(crate) unsafe fn new(
        name: &'a CStr,
        ops: *const kernel_param_ops,
        arg: *mut c_void,
    ) -> Self {
        let param = bindings::modreg_param {
            name: name.as_char_ptr(),
            ops,
            arg,
        };
        Self(param, PhantomData)
    }
}

/// The exception entries of a module, for a plugin that all of them belong to.
///
/// # Examples
///
/// ```ignore
/// let builder = builder.exceptions(modreg::exceptions_of(module));
/// ```
pub(crate) fn exceptions_of(module: &'static ThisModule) -> &'static [exception_table_entry] {
    let module = module.as_ptr();
    // SAFETY: A `ThisModule` leads to its module, or to null in built-in code.
    let Some(module) = (unsafe { module.as_ref() }) else {
        return &[];
    };
    if module.extable.is_null() {
        return &[];
    }
    // SAFETY: That is the loader's own table, sorted before the module runs and there as long as it
    // does.
    unsafe { slice::from_raw_parts(module.extable, module.num_exentries as usize) }
}

/// What a plugin does when it comes and when it goes. Both may sleep.
pub(crate) trait Plugin: Send + Sync + 'static {
    /// Called once the plugin is visible and its arguments are parsed. An error undoes the
    /// registration.
    fn init(&self) -> Result {
        Ok(())
    }

    /// Called when the plugin is unregistered, before it is unlinked.
    fn exit(&self) {}
}

/// For plugins with nothing to do.
impl Plugin for () {}

/// Collects what [`Builder::register`] tells modreg.
///
/// # Examples
///
/// See the top of this file.
///
/// # Invariants
///
/// What `desc` points to is valid during `'a`, the exception entries for as long as its owner.
pub(crate) struct Builder<'a> {
    desc: bindings::modreg_plugin_desc,
    _borrowed: PhantomData<&'a CStr>,
}

/// A count for C. One that does not fit is beyond every limit, and refused.
fn count<T>(slice: &[T]) -> u32 {
    u32::try_from(slice.len()).unwrap_or(u32::MAX)
}

impl<'a> Builder<'a> {
    /// A plugin of `owner` called `name`; it needs a region at least.
    pub(crate) fn new(name: &'a CStr, owner: &'static ThisModule) -> Self {
        // INVARIANT: The name is valid during `'a`, and there is no more so far.
        Self {
            desc: bindings::modreg_plugin_desc {
                name: name.as_char_ptr(),
                owner: owner.as_ptr(),
                ..Default::default()
            },
            _borrowed: PhantomData,
        }
    }

    /// The addresses that it owns.
    pub(crate) fn regions(mut self, regions: &'a [Region]) -> Self {
        // INVARIANT: A `Region` is a `modreg_region`.
        self.desc.regions = regions.as_ptr().cast();
        self.desc.num_regions = count(regions);
        self
    }

    /// Its symbols.
    pub(crate) fn symbols(mut self, symbols: &'a [Symbol<'a>]) -> Self {
        // INVARIANT: A `Symbol` is a `modreg_symbol`, and its name is valid during `'a`.
        self.desc.symbols = symbols.as_ptr().cast();
        self.desc.num_symbols = count(symbols);
        self
    }

    /// Its exception entries, by ascending address; their offsets are relative to where they stand.
    pub(crate) fn exceptions(mut self, entries: &'static [exception_table_entry]) -> Self {
        // INVARIANT: The entries stay as long as the owner.
        self.desc.extable = entries.as_ptr();
        self.desc.num_exentries = count(entries);
        self
    }

    /// The parameters that its arguments may set.
    pub(crate) fn params(mut self, params: &'a [Param<'a>]) -> Self {
        // INVARIANT: A `Param` is a `modreg_param`, and what it points to is valid during `'a`.
        self.desc.params = params.as_ptr().cast();
        self.desc.num_params = count(params);
        self
    }

    /// Its arguments, as on insmod's command line.
    pub(crate) fn args(mut self, args: &'a CStr) -> Self {
        // INVARIANT: The string is valid during `'a`.
        self.desc.args = args.as_char_ptr();
        self
    }

    /// Registers the plugin; its callbacks get `data`. Sleeps.
    ///
    /// # Errors
    ///
    /// As `modreg_register_plugin()`.
    pub(crate) fn register<T: Plugin>(mut self, data: KBox<T>) -> Result<Registration<T>> {
        /// # Safety
        ///
        /// `data` must be valid for a shared reference during the call.
        unsafe extern "C" fn init<T: Plugin>(data: *mut c_void) -> c_int {
            // SAFETY: By the requirement of this function.
            match unsafe { &*data.cast::<T>() }.init() {
                Ok(()) => 0,
                Err(e) => e.to_errno(),
            }
        }

        /// # Safety
        ///
        /// `data` must be valid for a shared reference during the call.
        unsafe extern "C" fn exit<T: Plugin>(data: *mut c_void) {
            // SAFETY: By the requirement of this function.
            unsafe { &*data.cast::<T>() }.exit();
        }

        let data = KBox::into_raw(data);
        self.desc.data = data.cast();
        self.desc.init = Some(init::<T>);
        self.desc.exit = Some(exit::<T>);
        // SAFETY: By the type invariant all of `desc` is valid. modreg removes what is left of an
        // owner before its memory goes; `data` and the exception entries live as long.
        match from_err_ptr(unsafe { bindings::modreg_register_plugin(&self.desc) }) {
            // INVARIANT: It was just registered.
            Ok(plugin) => Ok(Registration {
                // SAFETY: modreg returns no null pointer, nor does a box.
                plugin: unsafe { NonNull::new_unchecked(plugin) },
                // SAFETY: As above.
                data: unsafe { NonNull::new_unchecked(data) },
            }),
            Err(e) => {
                // SAFETY: It comes from a box, and the plugin whose callbacks had it is gone.
                drop(unsafe { KBox::from_raw(data) });
                Err(e)
            }
        }
    }
}

/// A registered plugin, unregistered when this is dropped.
///
/// The drop sleeps, and must be done where that is allowed. A plugin that somebody pinned with
/// `modreg_find_symbol_get()` cannot be removed; then the drop waits until the last reference has
/// been given back, for what is named by the plugin is likely to be freed next. Who does not want
/// to wait calls [`Registration::unregister`]. In the exit function of the owner there is nothing
/// to wait for, since a reference pins the owner too.
///
/// A drop where sleeping is not allowed is a bug, which the log tells of: the plugin stays
/// registered, and its data allocated, until modreg removes it when the owner is unloaded.
///
/// # Examples
///
/// ```ignore
/// match registration.unregister() {
///     Ok(program) => drop(program),
///     Err((_busy, registration)) => self.later.push(registration, GFP_KERNEL)?,
/// }
/// ```
///
/// # Invariants
///
/// `plugin` is registered. `data` comes from a box, and is what the plugin's callbacks get.
#[must_use = "the plugin is unregistered when this is dropped"]
pub(crate) struct Registration<T: Plugin> {
    plugin: NonNull<bindings::modreg_plugin>,
    data: NonNull<T>,
}

// SAFETY: modreg's functions may be called by any thread; `T` is `Send` and `Sync`.
unsafe impl<T: Plugin> Send for Registration<T> {}

// SAFETY: A shared reference gives access to `T` only, which is `Sync`.
unsafe impl<T: Plugin> Sync for Registration<T> {}

impl<T: Plugin> Registration<T> {
    /// Unregisters the plugin once, and gives its data back. Sleeps.
    ///
    /// # Errors
    ///
    /// As `modreg_unregister_plugin()`, with the registration, which is as before.
    pub(crate) fn unregister(self) -> Result<KBox<T>, (Error, Self)> {
        let this = ManuallyDrop::new(self);
        match this.try_unregister() {
            // SAFETY: It comes from a box, nobody's callback has it any more, and `this` is not
            // dropped.
            Ok(()) => Ok(unsafe { KBox::from_raw(this.data.as_ptr()) }),
            Err(e) => Err((e, ManuallyDrop::into_inner(this))),
        }
    }

    /// After `Ok`, the registration must not be used any more.
    fn try_unregister(&self) -> Result {
        // SAFETY: By the type invariant.
        to_result(unsafe { bindings::modreg_unregister_plugin(self.plugin.as_ptr()) })
    }
}

impl<T: Plugin> Deref for Registration<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: By the type invariant; all others have shared references too.
        unsafe { self.data.as_ref() }
    }
}

impl<T: Plugin> Drop for Registration<T> {
    fn drop(&mut self) {
        let mut waits = false;
        while let Err(e) = self.try_unregister() {
            if e != EBUSY && e != ENOMEM {
                pr_err!(
                    "a plugin was dropped where it cannot be unregistered ({})\n",
                    e.to_errno()
                );
                return;
            }
            if !waits {
                pr_info!("waiting for the last reference to a plugin\n");
                waits = true;
            }
            fsleep(Delta::from_millis(10));
        }
        // SAFETY: It comes from a box, and the plugin whose callbacks had it is gone.
        drop(unsafe { KBox::from_raw(self.data.as_ptr()) });
    }
}

/// An exported symbol of a plugin, which is pinned until this is dropped. From any context.
///
/// # Examples
///
/// ```ignore
/// let filter = modreg::Pinned::find(c"filter").ok_or(ENOENT)?;
/// pr_info!("filter is at {:#x} in {}\n", filter.value(), filter.plugin());
/// ```
///
/// # Invariants
///
/// A reference to `plugin` is held.
pub(crate) struct Pinned {
    plugin: NonNull<bindings::modreg_plugin>,
    value: usize,
}

// SAFETY: A reference may be given back by any thread, from any context.
unsafe impl Send for Pinned {}

// SAFETY: A shared reference only reads what does not change.
unsafe impl Sync for Pinned {}

impl Pinned {
    /// Finds the newest LIVE plugin that exports `name`, and pins it.
    pub(crate) fn find(name: &CStr) -> Option<Self> {
        let mut fsa = bindings::modreg_find_symbol_arg {
            name: name.as_char_ptr(),
            gplok: true,
            ..Default::default()
        };
        // SAFETY: `fsa` is valid, and its name is a string.
        if !unsafe { bindings::modreg_find_symbol_get(&mut fsa) } {
            return None;
        }
        // INVARIANT: The reference was just taken.
        Some(Self {
            plugin: NonNull::new(fsa.owner)?,
            value: fsa.value,
        })
    }

    /// Its address.
    pub(crate) fn value(&self) -> usize {
        self.value
    }

    /// The name of its plugin.
    pub(crate) fn plugin(&self) -> &CStr {
        // SAFETY: By the type invariant the plugin stays, and its name with it.
        let name = unsafe { bindings::modreg_plugin_name(self.plugin.as_ptr()) };
        // `CStr::from_ptr()` could panic, as far as the compiler can tell.
        // SAFETY: The name is a string.
        let len = unsafe { strlen(name) };
        // SAFETY: So many bytes are there, the last is the only NUL.
        unsafe {
            CStr::from_bytes_with_nul_unchecked(slice::from_raw_parts(
                name.cast(),
                len.wrapping_add(1),
            ))
        }
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        // SAFETY: By the type invariant; it is given back once.
        unsafe { bindings::modreg_find_symbol_put(self.plugin.as_ptr()) };
    }
}
