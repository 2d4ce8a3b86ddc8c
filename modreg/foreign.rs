// SPDX-License-Identifier: GPL-2.0

//! Foreign regions: those that lie outside of their plugin's owner.
//!
//! The kernel asks modreg about them while `modreg_kallsyms` is enabled.

use crate::{
    modreg::{
        error::Refusal,
        lock::LOCK,
        tables::{
            extable::Extable,
            region::Region,
            Tables, //
        },
    },
    primitives::{
        address::{
            has_kernel_symbol,
            is_kernel_address, //
        },
        module::Module,
        nofault::is_readable,
        rcu::Held, //
    },
};
use kernel::{
    prelude::*,
    sync::atomic::{
        Atomic,
        Relaxed, //
    },
};

/// The number of bytes after the code that must be readable too.
///
/// perf decodes the instruction at any address of a text region in an NMI (`branch_type()`), and an
/// instruction has at most 15 bytes.
const ROOM: usize = 16;

/// The bounds of all foreign regions, as `struct modreg_bounds` of `include/modreg.h`.
#[repr(C)]
struct Bounds {
    low: Atomic<usize>,
    high: Atomic<usize>,
}

/// Read by `modreg_kallsyms` at each call of a hooked function.
#[no_mangle]
static modreg_foreign_bounds: Bounds = Bounds {
    low: Atomic::new(usize::MAX),
    high: Atomic::new(0),
};

/// The number of plugins with foreign regions, and of those with exception entries too.
static COUNTS: (Atomic<usize>, Atomic<usize>) = (Atomic::new(0), Atomic::new(0));

/// Whether the kernel asks modreg.
static HOOKED: Atomic<bool> = Atomic::new(false);

/// What a plugin counts for: whether it has foreign regions, and exception entries with them.
#[derive(Clone, Copy, Default)]
pub(crate) struct Foreign {
    regions: bool,
    fixups: bool,
}

/// Decides whether a region of `owner` is foreign, and checks one that is.
///
/// Returns the region, marked if it is foreign.
///
/// `is_foreign` returns whether an address lies in a foreign region of another plugin. With the hooks, the
/// kernel has symbols there too.
///
/// # Errors
///
/// - `EINVAL` if it reaches into the user half of the address space.
/// - `EEXIST` if the kernel has its own symbols there.
/// - `EFAULT` if code, or one of the 16 bytes after it, cannot be read.
///
/// Context: May sleep.
pub(crate) fn check(
    region: Region,
    owner: &Module,
    is_foreign: impl Fn(usize) -> bool,
) -> Result<Region, Refusal> {
    if owner.contains(region.base(), region.size()) {
        return Ok(region);
    }
    let end = region.end();
    if !is_kernel_address(region.base()) {
        return Err(Refusal::new(EINVAL, "a region lies in the user half"));
    }
    let is_kernels = |addr| has_kernel_symbol(addr) && !is_foreign(addr);
    if is_kernels(region.base()) || is_kernels(end.wrapping_sub(1)) {
        return Err(Refusal::new(
            EEXIST,
            "a region lies where the kernel has symbols of its own",
        ));
    }
    let readable = || Some(is_readable(region.base()..end.checked_add(ROOM)?));
    if region.is_text() && readable() != Some(true) {
        return Err(Refusal::new(
            EFAULT,
            "a text region, or the 16 bytes behind it, cannot be read",
        ));
    }
    Ok(region.as_foreign())
}

/// Counts a plugin that is about to be published.
pub(crate) fn add(regions: &[Region], tables: &Tables, _held: &mut Held<'_, LOCK>) -> Foreign {
    let mut foreign = Foreign::default();
    let Bounds { low, high } = &modreg_foreign_bounds;
    let there = |r: &&Region| r.is_foreign() && (tables.is_init || !r.is_init());
    for region in regions.iter().filter(there) {
        let end = region.end();
        low.store(low.load(Relaxed).min(region.base()), Relaxed);
        high.store(high.load(Relaxed).max(end), Relaxed);
        foreign.regions = true;
    }
    foreign.fixups = tables.extable().is_some_and(Extable::is_for_foreign);
    count(foreign, |n, by| n.wrapping_add(by));
    foreign
}

/// Counts a plugin anew, which counts as `old` and is getting other tables.
pub(crate) fn replace(
    old: Foreign,
    regions: &[Region],
    tables: &Tables,
    held: &mut Held<'_, LOCK>,
) -> Foreign {
    let new = add(regions, tables, held);
    remove(old, held);
    new
}

/// Undoes [`add`] for a plugin that no reader can find any more.
pub(crate) fn remove(foreign: Foreign, _held: &mut Held<'_, LOCK>) {
    count(foreign, |n, by| n.wrapping_sub(by));
    if foreign.regions && COUNTS.0.load(Relaxed) == 0 {
        modreg_foreign_bounds.low.store(usize::MAX, Relaxed);
        modreg_foreign_bounds.high.store(0, Relaxed);
    }
}

fn count(foreign: Foreign, f: fn(usize, usize) -> usize) {
    for (n, by) in [(&COUNTS.0, foreign.regions), (&COUNTS.1, foreign.fixups)] {
        n.store(f(n.load(Relaxed), by.into()), Relaxed);
    }
}

/// Returns whether the kernel asks modreg.
///
/// Context: Any, NMI included.
pub(crate) fn is_hooked() -> bool {
    HOOKED.load(Relaxed)
}

/// Notes that the kernel asks modreg, or that it is about to end that.
///
/// # Errors
///
/// The number of plugins whose fixups the kernel would no longer find.
pub(crate) fn set_hooked(hooked: bool, _held: &mut Held<'_, LOCK>) -> Result<(), usize> {
    let fixups = COUNTS.1.load(Relaxed);
    if !hooked && fixups != 0 {
        return Err(fixups);
    }
    HOOKED.store(hooked, Relaxed);
    Ok(())
}
