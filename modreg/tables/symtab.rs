// SPDX-License-Identifier: GPL-2.0

//! A plugin's symbol table, and how it is searched.
//!
//! The symbols stay in the form and the order of their owner's ELF table, as in `struct
//! mod_kallsyms`, and are borrowed where the owner allows it. On top of that there are, for one
//! symbol, 4 bytes for its place in the order of addresses, and for every other one 4 bytes for its
//! address, so that a search looks at two of the symbols themselves. Names are found over all plugins
//! at once, in `names.rs`.

use crate::{
    modreg::{
        error::Refusal,
        tables::region::Region, //
    },
    primitives::{
        borrowed::MaybeOwned,
        cstr::{
            StrTab,
            ThinCStr, //
        },
        nofault::{
            copy_string,
            read_u32,
            read_word, //
        },
        sort::sort_by, //
    },
};
use core::mem::offset_of;
use kernel::{
    bindings::Elf64_Sym,
    prelude::*,
    sync::Arc, //
};

/// ELF's section number of a symbol that is defined elsewhere.
const SHN_UNDEF: u16 = 0;

/// Symbols in the order of their table, with their names and type letters.
pub(crate) struct Symbols {
    syms: MaybeOwned<Elf64_Sym>,
    names: StrTab<MaybeOwned<u8>>,
    types: MaybeOwned<u8>,
}

impl Symbols {
    /// Where the parts are.
    pub(crate) const SYMS: usize = offset_of!(Self, syms);
    pub(crate) const NAMES: usize = offset_of!(Self, names);
    pub(crate) const TYPES: usize = offset_of!(Self, types);

    /// Takes the parts of a table: `types` has one letter for each symbol.
    pub(crate) fn new(
        syms: MaybeOwned<Elf64_Sym>,
        names: StrTab<MaybeOwned<u8>>,
        types: MaybeOwned<u8>,
    ) -> Self {
        Self { syms, names, types }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> u32 {
        self.syms.len() as u32
    }

    /// The name of symbol `i`.
    #[inline]
    pub(crate) fn name(&self, i: u32) -> ThinCStr<'_> {
        match self.syms.get(i as usize) {
            Some(sym) => self.names.get(sym.st_name),
            None => c"".into(),
        }
    }

    /// Returns the address of symbol `i` where the table may be unmapped.
    fn value_nofault(&self, i: u32) -> Option<usize> {
        let at = self.syms.address(i)?;
        read_word(at.wrapping_add(offset_of!(Elf64_Sym, st_value)))
    }

    /// Copies the name of symbol `i` where the table may be unmapped.
    fn name_nofault(&self, i: u32, name: &mut [u8]) -> bool {
        let at = self.syms.address(i);
        let at = at.and_then(|at| read_u32(at.wrapping_add(offset_of!(Elf64_Sym, st_name))));
        let at = at.and_then(|offset| self.names.address(offset));
        at.is_some_and(|at| copy_string(at, name))
    }

    /// The address of symbol `i`, as `kallsyms_symbol_value()`.
    #[inline]
    pub(crate) fn value(&self, i: u32) -> usize {
        self.syms
            .get(i as usize)
            .map_or(0, |sym| sym.st_value as usize)
    }

    /// The type letter of symbol `i`.
    pub(crate) fn letter(&self, i: u32) -> u8 {
        self.types.get(i as usize).copied().unwrap_or(b'?')
    }

    /// Whether symbol `i` is defined here.
    pub(crate) fn is_defined(&self, i: u32) -> bool {
        self.syms
            .get(i as usize)
            .is_some_and(|sym| sym.st_shndx != SHN_UNDEF)
    }
}

/// A symbol's address and number, while tables are made.
#[derive(Clone, Copy)]
struct Candidate {
    value: usize,
    symbol: u32,
}

/// A symbol that an address lies in.
pub(crate) struct Found<'a> {
    /// Its name.
    pub(crate) name: ThinCStr<'a>,
    /// Bytes to the next symbol or to the region's end.
    pub(crate) size: usize,
    /// Bytes from the symbol to the address.
    pub(crate) offset: usize,
}

/// Symbols with the indexes over them.
///
/// # Invariants
///
/// - `order` has the symbols that an address can resolve to, by ascending address, one for each
///   address.
/// - `base` is not above any address of the regions.
/// - `samples[i]` is the address of `order[2 * i]`, less `base`.
pub(crate) struct Symtab {
    symbols: Arc<Symbols>,
    /// The symbols that readers see, where that is not all of them.
    visible: Option<MaybeOwned<u32>>,
    order: KVVec<u32>,
    base: usize,
    /// Nothing where the symbols lie too far apart.
    samples: Option<KVVec<u32>>,
}

impl Symtab {
    /// Where the parts are that debuggers read.
    pub(crate) const SYMBOLS: usize = offset_of!(Self, symbols);
    pub(crate) const VISIBLE: usize = offset_of!(Self, visible);

    /// Makes the indexes for those `symbols` that do not lie in `hidden`, and notes in `regions`
    /// which part of the order is whose. Takes time in the order of `n * log(n)`. May sleep.
    pub(crate) fn new(
        symbols: Arc<Symbols>,
        regions: &mut [Region],
        hidden: &[Region],
    ) -> Result<Self, Refusal> {
        let is_hidden = |i: u32| {
            let value = symbols.value(i);
            symbols.is_defined(i) && hidden.iter().any(|r| r.contains(value))
        };

        let mut visible = None;
        if !hidden.is_empty() {
            let mut list = KVVec::new();
            for i in (0..symbols.len()).filter(|&i| !is_hidden(i)) {
                list.push(i, GFP_KERNEL)?;
            }
            visible = Some(MaybeOwned::own(list));
        }
        let count = visible.as_ref().map_or(symbols.len(), |v| v.len() as u32);
        let nth = |n: u32| nth(&visible, n);

        let mut places = KVVec::with_capacity(count as usize, GFP_KERNEL)?;
        for symbol in (0..count).map(nth) {
            let (name, value) = (symbols.name(symbol), symbols.value(symbol));
            // As find_kallsyms_symbol().
            if symbols.is_defined(symbol)
                && !name.is_empty()
                && !name.is_mapping_symbol()
                && regions.iter().any(|r| r.contains(value))
            {
                places.push(Candidate { value, symbol }, GFP_KERNEL)?;
            }
        }
        // Among aliases the first of the table wins.
        sort_by(&mut places, |a, b| {
            a.value.cmp(&b.value).then(a.symbol.cmp(&b.symbol))
        });

        // INVARIANT: Sorted above; aliases are left out here.
        let mut order = KVVec::with_capacity(places.len(), GFP_KERNEL)?;
        let base = regions.iter().map(|r| r.base).min().unwrap_or(0);
        let highest = places.last().map_or(base, |p| p.value);
        let mut samples = match u32::try_from(highest.wrapping_sub(base)) {
            Ok(_) => Some(KVVec::with_capacity(places.len().div_ceil(2), GFP_KERNEL)?),
            Err(_) => None,
        };
        let mut last = None;
        for place in places
            .iter()
            .filter(|p| last.replace(p.value) != Some(p.value))
        {
            if let Some(samples) = samples.as_mut().filter(|_| order.len() % 2 == 0) {
                samples.push(place.value.wrapping_sub(base) as u32, GFP_KERNEL)?;
            }
            order.push(place.symbol, GFP_KERNEL)?;
        }
        drop(places);

        for r in regions.iter_mut() {
            let below = |addr: usize| order.partition_point(|&i| symbols.value(i) < addr) as u32;
            r.symbols = below(r.base)..below(r.base.wrapping_add(r.size));
        }

        Ok(Self {
            symbols,
            visible,
            order,
            base,
            samples,
        })
    }

    /// How many symbols readers see.
    pub(crate) fn len(&self) -> u32 {
        self.visible
            .as_ref()
            .map_or(self.symbols.len(), |v| v.len() as u32)
    }

    /// The symbols.
    pub(crate) fn symbols(&self) -> &Arc<Symbols> {
        &self.symbols
    }

    /// The number in the table of the `n`-th symbol that readers see. Constant; from any context.
    pub(crate) fn nth(&self, n: u32) -> Option<u32> {
        (n < self.len()).then(|| nth(&self.visible, n))
    }

    /// Finds the symbol at or below `addr` in `region`, as [`Symtab::find`], where the table may be
    /// unmapped.
    ///
    /// Copies its name, and returns the offset of `addr` and the symbol's size.
    ///
    /// Context: Any, NMI included.
    pub(crate) fn find_nofault(
        &self,
        addr: usize,
        region: &Region,
        name: &mut [u8],
    ) -> Option<(usize, usize)> {
        let order = self
            .order
            .get(region.symbols.start as usize..region.symbols.end as usize)?;
        let (mut low, mut high) = (0, order.len());
        while low < high {
            let middle = low.wrapping_add(high) / 2;
            if self.symbols.value_nofault(*order.get(middle)?)? <= addr {
                low = middle.wrapping_add(1);
            } else {
                high = middle;
            }
        }
        let symbol = *order.get(low.checked_sub(1)?)?;
        let value = self.symbols.value_nofault(symbol)?;
        let end = match order.get(low) {
            Some(&next) => self.symbols.value_nofault(next)?,
            None => region.base.wrapping_add(region.size),
        };
        let offset = addr.wrapping_sub(value);
        let copied = self.symbols.name_nofault(symbol, name);
        copied.then_some((offset, end.wrapping_sub(value)))
    }

    /// The symbol at or below `addr` in `region`, as `find_kallsyms_symbol()`. Logarithmic; from
    /// any context.
    #[inline]
    pub(crate) fn find(&self, addr: usize, region: &Region) -> Option<Found<'_>> {
        let (low, high) = (region.symbols.start as usize, region.symbols.end as usize);
        let symbol_value = |at: usize| self.order.get(at).map_or(0, |&i| self.symbols.value(i));

        // Where the first symbol above the address is in the order.
        let above = match &self.samples {
            Some(samples) => {
                let first = low.div_ceil(2);
                let offset = addr.wrapping_sub(self.base).min(u32::MAX as usize) as u32;
                let n = samples
                    .get(first..high.div_ceil(2))?
                    .partition_point(|&sample| sample <= offset);
                let above = first.wrapping_add(n).wrapping_mul(2).min(high);
                // There is one symbol between two samples.
                let between = above.wrapping_sub(1);
                if above > low && symbol_value(between) > addr {
                    between
                } else {
                    above
                }
            }
            None => self
                .order
                .get(low..high)?
                .partition_point(|&i| self.symbols.value(i) <= addr)
                .wrapping_add(low),
        };
        let end = match &self.samples {
            _ if above >= high => region.base.wrapping_add(region.size),
            Some(samples) if above % 2 == 0 => {
                let sample = samples.get(above / 2).copied().unwrap_or(0);
                self.base.wrapping_add(sample as usize)
            }
            _ => symbol_value(above),
        };
        let symbol = *self.order.get(low..above)?.last()?;
        let value = self.symbols.value(symbol);
        Some(Found {
            name: self.symbols.name(symbol),
            size: end.wrapping_sub(value),
            offset: addr.wrapping_sub(value),
        })
    }
}

fn nth(visible: &Option<MaybeOwned<u32>>, n: u32) -> u32 {
    match visible {
        Some(list) => list.get(n as usize).copied().unwrap_or(u32::MAX),
        None => n,
    }
}
