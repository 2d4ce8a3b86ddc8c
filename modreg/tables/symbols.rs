// SPDX-License-Identifier: GPL-2.0

//! The symbols of a plugin, in the order of their table.
//!
//! Few copied symbols are the tail of the plugin's tables. More are in memory of their own, which the
//! tables before and after init share, as what their owner lends is.

use crate::primitives::{
    borrowed::Borrowed,
    cstr::{
        StrTab,
        ThinCStr, //
    },
    nofault::copy_string,
    vec::{
        FixedVec,
        SmallVec, //
    },
};
use core::{
    ffi::CStr,
    mem, //
};
use kernel::{
    alloc::AllocError,
    bindings::Elf64_Sym,
    prelude::*,
    sync::Arc, //
};

/// ELF's section number of an undefined symbol.
const SHN_UNDEF: u16 = 0;

/// Symbols that are a tail, at most.
const TAIL: usize = 8;

/// Bytes of these and of their names, at most: with them, tables take 256.
const TAIL_BYTES: usize = 192;

/// A symbol that was copied.
#[derive(Clone, Copy)]
pub(crate) struct Entry {
    pub(crate) value: usize,
    /// The offset of its name.
    pub(crate) name: u32,
    pub(crate) letter: u8,
    is_defined: bool,
}

/// Copied symbols in memory of their own.
#[repr(C)]
pub(crate) struct Copied {
    pub(crate) entries: FixedVec<Entry>,
    pub(crate) names: StrTab<FixedVec<u8>>,
}

/// An ELF symbol table, its strings and its letters, where their owner has them; as in `struct
/// mod_kallsyms`.
#[repr(C)]
pub(crate) struct Lent {
    pub(crate) syms: Borrowed<Elf64_Sym>,
    pub(crate) names: StrTab<Borrowed<u8>>,
    pub(crate) letters: Borrowed<u8>,
}

/// Symbols that are not part of the tables.
///
/// A debugger reads the tag, and what follows it.
#[repr(C, usize)]
pub(crate) enum Shared {
    /// Copies.
    Copied(Copied),
    /// Those of their owner.
    Lent(Lent),
}

impl Shared {
    /// The offset of what follows the tag.
    pub(crate) const CONTENT: usize = size_of::<usize>();

    /// Returns the symbols.
    #[inline]
    pub(crate) fn symbols(&self) -> Symbols<'_> {
        match self {
            Self::Copied(c) => Symbols::Copied(&c.entries, c.names.borrow()),
            Self::Lent(l) => Symbols::Lent(l),
        }
    }
}

/// Symbols with their names and type letters.
#[derive(Clone, Copy)]
pub(crate) enum Symbols<'a> {
    /// Copies, and their names.
    Copied(&'a [Entry], StrTab<&'a [u8]>),
    /// Those of their owner.
    Lent(&'a Lent),
}

impl<'a> Symbols<'a> {
    /// Returns the number of symbols.
    pub(crate) fn len(self) -> u32 {
        match self {
            Self::Copied(entries, _) => entries.len() as u32,
            Self::Lent(l) => l.syms.len() as u32,
        }
    }

    /// Returns the offset of the name of symbol `i`, for [`Symbols::name_at`].
    #[inline]
    pub(crate) fn name_offset(self, i: u32) -> u32 {
        let offset = match self {
            Self::Copied(entries, _) => entries.get(i as usize).map(|e| e.name),
            Self::Lent(l) => l.syms.get(i as usize).map(|s| s.st_name),
        };
        offset.unwrap_or(u32::MAX)
    }

    /// Returns the name at an offset, or the empty string past the end.
    #[inline]
    pub(crate) fn name_at(self, offset: u32) -> ThinCStr<'a> {
        match self {
            Self::Copied(_, names) => names.at(offset),
            Self::Lent(l) => l.names.get(offset),
        }
    }

    /// Copies the name at an offset, which ends in NUL in `name`. Returns whether it can be read.
    ///
    /// Context: Any, NMI included.
    pub(crate) fn copy_name_nofault(self, offset: u32, name: &mut [u8]) -> bool {
        let address = match self {
            Self::Copied(_, names) => names.address(offset),
            Self::Lent(l) => l.names.address(offset),
        };
        address.is_some_and(|address| copy_string(address, name))
    }

    /// Returns the name of symbol `i`.
    #[inline]
    pub(crate) fn name(self, i: u32) -> ThinCStr<'a> {
        self.name_at(self.name_offset(i))
    }

    /// Returns the address of symbol `i`, as `kallsyms_symbol_value()`.
    #[inline]
    pub(crate) fn value(self, i: u32) -> usize {
        let value = match self {
            Self::Copied(entries, _) => entries.get(i as usize).map(|e| e.value),
            Self::Lent(l) => l.syms.get(i as usize).map(|s| s.st_value as usize),
        };
        value.unwrap_or(0)
    }

    /// Returns the type letter of symbol `i`.
    pub(crate) fn letter(self, i: u32) -> u8 {
        let letter = match self {
            Self::Copied(entries, _) => entries.get(i as usize).map(|e| e.letter),
            Self::Lent(l) => l.letters.get(i as usize).copied(),
        };
        letter.unwrap_or(b'?')
    }

    /// Returns whether symbol `i` is defined in this table.
    pub(crate) fn is_defined(self, i: u32) -> bool {
        match self {
            Self::Copied(entries, _) => entries.get(i as usize).is_some_and(|e| e.is_defined),
            Self::Lent(l) => l
                .syms
                .get(i as usize)
                .is_some_and(|s| s.st_shndx != SHN_UNDEF),
        }
    }
}

/// Symbols for tables that are to be made.
pub(crate) enum Source<'a> {
    /// The tables get copies of these.
    Tail(&'a [Entry], StrTab<&'a [u8]>),
    /// The tables get a reference to these.
    Shared(Arc<Shared>),
}

impl Source<'_> {
    /// Returns the symbols.
    pub(crate) fn symbols(&self) -> Symbols<'_> {
        match self {
            Self::Tail(entries, names) => Symbols::Copied(entries, *names),
            Self::Shared(shared) => shared.symbols(),
        }
    }
}

/// Symbols that are being copied.
pub(crate) struct Copies {
    entries: SmallVec<Entry, TAIL>,
    names: SmallVec<u8, TAIL_BYTES>,
}

impl Copies {
    /// Begins without symbols.
    pub(crate) fn new() -> Self {
        Self {
            entries: SmallVec::new(),
            names: SmallVec::new(),
        }
    }

    /// Makes room for `num` symbols in all.
    ///
    /// Context: May sleep.
    pub(crate) fn reserve(&mut self, num: usize) -> Result<(), AllocError> {
        self.entries.reserve(num)
    }

    /// Adds a symbol; `value` is [`None`] for one that is not defined.
    ///
    /// # Errors
    ///
    /// - `E2BIG` if the names take 4 GiB.
    /// - `ENOMEM` if out of memory.
    ///
    /// Context: May sleep.
    pub(crate) fn push(&mut self, name: &CStr, value: Option<usize>, letter: u8) -> Result {
        let entry = Entry {
            value: value.unwrap_or(0),
            name: u32::try_from(self.names.len()).map_err(|_| E2BIG)?,
            letter,
            is_defined: value.is_some(),
        };
        self.names.extend_from_slice(name.to_bytes_with_nul())?;
        self.entries.push(entry)?;
        Ok(())
    }

    /// Returns the copied symbols; `self` is empty afterwards if they are many.
    ///
    /// Context: May sleep.
    pub(crate) fn finish(&mut self) -> Result<Source<'_>> {
        let bytes = size_of_val(&*self.entries).saturating_add(self.names.len());
        if self.entries.is_small() && bytes <= TAIL_BYTES {
            let names = StrTab::new(&*self.names).ok_or(EINVAL)?;
            return Ok(Source::Tail(&self.entries, names));
        }
        let Self { entries, names } = mem::replace(self, Self::new());
        let copied = Copied {
            entries: entries.into_vec()?.into(),
            names: StrTab::new(names.into_vec()?.into()).ok_or(EINVAL)?,
        };
        Ok(Source::Shared(Arc::new(
            Shared::Copied(copied),
            GFP_KERNEL,
        )?))
    }
}
