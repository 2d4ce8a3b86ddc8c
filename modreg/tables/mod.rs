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
    address_order::{
        Few,
        Nearest, //
    },
    exports::{
        ExportTab,
        Exports, //
    },
    extable::Extable,
    symbols::{
        Entry,
        Shared,
        Source,
        Symbols, //
    },
    symtab::{
        Orders,
        SearchedBy,
        Symtab, //
    },
};
use crate::primitives::{
    cstr::{
        StrTab,
        ThinCStr, //
    },
    module::LentModule,
    rcu::{
        RcuBox,
        RcuOwned, //
    },
    tailed::Tailed, //
};
use core::mem::offset_of;
use kernel::{
    alloc::AllocError,
    prelude::*,
    sync::Arc, //
};

/// All that readers find in one plugin, which is replaced as a whole.
///
/// The tail has the symbols that are part of it.
pub(crate) type Tables = Tailed<Head, Entry>;

/// The tables without their tail.
///
/// # Invariants
///
/// `orders`, `few` and marked exports of `others` were made of these symbols.
pub(crate) struct Head {
    /// The module that owns the plugin.
    pub(crate) owner: LentModule,
    /// Its symbols; [`None`] if these are the tail.
    shared: Option<Arc<Shared>>,
    /// What they are searched by, as in [`SearchedBy`].
    orders: Option<KBox<Orders>>,
    few: Few,
    /// Exports and exception entries; [`None`] if it has neither.
    others: Option<KBox<Others>>,
    /// Whether these are those until the plugin is LIVE.
    pub(crate) is_init: bool,
    /// 0 or 1; other than that of the tables before. Names of these tables count while the plugin has
    /// this version.
    pub(crate) version: u8,
}

// With a symbol whose name has 15 characters, this is 96, as the allocator has it.
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

/// The symbol that an address lies in.
pub(crate) struct Found<'a> {
    /// Its name.
    pub(crate) name: ThinCStr<'a>,
    /// Bytes to the next symbol or to the end of the region.
    pub(crate) size: usize,
    /// Bytes from the symbol to the address.
    pub(crate) offset: usize,
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
    /// Where the members are that debuggers read.
    pub(crate) const SHARED: usize = Self::VALUE + offset_of!(Head, shared);
    pub(crate) const ORDERS: usize = Self::VALUE + offset_of!(Head, orders);
    pub(crate) const IS_INIT: usize = Self::VALUE + offset_of!(Head, is_init);

    /// Creates tables with these contents; with `is_init`, those until the plugin is LIVE.
    ///
    /// `by` must be made of the symbols of `source`, and so must marked `exports`.
    ///
    /// # Errors
    ///
    /// [`AllocError`] if out of memory.
    ///
    /// Context: May sleep.
    pub(crate) fn new(
        owner: LentModule,
        source: &Source<'_>,
        by: SearchedBy,
        exports: Option<Exports>,
        extable: Extable,
        is_init: bool,
    ) -> Result<RcuOwned<Self>, AllocError> {
        let others = (exports.is_some() || !extable.is_empty())
            .then(|| KBox::new(Others { exports, extable }, GFP_KERNEL))
            .transpose()?;
        let (shared, entries, names) = match source {
            Source::Tail(entries, names) => (None, *entries, *names),
            Source::Shared(shared) => (Some(shared.clone()), &[][..], StrTab::empty()),
        };
        // INVARIANT: As asked for above.
        let head = Head {
            owner,
            shared,
            orders: by.orders,
            few: by.few,
            others,
            is_init,
            version: is_init.into(),
        };
        RcuBox::with_tail(head, entries, names)
    }

    /// Returns the symbols.
    ///
    /// Context: Any, NMI included.
    #[inline(always)]
    pub(crate) fn symbols(&self) -> Symbols<'_> {
        match &self.shared {
            Some(shared) => shared.symbols(),
            None => Symbols::Copied(self.elements(), self.strings()),
        }
    }

    /// Returns the symbols with what they are searched by.
    ///
    /// Context: Any, NMI included.
    #[inline(always)]
    pub(crate) fn symtab(&self) -> Symtab<'_> {
        Symtab::new(self.symbols(), self.orders.as_deref())
    }

    /// Returns the symbol at or below `addr`, which lies in the `size` bytes at `base` of a region, as
    /// `find_kallsyms_symbol()`.
    ///
    /// Takes a logarithmic number of steps.
    ///
    /// Context: Any, NMI included.
    #[inline(always)]
    pub(crate) fn find(&self, addr: usize, base: usize, size: usize) -> Option<Found<'_>> {
        let (nearest, size) = self.nearest(addr, base, size)?;
        Some(Found {
            name: self.symbols().name_at(nearest.name),
            size,
            offset: addr.wrapping_sub(nearest.value),
        })
    }

    /// Returns the symbol at or below `addr` in a region, and its size.
    #[inline(always)]
    fn nearest(&self, addr: usize, base: usize, size: usize) -> Option<(Nearest, usize)> {
        let end = base.wrapping_add(size);
        let order = self.orders.as_ref().and_then(|o| o.by_address.as_ref());
        let nearest = match order {
            Some(order) => order.nearest(addr, end),
            None => match self.symbols() {
                Symbols::Copied(entries, _) => self.few.nearest(entries, addr, end),
                Symbols::Lent(_) => None,
            },
        }?;
        if nearest.value < base {
            // It lies in another region.
            return None;
        }
        let size = nearest.next.wrapping_sub(nearest.value);
        Some((nearest, size))
    }

    /// Finds the symbol at or below `addr`, as [`Tables::find`], where a borrowed table may be unmapped.
    ///
    /// Copies its name, and returns the offset of `addr` and the symbol's size.
    ///
    /// Context: Any, NMI included.
    pub(crate) fn find_nofault(
        &self,
        addr: usize,
        base: usize,
        size: usize,
        name: &mut [u8],
    ) -> Option<(usize, usize)> {
        // The order by address is memory of its own, and so are copies.
        let (nearest, size) = self.nearest(addr, base, size)?;
        let copied = self.symbols().copy_name_nofault(nearest.name, name);
        copied.then_some((addr.wrapping_sub(nearest.value), size))
    }

    /// Returns the exported symbols; [`None`] if there are none.
    ///
    /// Context: Any, NMI included.
    pub(crate) fn exports(&self) -> Option<ExportTab<'_>> {
        let exports = self.others.as_ref()?.exports.as_ref()?;
        Some(ExportTab::new(exports, self.symbols()))
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
        let symtab = self.symtab();
        let (i, symbols) = (symtab.nth(n)?, symtab.symbols());
        let (name, value) = (symbols.name(i), symbols.value(i));
        Some(Listed {
            value,
            letter: symbols.letter(i),
            name,
            exported: self.is_exported(name, value),
        })
    }
}
