// SPDX-License-Identifier: GPL-2.0

//! Files with a line for each element of a listing.
//!
//! C header: [`include/linux/seq_file.h`](srctree/include/linux/seq_file.h)

use super::{
    cstr::ThinCStr,
    kptr::may_see_addresses,
    module::THIS_MODULE, //
};
use core::{
    marker::PhantomData,
    ptr, //
};
use kernel::{
    bindings,
    prelude::*,
    seq_file::{
        seq_print,
        SeqFile, //
    },
};

/// A listing with a line for each element, as `struct seq_operations`.
///
/// A value of this type belongs to one open file and is at one element. It is [`Send`], since any
/// thread may read the file. [`Dir`](super::debugfs::Dir) has an example.
pub(crate) trait Listing: Sized + Send + 'static {
    /// Creates the state of an opened file, whose opener may see addresses if `show_values` is
    /// `true`.
    ///
    /// Context: May sleep.
    fn open(show_values: bool) -> Result<Self>;

    /// Moves to element `pos` and returns whether it exists.
    ///
    /// Context: May sleep.
    fn start(&mut self, pos: u64) -> bool;

    /// Moves to the next element and returns whether it exists.
    ///
    /// Context: May sleep.
    fn next(&mut self) -> bool;

    /// Writes the element.
    ///
    /// Context: May sleep.
    fn show(&self, m: &SeqFile);
}

/// Writes a symbol in the columns of `/proc/kallsyms`, as `s_show()`.
///
/// A listing is long, and C's formatting takes half the time of Rust's. A name that it cannot print
/// as it is has its bytes escaped.
///
/// Context: May sleep.
///
/// # Examples
///
/// ```
/// use kernel::seq_file::SeqFile;
///
/// /// Writes "ffffffffc0000000 t filter [jit]".
/// fn show(m: &SeqFile) {
///     seq_symbol(m, 0xffff_ffff_c000_0000, b't', c"filter".into(), c"jit".into());
/// }
/// ```
pub(crate) fn seq_symbol(
    m: &SeqFile,
    value: usize,
    letter: u8,
    name: ThinCStr<'_>,
    module: ThinCStr<'_>,
) {
    if !name.is_graphic() || !letter.is_ascii_graphic() {
        let letter = if letter.is_ascii_graphic() {
            letter
        } else {
            b'?'
        };
        seq_print!(
            m,
            "{:016x} {} {}\t[{}]\n",
            value,
            char::from(letter),
            name,
            module
        );
        return;
    }
    // SAFETY: A `SeqFile` is a `struct seq_file` that the caller may write to. The arguments match
    // the format, and both names are NUL-terminated.
    unsafe {
        bindings::seq_printf(
            ptr::from_ref(m).cast_mut().cast(),
            c"%016lx %c %.*s\t[%s]\n".as_char_ptr(),
            value,
            c_int::from(letter),
            // As `module_get_kallsym()`, which cuts it.
            bindings::KSYM_NAME_LEN as c_int - 1,
            name.as_ptr(),
            module.as_ptr(),
        )
    };
}

pub(super) struct ListingFile<L>(PhantomData<L>);

impl<L: Listing> ListingFile<L> {
    pub(super) const FOPS: bindings::file_operations = bindings::file_operations {
        // Open files keep it from being unloaded.
        owner: THIS_MODULE,
        open: Some(Self::open),
        read: Some(bindings::seq_read),
        llseek: Some(bindings::seq_lseek),
        release: Some(Self::release),
        // SAFETY: All other members may be zero.
        ..unsafe { core::mem::zeroed() }
    };

    const SEQ: bindings::seq_operations = bindings::seq_operations {
        start: Some(Self::start),
        next: Some(Self::next),
        stop: Some(Self::stop),
        show: Some(Self::show),
    };

    /// # Safety
    ///
    /// `file` must be a file that is being opened.
    unsafe extern "C" fn open(_inode: *mut bindings::inode, file: *mut bindings::file) -> c_int {
        // SAFETY: By the safety requirements, `file` is a file that is being opened.
        let show_values = unsafe { may_see_addresses(file) };
        let state = show_values
            .and_then(L::open)
            .and_then(|state| Ok(KBox::new(state, GFP_KERNEL)?));
        let state = match state {
            Ok(state) => state,
            Err(e) => return e.to_errno(),
        };
        // SAFETY: By the safety requirements, `file` is a file that is being opened.
        let err = unsafe { bindings::seq_open(file, &Self::SEQ) };
        if err == 0 {
            // SAFETY: `seq_open()` has set `private_data` to a `struct seq_file`.
            let m = unsafe { (*file).private_data }.cast::<bindings::seq_file>();
            // SAFETY: `m` is valid, and no operation uses `private` before the file is open.
            unsafe { (*m).private = KBox::into_raw(state).cast() };
        }
        err
    }

    /// # Safety
    ///
    /// `file` must be a file that [`Self::open`] has opened and that is being closed.
    unsafe extern "C" fn release(inode: *mut bindings::inode, file: *mut bindings::file) -> c_int {
        // SAFETY: `open()` has set `private_data` and `private`, which came from a `KBox`. The last
        // user of `file` is gone.
        unsafe {
            let m = (*file).private_data.cast::<bindings::seq_file>();
            drop(KBox::from_raw((*m).private.cast::<L>()));
            bindings::seq_release(inode, file)
        }
    }

    /// # Safety
    ///
    /// `m` must belong to a file that [`Self::open`] has opened, and its lock must be held for
    /// `'a`.
    unsafe fn state<'a>(m: *mut bindings::seq_file) -> &'a mut L {
        // SAFETY: `open()` has set `private` to an `L`. By the safety requirements, the lock is
        // held, so there is no other user during `'a`.
        unsafe { &mut *(*m).private.cast::<L>() }
    }

    /// # Safety
    ///
    /// As [`Self::state`]; `pos` must be valid.
    unsafe extern "C" fn start(
        m: *mut bindings::seq_file,
        pos: *mut bindings::loff_t,
    ) -> *mut c_void {
        // SAFETY: By the safety requirements, `m` belongs to an open file whose lock is held, and
        // `pos` is valid.
        let (state, pos) = unsafe { (Self::state(m), *pos) };
        if state.start(pos as u64) {
            m.cast()
        } else {
            ptr::null_mut()
        }
    }

    /// # Safety
    ///
    /// As [`Self::state`]; `pos` must be valid.
    unsafe extern "C" fn next(
        m: *mut bindings::seq_file,
        _v: *mut c_void,
        pos: *mut bindings::loff_t,
    ) -> *mut c_void {
        // SAFETY: By the safety requirements, `m` belongs to an open file whose lock is held, and
        // `pos` is valid.
        let state = unsafe {
            *pos = (*pos).wrapping_add(1);
            Self::state(m)
        };
        if state.next() {
            m.cast()
        } else {
            ptr::null_mut()
        }
    }

    /// # Safety
    ///
    /// None: no argument is used.
    unsafe extern "C" fn stop(_m: *mut bindings::seq_file, _v: *mut c_void) {}

    /// # Safety
    ///
    /// As [`Self::state`].
    unsafe extern "C" fn show(m: *mut bindings::seq_file, _v: *mut c_void) -> c_int {
        // SAFETY: By the safety requirements, `m` belongs to an open file whose lock is held.
        let (state, m) = unsafe { (Self::state(m), SeqFile::from_raw(m)) };
        state.show(m);
        0
    }
}
