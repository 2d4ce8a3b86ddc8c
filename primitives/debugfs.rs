// SPDX-License-Identifier: GPL-2.0

//! Listings of any length in debugfs, and files that answer what is written to them.
//!
//! C header: [`include/linux/debugfs.h`](srctree/include/linux/debugfs.h)
//!
//! For a file with one value use the kernel crate's [`debugfs`](kernel::debugfs).

use super::{
    debugfs_listing::{
        Listing,
        ListingFile, //
    },
    debugfs_question::{
        Question,
        QuestionFile, //
    },
    exit::{
        Step,
        Undo, //
    },
};
use core::{
    ffi::CStr,
    marker::PhantomData,
    ptr, //
};
use kernel::{
    bindings,
    prelude::*, //
};

/// A directory in the root of debugfs, which the module's exit removes with its files.
///
/// # Invariants
///
/// The pointer came from `debugfs_create_dir()`, and the directory exists as long as the [`Undo`].
///
/// # Examples
///
/// ```
/// use crate::primitives::{debugfs_listing::Listing, exit::Undo};
/// use kernel::{prelude::fmt, seq_file::SeqFile, seq_print};
///
/// /// The numbers from 0 to 9, a line each.
/// struct Digits(u64);
///
/// impl Listing for Digits {
///     fn open(_show_values: bool) -> Result<Self> {
///         Ok(Self(0))
///     }
///
///     fn start(&mut self, pos: u64) -> bool {
///         self.0 = pos;
///         pos < 10
///     }
///
///     fn next(&mut self) -> bool {
///         self.start(self.0 + 1)
///     }
///
///     fn show(&self, m: &SeqFile) {
///         seq_print!(m, "{}\n", self.0);
///     }
/// }
///
/// /// To be called when the module is loaded; the files exist until it is unloaded.
/// fn create(undo: &mut Undo) -> Result {
///     let dir = undo.debugfs_dir(c"modreg_example")?;
///     dir.listing::<Digits>(c"digits");
///     Ok(())
/// }
/// ```
pub(crate) struct Dir<'u>(*mut bindings::dentry, PhantomData<&'u Undo>);

/// Removes a directory when it is dropped.
///
/// # Invariants
///
/// The pointer came from `debugfs_create_dir()` and is owned.
struct Removal(*mut bindings::dentry);

// SAFETY: debugfs has its own locks, so any thread may use the directory.
unsafe impl Send for Removal {}

// SAFETY: debugfs has its own locks, so any thread may use the directory.
unsafe impl Sync for Removal {}

impl Step for Removal {}

impl Undo {
    /// Creates a directory that exists until the module's exit, as `debugfs_create_dir()`.
    ///
    /// As usual for debugfs, a failure is not reported: the directory is missing.
    ///
    /// Context: May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM` if there is no memory.
    pub(crate) fn debugfs_dir(&mut self, name: &CStr) -> Result<Dir<'_>> {
        self.reserve()?;
        let place = KBox::<Removal>::new_uninit(GFP_KERNEL)?;
        // SAFETY: `name` is NUL-terminated. A null parent stands for the root.
        let dir = unsafe { bindings::debugfs_create_dir(name.as_char_ptr(), ptr::null_mut()) };
        // INVARIANT: The directory was created here.
        let removal = KBox::write(place, Removal(dir));
        self.push(removal);
        // INVARIANT: The directory was created here, and `self` removes it.
        Ok(Dir(dir, PhantomData))
    }
}

impl Dir<'_> {
    fn file(&self, name: &CStr, mode: u16, fops: &'static bindings::file_operations) {
        // SAFETY: `name` is NUL-terminated. By the type invariants, the parent is a directory of
        // ours or an error pointer. `fops` is static, and each function there fits its file.
        unsafe {
            bindings::debugfs_create_file_full(
                name.as_char_ptr(),
                mode,
                self.0,
                ptr::null_mut(),
                ptr::null(),
                fops,
            )
        };
    }

    /// Adds a listing that only root may open.
    ///
    /// Context: May sleep.
    pub(crate) fn listing<L: Listing>(&self, name: &CStr) {
        self.file(name, 0o400, &ListingFile::<L>::FOPS);
    }

    /// Adds a file that only root may open and that answers what is written to it.
    ///
    /// Context: May sleep.
    pub(crate) fn question<Q: Question>(&self, name: &CStr) {
        self.file(name, 0o600, &QuestionFile::<Q>::FOPS);
    }
}

impl Drop for Removal {
    fn drop(&mut self) {
        // SAFETY: By the type invariants, the pointer came from `debugfs_create_dir()` and is
        // owned. An error pointer is ignored.
        unsafe { bindings::debugfs_remove(self.0) };
    }
}
