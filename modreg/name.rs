// SPDX-License-Identifier: GPL-2.0

//! The names of plugins.

use crate::{
    modreg::bindings,
    primitives::{
        cstr::ThinCStr,
        errno::enametoolong, //
    },
};
use core::ffi::CStr;
use kernel::{
    fmt,
    prelude::*, //
};

/// A plugin's name: printable ASCII without blank and ':', which divides it from a symbol's name.
///
/// # Invariants
///
/// As just said, shorter than `MODREG_NAME_LEN`, and filled up with NUL.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Name([u8; bindings::MODREG_NAME_LEN as usize]);

impl Name {
    /// Takes a name, or says what is wrong with it: `EINVAL`, or `ENAMETOOLONG`.
    pub(crate) fn new(name: &CStr) -> Result<Self, (Error, &'static str)> {
        let bytes = name.to_bytes();
        if bytes.is_empty() {
            return Err((EINVAL, "empty name"));
        }
        if !bytes.iter().all(|&b| b.is_ascii_graphic() && b != b':') {
            return Err((EINVAL, "blank, ':' or unprintable byte in the name"));
        }
        let mut this = Self([0; bindings::MODREG_NAME_LEN as usize]);
        let Some((_nul, room)) = this.0.split_last_mut() else {
            return Err((EINVAL, "empty name"));
        };
        if bytes.len() > room.len() {
            return Err((enametoolong(), "name too long"));
        }
        // INVARIANT: Checked above; the last byte stays NUL.
        room.iter_mut()
            .zip(bytes)
            .for_each(|(to, from)| *to = *from);
        Ok(this)
    }

    /// The name as a string.
    pub(crate) fn as_cstr(&self) -> &CStr {
        self.as_thin().to_cstr()
    }

    /// The name, without counting its bytes.
    #[inline]
    pub(crate) fn as_thin(&self) -> ThinCStr<'_> {
        (&self.0).into()
    }

    /// Whether this is `name`.
    pub(crate) fn is(&self, name: &[u8]) -> bool {
        matches!(self.0.split_at_checked(name.len()), Some((this, [0, ..])) if this == name)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.as_cstr(), f)
    }
}
