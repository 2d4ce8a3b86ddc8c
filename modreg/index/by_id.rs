// SPDX-License-Identifier: GPL-2.0

//! Index of plugins by id.
//!
//! An array in segments. An id is what the indexes by name and by number have for a plugin instead of a
//! pointer; it is 4 bytes.
//!
//! A reader of any context finds the plugin with four loads, for as long as the id is in another index.
//!
//! A writer takes constant time. It uses an id again a grace period after it was given back.

use crate::{
    modreg::{
        index::{
            recycler::{
                Chain,
                Recycler, //
            },
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
        preempt::PreemptGuard,
        rcu::Held,
        rcu_counted::RcuSlot, //
    },
};
use kernel::{
    alloc::AllocError,
    sync::atomic::{
        Atomic,
        Relaxed, //
    },
};

/// An id, or one that is free.
pub(crate) struct Slot {
    plugin: RcuSlot<Plugin, LOCK>,
    /// The plugin's position in `by_number.rs`; of a free id the next free one.
    position: Atomic<u32>,
    /// When its symbols were published.
    age: Atomic<u64>,
    /// When it was registered.
    serial: Atomic<u64>,
}

/// The ids of the plugins of one owner that were registered before and after a plugin; each may be 0.
#[derive(Clone, Copy, Default)]
pub(super) struct Neighbours {
    pub(super) older: u32,
    pub(super) newer: u32,
}

/// [`Neighbours`], which only the holder of the lock reads and changes.
pub(crate) struct NeighboursCell {
    older: Atomic<u32>,
    newer: Atomic<u32>,
}

/// Memory for ids.
pub(crate) struct Room {
    slots: Segment<Slot>,
    neighbours: Segment<NeighboursCell>,
}

/// The plugins by their ids.
///
/// # Invariants
///
/// - An id has a plugin as long as another index leads to it. It is not free while a reader may have
///   found it there.
/// - Only the holder of the lock changes anything.
pub(crate) struct Ids {
    slots: Segments<Slot>,
    neighbours: Segments<NeighboursCell>,
    recycler: Recycler,
    /// The last age.
    age: Atomic<u64>,
}

/// The ids of all plugins.
pub(crate) static IDS: Ids = Ids {
    slots: Segments::new(),
    neighbours: Segments::new(),
    recycler: Recycler::new(),
    age: Atomic::new(0),
};

impl Ids {
    /// Returns the plugin with an id.
    ///
    /// Context: Any, NMI included.
    #[inline]
    pub(crate) fn plugin<'g>(&'g self, id: u32, guard: &'g PreemptGuard) -> Option<&'g Plugin> {
        self.slots.get(id, guard)?.plugin.load(guard)
    }

    /// Returns a reference to the plugin with an id.
    ///
    /// Context: Any, but NMI.
    pub(super) fn plugin_ref(&self, id: u32, guard: &PreemptGuard) -> Option<PluginRef> {
        self.slots.get(id, guard)?.plugin.load_ref(guard)
    }

    /// Returns the capacity if there is no room for another plugin. Other writers may use up room as
    /// long as the lock is not held.
    ///
    /// Context: Any, NMI included.
    pub(crate) fn shortage(&self) -> Option<u32> {
        let capacity = self.slots.capacity();
        (self.recycler.room(capacity) == 0).then_some(capacity)
    }

    /// Allocates room behind that capacity.
    ///
    /// Context: May sleep.
    pub(crate) fn reserve(capacity: u32) -> Result<Room, AllocError> {
        let slot = || Slot {
            plugin: RcuSlot::empty(),
            position: Atomic::new(0),
            age: Atomic::new(0),
            serial: Atomic::new(0),
        };
        let neighbours = || NeighboursCell {
            older: Atomic::new(0),
            newer: Atomic::new(0),
        };
        Ok(Room {
            slots: Segment::behind(capacity, slot)?,
            neighbours: Segment::behind(capacity, neighbours)?,
        })
    }

    /// Adds the room.
    pub(crate) fn extend(&self, room: Room, held: &mut Held<'_, LOCK>) {
        self.slots.extend(room.slots, held);
        self.neighbours.extend(room.neighbours, held);
    }

    /// Gives a plugin an id, which is not 0. There must be room.
    pub(crate) fn publish(&self, plugin: PluginRef, held: &mut Held<'_, LOCK>) -> u32 {
        let guard = PreemptGuard::new();
        let id = self.recycler.take(|id| self.link(id, &guard), held);
        if let Some(slot) = self.slots.get(id, &guard) {
            // The slot was empty.
            let _none = slot.plugin.replace(Some(plugin), held);
        }
        self.renew(id, held);
        if let Some(slot) = self.slots.get(id, &guard) {
            slot.serial.store(load_relaxed(&slot.age), Relaxed);
        }
        id
    }

    /// Returns when a plugin was registered: the newest has the highest.
    ///
    /// Context: Any, NMI included.
    pub(super) fn serial(&self, id: u32, guard: &PreemptGuard) -> u64 {
        let slot = self.slots.get(id, guard);
        slot.map_or(0, |slot| load_relaxed(&slot.serial))
    }

    /// Returns the age of a plugin's symbols: the newest have the highest.
    ///
    /// Context: Any, NMI included.
    pub(super) fn age(&self, id: u32, guard: &PreemptGuard) -> u64 {
        let slot = self.slots.get(id, guard);
        slot.map_or(0, |slot| load_relaxed(&slot.age))
    }

    /// Makes the symbols of a plugin the newest.
    pub(crate) fn renew(&self, id: u32, _held: &mut Held<'_, LOCK>) {
        let age = load_relaxed(&self.age) + 1;
        self.age.store(age, Relaxed);
        if let Some(slot) = self.slots.get(id, &PreemptGuard::new()) {
            slot.age.store(age, Relaxed);
        }
    }

    /// Takes an id from its plugin. No other index leads to it any more.
    pub(crate) fn unpublish(&self, id: u32, held: &mut Held<'_, LOCK>) {
        let guard = PreemptGuard::new();
        if let Some(slot) = self.slots.get(id, &guard).filter(|_| id != 0) {
            drop(slot.plugin.replace(None, held));
            let chain = Chain {
                first: id,
                last: id,
                len: 1,
            };
            self.recycler
                .give_back(chain, |id| self.link(id, &guard), held);
        }
    }

    fn link<'g>(&'g self, id: u32, guard: &'g PreemptGuard) -> Option<&'g Atomic<u32>> {
        Some(&self.slots.get(id, guard)?.position)
    }

    /// Returns the position of a plugin in `by_number.rs`.
    pub(super) fn position(&self, id: u32, guard: &PreemptGuard) -> u32 {
        let slot = self.slots.get(id, guard);
        slot.map_or(0, |slot| load_relaxed(&slot.position))
    }

    /// Notes the position of a plugin in `by_number.rs`.
    pub(super) fn set_position(&self, id: u32, position: u32, _held: &mut Held<'_, LOCK>) {
        if let Some(slot) = self.slots.get(id, &PreemptGuard::new()) {
            slot.position.store(position, Relaxed);
        }
    }

    /// Returns the neighbours of a plugin among those of its owner.
    pub(super) fn neighbours(&self, id: u32) -> Neighbours {
        let guard = PreemptGuard::new();
        let cell = self.neighbours.get(id, &guard);
        cell.map_or(Neighbours::default(), |cell| Neighbours {
            older: load_relaxed(&cell.older),
            newer: load_relaxed(&cell.newer),
        })
    }

    /// Notes the neighbours of a plugin among those of its owner; not those of id 0.
    pub(super) fn set_neighbours(&self, id: u32, to: Neighbours, _held: &mut Held<'_, LOCK>) {
        let guard = PreemptGuard::new();
        if let Some(cell) = self.neighbours.get(id, &guard).filter(|_| id != 0) {
            cell.older.store(to.older, Relaxed);
            cell.newer.store(to.newer, Relaxed);
        }
    }

    /// Frees the arrays, when there is no plugin.
    pub(crate) fn clear(&self, held: &mut Held<'_, LOCK>) {
        self.recycler.clear(held);
        self.slots.clear(held);
        self.neighbours.clear(held);
    }
}
