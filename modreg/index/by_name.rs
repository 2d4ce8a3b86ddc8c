// SPDX-License-Identifier: GPL-2.0

//! Index of plugins, symbols and exports by name.
//!
//! A hash table whose chains are parts of one list in the order of the reversed bits of the hashes: a
//! split-ordered list (Shalev and Shavit, "Split-Ordered Lists: Lock-Free Extensible Hash Tables",
//! 2006). A new bucket is one more way into the list, so that the table grows by one bucket for every
//! few names and no name moves. Names of equal hashes are one element of the list, from which the others
//! hang, newest first. So a name that many plugins have does not slow down others. The symbols of up to
//! [`LARGE`] plugins with many symbols are not in the table: these plugins are asked one by one, and
//! each has a hash table of its own (`tables/name_order.rs`).
//!
//! A reader of any context finds the newest of a name in constant time, and passes those that were
//! removed and are not unlinked yet, and exports that it may not use. A name counts while its plugin
//! has the tables that it is from, so the names of a plugin come and go with its tables.
//!
//! A writer takes constant time for a name, whatever other plugins have. It unlinks names when readers
//! do not find them any more.
//!
//! The kernel's rhashtable cannot take its place: a reader in an NMI that comes between the two stores
//! of `rhashtable_rehash_one()` waits for the second one forever.

use crate::{
    modreg::{
        index::{
            by_id::IDS,
            name_node::{
                key,
                Node,
                ITEM,
                VERSION, //
            },
            name_set::{
                Kind,
                NameSet, //
            },
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
        name::hash,
        plugin::{
            Linked,
            Plugin, //
        },
        tables::Tables, //
    },
    primitives::{
        atomic::{
            acquire_fence,
            load_acquire,
            load_relaxed, //
        },
        preempt::PreemptGuard,
        rcu::Held, //
    },
};
use core::{
    ffi::CStr,
    mem, //
};
use kernel::{
    alloc::AllocError,
    prelude::*,
    sync::atomic::{
        Atomic,
        Relaxed,
        Release, //
    },
};

/// Plugins whose symbols are not in the table, at most.
const LARGE: usize = 64;

/// Symbols that such a plugin has at least.
const MANY: u32 = 1024;

/// Names for one bucket.
const LOAD: u32 = 2;

/// How often a search begins again at most.
const RESTARTS: usize = 16;

/// Set in a link that leads to a bucket.
const BUCKET: u32 = 1 << 31;

/// The table.
///
/// # Invariants
///
/// - From each of the first `buckets` heads, and from each element, the list goes on with ascending
///   keys. No two elements have the same.
/// - From each element, `older` leads through all nodes with its key, newest first.
/// - A node that was unlinked is used again a grace period later.
/// - Only the holder of the lock changes anything.
pub(crate) struct Names {
    heads: Segments<Atomic<u32>>,
    buckets: Atomic<u32>,
    /// Nodes that are linked.
    linked: Atomic<u32>,
    nodes: Segments<Node>,
    recycler: Recycler,
    /// The ids of plugins whose symbols are not in the table, or 0.
    large: [Atomic<u32>; LARGE],
    /// How often a plugin got other tables, times two; odd while one gets them.
    changes: Atomic<u32>,
}

/// A plugin has got other tables during a search.
struct Changed;

/// The names of all plugins.
pub(crate) static NAMES: Names = Names {
    heads: Segments::new(),
    buckets: Atomic::new(0),
    linked: Atomic::new(0),
    nodes: Segments::new(),
    recycler: Recycler::new(),
    large: [const { Atomic::new(0) }; LARGE],
    changes: Atomic::new(0),
};

/// A link that leads to what a key belongs before, and the element with that key.
struct Place<'a> {
    link: &'a Atomic<u32>,
    same: Option<(u32, &'a Node)>,
}

impl Names {
    #[inline]
    fn node<'g>(&'g self, id: u32, guard: &'g PreemptGuard) -> Option<&'g Node> {
        self.nodes.get(id, guard).filter(|_| id != 0)
    }

    /// Returns the bucket that leads to a key, among the first `buckets`.
    #[inline]
    fn bucket(key: u32, buckets: u32) -> u32 {
        let size = buckets.next_power_of_two();
        let bucket = (key & !1).reverse_bits() & (size - 1);
        match bucket < buckets {
            true => bucket,
            false => bucket & (size / 2 - 1),
        }
    }

    /// Returns how many elements there are: nodes that are linked, and buckets.
    fn elements(&self) -> u32 {
        load_acquire(&self.linked).wrapping_add(load_acquire(&self.buckets))
    }

    /// Returns whether a search that has passed `passed` elements, of `most` when it last looked, goes
    /// on. Writers may have linked more meanwhile; else it is on a circle.
    #[inline]
    fn goes_on(&self, passed: &mut u32, most: &mut u32) -> bool {
        *passed = passed.wrapping_add(1);
        if *passed > *most {
            let before = mem::replace(most, self.elements());
            return *most > before;
        }
        true
    }

    /// Returns where a key comes on the list.
    #[inline]
    fn place<'g>(&'g self, key: u32, guard: &'g PreemptGuard) -> Option<Place<'g>> {
        let buckets = load_acquire(&self.buckets);
        let bucket = Self::bucket(key, buckets.max(1));
        let mut link = self.heads.get(bucket, guard)?;
        let (mut passed, mut most) = (0, self.elements().wrapping_add(1));
        while self.goes_on(&mut passed, &mut most) {
            let id = load_acquire(link);
            let next = if id & BUCKET != 0 {
                let bucket = id & !BUCKET;
                let head = self.heads.get(bucket, guard)?;
                (bucket.reverse_bits() < key).then_some(head)
            } else {
                let node = self.node(id, guard);
                if let Some(node) = node.filter(|node| load_relaxed(&node.key) == key) {
                    let same = Some((id, node));
                    return Some(Place { link, same });
                }
                node.filter(|node| load_relaxed(&node.key) < key)
                    .map(|node| &node.next)
            };
            match next {
                Some(next) => link = next,
                None => return Some(Place { link, same: None }),
            }
        }
        None
    }

    /// Returns whether a plugin has got other tables since the number of changes was `since`, or gets
    /// them just now. Without a number, a search takes what it finds.
    #[inline]
    fn is_changed(&self, since: Option<u32>) -> bool {
        acquire_fence();
        since.is_some_and(|since| since % 2 != 0 || load_relaxed(&self.changes) != since)
    }

    /// Calls `search` with the number of changes, until none comes between.
    #[inline]
    fn settle<R>(
        &self,
        mut search: impl FnMut(Option<u32>) -> Result<Option<R>, Changed>,
    ) -> Option<R> {
        // Modelled in tests/litmus/names-replace.litmus.
        for _ in 0..RESTARTS {
            if let Ok(found) = search(Some(load_acquire(&self.changes))) {
                return found;
            }
        }
        search(None).ok().flatten()
    }

    /// Calls `take` for what has a name of that hash, newest first, until it returns something. Passes
    /// the id of a plugin, the plugin, its tables, and the item.
    #[inline]
    fn find_map<'g, R>(
        &'g self,
        hash: u32,
        since: Option<u32>,
        guard: &'g PreemptGuard,
        mut take: impl FnMut(u32, &'g Plugin, &'g Tables, u32) -> Option<R>,
    ) -> Result<Option<R>, Changed> {
        let (mut passed, mut most) = (0, self.elements());
        let newest = self.place(key(hash), guard).and_then(|place| place.same);
        let mut at = newest.map(|(_, node)| node);
        while let Some(node) = at.filter(|_| self.goes_on(&mut passed, &mut most)) {
            at = self.node(load_acquire(&node.older), guard);
            let owner = load_relaxed(&node.owner);
            let plugin = IDS.plugin(owner, guard);
            let Some((plugin, tables)) = plugin.and_then(|p| Some((p, p.tables(guard)?))) else {
                continue;
            };
            let item = load_relaxed(&node.item);
            if item >> VERSION != u32::from(tables.version) {
                continue;
            }
            if self.is_changed(since) {
                return Err(Changed);
            }
            let found = take(owner, plugin, tables, item & ITEM);
            if found.is_some() {
                return Ok(found);
            }
        }
        match self.is_changed(since) {
            true => Err(Changed),
            false => Ok(None),
        }
    }

    /// Returns the plugin called `name`.
    ///
    /// Context: Any, NMI included.
    pub(crate) fn plugin<'g>(&'g self, name: &[u8], guard: &'g PreemptGuard) -> Option<&'g Plugin> {
        let hash = Kind::Plugin.hash(hash(name));
        self.settle(|since| {
            self.find_map(hash, since, guard, |_, plugin, _, item| {
                (item == 0 && plugin.name().is(name)).then_some(plugin)
            })
        })
    }

    /// Calls `take` for the exported symbols called `name`, newest plugin first, until it returns
    /// something. Passes the plugin, the address, and whether the symbol is for GPL-compatible callers
    /// only.
    ///
    /// Context: Any, NMI included.
    pub(crate) fn find_export<'g, R>(
        &'g self,
        name: &CStr,
        guard: &'g PreemptGuard,
        mut take: impl FnMut(&'g Plugin, usize, bool) -> Option<R>,
    ) -> Option<R> {
        let hash = Kind::Export.hash(hash(name.to_bytes()));
        self.settle(|since| {
            self.find_map(hash, since, guard, |_, plugin, tables, item| {
                let export = item.checked_sub(tables.symbols().len())?;
                let export = export.checked_sub(1)?;
                let exports = tables.exports()?;
                if exports.name(export)?.cmp(name.into()).is_ne() {
                    return None;
                }
                let (value, gpl_only) = exports.value(export)?;
                take(plugin, value, gpl_only)
            })
        })
    }

    /// Returns the address of the symbol called `name`, of the newest plugin that has one which is not
    /// 0. In one plugin the first counts.
    ///
    /// Context: Any, NMI included.
    pub(crate) fn symbol(&self, name: &CStr, guard: &PreemptGuard) -> Option<usize> {
        let hash = hash(name.to_bytes());
        self.settle(|since| {
            let mut newest = (0, None);
            let places = self.large.iter().map(load_acquire);
            for id in places.filter(|&id| id != 0) {
                let tables = IDS.plugin(id, guard).and_then(|p| p.tables(guard));
                let value = tables.and_then(|tables| {
                    let symbol = tables.symtab().find_name(name.into(), || hash)?;
                    Some(tables.symbols().value(symbol)).filter(|&value| value != 0)
                });
                let age = IDS.age(id, guard);
                if value.is_some() && age >= newest.0 {
                    newest = (age, value);
                }
            }
            let mut last = 0;
            let hash = Kind::Symbol.hash(hash);
            let linked = self.find_map(hash, since, guard, |owner, _, tables, item| {
                let symbols = tables.symbols();
                let symbol = item.checked_sub(1).filter(|&i| i < symbols.len())?;
                if owner == last || symbols.name(symbol).cmp(name.into()).is_ne() {
                    return None;
                }
                last = owner;
                let value = symbols.value(symbol);
                (value != 0).then(|| (IDS.age(owner, guard), value))
            })?;
            Ok(match linked {
                Some((age, value)) if age >= newest.0 => Some(value),
                _ => newest.1,
            })
        })
    }

    /// Returns what there is too little of to publish `sets`. Other writers may use up room as long as
    /// the lock is not held.
    ///
    /// Context: Any, NMI included.
    pub(crate) fn shortage(&self, sets: &[Option<&NameSet>]) -> Option<NameShortage> {
        let names = sets.iter().flatten().fold(0, |n, set| n + set.len());
        let heads = self.heads.capacity();
        if heads < Self::enough(load_relaxed(&self.linked) + names) {
            return Some(NameShortage::Heads(heads));
        }
        let nodes = self.nodes.capacity();
        if self.recycler.room(nodes) < names {
            return Some(NameShortage::Nodes(nodes));
        }
        None
    }

    /// Returns whether a plugin with that many symbols is a large one, and there is a place for it.
    /// Without the lock, that may change.
    ///
    /// Context: Any, NMI included.
    pub(crate) fn takes_large(&self, symbols: u32) -> bool {
        symbols >= MANY && self.large_place(0).is_some()
    }

    /// Returns whether a plugin has a place among the large ones.
    pub(crate) fn is_large(&self, id: u32) -> bool {
        self.large_place(id).is_some()
    }

    /// Gives a large plugin its place. There must be one.
    pub(crate) fn publish_large(&self, id: u32, _held: &mut Held<'_, LOCK>) {
        if let Some(place) = self.large_place(0) {
            place.store(id, Release);
        }
    }

    /// Calls `exchange`, which gives a plugin other tables. Their names are linked before, and the old
    /// ones unlinked later: a search that meets names of both begins again.
    pub(crate) fn exchange<R>(
        &self,
        held: &mut Held<'_, LOCK>,
        exchange: impl FnOnce(&mut Held<'_, LOCK>) -> R,
    ) -> R {
        let _guard = PreemptGuard::new();
        let changes = load_relaxed(&self.changes);
        self.changes.store(changes.wrapping_add(1), Release);
        let result = exchange(held);
        self.changes.store(changes.wrapping_add(2), Release);
        result
    }

    /// Takes the place of a plugin, if it has one.
    pub(crate) fn unpublish_large(&self, id: u32, _held: &mut Held<'_, LOCK>) {
        if let Some(place) = self.large_place(id) {
            place.store(0, Relaxed);
        }
    }

    /// Adds room.
    pub(crate) fn extend(&self, room: NameRoom, held: &mut Held<'_, LOCK>) {
        match room {
            NameRoom::Heads(segment) => self.heads.extend(segment, held),
            NameRoom::Nodes(segment) => self.nodes.extend(segment, held),
        }
    }

    /// Returns how many buckets serve for as many names.
    fn enough(names: u32) -> u32 {
        (names / LOAD).max(1)
    }

    /// Adds buckets for as many names.
    fn grow(&self, names: u32) {
        let enough = Self::enough(names).min(self.heads.capacity());
        for bucket in load_relaxed(&self.buckets)..enough {
            let guard = &PreemptGuard::new();
            // The first one is where the list begins.
            if bucket != 0 {
                let place = self.place(bucket.reverse_bits(), guard);
                let head = self.heads.get(bucket, guard);
                if let (Some(Place { link, .. }), Some(head)) = (place, head) {
                    head.store(load_relaxed(link), Relaxed);
                    link.store(BUCKET | bucket, Release);
                }
            }
            // INVARIANT: It is on the list.
            self.buckets.store(bucket + 1, Release);
        }
    }

    /// Links the names of a set, which belong to tables of that version. There must be room.
    ///
    /// Names that a plugin has later are linked before those that it has until then: a search comes to
    /// the newest first, and finds the one or the other.
    pub(crate) fn publish(
        &self,
        set: &NameSet,
        id: u32,
        version: u8,
        held: &mut Held<'_, LOCK>,
    ) -> Linked {
        let total = load_relaxed(&self.linked) + set.len();
        // Before the names are linked, and behind their unlinking: see `goes_on()`.
        self.linked.store(total, Relaxed);
        self.grow(total);
        let mut first = 0;
        // What is linked last is found first, and that is the first in the table.
        for &(hash, item) in set.names().iter().rev() {
            let guard = PreemptGuard::new();
            let number = self.recycler.take(|n| self.sibling(n, &guard), held);
            let Some(node) = self.node(number, &guard) else {
                break;
            };
            node.sibling.store(first, Relaxed);
            node.key.store(key(hash), Relaxed);
            node.owner.store(id, Relaxed);
            node.item
                .store(item | u32::from(version) << VERSION, Relaxed);
            self.link(number, node, &guard);
            first = number;
        }
        Linked { first }
    }

    /// Puts a node on the list, in the place of the newest with its key. Publishes it by one store
    /// (modelled in `tests/litmus/names-insert.litmus`).
    fn link(&self, number: u32, node: &Node, guard: &PreemptGuard) {
        let Some(Place { link, same }) = self.place(load_relaxed(&node.key), guard) else {
            return;
        };
        node.newer.store(0, Relaxed);
        let (next, older) = match same {
            Some((older, was_newest)) => {
                was_newest.newer.store(number, Relaxed);
                (load_relaxed(&was_newest.next), older)
            }
            None => (load_relaxed(link), 0),
        };
        node.next.store(next, Relaxed);
        node.older.store(older, Relaxed);
        // INVARIANT: An element that is replaced keeps its place behind this one.
        link.store(number, Release);
    }

    /// Takes a node off the list. Readers that are on it go on from there (modelled, with the wait
    /// before a node is used again, in `tests/litmus/names-remove.litmus`).
    fn unlink(&self, node: &Node, guard: &PreemptGuard) {
        let (newer, older) = (load_relaxed(&node.newer), load_relaxed(&node.older));
        let next_older = self.node(older, guard);
        if let Some(next_older) = next_older {
            next_older.newer.store(newer, Relaxed);
        }
        if let Some(newer) = self.node(newer, guard) {
            newer.older.store(older, Release);
            return;
        }
        let next = load_relaxed(&node.next);
        let Some(Place { link, .. }) = self.place(load_relaxed(&node.key), guard) else {
            return;
        };
        match next_older {
            Some(newest) => {
                newest.next.store(next, Relaxed);
                link.store(older, Release);
            }
            None => link.store(next, Release),
        }
    }

    /// Unlinks names, which readers pass by already.
    pub(crate) fn unpublish(&self, linked: &Linked, held: &mut Held<'_, LOCK>) {
        let mut chain = Chain {
            first: linked.first,
            ..Default::default()
        };
        let mut number = linked.first;
        loop {
            let guard = PreemptGuard::new();
            let Some(node) = self.node(number, &guard) else {
                break;
            };
            self.unlink(node, &guard);
            chain.last = number;
            chain.len += 1;
            number = load_relaxed(&node.sibling);
        }
        if chain.len != 0 {
            let guard = PreemptGuard::new();
            self.recycler
                .give_back(chain, |n| self.sibling(n, &guard), held);
        }
        let total = load_relaxed(&self.linked).wrapping_sub(chain.len);
        self.linked.store(total, Release);
    }

    fn sibling<'g>(&'g self, number: u32, guard: &'g PreemptGuard) -> Option<&'g Atomic<u32>> {
        Some(&self.node(number, guard)?.sibling)
    }

    /// Returns a place among the large plugins: that of a plugin, or a free one for id 0.
    fn large_place(&self, id: u32) -> Option<&Atomic<u32>> {
        self.large.iter().find(|slot| load_relaxed(slot) == id)
    }

    /// Frees the table, when no name is left.
    pub(crate) fn clear(&self, held: &mut Held<'_, LOCK>) {
        self.buckets.store(0, Relaxed);
        self.recycler.clear(held);
        self.heads.clear(held);
        self.nodes.clear(held);
    }
}

/// What the table has too little of, and the capacity.
pub(crate) enum NameShortage {
    /// Buckets.
    Heads(u32),
    /// Nodes.
    Nodes(u32),
}

/// More of it.
pub(crate) enum NameRoom {
    /// Buckets.
    Heads(Segment<Atomic<u32>>),
    /// Nodes.
    Nodes(Segment<Node>),
}

impl NameRoom {
    /// Allocates what is short.
    ///
    /// Context: May sleep.
    pub(crate) fn new(shortage: NameShortage) -> Result<Self, AllocError> {
        Ok(match shortage {
            // Beyond, a number would be that of a bucket.
            NameShortage::Nodes(capacity) if capacity >= BUCKET / 4 => return Err(AllocError),
            NameShortage::Heads(capacity) => {
                Self::Heads(Segment::behind(capacity, || Atomic::new(0))?)
            }
            NameShortage::Nodes(capacity) => Self::Nodes(Segment::behind(capacity, Node::free)?),
        })
    }
}
