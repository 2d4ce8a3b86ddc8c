// SPDX-License-Identifier: GPL-2.0

//! KUnit suites, built into modreg if the tests are built for a kernel with KUnit.
//!
//! `make quick` runs them under User-mode Linux, `kunit.sh` in a guest.
//!
//! A failed `assert!()` of KUnit ends the thread without running destructors: locks stay taken and
//! preemption stays disabled. So a test returns an error instead, by `check!()`, `check_eq!()` or
//! `?`, and logs what is wrong.
//!
//! A test is named by object and operation, such as `symtab_find_first_alias`.

/// Fails the test unless a condition holds.
macro_rules! check {
    ($cond:expr $(,)?) => {
        if !$cond {
            let (file, line) = (file!(), line!());
            pr_err!("kunit: {}:{}: {} is false\n", file, line, stringify!($cond));
            return Err(EINVAL);
        }
    };
}

/// Fails the test unless two values are equal.
macro_rules! check_eq {
    ($left:expr, $right:expr $(,)?) => {
        let (left, right) = (&$left, &$right);
        if left != right {
            let (file, line) = (file!(), line!());
            pr_err!(
                "kunit: {}:{}: {} is {:?}, not {:?}\n",
                file,
                line,
                stringify!($left),
                left,
                right
            );
            return Err(EINVAL);
        }
    };
}

mod indexes;
mod primitives;
mod range_tree;
mod registry;
mod tables;

use crate::{
    modreg::{
        error::Refusal,
        name::Name,
        registry::Request, //
    },
    primitives::{
        callback::Callback,
        module::{
            LentModule,
            Module, //
        },
    },
};
use core::{
    ffi::CStr,
    ptr, //
};
use kernel::prelude::*;

/// Returns the owner of the suites' plugins, which is this module.
fn owner() -> LentModule {
    // SAFETY: The module stays loaded while its suites run, and these unregister their plugins.
    unsafe { Module::this().lend() }
}

/// Returns the request for a plugin of this name without callbacks.
fn request(name: &CStr) -> Result<Request<'static>> {
    Ok(Request {
        name: Name::new(name).map_err(|invalid| Refusal::from(invalid).error)?,
        owner: Module::this(),
        follows_owner: false,
        quiet: false,
        // SAFETY: There is no function to call.
        exit: unsafe { Callback::new(None, ptr::null_mut()) },
    })
}

/// Turns [`None`] into an error, so that `?` fails the test.
fn some<T>(option: Option<T>) -> Result<T> {
    option.ok_or(ENODATA)
}
