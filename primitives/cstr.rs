// SPDX-License-Identifier: GPL-2.0

//! C strings.

use core::{
    cmp::Ordering,
    ffi::CStr,
    marker::PhantomData,
    ops::Deref,
    ptr::NonNull, //
};
use kernel::{
    bindings,
    prelude::*, //
};

/// A string that ends in NUL and whose length nobody has counted yet.
///
/// # Invariants
///
/// The pointer leads to a NUL-terminated string that does not change during `'a`.
#[derive(Clone, Copy)]
pub(crate) struct ThinCStr<'a>(NonNull<u8>, PhantomData<&'a [u8]>);

impl<'a> ThinCStr<'a> {
    /// # Safety
    ///
    /// `ptr` must not be null, and must lead to a NUL-terminated string that does not change during
    /// `'a`.
    #[inline]
    pub(crate) unsafe fn from_ptr(ptr: *const c_char) -> Self {
        // SAFETY: By the requirement of this function.
        let ptr = unsafe { NonNull::new_unchecked(ptr.cast_mut()) };
        // INVARIANT: By the requirement of this function.
        Self(ptr.cast(), PhantomData)
    }

    /// The string's first byte.
    pub(super) fn as_ptr(self) -> *const c_char {
        self.0.as_ptr().cast_const().cast()
    }

    /// The string with its length, which takes a pass over it.
    pub(crate) fn to_cstr(self) -> &'a CStr {
        // SAFETY: By the type invariant.
        unsafe { CStr::from_char_ptr(self.as_ptr()) }
    }

    /// Whether this is the empty string.
    #[inline]
    pub(crate) fn is_empty(self) -> bool {
        self.first() == 0
    }

    #[inline]
    fn first(self) -> u8 {
        // SAFETY: By the type invariant there is at least the NUL.
        unsafe { *self.0.as_ptr() }
    }

    /// Whether this is one of the labels that kallsyms skips, as `is_mapping_symbol()`.
    pub(crate) fn is_mapping_symbol(self) -> bool {
        match self.first() {
            b'$' => true,
            c @ (b'.' | b'L') => {
                // SAFETY: By the type invariant, what follows a byte that is not NUL is readable.
                let second = unsafe { *self.0.as_ptr().wrapping_add(1) };
                second == if c == b'.' { b'L' } else { b'0' }
            }
            _ => false,
        }
    }

    /// Compares the bytes, as `strcmp()`.
    #[inline]
    pub(crate) fn cmp(self, other: ThinCStr<'_>) -> Ordering {
        // SAFETY: By the type invariant both are NUL-terminated strings.
        unsafe { bindings::strcmp(self.as_ptr(), other.as_ptr()) }.cmp(&0)
    }

    /// Copies the string, cut to what fits, and ends it in NUL, as `strscpy()`.
    ///
    /// Returns the length that was copied, or `-E2BIG` where it was cut.
    #[inline]
    pub(crate) fn copy_to(self, buf: &mut [u8]) -> isize {
        // SAFETY: The destination is valid for its length, and the source is a string by the type
        // invariant.
        unsafe { bindings::sized_strscpy(buf.as_mut_ptr().cast(), self.as_ptr(), buf.len()) }
    }
}

/// A hash of the string's bytes, as `full_name_hash()`.
#[inline]
pub(crate) fn full_name_hash(s: &CStr) -> u32 {
    let len = s.count_bytes() as u32;
    // SAFETY: The string has `len` bytes. The salt is a mere number.
    unsafe { bindings::full_name_hash(core::ptr::null(), s.as_char_ptr(), len) }
}

impl<'a, const N: usize> From<&'a [u8; N]> for ThinCStr<'a> {
    /// What comes before the first NUL; nothing where the last byte is none.
    #[inline]
    fn from(bytes: &'a [u8; N]) -> Self {
        match bytes.last() {
            // SAFETY: There is a NUL.
            Some(0) => unsafe { Self::from_ptr(bytes.as_ptr().cast()) },
            _ => c"".into(),
        }
    }
}

impl<'a> From<&'a CStr> for ThinCStr<'a> {
    #[inline]
    fn from(s: &'a CStr) -> Self {
        // SAFETY: A `CStr` is a NUL-terminated string.
        unsafe { Self::from_ptr(s.as_char_ptr()) }
    }
}

/// Strings one behind the other, each ending in NUL, named by the offset of their first byte.
///
/// # Invariants
///
/// The bytes are none, or the last one is NUL.
pub(crate) struct StrTab<B>(B);

impl<B: Deref<Target = [u8]>> StrTab<B> {
    /// Takes the bytes, or refuses them where the last is not NUL.
    pub(crate) fn new(bytes: B) -> Option<Self> {
        // INVARIANT: Checked here.
        matches!(bytes.last(), None | Some(0)).then_some(Self(bytes))
    }

    /// The string at `offset`, or the empty one where that is past the end.
    #[inline]
    pub(crate) fn get(&self, offset: u32) -> ThinCStr<'_> {
        if offset as usize >= self.0.len() {
            return c"".into();
        }
        // SAFETY: By the type invariant there is a NUL at or behind every byte.
        unsafe { ThinCStr::from_ptr(self.0.as_ptr().wrapping_add(offset as usize).cast()) }
    }
}
