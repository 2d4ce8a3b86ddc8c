// SPDX-License-Identifier: GPL-2.0

//! C strings without a length.
//!
//! C header: [`include/linux/string.h`](srctree/include/linux/string.h)
//!
//! These are for tables of names, which are compared and copied far more often than measured. If the
//! length is known, use [`CStr`].

use super::{
    borrowed::Borrowed,
    vec::FixedVec, //
};
use core::{
    cmp::Ordering,
    ffi::CStr,
    marker::PhantomData,
    mem::offset_of,
    ops::Deref,
    ptr::NonNull, //
};
use kernel::{
    bindings,
    fmt::{
        self,
        Write as _, //
    },
    prelude::*, //
};

/// A C string whose length is not stored, one pointer wide.
///
/// # Invariants
///
/// The pointer leads to a NUL-terminated string that does not change during `'a`.
///
/// # Examples
///
/// ```
/// let name = ThinCStr::from(c"filter");
/// assert!(name.cmp(c"gilter".into()).is_lt());
/// assert!(name.to_cstr() == c"filter");
///
/// let mut buf = [0; 4];
/// assert!(name.copy_to(&mut buf) < 0);
/// assert_eq!(&buf, b"fil\0");
/// ```
#[derive(Clone, Copy)]
pub(crate) struct ThinCStr<'a>(NonNull<u8>, PhantomData<&'a [u8]>);

impl<'a> ThinCStr<'a> {
    /// Borrows a C string.
    ///
    /// # Safety
    ///
    /// `ptr` must not be null, and must lead to a NUL-terminated string that does not change during
    /// `'a`.
    #[inline]
    pub(crate) unsafe fn from_ptr(ptr: *const c_char) -> Self {
        // SAFETY: By the safety requirements, `ptr` is not null.
        let ptr = unsafe { NonNull::new_unchecked(ptr.cast_mut()) };
        // INVARIANT: By the safety requirements, `ptr` leads to a NUL-terminated string that does
        // not change during `'a`.
        Self(ptr.cast(), PhantomData)
    }

    /// Returns a pointer to the first byte.
    pub(super) fn as_ptr(self) -> *const c_char {
        self.0.as_ptr().cast_const().cast()
    }

    /// Returns the string with its length, which takes a pass over it.
    pub(crate) fn to_cstr(self) -> &'a CStr {
        // SAFETY: By the type invariants, the pointer leads to a NUL-terminated string that does
        // not change during `'a`.
        unsafe { CStr::from_char_ptr(self.as_ptr()) }
    }

    /// Returns whether the string is empty.
    #[inline]
    pub(crate) fn is_empty(self) -> bool {
        self.first() == 0
    }

    #[inline]
    fn first(self) -> u8 {
        // SAFETY: By the type invariants, the pointer is valid for at least the NUL.
        unsafe { *self.0.as_ptr() }
    }

    /// Returns whether kallsyms skips this label, as `is_mapping_symbol()`.
    pub(crate) fn is_mapping_symbol(self) -> bool {
        match self.first() {
            b'$' => true,
            c @ (b'.' | b'L') => {
                // SAFETY: The first byte is not NUL, so by the type invariants there is a second.
                let second = unsafe { *self.0.as_ptr().wrapping_add(1) };
                second == if c == b'.' { b'L' } else { b'0' }
            }
            _ => false,
        }
    }

    /// Returns whether the string consists of letters, digits and punctuation of ASCII.
    ///
    /// Other bytes cannot be printed as they are, or would add columns to a line.
    pub(crate) fn is_graphic(self) -> bool {
        self.to_cstr().to_bytes().iter().all(u8::is_ascii_graphic)
    }

    /// Compares the bytes, as `strcmp()`.
    #[inline]
    pub(crate) fn cmp(self, other: ThinCStr<'_>) -> Ordering {
        // SAFETY: By the type invariants, both pointers lead to NUL-terminated strings.
        unsafe { bindings::strcmp(self.as_ptr(), other.as_ptr()) }.cmp(&0)
    }

    /// Copies the string and its NUL to `buf`, truncated to what fits, as `strscpy()`.
    ///
    /// Returns the number of bytes copied without the NUL, or `-E2BIG` if the string was truncated.
    #[inline]
    pub(crate) fn copy_to(self, buf: &mut [u8]) -> isize {
        // SAFETY: `buf` is valid for writes of its length. By the type invariants, the source is a
        // NUL-terminated string.
        unsafe { bindings::sized_strscpy(buf.as_mut_ptr().cast(), self.as_ptr(), buf.len()) }
    }
}

impl fmt::Display for ThinCStr<'_> {
    /// Writes the letters, digits and punctuation of ASCII as they are, and every other byte as
    /// "\xHH": a name cannot break the line that it is printed in.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for &b in self.to_cstr().to_bytes() {
            if b.is_ascii_graphic() {
                f.write_char(b.into())?;
            } else {
                f.write_fmt(fmt!("\\x{:02x}", b))?;
            }
        }
        Ok(())
    }
}

impl<'a, const N: usize> From<&'a [u8; N]> for ThinCStr<'a> {
    /// Borrows the bytes before the first NUL, or the empty string if the last byte is not NUL.
    #[inline]
    fn from(bytes: &'a [u8; N]) -> Self {
        match bytes.last() {
            // SAFETY: The last byte is NUL, and the bytes are borrowed for `'a`.
            Some(0) => unsafe { Self::from_ptr(bytes.as_ptr().cast()) },
            _ => c"".into(),
        }
    }
}

impl<'a> From<&'a CStr> for ThinCStr<'a> {
    #[inline]
    fn from(s: &'a CStr) -> Self {
        // SAFETY: A `CStr` is NUL-terminated, and it is borrowed for `'a`.
        unsafe { Self::from_ptr(s.as_char_ptr()) }
    }
}

/// A table of consecutive C strings, each named by the offset of its first byte, as in ELF.
///
/// # Invariants
///
/// The bytes are empty, or the last one is NUL.
///
/// # Examples
///
/// ```
/// let table = StrTab::new(&b"\0load\0store\0"[..]).ok_or(EINVAL)?;
/// assert!(table.get(6).to_cstr() == c"store");
/// // Past the end.
/// assert!(table.get(100).is_empty());
///
/// assert!(StrTab::new(&b"no NUL"[..]).is_none());
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Copy)]
pub(crate) struct StrTab<B>(B);

/// Bytes that do not change and stay where they are.
///
/// # Safety
///
/// While a value is borrowed or owned, each [`Deref::deref`] of it must return the same bytes.
pub(crate) unsafe trait StableBytes: Deref<Target = [u8]> {}

// SAFETY: The bytes are borrowed, so they do not change.
unsafe impl StableBytes for &[u8] {}

// SAFETY: By the type invariants of `FixedVec`, its elements do not change.
unsafe impl StableBytes for FixedVec<u8> {}

// SAFETY: By the type invariants of `Borrowed`, what is lent does not change.
unsafe impl StableBytes for Borrowed<u8> {}

impl<B: StableBytes> StrTab<B> {
    /// Where the bytes are.
    pub(crate) const BYTES: usize = offset_of!(Self, 0);

    /// Creates a table of `bytes`, or returns [`None`] if the last byte is not NUL.
    pub(crate) fn new(bytes: B) -> Option<Self> {
        // INVARIANT: Checked here.
        matches!(bytes.last(), None | Some(0)).then_some(Self(bytes))
    }

    /// Borrows the table.
    #[inline]
    pub(crate) fn borrow(&self) -> StrTab<&[u8]> {
        // INVARIANT: The bytes are those of `self`.
        StrTab(&self.0)
    }

    /// Returns the bytes of all strings.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Returns the address of the string at `offset`, or [`None`] if `offset` is past the end.
    ///
    /// The bytes are not read.
    pub(crate) fn address(&self, offset: u32) -> Option<usize> {
        let offset = offset as usize;
        (offset < self.0.len()).then(|| self.0.as_ptr().addr().wrapping_add(offset))
    }

    /// Returns the string at `offset`, or the empty string if `offset` is past the end.
    #[inline]
    pub(crate) fn get(&self, offset: u32) -> ThinCStr<'_> {
        self.borrow().at(offset)
    }
}

impl<'a> StrTab<&'a [u8]> {
    /// Creates a table without strings.
    pub(crate) const fn empty() -> Self {
        // INVARIANT: The bytes are empty.
        Self(&[])
    }

    /// Creates a table of bytes that are known to be one.
    ///
    /// # Safety
    ///
    /// `bytes` must be empty, or the last one must be NUL.
    #[inline]
    pub(super) unsafe fn new_unchecked(bytes: &'a [u8]) -> Self {
        // INVARIANT: By the safety requirements, `bytes` are empty, or the last one is NUL.
        Self(bytes)
    }

    /// Returns the string at `offset`, as [`StrTab::get`], for as long as the bytes are borrowed.
    #[inline]
    pub(crate) fn at(self, offset: u32) -> ThinCStr<'a> {
        if offset as usize >= self.0.len() {
            return c"".into();
        }
        // SAFETY: `offset` is below the length, and by the type invariants the last byte is NUL.
        // The bytes are borrowed for `'a`.
        unsafe { ThinCStr::from_ptr(self.0.as_ptr().wrapping_add(offset as usize).cast()) }
    }
}
