// SPDX-License-Identifier: GPL-2.0

//! Listings of any length in debugfs, and files that answer what is written to them.
//!
//! C headers: [`include/linux/debugfs.h`](srctree/include/linux/debugfs.h),
//! [`include/linux/seq_file.h`](srctree/include/linux/seq_file.h)
//!
//! For a file with one value use the kernel crate's [`debugfs`](kernel::debugfs).

use super::cstr::ThinCStr;
use core::{
    ffi::CStr,
    marker::PhantomData,
    ptr, //
};
use kernel::{
    bindings,
    error::from_err_ptr,
    prelude::*,
    seq_file::SeqFile,
    str::Formatter, //
};

/// This module, which open files keep from being unloaded.
const OWNER: *mut bindings::module = super::module::THIS_MODULE;

/// A directory in the root of debugfs, which dropping this removes with its files.
///
/// # Invariants
///
/// The pointer came from `debugfs_create_dir()` and is owned.
///
/// # Examples
///
/// ```
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
/// let dir = Dir::new(c"modreg_example");
/// dir.listing::<Digits>(c"digits");
/// ```
pub(crate) struct Dir(*mut bindings::dentry);

// SAFETY: debugfs has its own locks, so any thread may use the directory.
unsafe impl Send for Dir {}

// SAFETY: debugfs has its own locks, so any thread may use the directory.
unsafe impl Sync for Dir {}

impl Dir {
    /// Creates the directory, as `debugfs_create_dir()`.
    ///
    /// As usual for debugfs, a failure is not reported: the directory is missing.
    ///
    /// Context: May sleep.
    pub(crate) fn new(name: &CStr) -> Self {
        // INVARIANT: The directory is created here.
        // SAFETY: `name` is NUL-terminated. A null parent stands for the root.
        Self(unsafe { bindings::debugfs_create_dir(name.as_char_ptr(), ptr::null_mut()) })
    }

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

impl Drop for Dir {
    fn drop(&mut self) {
        // SAFETY: By the type invariants, the pointer came from `debugfs_create_dir()` and is
        // owned. An error pointer is ignored.
        unsafe { bindings::debugfs_remove(self.0) };
    }
}

/// Returns whether the opener of `file` may see kernel addresses, as `kallsyms_show_value()`, which
/// is not exported.
///
/// Context: May sleep.
///
/// # Errors
///
/// Those of reading a sysctl, `ENOMEM` among them.
///
/// # Safety
///
/// `file` must be an open file.
unsafe fn shows_values(file: *const bindings::file) -> Result<bool> {
    let capable = || {
        // SAFETY: By the safety requirements, `file` is an open file.
        unsafe {
            bindings::file_ns_capable(
                file,
                &raw mut bindings::init_user_ns,
                bindings::CAP_SYSLOG as c_int,
            )
        }
    };
    Ok(match sysctl(c"/proc/sys/kernel/kptr_restrict")? {
        Some(0) => {
            // As kallsyms_for_perf().
            let perf = sysctl(c"/proc/sys/kernel/perf_event_paranoid")?;
            perf.is_some_and(|paranoid| paranoid <= 1) || capable()
        }
        Some(1) => capable(),
        _ => false,
    })
}

/// Returns the number in a sysctl whose variable is not exported, or [`None`] if there is none.
///
/// Context: May sleep.
fn sysctl(path: &CStr) -> Result<Option<i32>> {
    // SAFETY: `path` is NUL-terminated.
    let file = unsafe { bindings::filp_open(path.as_char_ptr(), bindings::O_RDONLY as c_int, 0) };
    let file = match from_err_ptr(file) {
        Ok(file) => file,
        Err(ENOENT) => return Ok(None),
        Err(e) => return Err(e),
    };
    let mut buf = [0u8; 16];
    let mut pos = 0;
    // SAFETY: `file` is open, and `buf` is valid for writes of its length.
    let n = unsafe { bindings::kernel_read(file, buf.as_mut_ptr().cast(), buf.len(), &mut pos) };
    // SAFETY: `file` was opened above and is not used after this.
    unsafe { bindings::fput(file) };
    let digits = match usize::try_from(n) {
        Ok(n) => buf.get(..n).unwrap_or(&[]),
        Err(_) => return Err(Error::from_errno(n as c_int)),
    };
    let digits = core::str::from_utf8(digits).ok();
    Ok(digits.and_then(|digits| digits.trim_ascii().parse().ok()))
}

/// A listing with a line for each element, as `struct seq_operations`.
///
/// A value of this type belongs to one open file and is at one element. [`Dir`] has an example.
pub(crate) trait Listing: Sized + 'static {
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
/// A listing is long, and C's formatting takes half the time of Rust's.
///
/// Context: May sleep.
///
/// # Examples
///
/// ```
/// use kernel::seq_file::SeqFile;
///
/// /// Writes "ffffffffc0000000 t filter	[jit]".
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
    // SAFETY: A `SeqFile` is a `struct seq_file` that the caller may write to. The arguments match
    // the format, and both names are NUL-terminated.
    unsafe {
        bindings::seq_printf(
            ptr::from_ref(m).cast_mut().cast(),
            c"%016lx %c %s\t[%s]\n".as_char_ptr(),
            value,
            c_int::from(letter),
            name.as_ptr(),
            module.as_ptr(),
        )
    };
}

struct ListingFile<L>(PhantomData<L>);

impl<L: Listing> ListingFile<L> {
    const FOPS: bindings::file_operations = bindings::file_operations {
        owner: OWNER,
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
        let show_values = unsafe { shows_values(file) };
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

/// A question that is written to an open file and answered on it, as `simple_transaction_get()`.
///
/// # Examples
///
/// ```
/// use core::fmt::Write;
/// use kernel::str::Formatter;
///
/// /// Answers a name with its length.
/// struct Length;
///
/// impl Question for Length {
///     fn answer(question: &CStr, _show_values: bool, answer: &mut Formatter<'_>) -> Result {
///         Ok(writeln!(answer, "{}", question.count_bytes())?)
///     }
/// }
///
/// let dir = Dir::new(c"modreg_example");
/// dir.question::<Length>(c"length");
/// ```
pub(crate) trait Question: 'static {
    /// Writes the answer to `question`, which has no blanks around it, for an opener that may see
    /// addresses if `show_values` is `true`.
    ///
    /// Context: May sleep.
    fn answer(question: &CStr, show_values: bool, answer: &mut Formatter<'_>) -> Result;
}

/// The size of the longest question in bytes.
const QUESTION: usize = 576;

/// The size of the longest answer in bytes; a transaction's page has room for more.
const ANSWER: usize = 1024;

struct QuestionFile<Q>(PhantomData<Q>);

impl<Q: Question> QuestionFile<Q> {
    const FOPS: bindings::file_operations = bindings::file_operations {
        owner: OWNER,
        write: Some(Self::write),
        read: Some(bindings::simple_transaction_read),
        release: Some(bindings::simple_transaction_release),
        llseek: Some(bindings::generic_file_llseek),
        // SAFETY: All other members may be zero.
        ..unsafe { core::mem::zeroed() }
    };

    /// # Safety
    ///
    /// `file` must be an open file, and `buf` a buffer of `size` bytes in user space.
    unsafe extern "C" fn write(
        file: *mut bindings::file,
        buf: *const c_char,
        size: usize,
        _pos: *mut bindings::loff_t,
    ) -> isize {
        if size > QUESTION {
            return EINVAL.to_errno() as isize;
        }
        // SAFETY: By the safety requirements, `file` is an open file and `buf` a buffer of `size`
        // bytes.
        let page = match from_err_ptr(unsafe { bindings::simple_transaction_get(file, buf, size) })
        {
            Ok(page) => page.cast::<u8>(),
            Err(e) => return e.to_errno() as isize,
        };
        // SAFETY: By the safety requirements, `file` is an open file.
        let show_values = match unsafe { shows_values(file) } {
            Ok(show_values) => show_values,
            Err(e) => return e.to_errno() as isize,
        };
        let mut question = [0u8; QUESTION + 1];
        // SAFETY: `simple_transaction_get()` has written `size` bytes to `page`, and `question` has
        // room for as many.
        unsafe { ptr::copy_nonoverlapping(page, question.as_mut_ptr(), size) };
        let question = trim(&mut question);
        // SAFETY: `page` has room for `ANSWER` bytes, belongs to `file`, and is not read before
        // `simple_transaction_set()`.
        let room = unsafe { core::slice::from_raw_parts_mut(page, ANSWER) };
        let mut answer = Formatter::new(room);
        if let Err(e) = Q::answer(question, show_values, &mut answer) {
            return e.to_errno() as isize;
        }
        // SAFETY: `simple_transaction_get()` has begun the transaction of `file`. The answer is
        // shorter than the page.
        unsafe { bindings::simple_transaction_set(file, answer.bytes_written().min(ANSWER)) };
        size as isize
    }
}

/// Returns the string in a buffer that ends in NUL, without blanks around it.
fn trim(buf: &mut [u8; QUESTION + 1]) -> &CStr {
    let end = buf.iter().position(|&b| b == 0).unwrap_or(0);
    let blanks = buf
        .iter()
        .take(end)
        .rev()
        .take_while(|b| b.is_ascii_whitespace());
    let end = end.wrapping_sub(blanks.count());
    if let Some(nul) = buf.get_mut(end) {
        *nul = 0;
    }
    let begin = buf.iter().take_while(|b| b.is_ascii_whitespace()).count();
    buf.get(begin..)
        .and_then(|b| CStr::from_bytes_until_nul(b).ok())
        .unwrap_or(c"")
}
