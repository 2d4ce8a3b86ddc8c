// SPDX-License-Identifier: GPL-2.0

//! Parsing a plugin's arguments, as `parse_args()`, which is not exported.

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

const BAD_PARAM: Refusal = Refusal::new(EINVAL, "a parameter has no name or no ops");

/// The descriptor's parameters.
///
/// # Safety
///
/// As `modreg_register_plugin()`, while the result exists.
unsafe fn params(desc: &modreg_plugin_desc) -> Result<Borrowed<modreg_param>, Refusal> {
    // SAFETY: By the requirement of this function.
    unsafe {
        array(
            desc.params,
            desc.num_params,
            MODREG_MAX_PARAMS,
            "parameters missing or too many",
        )
    }
}

/// What a parameter is parsed with; nothing where it cannot be.
///
/// # Safety
///
/// The parameter's `ops` must be null or valid.
unsafe fn ops(param: &modreg_param) -> Option<&kernel_param_ops> {
    // SAFETY: By the requirement of this function.
    unsafe { param.ops.as_ref() }.filter(|ops| ops.set.is_some())
}

/// Checks the parameters themselves.
///
/// # Safety
///
/// As `modreg_register_plugin()`.
pub(super) unsafe fn check(desc: &modreg_plugin_desc) -> Result<(), Refusal> {
    // SAFETY: By the requirement of this function.
    for param in unsafe { params(desc) }?.iter() {
        // SAFETY: By the requirement of this function.
        if param.name.is_null() || unsafe { ops(param) }.is_none() {
            return Err(BAD_PARAM);
        }
    }
    Ok(())
}

/// Parses the descriptor's arguments. Sleeps.
///
/// # Safety
///
/// As `modreg_register_plugin()`; [`check`] must have found no fault.
pub(super) unsafe fn parse(desc: &modreg_plugin_desc) -> Result<(), Refusal> {
    // SAFETY: By the requirement of this function.
    let (params, args) = unsafe { (params(desc)?, string(desc.args)) };
    let Some(args) = args else {
        return Ok(());
    };
    // next_arg() cuts the string up, so it gets its own.
    let mut copy = KVVec::new();
    copy.extend_from_slice(args.to_bytes_with_nul(), GFP_KERNEL)?;
    let mut rest: *mut c_char = copy.as_mut_ptr();
    loop {
        // SAFETY: `rest` stays within the copy, which ends in NUL.
        while unsafe { *rest }.is_ascii_whitespace() {
            rest = rest.wrapping_add(1);
        }
        // SAFETY: As above.
        if unsafe { *rest } == 0 {
            return Ok(());
        }
        let (mut name, mut value) = (ptr::null_mut(), ptr::null_mut());
        // SAFETY: `rest` is a string of ours, and the outputs are valid.
        rest = unsafe { next_arg(rest, &mut name, &mut value) };
        // SAFETY: Both are parts of the copy, ended in NUL, or null; so the parameters stay valid.
        unsafe { set(&params, name, value) }?;
    }
}

/// Sets one parameter, as `parse_one()`.
///
/// # Safety
///
/// `name` must be a string, `value` null or a string, and the parameters as [`check`] wants them.
unsafe fn set(
    params: &[modreg_param],
    name: *const c_char,
    value: *const c_char,
) -> Result<(), Refusal> {
    // SAFETY: By the requirement of this function.
    let wanted = unsafe { string(name) }.unwrap_or(c"").to_bytes();
    let found = params.iter().find(|param| {
        // SAFETY: By the requirement of this function.
        unsafe { string(param.name) }.is_some_and(|name| same(name.to_bytes(), wanted))
    });
    let param = found.ok_or(Refusal::new(ENOENT, "unknown parameter"))?;
    // SAFETY: By the requirement of this function.
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
    // SAFETY: The callback gets what the kernel would pass it.
    let err = ops.set.map_or(0, |set| unsafe { set(value, &kp) });
    to_result(err).map_err(|e| Refusal::new(e, "a parameter's value is invalid"))
}

/// Whether two names are the same but for '-' and '_', as `parameq()`.
fn same(a: &[u8], b: &[u8]) -> bool {
    let plain = |c: &u8| if *c == b'-' { b'_' } else { *c };
    a.len() == b.len() && a.iter().map(plain).eq(b.iter().map(plain))
}
