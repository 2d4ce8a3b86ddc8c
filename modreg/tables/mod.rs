// SPDX-License-Identifier: GPL-2.0

//! All that readers find in one plugin.

mod address_order;
pub(crate) mod exports;
pub(crate) mod extable;
mod name_order;
pub(crate) mod region;
pub(crate) mod symbols;
pub(crate) mod symtab;

use self::{
    exports::Exports,
    extable::Extable,
    symtab::Symtab, //
};
use crate::primitives::{
    cstr::ThinCStr,
    module::LentModule,
    rcu::RcuBox, //
};
use kernel::{
    alloc::AllocError,
    prelude::*, //
};

/// All that readers find in one plugin, which is replaced as a whole.
pub(crate) struct Tables {
    /// The module that owns the plugin.
    pub(crate) owner: LentModule,
    /// Its symbols.
    pub(crate) symtab: Symtab,
    /// Exports and exception entries; [`None`] if it has neither.
    others: Option<KBox<Others>>,
    /// Whether these are those until the plugin is LIVE.
    pub(crate) is_init: bool,
    /// 0 or 1; other than that of the tables before. Names of these tables count while the plugin has
    /// this version.
    pub(crate) version: u8,
}

// One byte more would take 32, in the allocator.
const _: () = assert!(size_of::<RcuBox<Tables>>() <= 64);

/// What most plugins have none of.
struct Others {
    exports: Option<Exports>,
    extable: Extable,
}

/// One symbol of a listing.
pub(crate) struct Listed<'a> {
    /// Its address.
    pub(crate) value: usize,
    /// Its type letter.
    pub(crate) letter: u8,
    /// Its name; empty for some that only debuggers care for.
    pub(crate) name: ThinCStr<'a>,
    /// Whether its plugin exports it.
    pub(crate) exported: bool,
}

impl Listed<'_> {
    /// Returns a symbol without a name, which listings leave out.
    pub(crate) fn nameless() -> Self {
        Self {
            value: 0,
            letter: b'?',
            name: c"".into(),
            exported: false,
        }
    }

    /// The letter as `/proc/kallsyms` shows it: upper case if the symbol is exported.
    pub(crate) fn shown_letter(&self) -> u8 {
        if self.exported {
            self.letter.to_ascii_uppercase()
        } else {
            self.letter.to_ascii_lowercase()
        }
    }
}

impl Tables {
    /// Creates tables with these contents; with `is_init`, those until the plugin is LIVE.
    ///
    /// # Errors
    ///
    /// [`AllocError`] if out of memory.
    ///
    /// Context: May sleep.
    pub(crate) fn new(
        owner: LentModule,
        symtab: Symtab,
        exports: Option<Exports>,
        extable: Extable,
        is_init: bool,
    ) -> Result<Self, AllocError> {
        let others = (exports.is_some() || !extable.is_empty())
            .then(|| KBox::new(Others { exports, extable }, GFP_KERNEL))
            .transpose()?;
        Ok(Self {
            owner,
            symtab,
            others,
            is_init,
            version: is_init.into(),
        })
    }

    /// Returns the exported symbols; [`None`] if there are none.
    ///
    /// Context: Any, NMI included.
    pub(crate) fn exports(&self) -> Option<&Exports> {
        self.others.as_ref()?.exports.as_ref()
    }

    /// Returns the exception entries; [`None`] if there are none.
    ///
    /// Context: Any, NMI included.
    pub(crate) fn extable(&self) -> Option<&Extable> {
        self.others.as_ref().map(|others| &others.extable)
    }

    fn is_exported(&self, name: ThinCStr<'_>, value: usize) -> bool {
        let found = self.exports().and_then(|e| e.find(name));
        found.is_some_and(|(v, _)| v == value)
    }

    /// The `n`-th symbol that readers see. Constant but for asking whether it is exported.
    pub(crate) fn listed(&self, n: u32) -> Option<Listed<'_>> {
        let i = self.symtab.nth(n)?;
        let symbols = self.symtab.symbols();
        let (name, value) = (symbols.name(i), symbols.value(i));
        Some(Listed {
            value,
            letter: symbols.letter(i),
            name,
            exported: self.is_exported(name, value),
        })
    }
}
