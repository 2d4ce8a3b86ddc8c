// SPDX-License-Identifier: GPL-2.0

//! Elements of an array that are used again.
//!
//! An element that is given back is used again a grace period later, when no reader can be on it. Free
//! elements are chained by a link of their own.

use crate::{
    modreg::lock::LOCK,
    primitives::{
        atomic::load_relaxed,
        rcu::{
            GracePeriod,
            Held, //
        },
    },
};
use kernel::sync::atomic::{
    Atomic,
    Relaxed, //
};

/// Elements that are chained from `first` to `last`, by their numbers.
#[derive(Clone, Copy, Default)]
pub(super) struct Chain {
    pub(super) first: u32,
    pub(super) last: u32,
    pub(super) len: u32,
}

/// A chain in memory that only the holder of the lock changes.
struct ChainCell {
    first: Atomic<u32>,
    last: Atomic<u32>,
    len: Atomic<u32>,
}

impl ChainCell {
    const fn new() -> Self {
        Self {
            first: Atomic::new(0),
            last: Atomic::new(0),
            len: Atomic::new(0),
        }
    }

    fn get(&self) -> Chain {
        Chain {
            first: load_relaxed(&self.first),
            last: load_relaxed(&self.last),
            len: load_relaxed(&self.len),
        }
    }

    fn set(&self, chain: Chain) {
        self.first.store(chain.first, Relaxed);
        self.last.store(chain.last, Relaxed);
        self.len.store(chain.len, Relaxed);
    }

    /// Adds another chain in front.
    fn prepend<'a>(&self, chain: Chain, link: impl Fn(u32) -> Option<&'a Atomic<u32>>) {
        let rest = self.get();
        if rest.len == 0 {
            return self.set(chain);
        }
        if let Some(end) = link(chain.last) {
            end.store(rest.first, Relaxed);
        }
        self.set(Chain {
            first: chain.first,
            last: rest.last,
            len: chain.len + rest.len,
        });
    }
}

/// The free elements of an array, by their numbers. Number 0 is never used.
///
/// # Invariants
///
/// - Elements beyond `used` were never used.
/// - No reader is on an element of `free`, nor on one of `older` once its grace period has ended.
/// - Nothing leads to an element of `newer`, whose grace period begins when it becomes `older`.
pub(super) struct Recycler {
    used: Atomic<u32>,
    free: ChainCell,
    older: (ChainCell, Atomic<usize>),
    newer: ChainCell,
}

impl Recycler {
    pub(super) const fn new() -> Self {
        Self {
            used: Atomic::new(0),
            free: ChainCell::new(),
            older: (ChainCell::new(), Atomic::new(0)),
            newer: ChainCell::new(),
        }
    }

    /// Returns how many elements can be taken, of an array with that capacity.
    pub(super) fn room(&self, capacity: u32) -> u32 {
        let fresh = capacity.saturating_sub(load_relaxed(&self.used) + 1);
        load_relaxed(&self.free.len) + fresh
    }

    /// Takes an element. There must be room.
    pub(super) fn take<'a>(
        &self,
        link: impl Fn(u32) -> Option<&'a Atomic<u32>>,
        _held: &mut Held<'_, LOCK>,
    ) -> u32 {
        let free = self.free.get();
        if free.len == 0 {
            let number = load_relaxed(&self.used) + 1;
            self.used.store(number, Relaxed);
            return number;
        }
        self.free.set(Chain {
            first: link(free.first).map_or(0, load_relaxed),
            last: free.last,
            len: free.len - 1,
        });
        free.first
    }

    /// Gives back elements that nothing leads to any more.
    pub(super) fn give_back<'a>(
        &self,
        chain: Chain,
        link: impl Fn(u32) -> Option<&'a Atomic<u32>>,
        _held: &mut Held<'_, LOCK>,
    ) {
        // Those that wait for an earlier grace period are not held up by those that come later.
        let (older, newer) = (&self.older, &self.newer);
        if older.0.get().len != 0 && GracePeriod::from_raw(load_relaxed(&older.1)).has_ended() {
            // INVARIANT: The grace period has ended.
            self.free.prepend(older.0.get(), &link);
            older.0.set(newer.get());
            older.1.store(GracePeriod::start().into_raw(), Relaxed);
            newer.set(Chain::default());
        }
        if older.0.get().len != 0 {
            return newer.prepend(chain, &link);
        }
        older.0.set(chain);
        older.1.store(GracePeriod::start().into_raw(), Relaxed);
    }

    /// Forgets all elements.
    pub(super) fn clear(&self, _held: &mut Held<'_, LOCK>) {
        self.used.store(0, Relaxed);
        for chain in [&self.free, &self.older.0, &self.newer] {
            chain.set(Chain::default());
        }
    }
}
