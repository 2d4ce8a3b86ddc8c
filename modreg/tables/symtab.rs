// SPDX-License-Identifier: GPL-2.0

//! The symbol table of a plugin, with what it is searched by.
//!
//! The symbols stay in the order of their owner's table, and where the owner lends it they stay in that.
//! Beside it are the order by address of `address_order.rs`, and for tables with many symbols the hash
//! table of names of `name_order.rs`. Nothing changes once it is built: the plugin gets other tables
//! instead.

use super::{
    address_order::{
        AddressOrder,
        Few, //
    },
    name_order::NameOrder,
    region::Region,
    symbols::Symbols, //
};
use crate::primitives::{
    cstr::ThinCStr,
    pages_exact::ExactVec,
    vec::FixedVec, //
};
use core::mem::offset_of;
use kernel::{
    alloc::AllocError,
    prelude::*, //
};

/// Symbols whose names are compared one by one, at most.
const FEW: u32 = 16;

/// What symbols are searched by.
///
/// # Invariants
///
/// - `few` has the symbols that an address resolves to, if `orders` has none of them.
/// - There are `orders` unless all members of these would be [`None`].
pub(crate) struct SearchedBy {
    pub(super) few: Few,
    pub(super) orders: Option<KBox<Orders>>,
}

/// The symbols of a plugin with what they are searched by.
///
/// # Invariants
///
/// `orders` are those of a [`SearchedBy`] that was made of `symbols`.
#[derive(Clone, Copy)]
pub(crate) struct Symtab<'a> {
    symbols: Symbols<'a>,
    orders: Option<&'a Orders>,
}

/// What only plugins have that have many symbols, or symbols that readers do not see.
///
/// # Invariants
///
/// - `visible` has the symbols that readers see, in ascending order; it is [`None`] if these are all.
/// - `by_address` has those among them that an address resolves to. It is [`None`] if they are searched
///   without an order.
/// - `by_name` has those among them that are defined and have a name. It is [`None`] if there are at
///   most [`FEW`] symbols.
#[derive(Default)]
pub(crate) struct Orders {
    visible: Option<FixedVec<u32>>,
    pub(super) by_address: Option<AddressOrder>,
    by_name: Option<NameOrder>,
}

impl Orders {
    /// Where the numbers are that debuggers read.
    pub(crate) const VISIBLE: usize = offset_of!(Self, visible);
}

// So its pointer is null if it is `None`.
const _: () = assert!(size_of::<Option<FixedVec<u32>>>() == size_of::<FixedVec<u32>>());

impl SearchedBy {
    /// Orders those `symbols` that do not lie in `hidden`; addresses in `regions` resolve to them.
    ///
    /// Takes a number of steps in the order of `n * log(n)`.
    ///
    /// Context: May sleep.
    pub(crate) fn new(
        symbols: Symbols<'_>,
        regions: &[Region],
        hidden: &[Region],
    ) -> Result<Self, AllocError> {
        // INVARIANT: Readers see all symbols, or the others are hidden here. `few` and the orders come below,
        // before anything is searched.
        let mut this = Self {
            few: Few::NONE,
            orders: None,
        };
        if !hidden.is_empty() {
            let is_hidden = |i: u32| {
                let value = symbols.value(i);
                symbols.is_defined(i) && hidden.iter().any(|r| r.contains(value))
            };
            let mut list = ExactVec::new();
            for i in (0..symbols.len()).filter(|&i| !is_hidden(i)) {
                list.push(i, GFP_KERNEL)?;
            }
            this.orders_mut()?.visible = Some(list.into());
        }
        match Few::new(symbols, this.symtab(symbols).visible(), regions) {
            Some(few) => this.few = few,
            None => {
                let visible = this.symtab(symbols).visible();
                let by_address = AddressOrder::new(symbols, visible, regions)?;
                this.orders_mut()?.by_address = Some(by_address);
            }
        }
        let symtab = this.symtab(symbols);
        if symtab.len() > FEW {
            let by_name = NameOrder::new(symbols, symtab.named())?;
            this.orders_mut()?.by_name = Some(by_name);
        }
        Ok(this)
    }

    /// Returns the orders, of which there may be none yet.
    fn orders_mut(&mut self) -> Result<&mut Orders, AllocError> {
        let orders = match self.orders.take() {
            Some(orders) => orders,
            None => KBox::new(Orders::default(), GFP_KERNEL)?,
        };
        Ok(self.orders.insert(orders))
    }

    /// Returns the symbols, which `self` was made of, with what they are searched by.
    fn symtab<'a>(&'a self, symbols: Symbols<'a>) -> Symtab<'a> {
        Symtab::new(symbols, self.orders.as_deref())
    }
}

impl<'a> Symtab<'a> {
    /// Takes symbols, and the orders of the [`SearchedBy`] that was made of them.
    #[inline(always)]
    pub(super) fn new(symbols: Symbols<'a>, orders: Option<&'a Orders>) -> Self {
        // INVARIANT: Both callers pass the orders that were made of `symbols`.
        Self { symbols, orders }
    }

    /// Returns the numbers of the symbols that readers see; [`None`] if these are all.
    fn seen(self) -> Option<&'a [u32]> {
        self.orders?.visible.as_deref()
    }

    /// Returns the symbols.
    #[inline]
    pub(crate) fn symbols(self) -> Symbols<'a> {
        self.symbols
    }

    /// Returns the number of symbols that readers see.
    ///
    /// Context: Any, NMI included.
    pub(crate) fn len(self) -> u32 {
        self.seen()
            .map_or(self.symbols.len(), |list| list.len() as u32)
    }

    /// Returns the number in the table of the `n`-th symbol that readers see.
    ///
    /// Context: Any, NMI included.
    pub(crate) fn nth(self, n: u32) -> Option<u32> {
        match self.seen() {
            Some(list) => list.get(n as usize).copied(),
            None => (n < self.symbols.len()).then_some(n),
        }
    }

    fn visible(self) -> impl Iterator<Item = u32> + 'a {
        (0..self.len()).filter_map(move |n| self.nth(n))
    }

    /// Returns the numbers of the symbols that are found by their names, in ascending order.
    ///
    /// Context: Any, NMI included.
    pub(crate) fn named(self) -> impl Iterator<Item = u32> + 'a {
        self.visible()
            .filter(move |&i| self.symbols.is_defined(i) && !self.symbols.name(i).is_empty())
    }

    /// Returns the number of the first symbol called `name`; `hash` is to return its [`hash`].
    ///
    /// Takes constant time.
    ///
    /// Context: Any, NMI included.
    ///
    /// [`hash`]: crate::modreg::name::hash
    pub(crate) fn find_name(self, name: ThinCStr<'_>, hash: impl FnOnce() -> u32) -> Option<u32> {
        let by_name = self.orders.and_then(|o| o.by_name.as_ref());
        match by_name {
            Some(order) => order.find(self.symbols, name, hash()),
            None => self
                .named()
                .find(|&i| self.symbols.name(i).cmp(name).is_eq()),
        }
    }
}
