// SPDX-License-Identifier: GPL-2.0

//! Error codes that the kernel crate has since Linux 7.3 only.

use kernel::{
    bindings,
    prelude::*, //
};

/// Returns `EDEADLK`: a resource deadlock would occur.
pub(crate) fn edeadlk() -> Error {
    Error::from_errno(-(bindings::EDEADLK as i32))
}

/// Returns `ENAMETOOLONG`: a name is too long.
pub(crate) fn enametoolong() -> Error {
    Error::from_errno(-(bindings::ENAMETOOLONG as i32))
}
