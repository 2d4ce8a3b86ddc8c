// SPDX-License-Identifier: GPL-2.0

//! Nodes of a [`RangeTree`](super::RangeTree), and the memory for them.

use crate::primitives::atomic::{
    acquire_fence,
    load_acquire,
    load_relaxed, //
};
use core::{
    array,
    mem::{
        size_of,
        MaybeUninit, //
    },
    ptr::{
        self,
        NonNull, //
    },
};
use kernel::{
    alloc::AllocError,
    bindings,
    prelude::*,
    sync::atomic::{
        Atomic,
        Release, //
    },
    types::Opaque, //
};

/// Slots of a leaf.
pub(super) const LEAF: usize = 20;

/// Slots of an inner node.
pub(super) const INNER: usize = 30;

/// Distance of the keys that a search samples.
const STRIDE: usize = 5;

/// The key of a free slot.
pub(super) const FREE: usize = usize::MAX;

/// A range of addresses and what it is mapped to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) base: usize,
    pub(super) size: usize,
    pub(super) value: *mut c_void,
}

/// The start of a leaf and of an inner node.
///
/// # Invariants
///
/// - This is the first member of a [`Leaf`] if `level` is 0, and of an [`Inner`] otherwise.
/// - `len` slots are or were in use. Their keys ascend; two slots of an inner node may have equal
///   keys. The other slots have the key [`FREE`].
#[repr(C)]
pub(super) struct Node {
    pub(super) rcu: Opaque<bindings::callback_head>,
    /// The node that was retired before, as long as both wait for a call of RCU.
    pub(super) before: Atomic<*mut Node>,
    pub(super) level: u32,
    len: Atomic<u32>,
}

/// Ranges in ascending order.
#[repr(C)]
pub(super) struct Leaf {
    pub(super) node: Node,
    keys: [Atomic<usize>; LEAF],
    /// 0 for a range that was removed.
    sizes: [Atomic<usize>; LEAF],
    values: [Atomic<*mut c_void>; LEAF],
}

/// Children in ascending order.
///
/// # Invariants
///
/// - Each child pointer is null or leads to a node of the level below. That node is freed a grace
///   period after the last pointer to it is removed.
/// - The slot of a removed child has the key of the next slot that has a child, or [`FREE`].
#[repr(C)]
pub(super) struct Inner {
    pub(super) node: Node,
    keys: [Atomic<usize>; INNER],
    /// Null for a child that was removed.
    children: [Atomic<*mut Node>; INNER],
}

/// A pointer to a node of a tree.
///
/// # Invariants
///
/// It leads to a node in the memory of a [`Spare`], which is freed a grace period after the tree has no
/// pointer to it any more.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(transparent)]
pub(super) struct NodePtr(NonNull<Node>);

impl NodePtr {
    /// # Safety
    ///
    /// `node` must lie in the memory of a [`Spare`], which is freed by
    /// [`RangeTree::retire()`](super::RangeTree::retire) alone.
    pub(super) unsafe fn new(node: NonNull<Node>) -> Self {
        // INVARIANT: By the safety requirements.
        Self(node)
    }

    pub(super) fn as_ptr(self) -> *mut Node {
        self.0.as_ptr()
    }
}

/// A child and its key.
pub(super) type Child = (usize, NodePtr);

/// Nodes that replace one node: its successor, if it changes, and the node behind it.
#[derive(Default)]
pub(super) struct Replacement {
    pub(super) first: Option<NodePtr>,
    pub(super) second: Option<Child>,
}

/// What a node is.
pub(super) enum View<'a> {
    /// A leaf.
    Leaf(&'a Leaf),
    /// An inner node.
    Inner(&'a Inner),
}

const _: () = {
    assert!(size_of::<Spare>() == 512);
    assert!(size_of::<Leaf>() <= 512 && size_of::<Inner>() <= 512);
};

/// Keys that are counted one by one in a node that has no more.
const FEW: usize = 4;

/// Returns the number of `keys` that are not above `addr`, of which `len` are in use.
///
/// No branch depends on a key.
#[inline(always)]
fn rank<const N: usize>(keys: &[Atomic<usize>; N], len: usize, addr: usize) -> usize {
    const { assert!(FEW <= N && N % STRIDE == 0) };
    let counts = |i: usize| {
        // SAFETY: `i` is less than `N`, which is not below `FEW`, and which `STRIDE` divides.
        let key = unsafe { keys.get_unchecked(i) };
        usize::from(load_relaxed(key) <= addr)
    };
    // Free slots do not count.
    if len <= 1 {
        return counts(0);
    }
    if len <= FEW {
        return (0..FEW).map(counts).sum();
    }
    // Two rounds of independent loads.
    let samples: usize = (1..N / STRIDE).map(|i| counts(i * STRIDE)).sum();
    let first = samples * STRIDE;
    first + (first..first + STRIDE).map(counts).sum::<usize>()
}

fn set<const N: usize>(words: &[Atomic<usize>; N], i: usize, word: usize) {
    if let Some(slot) = words.get(i) {
        slot.store(word, Release);
    }
}

fn set_ptr<T, const N: usize>(ptrs: &[Atomic<*mut T>; N], i: usize, ptr: *mut T) {
    if let Some(slot) = ptrs.get(i) {
        slot.store(ptr, Release);
    }
}

impl Node {
    fn new(level: u32, len: usize) -> Self {
        Self {
            rcu: Opaque::uninit(),
            before: Atomic::new(ptr::null_mut()),
            level,
            len: Atomic::new(len as u32),
        }
    }

    /// Returns the leaf or inner node that this is.
    #[inline(always)]
    pub(super) fn view(&self) -> View<'_> {
        let this = ptr::from_ref(self);
        // SAFETY: By the type invariants, `this` is the first member of the type that `level` tells.
        unsafe {
            match self.level {
                0 => View::Leaf(&*this.cast()),
                _ => View::Inner(&*this.cast()),
            }
        }
    }

    #[inline(always)]
    fn len(&self) -> usize {
        load_acquire(&self.len) as usize
    }

    /// Counts one slot more.
    fn grow(&self) {
        self.len.store(load_relaxed(&self.len) + 1, Release);
    }
}

impl Leaf {
    /// Creates a leaf of at most [`LEAF`] ranges, which ascend.
    pub(super) fn new(ranges: &[Range]) -> Self {
        // INVARIANT: The level is 0. The slots of the ranges are in use, all others are free.
        let mut this = Self {
            node: Node::new(0, ranges.len().min(LEAF)),
            keys: array::from_fn(|_| Atomic::new(FREE)),
            sizes: array::from_fn(|_| Atomic::new(0)),
            values: array::from_fn(|_| Atomic::new(ptr::null_mut())),
        };
        let slots = this.keys.iter_mut().zip(&mut this.sizes);
        for (((key, size), value), range) in slots.zip(&mut this.values).zip(ranges) {
            *key.get_mut() = range.base;
            *size.get_mut() = range.size;
            *value.get_mut() = range.value;
        }
        this
    }

    /// Returns the number of keys that are not above `addr`.
    #[inline(always)]
    pub(super) fn rank(&self, addr: usize) -> usize {
        rank(&self.keys, self.node.len(), addr)
    }

    /// Returns the range in slot `i`, whose size is 0 if it was removed; [`None`] if there is no such
    /// slot.
    #[inline(always)]
    pub(super) fn slot(&self, i: usize) -> Option<Range> {
        // `append()` stores the key last, so it is loaded first.
        acquire_fence();
        Some(Range {
            base: load_relaxed(self.keys.get(i)?),
            size: load_relaxed(self.sizes.get(i)?),
            value: load_relaxed(self.values.get(i)?),
        })
    }

    /// Returns the range in slot `i`, or [`None`] if it was removed.
    pub(super) fn range(&self, i: usize) -> Option<Range> {
        self.slot(i).filter(|range| range.size != 0)
    }

    /// Returns the ranges in ascending order.
    pub(super) fn ranges(&self) -> impl DoubleEndedIterator<Item = Range> + '_ {
        (0..self.node.len()).filter_map(|i| self.range(i))
    }

    /// Copies the ranges with `new` among them, and returns how many these are.
    pub(super) fn with(&self, new: Range) -> ([Range; LEAF + 1], usize) {
        let mut all = [new; LEAF + 1];
        let mut slots = all.iter_mut();
        let mut num = 0;
        let mut push = |range| {
            if let Some(slot) = slots.next() {
                *slot = range;
                num += 1;
            }
        };
        self.ranges()
            .filter(|r| r.base < new.base)
            .for_each(&mut push);
        push(new);
        self.ranges()
            .filter(|r| r.base > new.base)
            .for_each(&mut push);
        (all, num)
    }

    /// Adds a range behind all others. Returns `false` if others are behind it or no slot is free.
    pub(super) fn append(&self, range: Range) -> bool {
        let len = self.node.len();
        if len >= LEAF || self.rank(range.base) != len {
            return false;
        }
        set(&self.sizes, len, range.size);
        set_ptr(&self.values, len, range.value);
        // INVARIANT: The key is above all others. Either of the two stores publishes it to one half of
        // `rank()`, as modelled in tests/litmus/range-append.litmus.
        set(&self.keys, len, range.base);
        self.node.grow();
        true
    }

    /// Removes the range in slot `i`.
    pub(super) fn remove(&self, i: usize) {
        set(&self.sizes, i, 0);
    }
}

impl Inner {
    /// Creates an inner node of at most [`INNER`] children of the level below, whose keys ascend.
    pub(super) fn new(level: u32, children: &[Child]) -> Self {
        // INVARIANT: The level is not 0. The slots of the children are in use, all others are free.
        let mut this = Self {
            node: Node::new(level, children.len().min(INNER)),
            keys: array::from_fn(|_| Atomic::new(FREE)),
            children: array::from_fn(|_| Atomic::new(ptr::null_mut())),
        };
        let slots = this.keys.iter_mut().zip(&mut this.children);
        for ((key, child), &(k, c)) in slots.zip(children) {
            *key.get_mut() = k;
            *child.get_mut() = c.as_ptr();
        }
        this
    }

    /// Returns the number of keys that are not above `addr`.
    #[inline(always)]
    pub(super) fn rank(&self, addr: usize) -> usize {
        rank(&self.keys, self.node.len(), addr)
    }

    /// Returns the key of slot `i`.
    pub(super) fn key(&self, i: usize) -> usize {
        self.keys.get(i).map_or(FREE, load_relaxed)
    }

    /// Returns the child in slot `i`, or [`None`] if it was removed.
    #[inline(always)]
    pub(super) fn child(&self, i: usize) -> Option<&Node> {
        // `append()` stores the key last, so it is loaded first.
        acquire_fence();
        let child = load_acquire(self.children.get(i)?);
        // SAFETY: By the type invariants, `child` is null or leads to a node. The guard or the lock
        // that `self` was found under keeps that node too.
        unsafe { child.as_ref() }
    }

    fn children(&self) -> impl Iterator<Item = (usize, Child)> + '_ {
        let slots = self.keys.iter().zip(&self.children).enumerate();
        slots.filter_map(|(i, (key, child))| {
            // INVARIANT: By the type invariants of `self`.
            let child = NodePtr(NonNull::new(load_relaxed(child))?);
            Some((i, (load_relaxed(key), child)))
        })
    }

    /// Returns whether there is a child.
    pub(super) fn has_children(&self) -> bool {
        self.children().next().is_some()
    }

    /// Copies the children with `new` instead of the one in slot `at`, and returns how many these
    /// are; [`None`] if there are none.
    pub(super) fn with(&self, at: usize, new: &Replacement) -> Option<([Child; INNER + 1], usize)> {
        let (_, first) = self.children().next()?;
        let mut all = [first; INNER + 1];
        let mut slots = all.iter_mut();
        let mut num = 0;
        let mut push = |child| {
            if let Some(slot) = slots.next() {
                *slot = child;
                num += 1;
            }
        };
        for (i, (key, child)) in self.children() {
            if i != at {
                push((key, child));
                continue;
            }
            push((key, new.first.unwrap_or(child)));
            new.second.into_iter().for_each(&mut push);
        }
        Some((all, num))
    }

    /// Makes one child responsible for all addresses from `base` to `end`, where no range lies.
    /// Returns its slot.
    pub(super) fn clear_way(&self, base: usize, end: usize) -> usize {
        let above = self.rank(base);
        // INVARIANT: The keys ascend after each of these stores, and of those below.
        for i in (above..self.rank(end - 1)).rev() {
            set(&self.keys, i, end);
        }
        above.checked_sub(1).unwrap_or_else(|| {
            let at = self.children().next().map_or(0, |(at, _)| at);
            for i in 0..=at {
                set(&self.keys, i, base);
            }
            at
        })
    }

    /// Adds a child behind all others. Returns `false` if others are behind it or no slot is free.
    pub(super) fn append(&self, (key, child): Child) -> bool {
        let len = self.node.len();
        if len >= INNER || self.rank(key) != len {
            return false;
        }
        set_ptr(&self.children, len, child.as_ptr());
        // INVARIANT: As in `Leaf::append()`.
        set(&self.keys, len, key);
        self.node.grow();
        true
    }

    /// Replaces the child in slot `i`.
    pub(super) fn replace(&self, i: usize, child: NodePtr) {
        set_ptr(&self.children, i, child.as_ptr());
    }

    /// Removes the child in slot `i`.
    pub(super) fn remove(&self, i: usize) {
        let next = self.key(i + 1);
        let is_removed = |&i: &usize| self.child(i).is_none();
        // INVARIANT: The keys ascend after each of these stores. From the first on, a search ends at
        // the child before. Slots of removed children get the key of the next child.
        set(&self.keys, i, next);
        set_ptr(&self.children, i, ptr::null_mut());
        for i in (0..i).rev().take_while(is_removed) {
            set(&self.keys, i, next);
        }
    }
}

/// Memory for one node.
#[repr(C)]
pub(super) struct Spare {
    next: Option<KBox<Spare>>,
    rest: [MaybeUninit<u64>; 63],
}

/// Memory for nodes.
#[derive(Default)]
pub(crate) struct Spares {
    head: Option<KBox<Spare>>,
    len: usize,
}

impl Spares {
    /// Creates an empty list.
    pub(super) const fn empty() -> Self {
        Self { head: None, len: 0 }
    }

    /// Allocates memory for `len` nodes.
    ///
    /// Context: May sleep.
    pub(crate) fn new(len: usize) -> Result<Self, AllocError> {
        let mut this = Self::empty();
        for _ in 0..len {
            let spare = Spare {
                next: None,
                rest: [MaybeUninit::uninit(); 63],
            };
            this.push(KBox::new(spare, GFP_KERNEL)?);
        }
        Ok(this)
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn push(&mut self, mut spare: KBox<Spare>) {
        spare.next = self.head.take();
        self.head = Some(spare);
        self.len += 1;
    }

    pub(super) fn pop(&mut self) -> Option<KBox<Spare>> {
        let mut spare = self.head.take()?;
        self.head = spare.next.take();
        self.len -= 1;
        Some(spare)
    }
}

impl Drop for Spares {
    fn drop(&mut self) {
        // Without recursion, for which the stack is too small.
        while self.pop().is_some() {}
    }
}
