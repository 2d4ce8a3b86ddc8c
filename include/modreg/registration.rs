// SPDX-License-Identifier: GPL-2.0

//! Plugins with their callbacks and data, from registration to unregistration.

use super::{
    bindings,
    description::{
        count,
        Builder,
        Symbol, //
    },
};
use core::{
    mem::ManuallyDrop,
    ops::Deref,
    ptr::NonNull, //
};
use kernel::{
    bindings::exception_table_entry,
    error::{
        from_err_ptr,
        to_result, //
    },
    prelude::*,
    time::{
        delay::fsleep,
        Delta, //
    },
};

/// The callbacks of a plugin.
///
/// # Examples
///
/// ```
/// struct Jit;
///
/// impl Plugin for Jit {
///     fn init(&self) -> Result {
///         pr_info!("jit is visible\n");
///         Ok(())
///     }
/// }
///
/// # let (code, data) = crate::ranges();
/// let plugin = Builder::new(c"jit", module)
///     // SAFETY: The code is this module's.
///     .regions(&[unsafe { Region::text(code) }])
///     .register(KBox::new(Jit, GFP_KERNEL)?)?;
/// # Ok::<(), Error>(())
/// ```
pub(crate) trait Plugin: Send + Sync + 'static {
    /// Called once the plugin is visible and its arguments are parsed.
    ///
    /// An error undoes the registration.
    ///
    /// Context: May sleep.
    fn init(&self) -> Result {
        Ok(())
    }

    /// Called when the plugin is unregistered, before it is unlinked.
    ///
    /// Context: May sleep.
    fn exit(&self) {}
}

/// A plugin without callbacks.
impl Plugin for () {}

impl Builder<'_> {
    /// Registers the plugin, as `modreg_register_plugin()`, with callbacks on `data`.
    ///
    /// Context: May sleep.
    ///
    /// # Errors
    ///
    /// Those of `modreg_register_plugin()`. `data` is dropped then.
    pub(crate) fn register<T: Plugin>(mut self, data: KBox<T>) -> Result<Registration<T>> {
        /// # Safety
        ///
        /// `data` must be valid for a shared reference during the call.
        unsafe extern "C" fn init<T: Plugin>(data: *mut c_void) -> c_int {
            // SAFETY: By the safety requirements, `data` is valid for a shared reference.
            match unsafe { &*data.cast::<T>() }.init() {
                Ok(()) => 0,
                Err(e) => e.to_errno(),
            }
        }

        /// # Safety
        ///
        /// `data` must be valid for a shared reference during the call.
        unsafe extern "C" fn exit<T: Plugin>(data: *mut c_void) {
            // SAFETY: By the safety requirements, `data` is valid for a shared reference.
            unsafe { &*data.cast::<T>() }.exit();
        }

        let data = KBox::into_raw(data);
        self.desc.data = data.cast();
        self.desc.init = Some(init::<T>);
        self.desc.exit = Some(exit::<T>);
        // SAFETY: By the type invariants, `desc` is valid for the call. `data` and the exception
        // entries are valid until the plugin is unregistered: modreg unregisters the plugins of an
        // owner that is unloaded, and `Registration` frees `data` only after that.
        match from_err_ptr(unsafe { bindings::modreg_register_plugin(&self.desc) }) {
            // INVARIANT: `plugin` was registered above, and `data` came from a box.
            Ok(plugin) => Ok(Registration {
                // SAFETY: `modreg_register_plugin()` returns no null pointer.
                plugin: unsafe { NonNull::new_unchecked(plugin) },
                // SAFETY: `data` came from a box, so it is not null.
                data: unsafe { NonNull::new_unchecked(data) },
            }),
            Err(e) => {
                // SAFETY: `data` came from a box. The registration was refused, so no callback uses
                // it.
                drop(unsafe { KBox::from_raw(data) });
                Err(e)
            }
        }
    }
}

/// A registered plugin, which dropping this unregisters.
///
/// A reference of `modreg_find_symbol_get()` keeps the plugin registered. The drop blocks until the
/// last reference is put, because the caller usually frees the named memory next.
/// [`Registration::unregister`] returns `EBUSY` instead. The owner's exit function never blocks,
/// since a reference pins the owner too.
///
/// A drop in a context that may not sleep is a bug, and logs a line: the plugin stays registered
/// and its data allocated until modreg removes the plugin when the owner is unloaded.
///
/// Context: May sleep.
///
/// # Invariants
///
/// - `plugin` is the handle of a registration, which was not released.
/// - `data` came from a box, and the plugin's callbacks use it.
///
/// # Examples
///
/// ```
/// # let (code, data) = crate::ranges();
/// let plugin = Builder::new(c"jit", module)
///     // SAFETY: The code is this module's.
///     .regions(&[unsafe { Region::text(code.clone()) }])
///     .symbols(&[Symbol::new(c"filter", code.start).export()])
///     .register(KBox::new((), GFP_KERNEL)?)?;
///
/// match plugin.unregister() {
///     Ok(data) => drop(data),
///     // For instance `EBUSY`. The plugin is still registered.
///     Err((e, plugin)) => pr_info!("refused ({})\n", e.to_errno()),
/// }
/// # Ok::<(), Error>(())
/// ```
#[must_use = "the plugin is unregistered when this is dropped"]
pub(crate) struct Registration<T: Plugin> {
    plugin: NonNull<bindings::modreg_plugin>,
    data: NonNull<T>,
}

// SAFETY: Any thread may unregister the plugin, and `T` is `Send` and `Sync`.
unsafe impl<T: Plugin> Send for Registration<T> {}

// SAFETY: A shared reference gives access to a shared reference to `T` only, and `T` is `Sync`.
unsafe impl<T: Plugin> Sync for Registration<T> {}

impl<T: Plugin> Registration<T> {
    /// Unregisters the plugin, as `modreg_unregister_plugin()`, and returns its data.
    ///
    /// Context: May sleep.
    ///
    /// # Errors
    ///
    /// Those of `modreg_unregister_plugin()`, with the registration, which has not changed.
    pub(crate) fn unregister(self) -> Result<KBox<T>, (Error, Self)> {
        let this = ManuallyDrop::new(self);
        match this.try_unregister() {
            // SAFETY: By the type invariants, `data` came from a box. The plugin is unregistered,
            // so no callback uses it, and `this` is not dropped.
            Ok(()) => Ok(unsafe { KBox::from_raw(this.data.as_ptr()) }),
            Err(e) => Err((e, ManuallyDrop::into_inner(this))),
        }
    }

    /// Replaces all symbols and exception entries of the plugin, as `modreg_replace_symbols()`.
    ///
    /// Context: May sleep.
    ///
    /// # Errors
    ///
    /// Those of `modreg_replace_symbols()`. The old symbols stay then.
    ///
    /// # Examples
    ///
    /// ```
    /// # let (code, _data) = crate::ranges();
    /// // The range is known before the symbols are.
    /// let plugin = Builder::new(c"jit", module)
    ///     // SAFETY: The code is this module's.
    ///     .regions(&[unsafe { Region::text(code.clone()) }])
    ///     .register(KBox::new((), GFP_KERNEL)?)?;
    ///
    /// plugin.replace_symbols(&[Symbol::new(c"filter", code.start)], &[])?;
    /// # Ok::<(), Error>(())
    /// ```
    pub(crate) fn replace_symbols(
        &self,
        symbols: &[Symbol<'_>],
        exceptions: &'static [exception_table_entry],
    ) -> Result {
        let desc = bindings::modreg_plugin_desc {
            symbols: symbols.as_ptr().cast(),
            num_symbols: count(symbols),
            extable: exceptions.as_ptr(),
            num_exentries: count(exceptions),
            ..Default::default()
        };
        // SAFETY: By the type invariants, `plugin` is a handle that was not released. A `Symbol` is a
        // `modreg_symbol`, and the symbols are valid for the call. The entries are valid while the
        // owner is loaded.
        to_result(unsafe { bindings::modreg_replace_symbols(self.plugin.as_ptr(), &desc) })
    }

    /// Unregisters the plugin; if this returns `Ok`, `self` must not be used again.
    ///
    /// A plugin that was unlinked when its owner was unloaded is unregistered.
    fn try_unregister(&self) -> Result {
        // SAFETY: By the type invariants, `plugin` is a handle that was not released.
        let result = to_result(unsafe { bindings::modreg_unregister_plugin(self.plugin.as_ptr()) });
        match result {
            Err(ENODEV) => Ok(()),
            result => result,
        }
    }
}

impl<T: Plugin> Deref for Registration<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: By the type invariants, `data` is valid. Callbacks have shared references too.
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
        // SAFETY: By the type invariants, `data` came from a box. The plugin is unregistered, so no
        // callback uses it.
        drop(unsafe { KBox::from_raw(self.data.as_ptr()) });
    }
}
