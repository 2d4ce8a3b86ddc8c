// SPDX-License-Identifier: GPL-2.0

//! Permission to see kernel addresses.
//!
//! C header: [`include/linux/kallsyms.h`](srctree/include/linux/kallsyms.h)

use super::bindings as helpers;
use kernel::{
    bindings,
    prelude::*,
    task::might_sleep, //
};

/// Returns whether the opener of `file` may see kernel addresses, as `kallsyms_show_value()`.
///
/// The kernel exports neither that function nor the sysctls that it reads. The files in
/// `/proc/sys` are no substitute, since the opener may have another root directory. So this formats
/// a pointer with the opener's credentials, and looks at the result.
///
/// Context: May sleep, in the thread that opens the file.
///
/// # Errors
///
/// `ENOMEM` if there is no memory.
///
/// # Safety
///
/// `file` must be a file that is being opened by this thread.
pub(crate) unsafe fn may_see_addresses(file: *const bindings::file) -> Result<bool> {
    might_sleep();
    // SAFETY: By the safety requirements, `file` is an open file.
    let capable = unsafe {
        bindings::file_ns_capable(
            file,
            &raw mut bindings::init_user_ns,
            bindings::CAP_SYSLOG as c_int,
        )
    };
    // SAFETY: The thread may sleep, and has credentials of its own to override.
    match unsafe { helpers::kallsyms_show_value(capable) } {
        0 => Ok(false),
        1 => Ok(true),
        error => Err(Error::from_errno(error)),
    }
}
