// SPDX-License-Identifier: GPL-2.0

//! Order of a plugin's symbols by address.
//!
//! Up to [`FEW`] symbols are searched where they are. More have, for each address, the offset of the
//! symbol's name and the address itself: 2 bytes for an address that lies near others, behind the
//! address of its block of [`BLOCK`], else 8 bytes.
//!
//! A reader of any context finds the last symbol at or below an address in a logarithmic number of
//! steps, mostly on memory of a byte for four symbols. It looks at no symbol in the owner's table,
//! which is in another order. Nothing changes once it is built.

use super::{
    region::Region,
    symbols::{
        Entry,
        Symbols, //
    },
};
use crate::primitives::{
    pages_exact::ExactVec,
    sort::sort_by,
    vec::filled, //
};
use kernel::{
    alloc::AllocError,
    prelude::*, //
};

/// Symbols that are searched without an order.
const FEW: u32 = 8;

/// Addresses in a block.
const BLOCK: usize = 16;

/// The difference of a slot without an address.
const NONE: u16 = u16::MAX;

/// Symbols by ascending address, of several at one address the first in the table.
///
/// Only symbols that an address can resolve to, as in `find_kallsyms_symbol()`.
pub(super) enum AddressOrder {
    /// Addresses that lie near each other.
    Dense(Dense),
    /// Other addresses.
    Sparse(Sparse),
}

/// Symbols that are searched without an order: bit `i` is set for symbol `i`.
#[derive(Clone, Copy)]
pub(super) struct Few(u8);

const _: () = assert!(FEW <= u8::BITS);

/// # Invariants
///
/// - `blocks` ascend. They are the first addresses of the blocks, less `base`.
/// - `differences` has [`BLOCK`] slots for each block. They ascend from 0; those without an address are
///   [`NONE`].
/// - `names` has the offset of a name for each slot.
pub(super) struct Dense {
    base: usize,
    blocks: ExactVec<u32>,
    differences: ExactVec<u16>,
    names: ExactVec<u32>,
}

/// # Invariants
///
/// `values` ascend. `names` has the offset of a name for each.
pub(super) struct Sparse {
    values: ExactVec<usize>,
    names: ExactVec<u32>,
}

/// The last symbol at or below an address.
pub(super) struct Nearest {
    /// Its address.
    pub(super) value: usize,
    /// The offset of its name.
    pub(super) name: u32,
    /// The address of the next symbol, but not above the limit.
    pub(super) next: usize,
}

/// A symbol that an address can resolve to.
#[derive(Clone, Copy)]
struct Candidate {
    value: usize,
    symbol: u32,
}

/// Returns those of `visible` that an address in `regions` can resolve to.
fn resolving<'a>(
    symbols: Symbols<'a>,
    visible: impl Iterator<Item = u32> + 'a,
    regions: &'a [Region],
) -> impl Iterator<Item = u32> + 'a {
    visible.filter(move |&i| {
        let name = symbols.name(i);
        symbols.is_defined(i)
            && !name.is_empty()
            && !name.is_mapping_symbol()
            && regions.iter().any(|r| r.contains(symbols.value(i)))
    })
}

impl Few {
    /// No symbols.
    pub(super) const NONE: Self = Self(0);

    /// Takes those of `visible` that lie in `regions`. Returns [`None`] if `symbols` want an order.
    pub(super) fn new(
        symbols: Symbols<'_>,
        visible: impl Iterator<Item = u32>,
        regions: &[Region],
    ) -> Option<Self> {
        // Lent symbols are not looked at, since in a report on an oops they may be gone.
        let are_few = symbols.len() <= FEW && matches!(symbols, Symbols::Copied(..));
        are_few.then(|| {
            let bits = resolving(symbols, visible, regions).map(|i| 1 << i);
            Self(bits.fold(0, |mask, bit: u8| mask | bit))
        })
    }

    /// Returns the last symbol at or below `addr`, with the next one up to `limit`.
    ///
    /// Context: Any, NMI included.
    #[inline(never)]
    pub(super) fn nearest(self, entries: &[Entry], addr: usize, limit: usize) -> Option<Nearest> {
        let (mut at, mut next) = (None, limit);
        let few = entries.iter().take(FEW as usize).enumerate();
        for (_, entry) in few.filter(|(i, _)| self.0 & (1 << i) != 0) {
            if entry.value > addr {
                next = next.min(entry.value);
            } else if at.is_none_or(|best: &Entry| entry.value > best.value) {
                at = Some(entry);
            }
        }
        let found = at?;
        Some(Nearest {
            value: found.value,
            name: found.name,
            next,
        })
    }
}

impl AddressOrder {
    /// Orders those of `visible` that lie in `regions`.
    ///
    /// Takes a number of steps in the order of `n * log(n)`.
    ///
    /// Context: May sleep.
    pub(super) fn new(
        symbols: Symbols<'_>,
        visible: impl Iterator<Item = u32>,
        regions: &[Region],
    ) -> Result<Self, AllocError> {
        let mut all = ExactVec::new();
        for symbol in resolving(symbols, visible, regions) {
            let value = symbols.value(symbol);
            all.push(Candidate { value, symbol }, GFP_KERNEL)?;
        }
        sort_by(&mut all, |a, b| {
            a.value.cmp(&b.value).then(a.symbol.cmp(&b.symbol))
        });
        let mut distinct = ExactVec::with_capacity(all.len(), GFP_KERNEL)?;
        let mut last = None;
        for c in all
            .iter()
            .filter(|c| last.replace(c.value) != Some(c.value))
        {
            distinct.push(*c, GFP_KERNEL)?;
        }
        drop(all);

        Ok(match Dense::new(symbols, &distinct)? {
            Some(dense) => Self::Dense(dense),
            None => Self::Sparse(Sparse::new(symbols, &distinct)?),
        })
    }

    /// Returns the last symbol at or below `addr`, with the next one up to `limit`.
    ///
    /// Context: Any, NMI included.
    #[inline(always)]
    pub(super) fn nearest(&self, addr: usize, limit: usize) -> Option<Nearest> {
        match self {
            Self::Dense(dense) => dense.nearest(addr, limit),
            Self::Sparse(sparse) => sparse.nearest(addr, limit),
        }
    }
}

impl Dense {
    /// Takes ascending addresses, unless they would need more memory than as [`Sparse`].
    fn new(symbols: Symbols<'_>, all: &[Candidate]) -> Result<Option<Self>, AllocError> {
        let base = all.first().map_or(0, |c| c.value);
        let fits = |c: &Candidate| u32::try_from(c.value - base).is_ok();
        // Whether an address begins a block, after those before it.
        let begins = |block: &mut (usize, usize), value: usize| {
            let (first, len) = *block;
            let begins = len % BLOCK == 0 || value - first >= NONE.into();
            *block = if begins { (value, 1) } else { (first, len + 1) };
            begins
        };
        let mut block = (0, 0);
        let num = all.iter().filter(|c| begins(&mut block, c.value)).count();
        // 6 bytes a slot and 4 a block, or 12 an address.
        if !all.last().is_none_or(fits) || num * (BLOCK * 6 + 4) > all.len().max(BLOCK) * 12 {
            return Ok(None);
        }

        let mut this = Self {
            base,
            blocks: ExactVec::with_capacity(num, GFP_KERNEL)?,
            differences: filled(num * BLOCK, NONE)?,
            names: filled(num * BLOCK, u32::MAX)?,
        };
        let mut block = (0, 0);
        // INVARIANT: The addresses ascend, and a block begins where the difference would not fit.
        for c in all {
            if begins(&mut block, c.value) {
                this.blocks.push((c.value - base) as u32, GFP_KERNEL)?;
            }
            let (first, len) = block;
            let slot = this.blocks.len().wrapping_sub(1) * BLOCK + len - 1;
            let slots = this.differences.get_mut(slot).zip(this.names.get_mut(slot));
            if let Some((difference, name)) = slots {
                *difference = (c.value - first) as u16;
                *name = symbols.name_offset(c.symbol);
            }
        }
        Ok(Some(this))
    }

    #[inline(always)]
    fn nearest(&self, addr: usize, limit: usize) -> Option<Nearest> {
        let offset = addr.checked_sub(self.base)?;
        let offset = u32::try_from(offset).unwrap_or(u32::MAX);
        let at = self
            .blocks
            .partition_point(|&b| b <= offset)
            .checked_sub(1)?;
        let block = *self.blocks.get(at)?;
        let slots: &[u16; BLOCK] = self.differences.get(at * BLOCK..)?.first_chunk()?;
        let difference = (offset - block).min(u32::from(NONE) - 1) as u16;
        // In two steps, without a branch.
        let counts = |i: usize| usize::from(slots.get(i).is_some_and(|&d| d <= difference));
        let quarter = 4 * (counts(4) + counts(8) + counts(12));
        let num = quarter
            + counts(quarter)
            + counts(quarter + 1)
            + counts(quarter + 2)
            + counts(quarter + 3);
        let last = num.checked_sub(1)?;
        let next = match slots.get(num) {
            Some(&d) if d != NONE => Some(block + u32::from(d)),
            _ => self.blocks.get(at + 1).copied(),
        };
        Some(Nearest {
            value: self.base + block as usize + usize::from(*slots.get(last)?),
            name: *self.names.get(at * BLOCK + last)?,
            next: next.map_or(limit, |next| limit.min(self.base + next as usize)),
        })
    }
}

impl Sparse {
    fn new(symbols: Symbols<'_>, all: &[Candidate]) -> Result<Self, AllocError> {
        let mut this = Self {
            values: ExactVec::with_capacity(all.len(), GFP_KERNEL)?,
            names: ExactVec::with_capacity(all.len(), GFP_KERNEL)?,
        };
        for c in all {
            this.values.push(c.value, GFP_KERNEL)?;
            this.names.push(symbols.name_offset(c.symbol), GFP_KERNEL)?;
        }
        Ok(this)
    }

    #[inline(never)]
    fn nearest(&self, addr: usize, limit: usize) -> Option<Nearest> {
        let next = self.values.partition_point(|&v| v <= addr);
        let at = next.checked_sub(1)?;
        Some(Nearest {
            value: *self.values.get(at)?,
            name: *self.names.get(at)?,
            next: self.values.get(next).map_or(limit, |&v| limit.min(v)),
        })
    }
}
