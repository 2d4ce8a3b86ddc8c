// SPDX-License-Identifier: GPL-2.0

//! From an address to the plugin that owns it.
//!
//! The regions of all plugins in the order of their addresses, in two levels: chunks of a few, and
//! the order of the chunks. A registration replaces the chunk that it falls into, and only where
//! that is full the order too; so its cost does not follow the number of plugins.
//!
//! The list remains the truth: a slot only says where to look, and what it names is asked whether
//! it has that region still. So an index that names too much is slower but not wrong.

use crate::{
    modreg::{
        lock::LOCK,
        plugin::{
            Plugin,
            PluginRef, //
        },
        tables::{
            region::Region,
            Tables, //
        },
    },
    primitives::{
        preempt::PreemptGuard,
        rcu::{
            Held,
            RcuBox,
            RcuCell,
            Retired, //
        },
        sort::sort_by,
        vec::push_reserved, //
    },
};
use core::{
    ops::Range,
    ptr, //
};
use kernel::{
    alloc::AllocError,
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc, //
    },
};

/// Slots in a full chunk.
const CHUNK: usize = 32;

/// One region of one plugin.
#[derive(Clone)]
struct Slot {
    base: usize,
    /// Which region of the plugin it is.
    region: u32,
    plugin: PluginRef,
}

impl Slot {
    /// Whether this is the same region of the same plugin.
    fn is(&self, other: &Self) -> bool {
        self.base == other.base && ptr::eq(&*self.plugin, &*other.plugin)
    }

    /// The region, unless it is gone: the plugin was unlinked, or it is LIVE and this was an init
    /// region.
    #[inline]
    fn region<'g>(&'g self, guard: &'g PreemptGuard) -> Option<(&'g Tables, &'g Region)> {
        let tables = self.plugin.tables(guard)?;
        Some((tables, tables.regions.get(self.region as usize)?))
    }
}

/// A few slots that are neighbours.
///
/// # Invariants
///
/// Sorted by `base`; at most `CHUNK`. Regions that exist do not overlap.
struct Chunk(KVec<Slot>);

/// The place of a chunk, in which it is replaced.
type Cell = RcuCell<Chunk, LOCK>;

/// The chunks in order.
///
/// # Invariants
///
/// Both arrays have one element for each chunk. A slot is in the last chunk whose `first` is not
/// above the slot's base; the first chunk's is 0.
pub(crate) struct Index {
    firsts: KVVec<usize>,
    chunks: KVVec<Arc<Cell>>,
}

/// The index that readers use.
pub(crate) static INDEX: RcuCell<Index, LOCK> = RcuCell::empty();

/// The lowest address of all text regions there have been, and the one behind the highest, as
/// `mod_tree`'s.
static TEXT: (Atomic<usize>, Atomic<usize>) = (Atomic::new(usize::MAX), Atomic::new(0));

/// What an address was found in.
pub(crate) struct RegionMatch<'g> {
    /// The plugin.
    pub(crate) plugin: &'g Plugin,
    /// Its tables.
    pub(crate) tables: &'g Tables,
    /// The region.
    pub(crate) region: &'g Region,
}

impl Index {
    /// Which chunk an address belongs into. The first where there is none.
    #[inline]
    fn chunk_of(&self, addr: usize) -> usize {
        let behind = self.firsts.partition_point(|&first| first <= addr);
        behind.saturating_sub(1)
    }

    /// The existing region at or below `addr` that is the nearest. Logarithmic.
    #[inline]
    fn below(addr: usize, guard: &PreemptGuard) -> Option<RegionMatch<'_>> {
        let index = INDEX.load(guard)?;
        // A region that is gone may be in front of one that exists.
        for cell in index.chunks.get(..=index.chunk_of(addr))?.iter().rev() {
            let slots = &cell.load(guard)?.0;
            let behind = slots.partition_point(|slot| slot.base <= addr);
            for slot in slots.get(..behind)?.iter().rev() {
                if let Some((tables, region)) = slot.region(guard) {
                    return Some(RegionMatch {
                        plugin: &slot.plugin,
                        tables,
                        region,
                    });
                }
            }
        }
        None
    }

    /// The plugin, the tables and the region that `addr` lies in. From any context.
    #[inline]
    pub(crate) fn find(addr: usize, guard: &PreemptGuard) -> Option<RegionMatch<'_>> {
        Self::below(addr, guard).filter(|place| place.region.contains(addr))
    }

    /// Whether `addr` lies between the lowest and the highest text address of all plugins. From any
    /// context.
    pub(crate) fn may_be_text(addr: usize) -> bool {
        (TEXT.0.load(Relaxed)..TEXT.1.load(Relaxed)).contains(&addr)
    }

    /// The plugin that has an address of `region` already.
    pub(crate) fn overlap<'g>(region: &Region, guard: &'g PreemptGuard) -> Option<&'g Plugin> {
        let last = region.base.wrapping_add(region.size).wrapping_sub(1);
        Self::below(last, guard)
            .filter(|there| there.region.overlaps(region))
            .map(|there| there.plugin)
    }

    /// Part `i` of a change: what of the `rest` belongs into that chunk is taken off it.
    fn part<'a>(this: Option<&'a Self>, i: usize, rest: &mut &'a [Slot]) -> Part<'a> {
        let first = |i: usize| this.and_then(|this| this.firsts.get(i).copied());
        let n = match first(i.wrapping_add(1)) {
            Some(end) => rest.partition_point(|slot| slot.base < end),
            None => rest.len(),
        };
        let (slots, others) = rest.split_at_checked(n).unwrap_or((rest, &[]));
        *rest = others;
        Part {
            first: first(i).unwrap_or(0),
            cell: this.and_then(|this| this.chunks.get(i)),
            slots,
        }
    }
}

/// The parts of a change that have something to change.
fn parts<'a>(slots: &'a [Slot], index: Option<&'a Index>) -> impl Iterator<Item = Part<'a>> {
    let mut rest = slots;
    core::iter::from_fn(move || {
        let first = rest.first()?;
        let i = index.map_or(0, |index| index.chunk_of(first.base));
        Some(Index::part(index, i, &mut rest))
    })
}

/// What a change does to one chunk.
struct Part<'a> {
    first: usize,
    /// Nothing where there is no chunk yet.
    cell: Option<&'a Arc<Cell>>,
    /// Those of the change's slots that belong into it.
    slots: &'a [Slot],
}

/// Which slots of today stay.
#[derive(Clone, Copy)]
enum Stay {
    /// All; the cheapest, as it looks at no plugin.
    All,
    /// Those whose region exists.
    Existing,
    /// Those that are not taken away.
    Others,
}

impl<'a> Part<'a> {
    fn today(&self, guard: &'a PreemptGuard) -> &'a [Slot] {
        let chunk = self.cell.and_then(|cell| cell.load(guard));
        chunk.map_or(&[], |chunk| &chunk.0)
    }

    /// What becomes of the chunk, in order.
    fn merged(&self, stay: Stay, guard: &'a PreemptGuard) -> impl Iterator<Item = &'a Slot> {
        let slots = self.slots;
        let stays = move |slot: &&'a Slot| match stay {
            Stay::All => true,
            Stay::Existing => slot.region(guard).is_some(),
            Stay::Others => !slots.iter().any(|gone| gone.is(slot)),
        };
        let mut old = self.today(guard).iter().filter(stays).peekable();
        let mut new = if matches!(stay, Stay::Others) {
            &[]
        } else {
            slots
        }
        .iter()
        .peekable();
        core::iter::from_fn(move || match (old.peek(), new.peek()) {
            (Some(o), Some(n)) if n.base < o.base => new.next(),
            (None, _) => new.next(),
            _ => old.next(),
        })
    }

    /// Which slots stay, how many there are then, and how many chunks become of them.
    fn count(&self, adds: bool, guard: &'a PreemptGuard) -> (Stay, usize, usize) {
        let all = self.today(guard).len().wrapping_add(self.slots.len());
        let (stay, slots) = match adds {
            true if all <= CHUNK => (Stay::All, all),
            true => (Stay::Existing, self.merged(Stay::Existing, guard).count()),
            false => (Stay::Others, self.merged(Stay::Others, guard).count()),
        };
        (stay, slots, slots.div_ceil(CHUNK))
    }
}

/// A change of the index, with the memory that it takes.
pub(crate) struct Change {
    /// In order.
    slots: KVVec<Slot>,
    /// Whether they are added; else they are those of regions that are gone.
    adds: bool,
    text: Range<usize>,
    /// Memory for chunks, all empty.
    spare: KVVec<KBox<RcuBox<Chunk>>>,
    /// Memory for the places of chunks.
    cells: KVVec<Arc<Cell>>,
    /// Chunks with the places that they are for.
    made: KVVec<(Arc<Cell>, KBox<RcuBox<Chunk>>)>,
    index: Option<KBox<RcuBox<Index>>>,
    /// Whether `index` is made of what there is, to be published too.
    reorders: bool,
    /// The chunks and the index of before.
    replaced: (KVVec<Retired<Chunk>>, Option<Retired<Index>>),
}

/// The memory that a change takes.
#[derive(Clone, Copy)]
pub(crate) struct Need {
    chunks: usize,
    /// Chunks in all, where their order changes.
    order: Option<usize>,
}

impl Change {
    /// Adds the regions that a plugin is to have. May sleep.
    pub(crate) fn add(plugin: &PluginRef, regions: &[Region]) -> Result<Self, AllocError> {
        Self::new(true, [(plugin, regions)].into_iter())
    }

    /// Takes away the regions of plugins that are about to lose them. May sleep.
    pub(crate) fn remove<'a>(
        plugins: impl Iterator<Item = &'a PluginRef>,
        held: &'a Held<'_, LOCK>,
    ) -> Result<Self, AllocError> {
        let regions = plugins.filter_map(|p| Some((p, &p.tables(held)?.regions[..])));
        let mut this = Self::new(false, regions)?;
        loop {
            let made = this.make(&PreemptGuard::new());
            match made {
                Ok(()) => return Ok(this),
                Err(need) => this.provide(need)?,
            }
        }
    }

    fn new<'a>(
        adds: bool,
        plugins: impl Iterator<Item = (&'a PluginRef, &'a [Region])>,
    ) -> Result<Self, AllocError> {
        let mut text = Range {
            start: usize::MAX,
            end: 0,
        };
        let mut order = KVVec::new();
        for (plugin, regions) in plugins {
            for (i, region) in regions.iter().enumerate() {
                order.push((region.base, i as u32, plugin), GFP_KERNEL)?;
                if region.text {
                    text.start = text.start.min(region.base);
                    text.end = text.end.max(region.base.wrapping_add(region.size));
                }
            }
        }
        sort_by(&mut order, |(a, ..), (b, ..)| a.cmp(b));
        let mut slots = KVVec::with_capacity(order.len(), GFP_KERNEL)?;
        for (base, region, plugin) in order {
            let slot = Slot {
                base,
                region,
                plugin: plugin.clone(),
            };
            slots.push(slot, GFP_KERNEL)?;
        }
        let mut this = Self {
            slots,
            adds,
            text,
            spare: KVVec::new(),
            cells: KVVec::new(),
            made: KVVec::new(),
            index: None,
            reorders: false,
            replaced: (KVVec::new(), None),
        };
        // Most often one chunk changes.
        this.provide(Need {
            chunks: 1,
            order: None,
        })?;
        Ok(this)
    }

    /// How much memory the change takes now.
    fn needs(&self, guard: &PreemptGuard) -> Need {
        let index = INDEX.load(guard);
        let today = index.map_or(0, |index| index.chunks.len());
        let mut need = Need {
            chunks: 0,
            order: None,
        };
        for part in parts(&self.slots, index) {
            let (_, _, chunks) = part.count(self.adds, guard);
            need.chunks = need.chunks.wrapping_add(chunks.max(1));
            if chunks != 1 || part.cell.is_none() {
                need.order = Some(today);
            }
        }
        need.order = need.order.map(|today| today.wrapping_add(need.chunks));
        need
    }

    /// Whether there is as much.
    fn has(&self, need: &Need) -> bool {
        need.chunks <= self.spare.len()
            && need.chunks <= self.made.capacity().min(self.replaced.0.capacity())
            && need.order.is_none_or(|order| {
                let index = self.index.as_ref();
                need.chunks <= self.cells.len()
                    && index.is_some_and(|i| order <= i.firsts.capacity().min(i.chunks.capacity()))
            })
    }

    /// Takes the memory. May sleep.
    pub(crate) fn provide(&mut self, need: Need) -> Result<(), AllocError> {
        while self.spare.len() < need.chunks {
            // INVARIANT: No slots.
            let chunk = Chunk(KVec::with_capacity(CHUNK, GFP_KERNEL)?);
            self.spare.push(RcuBox::new(chunk)?, GFP_KERNEL)?;
        }
        self.made.reserve(need.chunks, GFP_KERNEL)?;
        self.replaced.0.reserve(need.chunks, GFP_KERNEL)?;
        if let Some(order) = need.order {
            while self.cells.len() < need.chunks {
                let cell = Arc::new(RcuCell::empty(), GFP_KERNEL)?;
                self.cells.push(cell, GFP_KERNEL)?;
            }
            // INVARIANT: No chunks.
            self.index = Some(RcuBox::new(Index {
                firsts: KVVec::with_capacity(order, GFP_KERNEL)?,
                chunks: KVVec::with_capacity(order, GFP_KERNEL)?,
            })?);
        }
        Ok(())
    }

    /// Makes what is to take the place of today's, again if it was made before; or says how much
    /// memory is needed for it.
    pub(crate) fn make(&mut self, guard: &PreemptGuard) -> Result<(), Need> {
        // There is room wherever something was before.
        while let Some((cell, mut chunk)) = self.made.pop() {
            chunk.0.clear();
            push_reserved(&mut self.spare, chunk);
            if self.reorders {
                push_reserved(&mut self.cells, cell);
            }
        }
        let need = self.needs(guard);
        if !self.has(&need) {
            return Err(need);
        }
        self.reorders = need.order.is_some();
        if self.reorders {
            self.reorder(guard);
            return Ok(());
        }
        for part in parts(&self.slots, INDEX.load(guard)) {
            let (stay, ..) = part.count(self.adds, guard);
            if let (Some(cell), Some(mut chunk)) = (part.cell, self.spare.pop()) {
                // INVARIANT: In order; there are not more than fit.
                fill(&mut chunk, CHUNK, &mut part.merged(stay, guard));
                push_reserved(&mut self.made, (cell.clone(), chunk));
            }
        }
        Ok(())
    }

    /// Fills the new index with the chunks of today and of the change.
    fn reorder(&mut self, guard: &PreemptGuard) {
        let Some(index) = &mut self.index else {
            return;
        };
        // INVARIANT: No chunks.
        index.firsts.clear();
        index.chunks.clear();
        let old = INDEX.load(guard);
        let mut rest = &self.slots[..];
        for i in 0..old.map_or(0, |old| old.chunks.len()).max(1) {
            let part = Index::part(old, i, &mut rest);
            if let Some(cell) = part.cell.filter(|_| part.slots.is_empty()) {
                push_reserved(&mut index.firsts, part.first);
                push_reserved(&mut index.chunks, cell.clone());
                continue;
            }
            let (stay, slots, pieces) = part.count(self.adds, guard);
            let mut merged = part.merged(stay, guard);
            for piece in 0..pieces {
                let (Some(mut chunk), Some(cell)) = (self.spare.pop(), self.cells.pop()) else {
                    break;
                };
                // INVARIANT: In order, and as many as fit.
                fill(&mut chunk, slots.div_ceil(pieces), &mut merged);
                let first = match chunk.0.first() {
                    Some(slot) if piece != 0 => slot.base,
                    _ => part.first,
                };
                push_reserved(&mut index.firsts, first);
                push_reserved(&mut index.chunks, cell.clone());
                push_reserved(&mut self.made, (cell, chunk));
            }
        }
        // INVARIANT: One `first` was pushed with each chunk. What was in front of the first may be
        // gone.
        if let Some(first) = index.firsts.first_mut() {
            *first = 0;
        }
    }

    /// Publishes what was made, of what is there still. The change is then to be dropped without the
    /// lock: readers may stand in what it has replaced.
    pub(crate) fn apply(&mut self, held: &mut Held<'_, LOCK>) {
        let (low, high) = (&TEXT.0, &TEXT.1);
        if self.adds {
            low.store(low.load(Relaxed).min(self.text.start), Relaxed);
            high.store(high.load(Relaxed).max(self.text.end), Relaxed);
        }
        while let Some((cell, chunk)) = self.made.pop() {
            if let Some(old) = cell.replace(Some(chunk), held) {
                push_reserved(&mut self.replaced.0, old);
            }
        }
        if let Some(index) = self.index.take_if(|_| self.reorders) {
            self.replaced.1 = INDEX.replace(Some(index), held);
        }
    }
}

/// Copies up to `n` slots into an empty chunk.
fn fill<'a>(chunk: &mut Chunk, n: usize, slots: &mut impl Iterator<Item = &'a Slot>) {
    for slot in slots.take(n) {
        push_reserved(&mut chunk.0, slot.clone());
    }
}
