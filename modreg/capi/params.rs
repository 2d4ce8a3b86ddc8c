// SPDX-License-Identifier: GPL-2.0

//! Parsing of a plugin's arguments, as `parse_args()`, which is not exported.

use crate::{
    modreg::{
        bindings::{
            modreg_param,
            modreg_plugin_desc,
            MODREG_MAX_PARAMS, //
        },
        capi::{
            array,
            string, //
        },
        error::Refusal, //
    },
    primitives::borrowed::Borrowed, //
};
use core::ptr;
use kernel::{
    bindings::{
        kernel_param,
        kernel_param_ops,
        next_arg,
        KERNEL_PARAM_OPS_FL_NOARG, //
    },
    error::to_result,
    prelude::*, //
};

/// The refusal of a parameter that cannot be parsed.
const BAD_PARAM: Refusal = Refusal::new(EINVAL, "a parameter has no name or no ops");

/// Returns the descriptor's parameters.
///
/// # Errors
///
/// `E2BIG` or `EINVAL` if the count is too large or the array is missing.
///
/// # Safety
///
/// `desc.params` must be as documented for `struct modreg_plugin_desc` while the result exists.
unsafe fn params(desc: &modreg_plugin_desc) -> Result<Borrowed<modreg_param>, Refusal> {
    // SAFETY: By the safety requirements `desc.params` is null or has `desc.num_params` elements.
    unsafe {
        array(
            desc.params,
            desc.num_params,
            MODREG_MAX_PARAMS,
            "parameters missing or too many",
        )
    }
}

/// Returns the operations of a parameter, or [`None`] if it has none or cannot be set.
///
/// # Safety
///
/// `param.ops` must be null or valid for reads.
unsafe fn ops(param: &modreg_param) -> Option<&kernel_param_ops> {
    // SAFETY: By the safety requirements `param.ops` is null or valid for reads.
    unsafe { param.ops.as_ref() }.filter(|ops| ops.set.is_some())
}

/// Checks the descriptor's parameters.
///
/// # Errors
///
/// As [`params`], and `EINVAL` if a parameter has no name or no operations.
///
/// # Safety
///
/// `desc.params` must be as documented for `struct modreg_plugin_desc`.
pub(super) unsafe fn check(desc: &modreg_plugin_desc) -> Result<(), Refusal> {
    // SAFETY: By the safety requirements `desc.params` is as documented.
    for param in unsafe { params(desc) }?.iter() {
        // SAFETY: `param.ops` is null or valid, as documented for `struct modreg_param`.
        if param.name.is_null() || unsafe { ops(param) }.is_none() {
            return Err(BAD_PARAM);
        }
    }
    Ok(())
}

/// Parses the descriptor's arguments.
///
/// # Errors
///
/// - `ENOENT` if an argument is no parameter.
/// - `EINVAL` if a value is missing.
/// - `ENOMEM` if out of memory.
/// - What a parameter's `set` returned.
///
/// Context: May sleep.
///
/// # Safety
///
/// `desc.params` and `desc.args` must be as documented for `struct modreg_plugin_desc`, and
/// [`check`] must have accepted the parameters.
pub(super) unsafe fn parse(desc: &modreg_plugin_desc) -> Result<(), Refusal> {
    // SAFETY: By the safety requirements `desc.params` is as documented and `desc.args` is null or a
    // string.
    let (params, args) = unsafe { (params(desc)?, string(desc.args)) };
    let Some(args) = args else {
        return Ok(());
    };
    // `next_arg()` writes to the string.
    let mut copy = KVVec::new();
    copy.extend_from_slice(args.to_bytes_with_nul(), GFP_KERNEL)?;
    let mut rest: *mut c_char = copy.as_mut_ptr();
    loop {
        // SAFETY: `rest` points into `copy`, which ends in NUL, and does not pass the NUL.
        while unsafe { *rest }.is_ascii_whitespace() {
            rest = rest.wrapping_add(1);
        }
        // SAFETY: `rest` points into `copy`, as above.
        if unsafe { *rest } == 0 {
            return Ok(());
        }
        let (mut name, mut value) = (ptr::null_mut(), ptr::null_mut());
        // SAFETY: `rest` is a NUL-terminated string in `copy`, which is writable; the outputs are
        // valid for writes.
        rest = unsafe { next_arg(rest, &mut name, &mut value) };
        // SAFETY: `name` is a NUL-terminated string in `copy`.
        let ends = value.is_null() && unsafe { string(name) } == Some(c"--");
        // As in `parse_args()`: what follows is for others.
        if ends {
            return Ok(());
        }
        // SAFETY: `name` is a NUL-terminated string in `copy`, and `value` is one or null. By the
        // safety requirements `check()` has accepted the parameters.
        unsafe { set(&params, name, value) }?;
    }
}

/// Sets one parameter, as `parse_one()`.
///
/// # Errors
///
/// As [`parse`].
///
/// # Safety
///
/// `name` must be a string, `value` null or a string, and [`check`] must have accepted the
/// parameters.
unsafe fn set(
    params: &[modreg_param],
    name: *const c_char,
    value: *const c_char,
) -> Result<(), Refusal> {
    // SAFETY: By the safety requirements `name` is a string.
    let wanted = unsafe { string(name) }.unwrap_or(c"").to_bytes();
    let found = params.iter().find(|param| {
        // SAFETY: `param.name` is a string, since `check()` has accepted it.
        unsafe { string(param.name) }.is_some_and(|name| same(name.to_bytes(), wanted))
    });
    let param = found.ok_or(Refusal::new(ENOENT, "unknown parameter"))?;
    // SAFETY: `param.ops` is valid, since `check()` has accepted it.
    let ops = unsafe { ops(param) }.ok_or(BAD_PARAM)?;
    if value.is_null() && ops.flags & KERNEL_PARAM_OPS_FL_NOARG == 0 {
        return Err(Refusal::new(EINVAL, "a parameter has no value"));
    }
    let mut kp = kernel_param {
        name: param.name,
        ops,
        ..Default::default()
    };
    kp.__bindgen_anon_1.arg = param.arg;
    // SAFETY: `set` gets what `parse_one()` would pass: null or the value's string, and a
    // `kernel_param` with the parameter's own `arg`.
    let err = ops.set.map_or(0, |set| unsafe { set(value, &kp) });
    to_result(err).map_err(|e| Refusal::new(e, "a parameter's value is invalid"))
}

/// Returns whether two names are equal, with '-' and '_' the same, as `parameq()`.
fn same(a: &[u8], b: &[u8]) -> bool {
    let plain = |c: &u8| if *c == b'-' { b'_' } else { *c };
    a.len() == b.len() && a.iter().map(plain).eq(b.iter().map(plain))
}
