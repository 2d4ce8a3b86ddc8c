// SPDX-License-Identifier: GPL-2.0

//! From a number to a symbol: the plugins in the order in which they were registered.
//!
//! Readers count the symbols of all plugins newest first, as the list has them. Counted from the
//! oldest, a symbol keeps its number when others come; so a registration adds one entry at the end,
//! and only a removal moves what came after it. Who reads while entries are moved walks the list,
//! which remains the truth.

use crate::{
    modreg::{
        index::{
            by_name::NAMES,
            segments::{
                Segment,
                Segments, //
            },
        },
        lock::LOCK,
        plugin::{
            Plugin,
            Position, //
        },
    },
    primitives::{
        atomic::load_acquire,
        preempt::PreemptGuard,
        rcu::Held, //
    },
};
use kernel::{
    alloc::AllocError,
    sync::atomic::{
        Atomic,
        Relaxed,
        Release, //
    },
};

/// One plugin, or the end.
pub(crate) struct Rank {
    /// The number of the first page of its names, which leads to the plugin; 0 for one that goes.
    page: Atomic<u32>,
    /// How many symbols all plugins in front of it have.
    first: Atomic<u32>,
}

/// The entries, oldest first.
///
/// # Invariants
///
/// While `changes` is even, there is one of the first `len` entries for each linked plugin, their
/// `first`s ascend, and that of the entry behind them is the number of all symbols.
pub(crate) struct Order {
    /// Odd while a writer is about it.
    changes: Atomic<u32>,
    len: Atomic<u32>,
    entries: Segments<Rank>,
}

/// The order that readers use.
pub(crate) static ORDER: Order = Order {
    changes: Atomic::new(0),
    len: Atomic::new(0),
    entries: Segments::new(),
};

/// An entry is being moved.
pub(crate) struct Moving;

impl Order {
    /// The plugin that has the `n`-th symbol, newest plugin first, and which of the plugin's symbols
    /// that is; nothing where there are fewer. Logarithmic; from any context.
    ///
    /// # Errors
    ///
    /// [`Moving`], where the answer has to be looked for elsewhere.
    pub(crate) fn nth<'g>(
        &self,
        n: u32,
        guard: &'g PreemptGuard,
    ) -> Result<Option<(&'g Plugin, u32)>, Moving> {
        // Modelled in tests/litmus/order-move.litmus.
        let before = load_acquire(&self.changes);
        let found = self.search(n, guard);
        if before % 2 != 0 || self.changes.load(Relaxed) != before {
            return Err(Moving);
        }
        let Some((page, i)) = found else {
            return Ok(None);
        };
        let plugin = NAMES.plugin_of(page, guard).ok_or(Moving)?;
        Ok(Some((plugin, i)))
    }

    fn search(&self, n: u32, guard: &PreemptGuard) -> Option<(u32, u32)> {
        let first = |i| Some(load_acquire(&self.entries.get(i, guard)?.first));
        let len = load_acquire(&self.len);
        // From the oldest on.
        let n = first(len)?.checked_sub(n)?.checked_sub(1)?;
        let (mut low, mut high) = (0, len);
        while high.wrapping_sub(low) > 1 {
            let middle = low.wrapping_add(high) / 2;
            if first(middle)? <= n {
                low = middle;
            } else {
                high = middle;
            }
        }
        let page = load_acquire(&self.entries.get(low, guard)?.page);
        // Inside a plugin the first comes first.
        Some((
            page,
            first(low.wrapping_add(1))?.checked_sub(n)?.checked_sub(1)?,
        ))
    }

    /// How many entries there is room for, where that is too few for another plugin. Without the
    /// lock, others may use them up meanwhile.
    pub(crate) fn shortage(&self, guard: &PreemptGuard) -> Option<u32> {
        let room = self.entries.capacity(guard);
        let taken = self.len.load(Relaxed).wrapping_add(1);
        (room <= taken).then_some(room)
    }

    /// Allocates entries behind those. May sleep.
    pub(crate) fn more(room: u32) -> Result<Segment<Rank>, AllocError> {
        Segment::behind(room, || Rank {
            page: Atomic::new(0),
            first: Atomic::new(0),
        })
    }

    /// Adds what it lacked.
    pub(crate) fn extend(&self, more: Segment<Rank>, held: &mut Held<'_, LOCK>) {
        self.entries.extend(more, held);
    }

    fn first(&self, i: u32, held: &Held<'_, LOCK>) -> u32 {
        self.entries
            .get(i, held)
            .map_or(0, |entry| entry.first.load(Relaxed))
    }

    fn set_first(&self, i: u32, first: u32, held: &Held<'_, LOCK>) {
        if let Some(entry) = self.entries.get(i, held) {
            entry.first.store(first, Release);
        }
    }

    fn page(&self, i: u32, held: &Held<'_, LOCK>) -> u32 {
        self.entries
            .get(i, held)
            .map_or(0, |entry| entry.page.load(Relaxed))
    }

    fn set_page(&self, i: u32, page: u32, held: &Held<'_, LOCK>) {
        if let Some(entry) = self.entries.get(i, held) {
            entry.page.store(page, Release);
        }
    }

    /// Adds the newest plugin, which `page` leads to and which has that many symbols; there must be
    /// room.
    pub(crate) fn push(&self, page: u32, symbols: u32, held: &mut Held<'_, LOCK>) -> Position {
        let len = self.len.load(Relaxed);
        let end = len.wrapping_add(1);
        // INVARIANT: No reader looks at either before the last store.
        self.set_page(len, page, held);
        self.set_first(end, self.first(len, held).wrapping_add(symbols), held);
        self.len.store(end, Release);
        Position { at: len, page }
    }

    /// Where the plugin is now.
    fn find(&self, place: Position, held: &Held<'_, LOCK>) -> Option<u32> {
        let newest = self.len.load(Relaxed).checked_sub(1)?;
        (0..=place.at.min(newest))
            .rev()
            .find(|&i| self.page(i, held) == place.page)
    }

    /// Moves entries: readers look elsewhere meanwhile.
    fn change(&self, held: &mut Held<'_, LOCK>, change: impl FnOnce(&Held<'_, LOCK>)) {
        let changes = self.changes.load(Relaxed);
        // What is stored from here on comes after this, since each of those stores is a release.
        self.changes.store(changes.wrapping_add(1), Relaxed);
        change(held);
        self.changes.store(changes.wrapping_add(2), Release);
    }

    /// Leaves as many symbols to the plugin there.
    pub(crate) fn shrink(&self, place: Position, symbols: u32, held: &mut Held<'_, LOCK>) {
        let len = self.len.load(Relaxed);
        let Some(at) = self.find(place, held) else {
            return;
        };
        self.change(held, |held| {
            let behind = at.wrapping_add(1);
            let end = self.first(at, held).wrapping_add(symbols);
            let less = self.first(behind, held).wrapping_sub(end);
            for i in behind..=len {
                self.set_first(i, self.first(i, held).wrapping_sub(less), held);
            }
        });
    }

    /// Marks the plugin there for [`Order::remove`].
    pub(crate) fn mark(&self, place: Position, held: &mut Held<'_, LOCK>) {
        if let Some(at) = self.find(place, held) {
            self.set_page(at, 0, held);
        }
    }

    /// Takes out the `n` plugins that are marked. Under `stop_machine()`, so that no number changes
    /// before the eyes of a reader.
    pub(crate) fn remove(&self, n: usize, held: &mut Held<'_, LOCK>) {
        let len = self.len.load(Relaxed);
        // Often they are the newest.
        let marked = (0..len).rev().filter(|&i| self.page(i, held) == 0);
        let Some(at) = marked.take(n).last() else {
            return;
        };
        self.change(held, |held| {
            let mut to = at;
            let mut total = self.first(at, held);
            let mut first = total;
            for i in at..len {
                let (page, end) = (self.page(i, held), self.first(i.wrapping_add(1), held));
                if page != 0 {
                    self.set_page(to, page, held);
                    self.set_first(to, total, held);
                    total = total.wrapping_add(end.wrapping_sub(first));
                    to = to.wrapping_add(1);
                }
                first = end;
            }
            self.set_first(to, total, held);
            self.len.store(to, Release);
        });
    }

    /// Frees the entries, when no plugin is left.
    pub(crate) fn clear(&self, held: &mut Held<'_, LOCK>) {
        self.entries.clear(held);
    }
}
