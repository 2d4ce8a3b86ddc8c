// SPDX-License-Identifier: GPL-2.0

//! A plugin's exception table.

use crate::{
    modreg::{
        error::Refusal,
        tables::region::Region, //
    },
    primitives::{
        borrowed::Borrowed,
        module::ex_to_insn, //
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
/// Sorted by the address of the instruction.
pub(crate) struct Extable(Borrowed<exception_table_entry>);

impl Extable {
    /// Takes a table, or says what is wrong with it: `EINVAL` where it is not sorted, `ERANGE`
    /// where an instruction lies outside the text of `regions`.
    pub(crate) fn new(
        entries: Borrowed<exception_table_entry>,
        regions: &[Region],
    ) -> Result<Self, Refusal> {
        let mut last = 0;
        for entry in entries.iter() {
            let insn = ex_to_insn(entry);
            if insn < last {
                return Err(Refusal::new(EINVAL, "exception entries out of order"));
            }
            last = insn;
            if !regions.iter().any(|r| r.text && r.contains(insn)) {
                return Err(Refusal::new(
                    ERANGE,
                    "exception entry outside the text regions",
                ));
            }
        }
        // INVARIANT: Checked above.
        Ok(Self(entries))
    }

    /// The entry for the instruction at `addr`, as `search_extable()`. Logarithmic; from any
    /// context.
    pub(crate) fn search(&self, addr: usize) -> Option<&exception_table_entry> {
        let at = self
            .0
            .binary_search_by(|entry| ex_to_insn(entry).cmp(&addr));
        self.0.get(at.ok()?)
    }
}
