// SPDX-License-Identifier: GPL-2.0

//! Files that answer what is written to them.

use super::{
    kptr::may_see_addresses,
    module::THIS_MODULE, //
};
use core::{
    ffi::CStr,
    marker::PhantomData, //
};
use kernel::{
    bindings, new_mutex,
    prelude::*,
    str::Formatter,
    sync::Mutex,
    types::ForeignOwnable,
    uaccess::{
        UserPtr,
        UserSlice, //
    },
};

/// A question that is written to an open file and answered on it, in the manner of
/// `simple_transaction_get()`.
///
/// # Examples
///
/// ```
/// use crate::primitives::exit::Undo;
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
/// /// To be called when the module is loaded; the files exist until it is unloaded.
/// fn create(undo: &mut Undo) -> Result {
///     let dir = undo.debugfs_dir(c"modreg_example")?;
///     dir.question::<Length>(c"length");
///     Ok(())
/// }
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

/// The size of the longest answer in bytes, which has a name with each byte escaped.
const ANSWER: usize = 3072;

/// The state of an open file.
#[pin_data]
struct Transaction {
    /// Whether the opener may see addresses.
    show_values: bool,
    #[pin]
    answer: Mutex<Answer>,
}

/// An answer, or room for one.
struct Answer {
    /// Whether a question was asked.
    asked: bool,
    /// The number of bytes of the answer.
    len: usize,
    bytes: KVec<u8>,
}

/// The form in which a file has its state.
type State = Pin<KBox<Transaction>>;

pub(super) struct QuestionFile<Q>(PhantomData<Q>);

impl<Q: Question> QuestionFile<Q> {
    pub(super) const FOPS: bindings::file_operations = bindings::file_operations {
        // Open files keep it from being unloaded.
        owner: THIS_MODULE,
        open: Some(Self::open),
        write: Some(Self::write),
        read: Some(Self::read),
        release: Some(Self::release),
        llseek: Some(bindings::generic_file_llseek),
        // SAFETY: All other members may be zero.
        ..unsafe { core::mem::zeroed() }
    };

    /// # Safety
    ///
    /// `file` must be a file that is being opened.
    unsafe extern "C" fn open(_inode: *mut bindings::inode, file: *mut bindings::file) -> c_int {
        // SAFETY: By the safety requirements, `file` is a file that is being opened.
        let show_values = match unsafe { may_see_addresses(file) } {
            Ok(show_values) => show_values,
            Err(e) => return e.to_errno(),
        };
        let bytes = match KVec::from_elem(0, ANSWER, GFP_KERNEL) {
            Ok(bytes) => bytes,
            Err(_) => return ENOMEM.to_errno(),
        };
        let answer = Answer {
            asked: false,
            len: 0,
            bytes,
        };
        let state = KBox::pin_init(
            pin_init!(Transaction {
                show_values,
                answer <- new_mutex!(answer),
            }),
            GFP_KERNEL,
        );
        match state {
            Ok(state) => {
                // SAFETY: By the safety requirements, nothing else uses `file`.
                unsafe { (*file).private_data = State::into_foreign(state) };
                0
            }
            Err(e) => e.to_errno(),
        }
    }

    /// # Safety
    ///
    /// `file` must be a file that [`Self::open`] has opened and that is being closed.
    unsafe extern "C" fn release(_inode: *mut bindings::inode, file: *mut bindings::file) -> c_int {
        // SAFETY: By the safety requirements, `open()` has put the state there, and nothing uses it
        // any more.
        drop(unsafe { State::from_foreign((*file).private_data) });
        0
    }

    /// Returns the state of a file.
    ///
    /// # Safety
    ///
    /// `file` must be a file that [`Self::open`] has opened and that is not closed during `'a`.
    unsafe fn state<'a>(file: *mut bindings::file) -> Pin<&'a Transaction> {
        // SAFETY: By the safety requirements, `open()` has put the state there, which stays during
        // `'a`.
        unsafe { State::borrow((*file).private_data) }
    }

    /// # Safety
    ///
    /// As [`Self::state`], during the call; `buf` must be a buffer of `size` bytes in user space.
    unsafe extern "C" fn write(
        file: *mut bindings::file,
        buf: *const c_char,
        size: usize,
        _pos: *mut bindings::loff_t,
    ) -> isize {
        // SAFETY: By the safety requirements, `file` is open.
        let state = unsafe { Self::state(file) };
        match ask::<Q>(&state, UserPtr::from_ptr(buf.cast_mut().cast()), size) {
            Ok(()) => size as isize,
            Err(e) => e.to_errno() as isize,
        }
    }

    /// # Safety
    ///
    /// As [`Self::state`], during the call; `buf` must be a buffer of `size` bytes in user space, and
    /// `pos` valid.
    unsafe extern "C" fn read(
        file: *mut bindings::file,
        buf: *mut c_char,
        size: usize,
        pos: *mut bindings::loff_t,
    ) -> isize {
        // SAFETY: By the safety requirements, `file` is open.
        let state = unsafe { Self::state(file) };
        let answer = state.answer.lock();
        // SAFETY: By the safety requirements, `buf` is a buffer of `size` bytes and `pos` is valid.
        // `len` is not above the size of `bytes`.
        unsafe {
            bindings::simple_read_from_buffer(
                buf.cast(),
                size,
                pos,
                answer.bytes.as_ptr().cast(),
                answer.len,
            )
        }
    }
}

/// Answers a question.
///
/// # Errors
///
/// - `EINVAL` if the question is too long.
/// - `EBUSY` if another one was asked before.
/// - `EFAULT` if it cannot be read.
/// - Those of [`Question::answer`].
///
/// Context: May sleep.
fn ask<Q: Question>(state: &Transaction, question: UserPtr, size: usize) -> Result {
    let mut text = [0u8; QUESTION + 1];
    let room = text.get_mut(..size).filter(|room| room.len() <= QUESTION);
    let room = room.ok_or(EINVAL)?;
    let mut answer = state.answer.lock();
    if answer.asked {
        return Err(EBUSY);
    }
    answer.asked = true;
    UserSlice::new(question, size).reader().read_slice(room)?;
    let mut to = Formatter::new(&mut answer.bytes);
    Q::answer(trim(&mut text), state.show_values, &mut to)?;
    answer.len = to.bytes_written().min(ANSWER);
    Ok(())
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
