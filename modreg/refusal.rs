// SPDX-License-Identifier: GPL-2.0

//! Why a request was refused.

use kernel::{
    alloc::AllocError,
    prelude::*, //
};

/// An error with the words that the log says about it.
#[derive(Clone, Copy)]
pub(crate) struct Refusal(pub(crate) Error, pub(crate) &'static str);

impl From<AllocError> for Refusal {
    fn from(_: AllocError) -> Self {
        Self(ENOMEM, "out of memory")
    }
}
