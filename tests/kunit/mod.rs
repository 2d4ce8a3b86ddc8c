// SPDX-License-Identifier: GPL-2.0

//! KUnit suites, built into the module where the tests are built for a kernel with KUnit.
//!
//! `make quick` runs them under User-mode Linux, `kunit.sh` in a guest.
//!
//! A failed `assert!()` of KUnit ends the thread without running destructors: locks stay taken and
//! preemption stays disabled. So a test returns an error instead, by `check!()`, `check_eq!()` or
//! `?`, and what is wrong is in the log.

/// Ends the test as failed where a condition does not hold.
macro_rules! check {
    ($cond:expr $(,)?) => {
        if !$cond {
            let (file, line) = (file!(), line!());
            pr_err!("kunit: {}:{}: {} is false\n", file, line, stringify!($cond));
            return Err(EINVAL);
        }
    };
}

/// Ends the test as failed where two values differ.
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
mod registry;
mod tables;

use kernel::prelude::*;

/// Fails the test where an expression is no `Some`, as `?` does for errors.
fn some<T>(option: Option<T>) -> Result<T> {
    option.ok_or(ENODATA)
}
