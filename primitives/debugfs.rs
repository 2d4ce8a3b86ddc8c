// SPDX-License-Identifier: GPL-2.0

//! Files in debugfs that the kernel crate's [`debugfs`](kernel::debugfs) has no form for: listings
//! of any length, and files that answer what is written to them.
//!
//! C headers: [`include/linux/debugfs.h`](srctree/include/linux/debugfs.h),
//! [`include/linux/seq_file.h`](srctree/include/linux/seq_file.h)

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

extern "C" {
    // A `struct module`, but only its address counts here.
    static __this_module: u8;
}

/// This module, which open files keep from being unloaded.
const OWNER: *mut bindings::module = (&raw const __this_module).cast_mut().cast();

/// A directory at debugfs's root; removed with all that is in it when dropped.
pub(crate) struct Dir(*mut bindings::dentry);

// SAFETY: debugfs does its own locking.
unsafe impl Send for Dir {}

// SAFETY: debugfs does its own locking.
unsafe impl Sync for Dir {}

impl Dir {
    /// Creates the directory, as `debugfs_create_dir()`. As usual for debugfs, failure shows as
    /// absence.
    pub(crate) fn new(name: &CStr) -> Self {
        // SAFETY: The name is a string; a null parent is the root.
        Self(unsafe { bindings::debugfs_create_dir(name.as_char_ptr(), ptr::null_mut()) })
    }

    fn file(&self, name: &CStr, mode: u16, fops: &'static bindings::file_operations) {
        // SAFETY: The name is a string, the parent is ours, and the operations are static.
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

    /// Adds a listing that only its owner, root, can open.
    pub(crate) fn listing<L: Listing>(&self, name: &CStr) {
        self.file(name, 0o400, &ListingFile::<L>::FOPS);
    }

    /// Adds a file that only its owner, root, can open, and that answers what is written to it.
    pub(crate) fn question<Q: Question>(&self, name: &CStr) {
        self.file(name, 0o600, &QuestionFile::<Q>::FOPS);
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        // SAFETY: The entry is ours, or an error pointer, which is ignored.
        unsafe { bindings::debugfs_remove(self.0) };
    }
}

/// Whether who opened `file` may see kernel addresses, as `kallsyms_show_value()`, which is not
/// exported. Fails where there is no memory for the question.
///
/// Sleeps.
///
/// # Safety
///
/// `file` must be an open file.
unsafe fn shows_values(file: *const bindings::file) -> Result<bool> {
    let capable = || {
        // SAFETY: By the requirement of this function.
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

/// The number in a sysctl whose variable is not exported; nothing where there is none. Sleeps.
fn sysctl(path: &CStr) -> Result<Option<i32>> {
    // SAFETY: The path is a string.
    let file = unsafe { bindings::filp_open(path.as_char_ptr(), bindings::O_RDONLY as c_int, 0) };
    let file = match from_err_ptr(file) {
        Ok(file) => file,
        Err(ENOENT) => return Ok(None),
        Err(e) => return Err(e),
    };
    let mut buf = [0u8; 16];
    let mut pos = 0;
    // SAFETY: The file is open, and the buffer is valid for its length.
    let n = unsafe { bindings::kernel_read(file, buf.as_mut_ptr().cast(), buf.len(), &mut pos) };
    // SAFETY: The file was opened above, and nobody else has it.
    unsafe { bindings::fput(file) };
    let digits = match usize::try_from(n) {
        Ok(n) => buf.get(..n).unwrap_or(&[]),
        Err(_) => return Err(Error::from_errno(n as c_int)),
    };
    let digits = core::str::from_utf8(digits).ok();
    Ok(digits.and_then(|digits| digits.trim_ascii().parse().ok()))
}

/// A listing, one line an element, in the form of `struct seq_operations`.
///
/// A value of this type belongs to one open file, and stands on one element.
pub(crate) trait Listing: Sized + 'static {
    /// The state of a file that was just opened, by somebody who may see addresses or may not.
    /// Sleeps.
    fn open(show_values: bool) -> Result<Self>;

    /// Goes to element `pos`. Returns whether there is one. Sleeps.
    fn start(&mut self, pos: u64) -> bool;

    /// Goes to the element behind. Returns whether there is one. Sleeps.
    fn next(&mut self) -> bool;

    /// Writes the element. Sleeps.
    fn show(&self, m: &SeqFile);
}

/// Writes a symbol in the columns of `/proc/kallsyms`, as `s_show()`: by C's own format, since a
/// listing is long, and that takes half the time of Rust's.
pub(crate) fn seq_symbol(
    m: &SeqFile,
    value: usize,
    letter: u8,
    name: ThinCStr<'_>,
    module: ThinCStr<'_>,
) {
    // SAFETY: A `SeqFile` is a `struct seq_file` that the caller may write to. The arguments are
    // what the format says; both names are strings.
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
        // SAFETY: All else may be absent.
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
        // SAFETY: By the requirement of this function.
        let show_values = unsafe { shows_values(file) };
        let state = show_values
            .and_then(L::open)
            .and_then(|state| Ok(KBox::new(state, GFP_KERNEL)?));
        let state = match state {
            Ok(state) => state,
            Err(e) => return e.to_errno(),
        };
        // SAFETY: By the requirement of this function.
        let err = unsafe { bindings::seq_open(file, &Self::SEQ) };
        if err == 0 {
            // SAFETY: `seq_open()` put a `struct seq_file` there.
            let m = unsafe { (*file).private_data }.cast::<bindings::seq_file>();
            // SAFETY: As above.
            unsafe { (*m).private = KBox::into_raw(state).cast() };
        }
        err
    }

    /// # Safety
    ///
    /// `file` must be a file that [`Self::open`] opened and that is being closed.
    unsafe extern "C" fn release(inode: *mut bindings::inode, file: *mut bindings::file) -> c_int {
        // SAFETY: `open()` put both there, and nobody uses the file any more.
        unsafe {
            let m = (*file).private_data.cast::<bindings::seq_file>();
            drop(KBox::from_raw((*m).private.cast::<L>()));
            bindings::seq_release(inode, file)
        }
    }

    /// # Safety
    ///
    /// `m` must belong to a file that [`Self::open`] opened, and its lock must be held.
    unsafe fn state<'a>(m: *mut bindings::seq_file) -> &'a mut L {
        // SAFETY: `open()` put the state there; the lock makes the caller its only user.
        unsafe { &mut *(*m).private.cast::<L>() }
    }

    /// # Safety
    ///
    /// As [`Self::state`]; `pos` must be valid.
    unsafe extern "C" fn start(
        m: *mut bindings::seq_file,
        pos: *mut bindings::loff_t,
    ) -> *mut c_void {
        // SAFETY: By the requirement of this function.
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
        // SAFETY: By the requirement of this function.
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
    /// None; there is nothing to let go of.
    unsafe extern "C" fn stop(_m: *mut bindings::seq_file, _v: *mut c_void) {}

    /// # Safety
    ///
    /// As [`Self::state`].
    unsafe extern "C" fn show(m: *mut bindings::seq_file, _v: *mut c_void) -> c_int {
        // SAFETY: By the requirement of this function.
        let (state, m) = unsafe { (Self::state(m), SeqFile::from_raw(m)) };
        state.show(m);
        0
    }
}

/// A question that is written to an open file and answered on it, in the form of
/// `simple_transaction_get()`.
pub(crate) trait Question: 'static {
    /// Writes the answer to `question`, which has no blanks around it, for somebody who may see
    /// addresses or may not. Sleeps.
    fn answer(question: &CStr, show_values: bool, answer: &mut Formatter<'_>) -> Result;
}

/// Bytes of the longest question.
const QUESTION: usize = 576;

/// Bytes of the longest answer; a transaction's page has room for more.
const ANSWER: usize = 1024;

struct QuestionFile<Q>(PhantomData<Q>);

impl<Q: Question> QuestionFile<Q> {
    const FOPS: bindings::file_operations = bindings::file_operations {
        owner: OWNER,
        write: Some(Self::write),
        read: Some(bindings::simple_transaction_read),
        release: Some(bindings::simple_transaction_release),
        llseek: Some(bindings::generic_file_llseek),
        // SAFETY: All else may be absent.
        ..unsafe { core::mem::zeroed() }
    };

    /// # Safety
    ///
    /// `file` must be an open file, and `buf` a user's buffer of `size` bytes.
    unsafe extern "C" fn write(
        file: *mut bindings::file,
        buf: *const c_char,
        size: usize,
        _pos: *mut bindings::loff_t,
    ) -> isize {
        if size > QUESTION {
            return EINVAL.to_errno() as isize;
        }
        // SAFETY: By the requirement of this function. The page is the file's own from here on.
        let page = match from_err_ptr(unsafe { bindings::simple_transaction_get(file, buf, size) })
        {
            Ok(page) => page.cast::<u8>(),
            Err(e) => return e.to_errno() as isize,
        };
        // SAFETY: By the requirement of this function.
        let show_values = match unsafe { shows_values(file) } {
            Ok(show_values) => show_values,
            Err(e) => return e.to_errno() as isize,
        };
        let mut question = [0u8; QUESTION + 1];
        // SAFETY: The page holds at least `size` bytes, which were just written; there is room for
        // as many.
        unsafe { ptr::copy_nonoverlapping(page, question.as_mut_ptr(), size) };
        let question = trim(&mut question);
        // SAFETY: The page has room for more than that, and nobody reads it before it is set below.
        let room = unsafe { core::slice::from_raw_parts_mut(page, ANSWER) };
        let mut answer = Formatter::new(room);
        if let Err(e) = Q::answer(question, show_values, &mut answer) {
            return e.to_errno() as isize;
        }
        // SAFETY: The file's transaction was begun above; the answer is shorter than the page.
        unsafe { bindings::simple_transaction_set(file, answer.bytes_written().min(ANSWER)) };
        size as isize
    }
}

/// The string in a buffer that ends in NUL, without blanks around it.
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
