// SPDX-License-Identifier: GPL-2.0

//! A plugin's exported symbols.

use crate::{
    modreg::tables::symbols::Symbols,
    primitives::{
        cstr::ThinCStr,
        module::Ksymtab,
        pages_exact::ExactVec,
        sort::sort_by,
        vec::FixedVec, //
    },
};
use core::cmp::Ordering;

/// An exported symbol, as an index into its table.
#[derive(Clone, Copy)]
pub(crate) struct Export {
    /// Which symbol.
    pub(crate) symbol: u32,
    /// Whether it is for GPL-compatible callers only.
    pub(crate) gpl_only: bool,
}

/// Exported symbols, sorted by name.
pub(crate) enum Exports {
    /// Marked in the plugin's own symbol table.
    Marked(FixedVec<Export>),
    /// The table that the module loader has.
    Kernel(Ksymtab),
}

impl Exports {
    /// Takes marked symbols, in the order of their table; the first of a name counts. May sleep.
    pub(crate) fn marked(symbols: Symbols<'_>, mut exports: ExactVec<Export>) -> Self {
        let name = |e: &Export| symbols.name(e.symbol);
        sort_by(&mut exports, |a, b| {
            name(a).cmp(name(b)).then(a.symbol.cmp(&b.symbol))
        });
        Self::Marked(exports.into())
    }
}

/// Exported symbols with the table that they are marked in.
///
/// # Invariants
///
/// Marked `exports` were made of `symbols`: they are in the order of their names.
#[derive(Clone, Copy)]
pub(crate) struct ExportTab<'a> {
    exports: &'a Exports,
    symbols: Symbols<'a>,
}

impl<'a> ExportTab<'a> {
    /// Takes exports, and the symbols of their plugin, which marked ones must have been made of.
    pub(crate) fn new(exports: &'a Exports, symbols: Symbols<'a>) -> Self {
        // INVARIANT: As asked for above.
        Self { exports, symbols }
    }

    /// Returns whether the table is the module loader's.
    pub(crate) fn is_kernels(self) -> bool {
        matches!(self.exports, Exports::Kernel(_))
    }

    /// How many there are.
    pub(crate) fn len(self) -> u32 {
        match self.exports {
            Exports::Marked(exports) => exports.len() as u32,
            Exports::Kernel(ksymtab) => ksymtab.len() as u32,
        }
    }

    /// The name of export `i`. Constant; from any context.
    pub(crate) fn name(self, i: u32) -> Option<ThinCStr<'a>> {
        match self.exports {
            Exports::Marked(exports) => Some(self.symbols.name(exports.get(i as usize)?.symbol)),
            Exports::Kernel(ksymtab) => ksymtab.name(i as usize),
        }
    }

    /// The address of export `i`, and whether it is for GPL-compatible callers only. Constant; from
    /// any context.
    pub(crate) fn value(self, i: u32) -> Option<(usize, bool)> {
        match self.exports {
            Exports::Marked(exports) => {
                let export = exports.get(i as usize)?;
                Some((self.symbols.value(export.symbol), export.gpl_only))
            }
            Exports::Kernel(ksymtab) => ksymtab.value(i as usize),
        }
    }

    /// The address of the exported symbol `name`, and whether it is for GPL-compatible callers
    /// only. Logarithmic; from any context.
    pub(crate) fn find(self, name: ThinCStr<'_>) -> Option<(usize, bool)> {
        let symbols = self.symbols;
        match self.exports {
            Exports::Marked(exports) => {
                let at = exports.partition_point(|e| symbols.name(e.symbol).cmp(name).is_lt());
                let found = exports.get(at)?;
                symbols
                    .name(found.symbol)
                    .cmp(name)
                    .is_eq()
                    .then(|| (symbols.value(found.symbol), found.gpl_only))
            }
            Exports::Kernel(ksymtab) => {
                let (mut low, mut high) = (0, ksymtab.len());
                while low < high {
                    let middle = low.wrapping_add(high) / 2;
                    match ksymtab.name(middle)?.cmp(name) {
                        Ordering::Less => low = middle.wrapping_add(1),
                        Ordering::Equal => return ksymtab.value(middle),
                        Ordering::Greater => high = middle,
                    }
                }
                None
            }
        }
    }
}
