// SPDX-License-Identifier: GPL-2.0

//! From a name to whatever bears it, over all plugins.
//!
//! A hash table whose chains are parts of one list, ordered by the reversed bits of the hashes: a
//! split-ordered list (Shalev and Shavit, "Split-Ordered Lists: Lock-Free Extensible Hash Tables",
//! 2006). Another bucket is then just another place to enter the list at, so the table grows by one
//! bucket for every few names, and no name ever moves under a reader.
//!
//! Like the index of addresses it only says where to look: a name counts while its plugin has the
//! tables that it is from. So names come and go with their tables, at once, and are unlinked after
//! that.

use crate::{
    modreg::{
        error::Refusal,
        index::segments::{
            Segment,
            Segments, //
        },
        lock::LOCK,
        name::Name,
        plugin::{
            LinkedNames,
            Plugin,
            PluginRef, //
        },
        tables::{
            exports::Exports,
            symtab::Symbols,
            Tables, //
        },
    },
    primitives::{
        atomic::load_acquire,
        cstr::ThinCStr,
        hash::HashKey,
        preempt::PreemptGuard,
        rcu::{
            Held,
            RcuBox,
            RcuCell,
            RcuRead, //
        },
        vec::push_reserved, //
    },
};
use core::{
    ffi::CStr,
    mem, //
};
use kernel::{
    alloc::AllocError,
    prelude::*,
    sync::{
        atomic::{
            Acquire,
            Atomic,
            Relaxed,
            Release, //
        },
        Arc, //
    },
};

/// Names in one page.
const PAGE: u32 = 256;

/// Names for one bucket.
const LOAD: u32 = 4;

/// How often a search begins again at most: each time, a name was unlinked meanwhile.
const RESTARTS: u32 = 1000;

/// What tells a bucket from a name in the number of an element.
const BUCKET: u32 = 1 << 31;

/// One name on the list.
///
/// # Invariants
///
/// `key` is 0 where there is no name, and else odd.
struct NameNode {
    /// The number of the next element; 0 at the end.
    next: Atomic<u32>,
    key: u32,
}

/// The key of the hashes, since users of a code cache may choose names.
static KEY: HashKey = HashKey::new();

/// The place of a name in the list's order.
#[inline]
fn key(name: &CStr) -> u32 {
    KEY.hash(name).reverse_bits() | 1
}

/// Some names of one plugin. Its items are the plugin itself, its symbols in the order of their
/// table, and its exported symbols.
struct Page {
    plugin: PluginRef,
    symbols: Arc<Symbols>,
    exports: Arc<Exports>,
    /// Which of the plugin's tables they belong to, as [`Tables::init`].
    init: bool,
    /// The item that the first node stands for.
    first: u32,
    nodes: KVec<NameNode>,
    /// The page's number, once it has one.
    number: u32,
}

impl Drop for Page {
    /// By now, no reader has the number any more.
    fn drop(&mut self) {
        NAMES.put_number(self.number);
    }
}

/// What bears a name.
pub(crate) enum Bearer<'g> {
    /// A plugin.
    Plugin(&'g Plugin),
    /// A plugin's symbol, with its address.
    Symbol(&'g Plugin, usize),
    /// A symbol that a plugin exports, its address, and whether it is for GPL-compatible callers
    /// only.
    Export(&'g Plugin, usize, bool),
}

impl Page {
    /// The item of `node`, if it is called `name`.
    fn bearer(&self, node: u32, name: ThinCStr<'_>, guard: &PreemptGuard) -> Option<Bearer<'_>> {
        // First, since without its tables the names need not be there either.
        if self.plugin.tables(guard)?.init != self.init {
            return None;
        }
        let plugin = &*self.plugin;
        let is = |other: ThinCStr<'_>| other.cmp(name).is_eq();
        let Some(symbol) = self.first.wrapping_add(node).checked_sub(1) else {
            return is(plugin.name().as_thin()).then_some(Bearer::Plugin(plugin));
        };
        match symbol.checked_sub(self.symbols.len()) {
            None => is(self.symbols.name(symbol))
                .then(|| Bearer::Symbol(plugin, self.symbols.value(symbol))),
            Some(export) => {
                let (value, gpl_only) = self.exports.value(export)?;
                is(self.exports.name(export)?).then_some(Bearer::Export(plugin, value, gpl_only))
            }
        }
    }
}

/// A place for a page, which its number leads to.
pub(crate) struct PageSlot {
    page: RcuCell<Page, LOCK>,
    next_free: Atomic<u32>,
}

/// The table.
///
/// # Invariants
///
/// - From each of the first `buckets` elements of `heads`, and from each linked node, the list goes
///   on in ascending order of keys; of equal ones the newest plugin's come first.
/// - A number that the list holds has its page, and stays that page's for as long as a reader may
///   have come by it.
pub(crate) struct Names {
    heads: Segments<Atomic<u32>>,
    buckets: Atomic<u32>,
    /// How many names are linked.
    linked: Atomic<u32>,
    pages: Segments<PageSlot>,
    /// The first page number that was never used, less 1, since there is no page 0.
    unused: Atomic<u32>,
    /// The page numbers that were used, as a stack.
    free: Atomic<u32>,
    /// At most as many as are on the stack.
    num_free: Atomic<u32>,
}

/// The table that readers use.
pub(crate) static NAMES: Names = Names {
    heads: Segments::new(),
    buckets: Atomic::new(0),
    linked: Atomic::new(0),
    pages: Segments::new(),
    unused: Atomic::new(0),
    free: Atomic::new(0),
    num_free: Atomic::new(0),
};

/// A bucket or a name on the list, or one that is to be.
struct Element<'a> {
    /// Its number, which others lead to it by.
    id: u32,
    next: &'a Atomic<u32>,
    key: u32,
}

impl Names {
    /// The element called `id`; nothing at the end of the list.
    #[inline]
    fn element<'a>(&'a self, id: u32, by: impl RcuRead<'a, LOCK>) -> Option<Element<'a>> {
        if id & BUCKET != 0 {
            let bucket = id & !BUCKET;
            return Some(Element {
                id,
                next: self.heads.get(bucket, by)?,
                key: bucket.reverse_bits(),
            });
        }
        let page = by.read(&self.pages.get(id / PAGE, by)?.page)?;
        let node = page.nodes.get((id % PAGE) as usize)?;
        Some(Element {
            id,
            next: &node.next,
            key: node.key,
        })
    }

    /// The bucket that a key is found from, among the first `buckets`.
    fn bucket(key: u32, buckets: u32) -> u32 {
        let size = buckets.next_power_of_two();
        let hash = (key & !1).reverse_bits();
        let bucket = hash & size.wrapping_sub(1);
        if bucket < buckets {
            bucket
        } else {
            bucket & (size / 2).wrapping_sub(1)
        }
    }

    /// What is called `name`, newest plugin first, and in one plugin in the order of its table; some
    /// of it twice where a plugin goes meanwhile. Constant for the first; from any context.
    pub(crate) fn find<'g>(
        &'g self,
        name: &'g CStr,
        guard: &'g PreemptGuard,
    ) -> impl Iterator<Item = Bearer<'g>> {
        let key = key(name);
        let start = move || match load_acquire(&self.buckets) {
            0 => None,
            buckets => self.heads.get(Self::bucket(key, buckets), guard),
        };
        let mut next = start();
        let mut restarts = RESTARTS;
        core::iter::from_fn(move || loop {
            let id = load_acquire(next?);
            if id == 0 {
                return None;
            }
            let Some(element) = self.element(id, guard) else {
                // It was unlinked just now, and its page is gone. From the start it is not found
                // again. In memory that is broken it may be.
                restarts = restarts.checked_sub(1)?;
                next = start();
                continue;
            };
            if element.key > key {
                return None;
            }
            next = Some(element.next);
            if element.key == key {
                let page = self.pages.get(id / PAGE, guard);
                let page = page.and_then(|slot| slot.page.load(guard));
                let bearer = page.and_then(|page| page.bearer(id % PAGE, name.into(), guard));
                if bearer.is_some() {
                    return bearer;
                }
            }
        })
    }

    /// The plugin called `name`.
    pub(crate) fn plugin<'g>(
        &'g self,
        name: &'g Name,
        guard: &'g PreemptGuard,
    ) -> Option<&'g Plugin> {
        self.find(name.as_cstr(), guard).find_map(|b| match b {
            Bearer::Plugin(plugin) => Some(plugin),
            _ => None,
        })
    }

    /// The plugin whose names the page with that number holds.
    pub(crate) fn plugin_of<'a>(
        &'a self,
        page: u32,
        by: impl RcuRead<'a, LOCK>,
    ) -> Option<&'a Plugin> {
        Some(&by.read(&self.pages.get(page, by)?.page)?.plugin)
    }

    /// The link that an element with `key` comes behind: the last one that leads to no smaller key.
    /// Where that element is linked already, `id` tells it from others with that key.
    fn before<'h>(
        &'h self,
        bucket: u32,
        key: u32,
        id: Option<u32>,
        held: &'h Held<'_, LOCK>,
    ) -> Option<&'h Atomic<u32>> {
        let mut link = self.heads.get(bucket, held)?;
        loop {
            let next = link.load(Relaxed);
            let goes_on =
                |e: &Element<'_>| e.key < key || (e.key == key && id.is_some_and(|id| id != e.id));
            match self.element(next, held).filter(goes_on) {
                Some(element) => link = element.next,
                None => return Some(link),
            }
        }
    }

    /// Puts an element on the list, in front of others with its key. Publishes it by one store
    /// (modelled in `tests/litmus/names-insert.litmus`).
    fn insert(&self, bucket: u32, element: Element<'_>, held: &mut Held<'_, LOCK>) {
        if let Some(before) = self.before(bucket, element.key, None, held) {
            element.next.store(before.load(Relaxed), Relaxed);
            before.store(element.id, Release);
        }
    }

    /// Takes an element off the list. Readers that stand on it go on from there (modelled, with the
    /// wait before a number is used again, in `tests/litmus/names-remove.litmus`).
    fn remove(&self, bucket: u32, element: Element<'_>, held: &mut Held<'_, LOCK>) {
        if let Some(before) = self.before(bucket, element.key, Some(element.id), held) {
            before.store(element.next.load(Relaxed), Release);
        }
    }

    /// Adds buckets for as many names.
    fn grow(&self, names: u32, held: &mut Held<'_, LOCK>) {
        let (now, enough) = (self.buckets.load(Relaxed), Self::enough(names));
        if enough <= now {
            return;
        }
        for bucket in now..enough.min(self.heads.capacity(&*held)) {
            let guard = PreemptGuard::new();
            // The first has nothing in front of it, and is where the list begins.
            if let Some(top) = bucket.checked_ilog2() {
                if let Some(next) = self.heads.get(bucket, &guard) {
                    let element = Element {
                        id: BUCKET | bucket,
                        next,
                        key: bucket.reverse_bits(),
                    };
                    self.insert(bucket & !(1 << (top & 31)), element, held);
                }
            }
            // INVARIANT: It is on the list.
            self.buckets.store(bucket.wrapping_add(1), Release);
        }
    }

    /// How many buckets serve for as many names.
    fn enough(names: u32) -> u32 {
        (names / LOAD).max(1)
    }

    /// Gives a page number back. From any context.
    fn put_number(&self, number: u32) {
        let guard = PreemptGuard::new();
        // None has number 0, and where the table is cleared there are no slots.
        let Some(slot) = self.pages.get(number, &guard).filter(|_| number != 0) else {
            return;
        };
        let mut top = self.free.load(Relaxed);
        loop {
            slot.next_free.store(top, Relaxed);
            match self.free.cmpxchg(top, number, Release) {
                Ok(_) => break,
                Err(now) => top = now,
            }
        }
        self.num_free.fetch_add(1, Release);
    }

    /// Takes a page number, of which [`Names::shortage`] has said that there are enough.
    fn take_number(&self, held: &mut Held<'_, LOCK>) -> Option<u32> {
        if self.num_free.load(Acquire) == 0 {
            let number = self.unused.load(Relaxed).wrapping_add(1);
            self.unused.store(number, Relaxed);
            return Some(number);
        }
        self.num_free.fetch_sub(1, Relaxed);
        // Others only push, so the top's successor stays what it is.
        let mut top = self.free.load(Acquire);
        loop {
            let next = self.pages.get(top, &*held)?.next_free.load(Relaxed);
            match self.free.cmpxchg(top, next, Acquire) {
                Ok(_) => return Some(top),
                Err(now) => top = now,
            }
        }
    }

    /// What the table lacks to take the names in; nothing where there is room.
    /// Without the lock, others may use that up meanwhile.
    pub(crate) fn shortage(
        &self,
        sets: &[Option<&NameSet>],
        guard: &PreemptGuard,
    ) -> Option<NameShortage> {
        let sum = |count: fn(&NameSet) -> u32| {
            let sets = sets.iter().flatten();
            sets.fold(0u32, |sum, set| sum.wrapping_add(count(set)))
        };
        let heads = self.heads.capacity(guard);
        let names = self
            .linked
            .load(Relaxed)
            .wrapping_add(sum(|s| s.linked.names));
        if heads < Self::enough(names) {
            return Some(NameShortage::Heads(heads));
        }
        let slots = self.pages.capacity(guard);
        let free = slots
            .wrapping_sub(1)
            .wrapping_sub(self.unused.load(Relaxed))
            .wrapping_add(self.num_free.load(Acquire));
        (slots == 0 || free < sum(|s| s.pages.len() as u32)).then_some(NameShortage::Pages(slots))
    }

    /// Adds what it lacked.
    pub(crate) fn extend(&self, more: More, held: &mut Held<'_, LOCK>) {
        match more {
            More::Heads(segment) => self.heads.extend(segment, held),
            More::Pages(segment) => self.pages.extend(segment, held),
        }
    }

    /// Gives the pages of a set their numbers, and leaves it empty; there must be room. Nothing leads
    /// to the names yet.
    pub(crate) fn enter(&self, set: &mut NameSet, held: &mut Held<'_, LOCK>) -> LinkedNames {
        let mut linked = mem::take(&mut set.linked);
        while let Some(mut page) = set.pages.pop() {
            let guard = PreemptGuard::new();
            let number = self.take_number(held).unwrap_or(0);
            if let Some(slot) = self.pages.get(number, &guard).filter(|_| number != 0) {
                page.number = number;
                let _none = slot.page.replace(Some(page), held);
                push_reserved(&mut linked.pages, number);
            }
        }
        linked
    }

    /// Links names whose pages have numbers.
    pub(crate) fn link(&self, linked: &LinkedNames, held: &mut Held<'_, LOCK>) {
        let total = self.linked.load(Relaxed).wrapping_add(linked.names);
        self.linked.store(total, Relaxed);
        self.grow(total, held);
        // From behind, since what comes last is found first.
        for &number in &linked.pages {
            // INVARIANT: The number leads to the page before the list holds it.
            self.each_node(number, held, Self::insert);
        }
    }

    /// Unlinks what [`Names::link`] has linked.
    pub(crate) fn unlink(&self, linked: &LinkedNames, held: &mut Held<'_, LOCK>) {
        for &number in &linked.pages {
            self.each_node(number, held, Self::remove);
        }
        let total = self.linked.load(Relaxed).wrapping_sub(linked.names);
        self.linked.store(total, Relaxed);
        let guard = PreemptGuard::new();
        for &number in &linked.pages {
            // INVARIANT: The list does not hold the number any more. The page gives it back once no
            // reader is left.
            if let Some(slot) = self.pages.get(number, &guard) {
                drop(slot.page.replace(None, held));
            }
        }
    }

    /// Calls `f` for the nodes of a page that have a name, the last one first, with the bucket of
    /// each.
    fn each_node(
        &self,
        number: u32,
        held: &mut Held<'_, LOCK>,
        f: fn(&Self, u32, Element<'_>, &mut Held<'_, LOCK>),
    ) {
        let buckets = self.buckets.load(Relaxed);
        let guard = PreemptGuard::new();
        let slot = self.pages.get(number, &guard);
        let page = slot.and_then(|slot| slot.page.load(&guard));
        let nodes = page.map_or(&[][..], |page| &page.nodes);
        for (i, node) in nodes.iter().enumerate().rev().filter(|(_, n)| n.key != 0) {
            let element = Element {
                id: number.wrapping_mul(PAGE).wrapping_add(i as u32),
                next: &node.next,
                key: node.key,
            };
            f(self, Self::bucket(node.key, buckets), element, held);
        }
    }

    /// Chooses the order of names at random, when there is none.
    pub(crate) fn init(&self) {
        KEY.randomize();
    }

    /// Frees the table, when no name is left.
    pub(crate) fn clear(&self, held: &mut Held<'_, LOCK>) {
        self.buckets.store(0, Relaxed);
        self.heads.clear(held);
        self.pages.clear(held);
    }
}

/// What the table has too little of, and how much there is.
pub(crate) enum NameShortage {
    /// Buckets.
    Heads(u32),
    /// Page numbers.
    Pages(u32),
}

/// More of that, taken before the lock.
pub(crate) enum More {
    /// Buckets.
    Heads(Segment<Atomic<u32>>),
    /// Page numbers.
    Pages(Segment<PageSlot>),
}

impl NameShortage {
    /// Allocates it. May sleep.
    pub(crate) fn more(self) -> Result<More, AllocError> {
        Ok(match self {
            // Beyond, numbers would be those of buckets.
            Self::Pages(there) if there >= BUCKET / PAGE / 2 => return Err(AllocError),
            Self::Heads(there) => More::Heads(Segment::behind(there, || Atomic::new(0))?),
            Self::Pages(there) => More::Pages(Segment::behind(there, || PageSlot {
                page: RcuCell::empty(),
                next_free: Atomic::new(0),
            })?),
        })
    }
}

/// The names of one plugin that are not linked yet.
pub(crate) struct NameSet {
    pages: KVVec<KBox<RcuBox<Page>>>,
    linked: LinkedNames,
}

impl NameSet {
    /// Hashes the names that `plugin` has with `tables`. May sleep.
    pub(crate) fn new(plugin: &PluginRef, tables: &Tables) -> Result<Self, Refusal> {
        let (symtab, exports) = (&tables.symtab, &tables.exports);
        let symbols = symtab.symbols();
        let items = symbols.len().wrapping_add(exports.len()).wrapping_add(1);

        let mut this = Self {
            pages: KVVec::with_capacity(items.div_ceil(PAGE) as usize, GFP_KERNEL)?,
            linked: LinkedNames {
                pages: KVVec::with_capacity(items.div_ceil(PAGE) as usize, GFP_KERNEL)?,
                names: 0,
            },
        };
        for first in (0..items).step_by(PAGE as usize) {
            let len = PAGE.min(items.wrapping_sub(first));
            let mut nodes = KVec::with_capacity(len as usize, GFP_KERNEL)?;
            for _ in 0..len {
                // INVARIANT: Without a name.
                let node = NameNode {
                    next: Atomic::new(0),
                    key: 0,
                };
                nodes.push(node, GFP_KERNEL)?;
            }
            let page = RcuBox::new(Page {
                plugin: plugin.clone(),
                symbols: symbols.clone(),
                exports: exports.clone(),
                init: tables.init,
                first,
                nodes,
                number: 0,
            })?;
            this.pages.push(page, GFP_KERNEL)?;
        }

        this.set(0, plugin.name().as_thin());
        for symbol in (0..symtab.len()).filter_map(|n| symtab.nth(n)) {
            if symbols.is_defined(symbol) {
                this.set(symbol.wrapping_add(1), symbols.name(symbol));
            }
        }
        for export in 0..exports.len() {
            if let Some(name) = exports.name(export) {
                this.set(symbols.len().wrapping_add(export).wrapping_add(1), name);
            }
        }
        Ok(this)
    }

    fn set(&mut self, item: u32, name: ThinCStr<'_>) {
        let page = self.pages.get_mut((item / PAGE) as usize);
        let node = page.and_then(|page| page.nodes.get_mut((item % PAGE) as usize));
        if let Some(node) = node.filter(|_| !name.is_empty()) {
            // INVARIANT: Keys are odd.
            node.key = key(name.to_cstr());
            self.linked.names = self.linked.names.wrapping_add(1);
        }
    }
}
