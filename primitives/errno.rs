// SPDX-License-Identifier: GPL-2.0

//! Error codes that the kernel crate of Linux 7.2 lacks.

use kernel::{
    bindings,
    prelude::*, //
};

/// `EDEADLK`: a resource deadlock would occur.
pub(crate) fn edeadlk() -> Error {
    Error::from_errno(-(bindings::EDEADLK as i32))
}

/// `ENAMETOOLONG`: a name is too long.
pub(crate) fn enametoolong() -> Error {
    Error::from_errno(-(bindings::ENAMETOOLONG as i32))
}
