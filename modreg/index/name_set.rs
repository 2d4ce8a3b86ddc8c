// SPDX-License-Identifier: GPL-2.0

//! The names of a plugin for the index.
//!
//! A writer collects and hashes them without the lock.

use crate::{
    modreg::{
        name::{
            hash,
            Name, //
        },
        tables::Tables, //
    },
    primitives::{
        cstr::ThinCStr,
        vec::SmallVec, //
    },
};
use kernel::alloc::AllocError;

/// Names that take no allocation, at most.
const INLINE: usize = 8;

/// What has a name. Those of other kinds are not in the way of a search.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Plugin,
    Symbol,
    Export,
}

impl Kind {
    /// Returns the hash of a name of this kind, from that of the name.
    #[inline]
    pub(super) fn hash(self, name: u32) -> u32 {
        // Multiples of an odd number differ.
        name ^ (self as u32).wrapping_mul(0x9e37_79b9)
    }
}

/// The names of one plugin, with their hashes, that are to be linked.
pub(crate) struct NameSet {
    /// Hashes, and items: what has the name is 0 for the plugin, then come its symbols, then its exports.
    names: SmallVec<(u32, u32), INLINE>,
}

impl NameSet {
    /// Hashes the names that a plugin has with `tables`. If the plugin `is_large`, those of its symbols
    /// are left out.
    ///
    /// Context: May sleep.
    pub(crate) fn new(name: &Name, tables: &Tables, is_large: bool) -> Result<Self, AllocError> {
        let (symtab, exports) = (tables.symtab(), tables.exports());
        let symbols = symtab.symbols();
        let num = if is_large { 0 } else { symtab.len() };
        let num_exports = exports.map_or(0, |e| e.len());
        let num = 1 + num as usize + num_exports as usize;
        let mut this = Self {
            names: SmallVec::new(),
        };
        this.names.reserve(num)?;
        this.push(Kind::Plugin, name.as_thin(), 0)?;
        if !is_large {
            for symbol in symtab.named() {
                this.push(Kind::Symbol, symbols.name(symbol), symbol + 1)?;
            }
        }
        for export in 0..num_exports {
            if let Some(name) = exports.and_then(|e| e.name(export)) {
                this.push(Kind::Export, name, symbols.len() + export + 1)?;
            }
        }
        Ok(this)
    }

    fn push(&mut self, kind: Kind, name: ThinCStr<'_>, item: u32) -> Result<(), AllocError> {
        if !name.is_empty() {
            let hash = kind.hash(hash(name.to_cstr().to_bytes()));
            self.names.push((hash, item))?;
        }
        Ok(())
    }

    /// Returns how many names there are.
    pub(super) fn len(&self) -> u32 {
        self.names.len() as u32
    }

    /// Returns the names, each as its hash and its item.
    pub(super) fn names(&self) -> &[(u32, u32)] {
        &self.names
    }
}
