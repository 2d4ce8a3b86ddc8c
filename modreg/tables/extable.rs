// SPDX-License-Identifier: GPL-2.0

//! A plugin's exception table.

use crate::{
    modreg::{
        error::Refusal,
        tables::region::Region, //
    },
    primitives::{
        borrowed::Borrowed,
        module::{
            ex_to_fixup,
            ex_to_insn,
            ex_type_is_general, //
        },
    },
};
use kernel::{
    bindings::exception_table_entry,
    prelude::*, //
};

/// Exception entries where their owner has them, for their offsets are relative to that place.
///
/// # Invariants
///
/// - `entries` are sorted by the address of the instruction.
/// - `is_for_foreign` tells whether one of them is for a foreign region that the plugin has.
pub(crate) struct Extable {
    entries: Borrowed<exception_table_entry>,
    is_for_foreign: bool,
}

impl Extable {
    /// Checks a table and takes it.
    ///
    /// With `is_init`, the plugin has its init regions.
    ///
    /// # Errors
    ///
    /// - `EINVAL` where it is not sorted, or where an entry for a foreign region has a type that makes
    ///   no sense there.
    /// - `ERANGE` where an instruction, or the fixup of one in a foreign region, lies outside the text
    ///   of `regions`, or a fixup goes sooner than its instruction. So does whatever an entry names that stands too far from it.
    ///
    /// Context: May sleep.
    pub(crate) fn new(
        entries: Borrowed<exception_table_entry>,
        regions: &[Region],
        is_init: bool,
    ) -> Result<Self, Refusal> {
        let (mut last, mut is_for_foreign) = (0, false);
        for entry in entries.iter() {
            let insn = ex_to_insn(entry);
            if insn < last {
                return Err(Refusal::new(EINVAL, "exception entries out of order"));
            }
            last = insn;
            let text = |addr| regions.iter().find(|r| r.is_text() && r.contains(addr));
            let region = text(insn).ok_or(Refusal::new(
                ERANGE,
                "exception entry outside the text regions",
            ))?;
            if !region.is_foreign() {
                continue;
            }
            is_for_foreign |= is_init || !region.is_init();
            // There the kernel acts on the entry.
            if !ex_type_is_general(entry) {
                return Err(Refusal::new(
                    EINVAL,
                    "exception entry of a type for the kernel's own code",
                ));
            }
            if text(ex_to_fixup(entry)).is_none_or(|fixup| fixup.is_init() && !region.is_init()) {
                return Err(Refusal::new(
                    ERANGE,
                    "exception entry whose fixup lies outside the text regions",
                ));
            }
        }
        // INVARIANT: Checked above.
        Ok(Self {
            entries,
            is_for_foreign,
        })
    }

    /// Returns whether there are entries.
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Returns whether an entry is for a foreign region.
    pub(crate) fn is_for_foreign(&self) -> bool {
        self.is_for_foreign
    }

    /// The entry for the instruction at `addr`, as `search_extable()`. Logarithmic; from any
    /// context.
    pub(crate) fn search(&self, addr: usize) -> Option<&exception_table_entry> {
        let at = self
            .entries
            .binary_search_by(|entry| ex_to_insn(entry).cmp(&addr));
        self.entries.get(at.ok()?)
    }
}
