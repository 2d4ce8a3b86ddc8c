// SPDX-License-Identifier: GPL-2.0

//! A map from ranges of addresses to reference-counted values, searched without a lock.
//!
//! A B+tree of nodes of 512 bytes. A reader disables preemption and loads: it works in any context, in
//! an NMI too that interrupts the writer. A writer publishes each change by one store:
//!
//! - A range behind all others of its leaf, and a child behind all others of its node, go into a free
//!   slot. The store of its key publishes it.
//! - For any other range or child, a copy of the leaf or node replaces it by the store of a pointer.
//! - A removed range leaves a slot of size 0, a removed child a slot with the key of the next. Removal
//!   allocates nothing, so it cannot fail.
//!
//! The kernel has `include/linux/rbtree_latch.h` and [`MapleTree`] for this. A search in either takes
//! more dependent loads and mispredicted branches, and a maple tree allocates for a removal. `make
//! bench` compares all three.
//!
//! [`MapleTree`]: kernel::maple_tree::MapleTree

mod node;
mod path;

pub(crate) use self::node::Spares;

use self::{
    node::{
        Inner,
        Leaf,
        Node,
        NodePtr,
        Range,
        Replacement,
        Spare,
        View,
        FREE,
        INNER,
        LEAF, //
    },
    path::{
        Path,
        LEVELS, //
    }, //
};
use super::{
    atomic::load_acquire,
    preempt::PreemptGuard,
    rcu::{
        call_rcu,
        end_callback,
        Held, //
    },
    rcu_counted::{
        RcuCounted,
        RcuRef, //
    },
};
use core::{
    cell::UnsafeCell,
    marker::PhantomData,
    mem::{
        self,
        align_of,
        size_of,
        MaybeUninit, //
    },
    ptr::{
        self,
        NonNull, //
    },
};
use kernel::{
    bindings,
    prelude::*,
    sync::{
        aref::ARef,
        atomic::{
            Atomic,
            Relaxed,
            Release, //
        },
        GlobalLockBackend, //
    },
    warn_on, //
};

/// Nodes for one call of RCU, which takes longer than the rest of an insertion.
const BATCH: u32 = 16;

/// A range of addresses, and the value that it is mapped to.
pub(crate) struct Found<'a, T> {
    /// The first address.
    pub(crate) base: usize,
    /// Bytes.
    pub(crate) size: usize,
    /// The value.
    pub(crate) value: &'a T,
    /// The marks.
    pub(crate) marks: usize,
}

/// Bits of a pointer to a value that are the marks of the range.
const MARKS: usize = 7;

/// A map from disjoint ranges of addresses to values, written under the global lock `B`.
///
/// # Invariants
///
/// - `root` is null or leads to a node, which is freed a grace period or more after the last pointer to
///   it is removed. `levels` is the number of levels above the leaves.
/// - The search for an address of a range ends at that range: of two ranges in different children of a
///   node, the key of the later child is above the first and not above the second.
/// - The value of a range is a pointer to an `RcuCounted<T>`, with marks in its lowest bits, and owns a
///   reference to it.
/// - `spares` is only accessed by the holder of `B`. `num_spares` is its length.
/// - `retired` is null or leads to the last of `num_retired` nodes that nothing else leads to. Each leads
///   to the one before. Only the holder of `B` accesses them.
///
/// # Examples
///
/// ```
/// use crate::primitives::{preempt::PreemptGuard, rcu::Held, rcu_counted::RcuCounted};
///
/// static TREE: RangeTree<u32, LOCK> = RangeTree::new();
///
/// let seven = RcuCounted::new(7)?;
/// let spares = Spares::new(TREE.shortage(1))?;
/// let mut lock = LOCK.lock();
/// let mut held = Held::new(&mut lock);
/// TREE.refill(spares, &mut held);
/// TREE.insert(0x1000, 0x100, seven, 0, &mut held);
///
/// let guard = PreemptGuard::new();
/// assert!(TREE.find(0x10ff, &guard).is_some_and(|found| *found.value == 7));
/// assert!(TREE.find(0x1100, &guard).is_none());
/// drop(guard);
///
/// assert!(TREE.remove(0x1000, &mut held).is_some());
/// let spares = TREE.clear(&mut held);
/// drop(lock);
/// drop(spares);
/// # Ok::<(), Error>(())
/// ```
pub(crate) struct RangeTree<T: Send + Sync + 'static, B: GlobalLockBackend> {
    root: Atomic<*mut Node>,
    levels: Atomic<u32>,
    spares: UnsafeCell<Spares>,
    num_spares: Atomic<usize>,
    retired: Atomic<*mut Node>,
    num_retired: Atomic<u32>,
    _owns: PhantomData<RcuRef<T>>,
    _lock: PhantomData<fn(B)>,
}

// SAFETY: By the type invariants, `spares` is only accessed under `B`. Everything else is atomic.
// References to values are shared with readers, and dropped by any thread.
unsafe impl<T: Send + Sync, B: GlobalLockBackend> Sync for RangeTree<T, B> {}

impl<T: Send + Sync, B: GlobalLockBackend> RangeTree<T, B> {
    /// Creates an empty map.
    pub(crate) const fn new() -> Self {
        // INVARIANT: There is no node, no spare, and no retired node.
        Self {
            root: Atomic::new(ptr::null_mut()),
            levels: Atomic::new(0),
            spares: UnsafeCell::new(Spares::empty()),
            num_spares: Atomic::new(0),
            retired: Atomic::new(ptr::null_mut()),
            num_retired: Atomic::new(0),
            _owns: PhantomData,
            _lock: PhantomData,
        }
    }

    /// Returns the root.
    ///
    /// # Safety
    ///
    /// For `'a`, the caller keeps preemption disabled, or holds `B` and retires no node that it uses.
    #[inline(always)]
    unsafe fn root<'a>(&self) -> Option<&'a Node> {
        // SAFETY: By the type invariants, the pointer is null or leads to a node that is not freed for
        // `'a`, by the safety requirements.
        unsafe { load_acquire(&self.root).as_ref() }
    }

    /// Returns the range that `addr` lies in.
    ///
    /// Takes a number of steps that is logarithmic in the number of ranges.
    ///
    /// Context: Any, NMI included.
    #[inline(always)]
    pub(crate) fn find<'g>(
        &'g self,
        addr: usize,
        _guard: &'g PreemptGuard,
    ) -> Option<Found<'g, T>> {
        // SAFETY: `_guard` keeps preemption disabled during `'g`.
        let mut node = unsafe { self.root() }?;
        // A rank of 0 becomes a slot that no node has.
        let leaf = loop {
            match node.view() {
                View::Inner(inner) => node = inner.child(inner.rank(addr).wrapping_sub(1))?,
                View::Leaf(leaf) => break leaf,
            }
        };
        let range = leaf.slot(leaf.rank(addr).wrapping_sub(1))?;
        if addr.wrapping_sub(range.base) >= range.size {
            return None;
        }
        // SAFETY: The size is not 0, so the range was in the tree during `'g`.
        Some(unsafe { Self::found(range) })
    }

    /// Returns the value of a range without the marks.
    #[inline(always)]
    fn value(range: Range) -> *mut RcuCounted<T> {
        const { assert!(align_of::<RcuCounted<T>>() > MARKS) };
        range.value.map_addr(|addr| addr & !MARKS).cast()
    }

    /// Returns a range with its value.
    ///
    /// # Safety
    ///
    /// The range is or was in the tree during `'a`, and the caller keeps preemption disabled for `'a`,
    /// or holds `B` and removes nothing.
    #[inline(always)]
    unsafe fn found<'a>(range: Range) -> Found<'a, T> {
        Found {
            base: range.base,
            size: range.size,
            // SAFETY: By the type invariants, the range had a reference to the value. By the safety
            // requirements, no grace period begins after that and ends during `'a`.
            value: unsafe { &*Self::value(range) },
            marks: range.value.addr() & MARKS,
        }
    }

    /// Returns the range with the highest addresses among those that begin at or below `addr`.
    fn last_to(&self, mut addr: usize, _held: &Held<'_, B>) -> Option<Range> {
        loop {
            // SAFETY: `_held` proves that `B` is held, and nothing is retired here.
            let mut node = unsafe { self.root() }?;
            // The lowest address for which the search comes to `node`.
            let mut lowest = 0;
            let found = loop {
                match node.view() {
                    View::Leaf(leaf) => break leaf.ranges().rev().find(|r| r.base <= addr),
                    View::Inner(inner) => {
                        let Some(at) = inner.rank(addr).checked_sub(1) else {
                            break None;
                        };
                        lowest = inner.key(at);
                        match inner.child(at) {
                            Some(child) => node = child,
                            None => break None,
                        }
                    }
                }
            };
            if found.is_some() {
                return found;
            }
            addr = lowest.checked_sub(1)?;
        }
    }

    /// Returns a range that shares an address with the `size` bytes at `base`.
    ///
    /// Context: Any, with the lock held.
    pub(crate) fn overlap<'h>(
        &'h self,
        base: usize,
        size: usize,
        held: &'h Held<'_, B>,
    ) -> Option<Found<'h, T>> {
        self.last_to(base.wrapping_add(size.wrapping_sub(1)), held)
            .filter(|r| r.base >= base || base - r.base < r.size)
            // SAFETY: The range is in the tree, from which nothing is removed while `held` is borrowed.
            .map(|range| unsafe { Self::found(range) })
    }

    /// Returns how many spare nodes an insertion takes at most: each level may be split, and a root added.
    fn need(&self) -> usize {
        self.levels.load(Relaxed) as usize * 2 + 3
    }

    /// Returns how many spare nodes to allocate for `insertions`.
    ///
    /// Other writers may use spares as long as the lock is not held.
    ///
    /// Context: Any, NMI included.
    pub(crate) fn shortage(&self, insertions: usize) -> usize {
        // One of these insertions may add a level for the next.
        let each = self.need() + 2;
        let missing = insertions
            .saturating_mul(each)
            .saturating_sub(self.num_spares.load(Relaxed));
        // More than missing, so that the next insertions need none.
        match missing {
            0 => 0,
            _ => missing.saturating_add(each),
        }
    }

    /// Adds spare nodes.
    ///
    /// Context: Any, with the lock held.
    pub(crate) fn refill(&self, mut more: Spares, _held: &mut Held<'_, B>) {
        // SAFETY: `_held` proves that `B` is held, and that nothing else borrows the spares.
        let spares = unsafe { &mut *self.spares.get() };
        while let Some(spare) = more.pop() {
            spares.push(spare);
        }
        self.num_spares.store(spares.len(), Relaxed);
    }

    /// Moves `node` into a spare.
    fn place<N>(&self, node: N, _held: &mut Held<'_, B>) -> Option<NodePtr> {
        const { assert!(size_of::<N>() <= size_of::<Spare>()) };
        // SAFETY: As in `refill()`.
        let spares = unsafe { &mut *self.spares.get() };
        let place = KBox::into_raw(spares.pop()?).cast::<N>();
        self.num_spares.store(spares.len(), Relaxed);
        // SAFETY: `place` is owned, aligned, and as large as a spare.
        unsafe { place.write(node) };
        // SAFETY: A node is the first member of `N`, which lies in a spare, and only `retire()` frees it.
        Some(unsafe { NodePtr::new(NonNull::new(place.cast())?) })
    }

    /// Frees a node after a grace period, with others of a batch.
    ///
    /// # Safety
    ///
    /// `node` came from [`RangeTree::place()`], no pointer of the tree leads to it any more, and this is
    /// not called for it again. The caller does not use it any more, unless it keeps preemption disabled.
    unsafe fn retire(&self, node: &Node, held: &mut Held<'_, B>) {
        node.before.store(self.retired.load(Relaxed), Relaxed);
        // INVARIANT: By the safety requirements, nothing else leads to `node`.
        self.retired.store(ptr::from_ref(node).cast_mut(), Relaxed);
        let num = self.num_retired.load(Relaxed) + 1;
        self.num_retired.store(num, Relaxed);
        if num >= BATCH {
            self.free_retired(held);
        }
    }

    /// Frees all retired nodes after a grace period.
    fn free_retired(&self, _held: &mut Held<'_, B>) {
        /// # Safety
        ///
        /// `rcu` is the first member of the last of several nodes that came from
        /// [`RangeTree::place()`] and that nothing uses any more. Each leads to the one before.
        unsafe extern "C" fn free(rcu: *mut bindings::callback_head) {
            let mut node = rcu.cast::<Node>();
            while !node.is_null() {
                // SAFETY: By the safety requirements, `node` is valid.
                let before = unsafe { (*node).before.load(Relaxed) };
                // SAFETY: By the safety requirements, `node` is memory of a `Spare`. A node has nothing
                // to drop.
                drop(unsafe { KBox::from_raw(node.cast::<MaybeUninit<Spare>>()) });
                node = before;
            }
            end_callback();
        }

        let last = self.retired.load(Relaxed);
        // INVARIANT: The nodes are RCU's from here on.
        self.retired.store(ptr::null_mut(), Relaxed);
        self.num_retired.store(0, Relaxed);
        // SAFETY: By the type invariants, `last` is null or valid.
        if let Some(last) = unsafe { last.as_ref() } {
            // SAFETY: The nodes came from `place()`, as `retire()` requires, and by the type invariants
            // nothing leads to them. `free()` is called after the readers that may use them are gone.
            unsafe { call_rcu(last.rcu.get(), free) };
        }
    }

    /// Maps the `size` bytes at `base`, which must not overlap another range, to `value`. Of `marks`,
    /// which the caller chooses, the lowest 3 bits are kept.
    ///
    /// Needs the spares that [`RangeTree::shortage()`] asks for. Takes a logarithmic number of steps.
    ///
    /// Context: Any, with the lock held.
    pub(crate) fn insert(
        &self,
        base: usize,
        size: usize,
        value: RcuRef<T>,
        marks: usize,
        held: &mut Held<'_, B>,
    ) {
        if self.num_spares.load(Relaxed) < self.need() {
            // Half of a split would be lost.
            warn_on!(true);
            return;
        }
        // INVARIANT: The range owns the reference.
        let value = ARef::into_raw(value).as_ptr().cast::<c_void>();
        let value = value.map_addr(|addr| addr | (marks & MARKS));
        let range = Range { base, size, value };
        let mut path = Path::new();
        // SAFETY: `held` proves that `B` is held. Nodes are retired when the path is not used any more.
        let Some(mut node) = (unsafe { self.root() }) else {
            // INVARIANT: A leaf is a tree of one level, without inner nodes.
            if let Some(leaf) = self.place(Leaf::new(&[range]), held) {
                self.root.store(leaf.as_ptr(), Release);
            }
            return;
        };
        let leaf = loop {
            match node.view() {
                View::Leaf(leaf) => break leaf,
                View::Inner(inner) => {
                    let at = inner.clear_way(range.base, range.base + range.size);
                    path.push(inner, at);
                    match inner.child(at) {
                        Some(child) => node = child,
                        None => return,
                    }
                }
            }
        };
        if leaf.append(range) {
            return;
        }
        let (all, num) = leaf.with(range);
        let new = if num <= LEAF {
            Replacement {
                first: self.place(Leaf::new(all.get(..num).unwrap_or(&[])), held),
                second: None,
            }
        } else {
            let (first, second) = split(&all, all.last() == Some(&range));
            let key = second.first().map_or(FREE, |r| r.base);
            let second = self.place(Leaf::new(second), held).map(|leaf| (key, leaf));
            Replacement {
                // If `second` is `range` alone, the leaf is `first` already.
                first: match first.len() {
                    LEAF => None,
                    _ => self.place(Leaf::new(first), held),
                },
                second,
            }
        };
        self.replace(&leaf.node, new, path, held);
    }

    /// Replaces `old` in the nodes of `path`.
    fn replace<'h>(
        &self,
        mut old: &'h Node,
        mut new: Replacement,
        mut path: Path<'h>,
        held: &mut Held<'_, B>,
    ) {
        let mut retired = [None; LEVELS + 1];
        for slot in &mut retired {
            *slot = new.first.map(|_| old);
            let Some((inner, at)) = path.pop() else {
                self.replace_root(old, &new, held);
                break;
            };
            // A search that has not seen `second` must not come to `first`, so both take a new node
            // (modelled in tests/litmus/range-split.litmus).
            let is_done = match (new.first, new.second) {
                (Some(first), None) => {
                    inner.replace(at, first);
                    true
                }
                (None, Some(second)) => inner.append(second),
                _ => false,
            };
            if is_done {
                break;
            }
            new = self.rebuild(inner, at, &new, held);
            old = &inner.node;
        }
        for node in retired.into_iter().flatten() {
            // SAFETY: Nodes of the tree come from `place()`. Each of these was replaced above, so that
            // nothing leads to it any more, and is not used below.
            unsafe { self.retire(node, held) };
        }
    }

    /// Makes what replaces `inner` once `new` replaces the child in slot `at`.
    fn rebuild(
        &self,
        inner: &Inner,
        at: usize,
        new: &Replacement,
        held: &mut Held<'_, B>,
    ) -> Replacement {
        let level = inner.node.level;
        let Some((all, num)) = inner.with(at, new) else {
            return Replacement::default();
        };
        if num <= INNER {
            return Replacement {
                first: self.place(Inner::new(level, all.get(..num).unwrap_or(&[])), held),
                second: None,
            };
        }
        let appends = new.first.is_none() && all.last() == new.second.as_ref();
        let (first, second) = split(&all, appends);
        let key = second.first().map_or(FREE, |&(key, _)| key);
        let second = self.place(Inner::new(level, second), held);
        Replacement {
            first: match appends {
                true => None,
                false => self.place(Inner::new(level, first), held),
            },
            second: second.map(|node| (key, node)),
        }
    }

    fn replace_root(&self, old: &Node, new: &Replacement, held: &mut Held<'_, B>) {
        // SAFETY: `old` was the root, which lies in a spare, and only `retire()` frees it.
        let old_root = unsafe { NodePtr::new(NonNull::from(old)) };
        let first = new.first.unwrap_or(old_root);
        let root = match new.second {
            None => Some(first),
            Some(second) => {
                let level = old.level + 1;
                self.levels.store(level, Relaxed);
                self.place(Inner::new(level, &[(0, first), second]), held)
            }
        };
        // INVARIANT: The nodes are those of the tree, and `levels` counts the new root.
        if let Some(root) = root {
            self.root.store(root.as_ptr(), Release);
        }
    }

    /// Removes the range that begins at `base`, and returns its value.
    ///
    /// Takes a logarithmic number of steps.
    ///
    /// Context: Any, with the lock held.
    pub(crate) fn remove(&self, base: usize, held: &mut Held<'_, B>) -> Option<RcuRef<T>> {
        let mut path = Path::new();
        // SAFETY: `held` proves that `B` is held. Nodes are retired when they are not used any more.
        let mut node = unsafe { self.root() }?;
        let leaf = loop {
            match node.view() {
                View::Leaf(leaf) => break leaf,
                View::Inner(inner) => {
                    let at = inner.rank(base).checked_sub(1)?;
                    path.push(inner, at);
                    node = inner.child(at)?;
                }
            }
        };
        let at = leaf.rank(base).checked_sub(1)?;
        let range = leaf.range(at).filter(|r| r.base == base)?;
        leaf.remove(at);
        let mut is_empty = leaf.ranges().next().is_none();
        while is_empty {
            let Some((inner, at)) = path.pop() else {
                // INVARIANT: The tree is empty.
                self.root.store(ptr::null_mut(), Release);
                self.levels.store(0, Relaxed);
                // SAFETY: `node` came from `place()`. It was the root, which is null now.
                unsafe { self.retire(node, held) };
                break;
            };
            inner.remove(at);
            // SAFETY: `node` came from `place()`. Its parent `inner` does not lead to it any more.
            unsafe { self.retire(node, held) };
            node = &inner.node;
            is_empty = !inner.has_children();
        }
        let value = NonNull::new(Self::value(range))?;
        // SAFETY: By the type invariants, the range owned a reference. Nothing else has taken it, since
        // the range was in the tree until here.
        Some(unsafe { ARef::from_raw(value) })
    }

    /// Takes out the spares, for dropping without the lock, and frees what waits for more of its kind.
    ///
    /// Context: Any, with the lock held.
    pub(crate) fn clear(&self, held: &mut Held<'_, B>) -> Spares {
        self.free_retired(held);
        self.num_spares.store(0, Relaxed);
        // SAFETY: As in `refill()`.
        mem::take(unsafe { &mut *self.spares.get() })
    }
}

/// Splits what is one too much for a node: before the last, if that is new, so that nodes that grow in
/// ascending order become full; in the middle otherwise.
fn split<T>(all: &[T], appends: bool) -> (&[T], &[T]) {
    let at = match appends {
        true => all.len() - 1,
        false => all.len() / 2,
    };
    all.split_at_checked(at).unwrap_or((all, &[]))
}
