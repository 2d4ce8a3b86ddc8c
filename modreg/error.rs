// SPDX-License-Identifier: GPL-2.0

//! Errors with the reason that the log gives.

use crate::{
    modreg::name::{
        InvalidName,
        Name, //
    },
    primitives::errno::enametoolong, //
};
use kernel::{
    alloc::AllocError,
    fmt,
    prelude::*, //
};

/// An error and why the request was refused.
#[derive(Clone, Copy)]
pub(crate) struct Refusal {
    /// The errno for the caller.
    pub(crate) error: Error,
    why: &'static str,
    by: Option<Name>,
}

impl Refusal {
    /// Creates a refusal; `why` completes the log line "NAME: refused, …".
    pub(crate) const fn new(error: Error, why: &'static str) -> Self {
        Self {
            error,
            why,
            by: None,
        }
    }

    /// Adds the name of the plugin that is in the way.
    pub(crate) fn by(mut self, name: Name) -> Self {
        self.by = Some(name);
        self
    }
}

impl From<InvalidName> for Refusal {
    fn from(invalid: InvalidName) -> Self {
        match invalid {
            InvalidName::Empty => Self::new(EINVAL, "empty name"),
            InvalidName::Character => Self::new(EINVAL, "a character in the name is not allowed"),
            InvalidName::TooLong => Self::new(enametoolong(), "name too long"),
        }
    }
}

impl From<AllocError> for Refusal {
    fn from(_: AllocError) -> Self {
        Self::new(ENOMEM, "out of memory")
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.why)?;
        if let Some(by) = self.by {
            f.write_fmt(fmt!(" {}", by))?;
        }
        f.write_fmt(fmt!(" (-{:?})", self.error))
    }
}
