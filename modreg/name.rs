// SPDX-License-Identifier: GPL-2.0

//! Names of plugins, and the hash of names.

use crate::{
    modreg::bindings,
    primitives::{
        cstr::ThinCStr,
        hash::HashKey, //
    },
};
use core::ffi::CStr;
use kernel::{
    fmt,
    prelude::*, //
};

/// The key of [`hash`].
pub(crate) static HASH_KEY: HashKey = HashKey::new();

/// Returns a hash of the name of a plugin or a symbol, which differs from boot to boot.
///
/// Context: Any, NMI included.
#[inline]
pub(crate) fn hash(name: &[u8]) -> u32 {
    HASH_KEY.hash(name)
}

/// A plugin's name.
///
/// # Invariants
///
/// - The bytes before the first NUL are printable ASCII without blank, ':', brackets and
///   parentheses: ':' separates a plugin's name from a symbol's, the others enclose it or its
///   letters where it is printed.
/// - There is at least one such byte.
/// - All bytes from the first NUL on are NUL; the last byte is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Name([u8; bindings::MODREG_NAME_LEN as usize]);

/// Why a string is not a plugin's name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum InvalidName {
    /// The string is empty.
    Empty,
    /// A byte is not allowed.
    Character,
    /// The string does not fit into `MODREG_NAME_LEN` bytes.
    TooLong,
}

impl Name {
    /// Creates a name from a string.
    ///
    /// # Errors
    ///
    /// [`InvalidName`], which says what is wrong with the string.
    pub(crate) fn new(name: &CStr) -> Result<Self, InvalidName> {
        let bytes = name.to_bytes();
        if bytes.is_empty() {
            return Err(InvalidName::Empty);
        }
        let allowed = |&b: &u8| b.is_ascii_graphic() && !b":[]()".contains(&b);
        if !bytes.iter().all(allowed) {
            return Err(InvalidName::Character);
        }
        let mut this = Self([0; bindings::MODREG_NAME_LEN as usize]);
        if bytes.len() >= this.0.len() {
            return Err(InvalidName::TooLong);
        }
        // INVARIANT: The bytes were checked above, and leave at least the last byte NUL.
        for (to, from) in this.0.iter_mut().zip(bytes) {
            *to = *from;
        }
        Ok(this)
    }

    /// Returns the name as a string.
    pub(crate) fn as_cstr(&self) -> &CStr {
        self.as_thin().to_cstr()
    }

    /// Returns the name as a string whose bytes are not counted.
    #[inline]
    pub(crate) fn as_thin(&self) -> ThinCStr<'_> {
        (&self.0).into()
    }

    /// Returns whether the name consists of these bytes.
    pub(crate) fn is(&self, name: &[u8]) -> bool {
        matches!(self.0.split_at_checked(name.len()), Some((this, [0, ..])) if this == name)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.as_cstr(), f)
    }
}
