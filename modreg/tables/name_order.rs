// SPDX-License-Identifier: GPL-2.0

//! Hash table of the names of one plugin.
//!
//! The symbols are ordered by the hashes of their names, in buckets of about [`LOAD`]; a bucket is a
//! part of one array. An element is the number of a symbol and 8 bits of its hash: 4.5 bytes a symbol.
//!
//! A reader of any context finds a name in constant time. Nothing changes once it is built.

use super::symbols::Symbols;
use crate::{
    modreg::name::hash,
    primitives::{
        cstr::ThinCStr,
        pages_exact::ExactVec,
        vec::filled, //
    },
};
use kernel::{
    alloc::AllocError,
    prelude::*, //
};

/// Symbols for which there is one bucket.
const LOAD: usize = 8;

/// Bits of an element that are the number of its symbol.
const NUMBER: u32 = 24;

/// # Invariants
///
/// The elements of bucket `i` are those from `starts[i]` to `starts[i + 1]`, by ascending numbers of
/// symbols.
pub(super) struct NameOrder {
    starts: ExactVec<u32>,
    elements: ExactVec<u32>,
}

/// Returns the bucket of a hash.
#[inline]
fn bucket(hash: u32, buckets: usize) -> usize {
    ((u64::from(hash) * buckets as u64) >> 32) as usize
}

/// Returns the element of a symbol.
#[inline]
fn element(hash: u32, symbol: u32) -> u32 {
    hash << NUMBER | symbol
}

impl NameOrder {
    /// Hashes the names of symbols, which come in the order of their table.
    ///
    /// Context: May sleep.
    pub(super) fn new(
        symbols: Symbols<'_>,
        named: impl Iterator<Item = u32>,
    ) -> Result<Self, AllocError> {
        let mut hashes = ExactVec::new();
        for symbol in named {
            let hash = hash(symbols.name(symbol).to_cstr().to_bytes());
            hashes.push((hash, symbol), GFP_KERNEL)?;
        }
        let buckets = hashes.len().div_ceil(LOAD).max(1);
        let mut starts = filled(buckets + 1, 0_u32)?;
        let mut elements = filled(hashes.len(), 0_u32)?;
        for &(hash, _) in &hashes {
            if let Some(count) = starts.get_mut(bucket(hash, buckets)) {
                *count += 1;
            }
        }
        let mut end = 0;
        for start in starts.iter_mut() {
            end += *start;
            *start = end;
        }
        // INVARIANT: Each start was the end of its bucket, which is filled from behind.
        for &(hash, symbol) in hashes.iter().rev() {
            if let Some(start) = starts.get_mut(bucket(hash, buckets)) {
                *start -= 1;
                if let Some(slot) = elements.get_mut(*start as usize) {
                    *slot = element(hash, symbol);
                }
            }
        }
        Ok(Self { starts, elements })
    }

    /// Returns the number of the first symbol called `name`, which has that hash.
    ///
    /// Context: Any, NMI included.
    pub(super) fn find(&self, symbols: Symbols<'_>, name: ThinCStr<'_>, hash: u32) -> Option<u32> {
        let at = bucket(hash, self.starts.len() - 1);
        let (start, end) = (*self.starts.get(at)?, *self.starts.get(at + 1)?);
        let elements = self.elements.get(start as usize..end as usize)?;
        elements.iter().find_map(|&e| {
            let symbol = e & ((1 << NUMBER) - 1);
            let is_it = e == element(hash, symbol) && symbols.name(symbol).cmp(name).is_eq();
            is_it.then_some(symbol)
        })
    }
}
