// SPDX-License-Identifier: GPL-2.0

//! KUnit suites, built into the module where the tests are built for a kernel with KUnit.
//!
//! `make quick` runs them under User-mode Linux, `kunit.sh` in a guest.

mod indexes;
mod primitives;
mod registry;
mod tables;

use kernel::prelude::*;

/// Fails the test where an expression is no `Some` or `Ok`, as `?` does for errors of the kernel.
fn some<T>(option: Option<T>) -> Result<T> {
    option.ok_or(ENODATA)
}
