// SPDX-License-Identifier: GPL-2.0

//! Index of symbols by number, and of plugins by rank.
//!
//! Sums of the plugins' symbols in the order of registration, as a Fenwick tree (Fenwick, "A New Data
//! Structure for Cumulative Frequency Tables", 1994), in two copies behind a [`Latch`]. Readers count
//! from the newest plugin, as on the list; counted from the oldest, a symbol keeps its number when
//! plugins are added.
//!
//! The symbols of plugins with foreign regions have numbers of their own too, for the kernel's listing.
//!
//! A reader of any context finds the plugin of a symbol, and the one that comes behind a plugin on the
//! list, in a logarithmic number of steps. What a stop removes disappears with one store: the sums
//! without it are prepared in the idle copy.
//!
//! A writer takes a logarithmic number of steps. A position without a plugin stays until a later writer
//! moves the plugins behind it: each moves a few. So there are not many more positions than plugins,
//! but after a large batch was removed.

use crate::{
    modreg::{
        index::{
            by_id::IDS,
            segments::{
                Segment,
                Segments, //
            },
        },
        lock::LOCK,
        plugin::{
            Plugin,
            PluginRef, //
        },
    },
    primitives::{
        atomic::load_relaxed,
        latch::Latch,
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

/// Positions that a writer looks at to make them fewer, and plugins that it moves.
const STEPS: u32 = 8;
const MOVES: u32 = 2;

/// What plugins add up to, in each copy: their number, that of their symbols, and that of the symbols of
/// plugins with foreign regions.
///
/// There are less than 2^32 symbols, as [`Numbers::has_numbers`] tells: `module_get_kallsym()` could not ask
/// for more.
pub(crate) struct Sums {
    plugins: [Atomic<u32>; 2],
    symbols: [Atomic<u32>; 2],
    foreign: [Atomic<u32>; 2],
}

/// One of the three.
type Part = fn(&Sums) -> &[Atomic<u32>; 2];

const PLUGINS: Part = |sums| &sums.plugins;
const SYMBOLS: Part = |sums| &sums.symbols;
const FOREIGN: Part = |sums| &sums.foreign;

impl Sums {
    const fn new() -> Self {
        Self {
            plugins: [const { Atomic::new(0) }; 2],
            symbols: [const { Atomic::new(0) }; 2],
            foreign: [const { Atomic::new(0) }; 2],
        }
    }
}

/// One position: what a Fenwick tree has there, and the plugin's id or 0.
pub(crate) struct Rank {
    sums: Sums,
    id: Atomic<u32>,
}

/// Which symbols are numbered.
#[derive(Clone, Copy)]
pub(crate) enum Which {
    /// Those of all plugins.
    All,
    /// Those of plugins with foreign regions.
    Foreign,
}

/// The positions from 1 on, oldest plugin first.
///
/// # Invariants
///
/// - The copy that readers use has the sums over its `lens` positions, which are `totals` in all.
/// - A position with a plugin in a copy has the id of that plugin.
/// - While no writer holds the lock, both copies are equal.
/// - If `gap` is not 0, there is no plugin from there to before `next`.
pub(crate) struct Numbers {
    latch: Latch,
    lens: [Atomic<u32>; 2],
    totals: Sums,
    positions: Segments<Rank>,
    gap: Atomic<u32>,
    next: Atomic<u32>,
}

/// The numbers of all symbols.
pub(crate) static NUMBERS: Numbers = Numbers {
    latch: Latch::new(),
    lens: [const { Atomic::new(0) }; 2],
    totals: Sums::new(),
    positions: Segments::new(),
    gap: Atomic::new(0),
    next: Atomic::new(0),
};

/// A plugin in a walk from the newest to the oldest, which may be removed meanwhile.
#[derive(Clone, Copy)]
pub(crate) struct Cursor {
    serial: u64,
    position: u32,
}

/// Returns how many positions a Fenwick tree sums up at one.
fn width(position: u32) -> u32 {
    position & position.wrapping_neg()
}

/// Reads element `copy` of a pair.
fn of(pair: &[Atomic<u32>; 2], copy: usize) -> u32 {
    pair.get(copy).map_or(0, load_relaxed)
}

fn set(pair: &[Atomic<u32>; 2], copy: usize, value: u32) {
    if let Some(cell) = pair.get(copy) {
        // The flip of the latch orders it.
        cell.store(value, Relaxed);
    }
}

/// What one plugin adds to the sums.
#[derive(Clone, Copy)]
struct Added {
    plugins: u32,
    symbols: u32,
    foreign: u32,
}

impl Added {
    const NOTHING: Self = Self {
        plugins: 0,
        symbols: 0,
        foreign: 0,
    };

    fn plugin(symbols: u32, is_foreign: bool) -> Self {
        Self {
            plugins: 1,
            symbols,
            foreign: if is_foreign { symbols } else { 0 },
        }
    }

    fn map(self, other: Self, f: fn(u32, u32) -> u32) -> Self {
        Self {
            plugins: f(self.plugins, other.plugins),
            symbols: f(self.symbols, other.symbols),
            foreign: f(self.foreign, other.foreign),
        }
    }

    fn minus(self, other: Self) -> Self {
        self.map(other, u32::wrapping_sub)
    }

    /// Adds this to the sums of a copy.
    fn add_to(self, sums: &Sums, copy: usize) {
        for (part, by) in [
            (PLUGINS, self.plugins),
            (SYMBOLS, self.symbols),
            (FOREIGN, self.foreign),
        ] {
            if by != 0 {
                set(part(sums), copy, of(part(sums), copy).wrapping_add(by));
            }
        }
    }
}

impl Numbers {
    /// Returns the plugin that has the `n`-th symbol, newest plugin first, and which of its symbols that
    /// is; [`None`] if there are fewer.
    ///
    /// Context: Any, NMI included.
    pub(crate) fn nth<'g>(
        &'g self,
        n: u32,
        which: Which,
        guard: &'g PreemptGuard,
    ) -> Option<(&'g Plugin, u32)> {
        let part = match which {
            Which::All => SYMBOLS,
            Which::Foreign => FOREIGN,
        };
        let (id, symbol) = self.latch.read(|copy| {
            // Counted from the oldest.
            let number = of(part(&self.totals), copy)
                .checked_sub(n)?
                .checked_sub(1)?;
            let (position, before) = self.search(copy, number, part, guard);
            let behind = number.checked_sub(before)?.checked_add(1)?;
            let symbols = self.plugin(copy, position, part, guard);
            Some((self.id(position, guard), symbols.checked_sub(behind)?))
        })?;
        Some((IDS.plugin(id, guard)?, symbol))
    }

    /// Returns whether as many symbols more have numbers.
    pub(crate) fn has_numbers(&self, symbols: u32, _held: &Held<'_, LOCK>) -> bool {
        of(SYMBOLS(&self.totals), 0).checked_add(symbols).is_some()
    }

    /// Moves a cursor to the plugin behind it, or to the newest if there is no cursor yet, and returns
    /// that plugin.
    ///
    /// Context: Any, but NMI.
    pub(crate) fn older(&self, cursor: &mut Option<Cursor>) -> Option<PluginRef> {
        loop {
            let guard = PreemptGuard::new();
            let (id, position) = self.position_behind(cursor.as_ref(), &guard)?;
            let serial = IDS.serial(id, &guard);
            *cursor = Some(Cursor { serial, position });
            // Without a reference, it was removed just now.
            if let Some(plugin) = IDS.plugin_ref(id, &guard) {
                return Some(plugin);
            }
        }
    }

    /// Returns the id and the position of the plugin behind a cursor.
    fn position_behind(&self, cursor: Option<&Cursor>, guard: &PreemptGuard) -> Option<(u32, u32)> {
        let (before, serial) = match cursor {
            Some(cursor) => (Some(cursor.position.wrapping_sub(1)), cursor.serial),
            None => (None, u64::MAX),
        };
        self.latch.read(|copy| {
            // Positions only become smaller, so older plugins come before the cursor's. Newer ones may
            // have come there meanwhile.
            let mut newer = match before {
                // The sums behind the end are not kept.
                Some(position) => {
                    let last = position.min(of(&self.lens, copy));
                    self.between(copy, 0, last, PLUGINS, guard)
                }
                None => of(PLUGINS(&self.totals), copy),
            };
            let at = |rank| {
                let (position, _) = self.search(copy, rank, PLUGINS, guard);
                (self.id(position, guard), position)
            };
            let is_older = |(id, _)| id != 0 && IDS.serial(id, guard) < serial;
            let last = at(newer.checked_sub(1)?);
            if is_older(last) {
                return Some(last);
            }
            let mut older = 0;
            while older < newer {
                let middle = (older + newer) / 2;
                match is_older(at(middle)) {
                    true => older = middle + 1,
                    false => newer = middle,
                }
            }
            Some(at(older.checked_sub(1)?))
        })
    }

    /// Returns the first position where the sum of all before it and with it is more than `number`, and
    /// the sum of all before.
    fn search(&self, copy: usize, number: u32, part: Part, guard: &PreemptGuard) -> (u32, u32) {
        let len = of(&self.lens, copy);
        let (mut position, mut before) = (0_u32, 0_u32);
        let mut width = len.checked_ilog2().map_or(0, |log| 1 << log);
        while width != 0 {
            let next = position + width;
            if next <= len {
                let sum = before.wrapping_add(self.sum(copy, next, part, guard));
                if sum <= number {
                    (position, before) = (next, sum);
                }
            }
            width /= 2;
        }
        (position + 1, before)
    }

    fn sum(&self, copy: usize, position: u32, part: Part, guard: &PreemptGuard) -> u32 {
        let rank = self.positions.get(position, guard);
        rank.map_or(0, |rank| of(part(&rank.sums), copy))
    }

    fn id(&self, position: u32, guard: &PreemptGuard) -> u32 {
        let rank = self.positions.get(position, guard);
        rank.map_or(0, |rank| load_relaxed(&rank.id))
    }

    fn set_id(&self, position: u32, id: u32, guard: &PreemptGuard) {
        if let Some(rank) = self.positions.get(position, guard) {
            rank.id.store(id, Release);
        }
    }

    /// Returns the sum of the positions before `end` and with it, from after `start` on.
    fn between(
        &self,
        copy: usize,
        start: u32,
        mut end: u32,
        part: Part,
        guard: &PreemptGuard,
    ) -> u32 {
        let mut sum = 0_u32;
        while end > start {
            sum = sum.wrapping_add(self.sum(copy, end, part, guard));
            end -= width(end);
        }
        sum
    }

    /// Returns what the plugin at a position adds to a sum.
    fn plugin(&self, copy: usize, position: u32, part: Part, guard: &PreemptGuard) -> u32 {
        let below = position.wrapping_sub(width(position));
        let others = self.between(copy, below, position.wrapping_sub(1), part, guard);
        self.sum(copy, position, part, guard).wrapping_sub(others)
    }

    /// Returns what the plugin at a position adds to the sums.
    fn added(&self, copy: usize, position: u32, guard: &PreemptGuard) -> Added {
        Added {
            plugins: self.plugin(copy, position, PLUGINS, guard),
            symbols: self.plugin(copy, position, SYMBOLS, guard),
            foreign: self.plugin(copy, position, FOREIGN, guard),
        }
    }

    /// Adds to the sums of the plugin at a position.
    fn add(&self, copy: usize, mut position: u32, by: Added, guard: &PreemptGuard) {
        by.add_to(&self.totals, copy);
        let len = of(&self.lens, copy);
        while position <= len && position != 0 {
            if let Some(rank) = self.positions.get(position, guard) {
                by.add_to(&rank.sums, copy);
            }
            position += width(position);
        }
    }

    /// Makes a change in both copies, so that readers see all of it or nothing.
    fn change(&self, _held: &mut Held<'_, LOCK>, change: impl Fn(usize)) {
        change(self.latch.idle());
        self.latch.flip();
        change(self.latch.idle());
    }

    /// Returns the capacity if there is no room for another plugin. Other writers may use up room as
    /// long as the lock is not held.
    ///
    /// Context: Any, NMI included.
    pub(crate) fn shortage(&self) -> Option<u32> {
        let capacity = self.positions.capacity();
        (of(&self.lens, 0) + 1 >= capacity).then_some(capacity)
    }

    /// Allocates room behind that capacity.
    ///
    /// Context: May sleep.
    pub(crate) fn reserve(capacity: u32) -> Result<Segment<Rank>, AllocError> {
        Segment::behind(capacity, || Rank {
            sums: Sums::new(),
            id: Atomic::new(0),
        })
    }

    /// Adds the room.
    pub(crate) fn extend(&self, room: Segment<Rank>, held: &mut Held<'_, LOCK>) {
        self.positions.extend(room, held);
    }

    /// Adds the newest plugin, which has that many symbols, and foreign regions or not. There must be
    /// room and numbers.
    pub(crate) fn publish(
        &self,
        id: u32,
        symbols: u32,
        is_foreign: bool,
        held: &mut Held<'_, LOCK>,
    ) {
        let guard = PreemptGuard::new();
        let position = of(&self.lens, 0) + 1;
        let plugin = Added::plugin(symbols, is_foreign);
        self.set_id(position, id, &guard);
        IDS.set_position(id, position, held);
        self.change(held, |copy| {
            let below = position - width(position);
            if let Some(rank) = self.positions.get(position, &guard) {
                for (part, by) in [
                    (PLUGINS, plugin.plugins),
                    (SYMBOLS, plugin.symbols),
                    (FOREIGN, plugin.foreign),
                ] {
                    let others = self.between(copy, below, position - 1, part, &guard);
                    set(part(&rank.sums), copy, others.wrapping_add(by));
                }
            }
            set(&self.lens, copy, position);
            plugin.add_to(&self.totals, copy);
        });
        drop(guard);
        self.tidy(held);
    }

    /// Changes the number of symbols that a plugin has, with foreign regions or not.
    pub(crate) fn replace(
        &self,
        id: u32,
        symbols: u32,
        is_foreign: bool,
        held: &mut Held<'_, LOCK>,
    ) {
        let guard = PreemptGuard::new();
        let position = IDS.position(id, &guard);
        let old = self.added(0, position, &guard);
        let by = Added::plugin(symbols, is_foreign).minus(old);
        self.change(held, |copy| self.add(copy, position, by, &guard));
    }

    /// Takes a plugin out of the idle copy.
    fn take_out(&self, id: u32, guard: &PreemptGuard) {
        let (copy, position) = (self.latch.idle(), IDS.position(id, guard));
        let plugin = self.added(copy, position, guard);
        self.add(copy, position, Added::NOTHING.minus(plugin), guard);
    }

    /// Prepares the removal of a plugin, which [`Numbers::remove_prepared`] makes seen.
    pub(crate) fn prepare_removal(&self, id: u32, _held: &mut Held<'_, LOCK>) {
        self.take_out(id, &PreemptGuard::new());
    }

    /// Removes all plugins whose removal is prepared, with one store.
    pub(crate) fn remove_prepared(&self, _held: &mut Held<'_, LOCK>) {
        self.latch.flip();
    }

    /// Ends the removal of a plugin.
    pub(crate) fn finish_removal(&self, id: u32, _held: &mut Held<'_, LOCK>) {
        let guard = PreemptGuard::new();
        // INVARIANT: The copies are equal once this is done for all that were removed.
        self.take_out(id, &guard);
        self.set_id(IDS.position(id, &guard), 0, &guard);
    }

    /// Moves a few plugins to positions without one, if there are many.
    pub(crate) fn tidy(&self, held: &mut Held<'_, LOCK>) {
        let guard = &PreemptGuard::new();
        let len = of(&self.lens, 0);
        let plugins = of(PLUGINS(&self.totals), 0);
        let (mut gap, mut next) = (load_relaxed(&self.gap), load_relaxed(&self.next));
        if gap == 0 {
            if len.wrapping_sub(plugins) <= plugins / 2 + 64 {
                return;
            }
            (gap, next) = (1, 1);
        }
        let mut moves = MOVES;
        for _ in 0..STEPS {
            let id = self.id(next, guard);
            if next > len || (id != 0 && gap != next && moves == 0) {
                break;
            }
            if id != 0 {
                if gap != next {
                    moves -= 1;
                    self.move_plugin(id, next, gap, guard, held);
                }
                gap += 1;
            }
            next += 1;
        }
        if next > len {
            // No plugin is left behind the begin of the gap.
            self.change(held, |copy| set(&self.lens, copy, gap - 1));
            gap = 0;
        }
        // INVARIANT: All plugins before `next` are before `gap`.
        self.gap.store(gap, Relaxed);
        self.next.store(next, Relaxed);
    }

    fn move_plugin(
        &self,
        id: u32,
        from: u32,
        to: u32,
        guard: &PreemptGuard,
        held: &mut Held<'_, LOCK>,
    ) {
        let plugin = self.added(0, from, guard);
        self.set_id(to, id, guard);
        IDS.set_position(id, to, held);
        self.change(held, |copy| {
            self.add(copy, from, Added::NOTHING.minus(plugin), guard);
            self.add(copy, to, plugin, guard);
        });
        self.set_id(from, 0, guard);
    }

    /// Frees the positions, when there is no plugin.
    pub(crate) fn clear(&self, held: &mut Held<'_, LOCK>) {
        self.change(held, |copy| set(&self.lens, copy, 0));
        self.gap.store(0, Relaxed);
        self.positions.clear(held);
    }
}
