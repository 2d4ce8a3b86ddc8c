// SPDX-License-Identifier: GPL-2.0

//! The description of a plugin, and its parts.

use super::bindings;
use core::{
    ffi::CStr,
    marker::PhantomData,
    ops::Range,
    ptr,
    slice, //
};
use kernel::{
    bindings::{
        exception_table_entry,
        kernel_param,
        kernel_param_ops,
        kstrtoint, //
    },
    prelude::*,
    sync::atomic::{
        Atomic,
        Relaxed, //
    },
};

/// A range of addresses that a plugin owns.
///
/// # Examples
///
/// ```
/// # let (code, data) = crate::ranges();
/// # let startup = code.clone();
/// // SAFETY: The code is this module's.
/// let (code, startup) = unsafe { (Region::text(code), Region::text(startup)) };
/// let regions = [code, startup.init(), Region::data(data)];
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

    /// Creates a region of code.
    ///
    /// # Safety
    ///
    /// As long as readers find the region, the range and the 16 bytes behind it must be readable: perf
    /// decodes instructions there. Code of the plugin's owner is.
    pub(crate) unsafe fn text(range: Range<usize>) -> Self {
        Self::new(range, bindings::modreg_region_flags_MODREG_TEXT)
    }

    /// Creates a region of anything but code, whose memory is not accessed.
    pub(crate) fn data(range: Range<usize>) -> Self {
        Self::new(range, 0)
    }

    /// Marks the region as init memory, which no reader finds once the plugin is LIVE.
    pub(crate) fn init(mut self) -> Self {
        self.0.flags |= bindings::modreg_region_flags_MODREG_INIT;
        self
    }
}

/// A named address.
///
/// # Examples
///
/// ```
/// # let (code, data) = crate::ranges();
/// let symbols = [
///     Symbol::new(c"filter", code.start).export_gpl(),
///     Symbol::new(c"table", data.start).letter(b'r'),
/// ];
/// ```
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(crate) struct Symbol<'a>(bindings::modreg_symbol, PhantomData<&'a CStr>);

impl<'a> Symbol<'a> {
    /// Names `value`, an address inside one of the plugin's regions.
    ///
    /// The type letter is 't' in text and 'd' elsewhere.
    pub(crate) fn new(name: &'a CStr, value: usize) -> Self {
        let symbol = bindings::modreg_symbol {
            name: name.as_char_ptr(),
            value,
            ..Default::default()
        };
        Self(symbol, PhantomData)
    }

    /// Sets the type letter, as in nm(1).
    pub(crate) fn letter(mut self, letter: u8) -> Self {
        self.0.type_ = letter;
        self
    }

    /// Exports the symbol, as `EXPORT_SYMBOL()`: any caller may find it with
    /// `modreg_find_symbol()`.
    pub(crate) fn export(mut self) -> Self {
        self.0.flags = bindings::modreg_symbol_flags_MODREG_EXPORT as u8;
        self
    }

    /// Exports the symbol to GPL-compatible callers, as `EXPORT_SYMBOL_GPL()`.
    pub(crate) fn export_gpl(mut self) -> Self {
        self.0.flags = bindings::modreg_symbol_flags_MODREG_EXPORT_GPL as u8;
        self
    }
}

/// A parameter that a plugin takes.
///
/// # Examples
///
/// ```
/// use kernel::sync::atomic::{Atomic, Relaxed};
///
/// static STEP: Atomic<i32> = Atomic::new(1);
///
/// # let (code, data) = crate::ranges();
/// let plugin = Builder::new(c"jit", module)
///     .regions(&[Region::data(data)])
///     .params(&[Param::int(c"step", &STEP)])
///     .args(c"step=3")
///     .register(KBox::new((), GFP_KERNEL)?)?;
/// assert_eq!(STEP.load(Relaxed), 3);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(crate) struct Param<'a>(bindings::modreg_param, PhantomData<&'a CStr>);

impl<'a> Param<'a> {
    /// Creates a parameter that sets an integer, as `module_param(…, int, …)`.
    ///
    /// `param_ops_int` would not do, since it stores without an atomic access.
    pub(crate) fn int(name: &'a CStr, value: &'a Atomic<i32>) -> Self {
        static OPS: kernel_param_ops = kernel_param_ops {
            flags: 0,
            set: Some(set),
            get: None,
            free: None,
        };

        /// # Safety
        ///
        /// `value` must be a string, and the parameter's argument an `Atomic<i32>`.
        unsafe extern "C" fn set(value: *const c_char, param: *const kernel_param) -> c_int {
            let mut parsed = 0;
            // SAFETY: By the safety requirements, `value` is a string; `parsed` is valid for writes.
            let err = unsafe { kstrtoint(value, 0, &mut parsed) };
            if err == 0 {
                // SAFETY: By the safety requirements, the argument is an `Atomic<i32>`.
                let to = unsafe { &*(*param).__bindgen_anon_1.arg.cast::<Atomic<i32>>() };
                to.store(parsed, Relaxed);
            }
            err
        }

        // SAFETY: `set()` gets `value`, which is valid during `'a`. modreg passes it no null value,
        // since `OPS` has no flag for that.
        unsafe { Self::new(name, &OPS, ptr::from_ref(value).cast_mut().cast()) }
    }

    /// Creates a parameter that `ops` parses.
    ///
    /// # Safety
    ///
    /// During `'a`, `ops` must be valid, and `ops.set` callable with any string and `arg`.
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

/// Returns the exception table of a module.
///
/// A plugin may have these entries if all of them are for its own code.
///
/// # Examples
///
/// ```
/// # let (code, data) = crate::ranges();
/// let plugin = Builder::new(c"jit", module)
///     // SAFETY: The code is this module's.
///     .regions(&[unsafe { Region::text(code) }])
///     .exceptions(exceptions_of(module))
///     .register(KBox::new((), GFP_KERNEL)?)?;
/// # Ok::<(), Error>(())
/// ```
pub(crate) fn exceptions_of(module: &'static ThisModule) -> &'static [exception_table_entry] {
    let module = module.as_ptr();
    // SAFETY: A `ThisModule` leads to a loaded module, or is null in built-in code.
    let Some(module) = (unsafe { module.as_ref() }) else {
        return &[];
    };
    if module.extable.is_null() {
        return &[];
    }
    // SAFETY: `extable` is not null, so the loader has set it to `num_exentries` entries. They do
    // not change while the module runs.
    unsafe { slice::from_raw_parts(module.extable, module.num_exentries as usize) }
}

/// A description of a plugin, for [`Builder::register`].
///
/// # Invariants
///
/// - `desc`: the exception entries are valid while the owner is loaded.
/// - `desc`: all else that it points to is valid during `'a`.
///
/// # Examples
///
/// ```
/// # let (code, data) = crate::ranges();
/// let plugin = Builder::new(c"jit", module)
///     // SAFETY: The code is this module's.
///     .regions(&[unsafe { Region::text(code.clone()) }, Region::data(data.clone())])
///     .symbols(&[
///         Symbol::new(c"filter", code.start).export_gpl(),
///         Symbol::new(c"table", data.start),
///     ])
///     .register(KBox::new((), GFP_KERNEL)?)?;
///
/// // A region belongs to one plugin.
/// let other = Builder::new(c"other", module)
///     // SAFETY: The code is this module's.
///     .regions(&[unsafe { Region::text(code) }])
///     .register(KBox::new((), GFP_KERNEL)?);
/// assert_eq!(other.err(), Some(EEXIST));
/// # Ok::<(), Error>(())
/// ```
pub(crate) struct Builder<'a> {
    pub(super) desc: bindings::modreg_plugin_desc,
    _borrowed: PhantomData<&'a CStr>,
}

/// Returns the length of `slice` for C; one that does not fit is beyond every limit, and refused.
pub(super) fn count<T>(slice: &[T]) -> u32 {
    u32::try_from(slice.len()).unwrap_or(u32::MAX)
}

impl<'a> Builder<'a> {
    /// Describes a plugin of `owner` called `name`, which needs at least one region.
    pub(crate) fn new(name: &'a CStr, owner: &'static ThisModule) -> Self {
        // INVARIANT: `name` is valid during `'a`. The other pointers are null.
        Self {
            desc: bindings::modreg_plugin_desc {
                name: name.as_char_ptr(),
                owner: owner.as_ptr(),
                ..Default::default()
            },
            _borrowed: PhantomData,
        }
    }

    /// Sets the regions that the plugin owns.
    pub(crate) fn regions(mut self, regions: &'a [Region]) -> Self {
        // INVARIANT: `regions` is valid during `'a`, and a `Region` is a `modreg_region`.
        self.desc.regions = regions.as_ptr().cast();
        self.desc.num_regions = count(regions);
        self
    }

    /// Sets the plugin's symbols.
    pub(crate) fn symbols(mut self, symbols: &'a [Symbol<'a>]) -> Self {
        // INVARIANT: `symbols` and their names are valid during `'a`, and a `Symbol` is a
        // `modreg_symbol`.
        self.desc.symbols = symbols.as_ptr().cast();
        self.desc.num_symbols = count(symbols);
        self
    }

    /// Sets the plugin's exception entries, which are sorted by address and used in place.
    pub(crate) fn exceptions(mut self, entries: &'static [exception_table_entry]) -> Self {
        // INVARIANT: `entries` is valid while the owner is loaded.
        self.desc.extable = entries.as_ptr();
        self.desc.num_exentries = count(entries);
        self
    }

    /// Sets the parameters that the arguments may set.
    pub(crate) fn params(mut self, params: &'a [Param<'a>]) -> Self {
        // INVARIANT: `params` and what they point to are valid during `'a`, and a `Param` is a
        // `modreg_param`.
        self.desc.params = params.as_ptr().cast();
        self.desc.num_params = count(params);
        self
    }

    /// Sets the arguments, as on insmod's command line.
    pub(crate) fn args(mut self, args: &'a CStr) -> Self {
        // INVARIANT: `args` is valid during `'a`.
        self.desc.args = args.as_char_ptr();
        self
    }

    /// Keeps the plugin's life out of the log; errors are still logged.
    pub(crate) fn quiet(mut self) -> Self {
        self.desc.flags |= bindings::modreg_plugin_flags_MODREG_QUIET;
        self
    }
}
