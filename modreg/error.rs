// SPDX-License-Identifier: GPL-2.0

//! Why a request was refused.

use crate::modreg::name::Name;
use kernel::{
    alloc::AllocError,
    fmt,
    prelude::*, //
};

/// An error with the words that the log says about it.
#[derive(Clone, Copy)]
pub(crate) struct Refusal {
    /// What the caller is told.
    pub(crate) error: Error,
    why: &'static str,
    by: Option<Name>,
}

impl Refusal {
    /// An error and its reason.
    pub(crate) const fn new(error: Error, why: &'static str) -> Self {
        Self {
            error,
            why,
            by: None,
        }
    }

    /// Names the plugin that stands in the way.
    pub(crate) fn by(mut self, name: Name) -> Self {
        self.by = Some(name);
        self
    }
}

impl From<(Error, &'static str)> for Refusal {
    fn from((error, why): (Error, &'static str)) -> Self {
        Self::new(error, why)
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
