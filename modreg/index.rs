// SPDX-License-Identifier: GPL-2.0

//! From an address to the plugin that owns it.

use super::{
    lock::LOCK,
    plugin::Plugin,
    primitives::{
        preempt::PreemptGuard,
        rcu::{
            Held,
            RcuBox,
            RcuCell, //
        },
    },
    tables::{
        Region,
        Tables, //
    },
};
use core::ops::Range;
use kernel::{
    alloc::AllocError,
    prelude::*,
    sync::Arc, //
};

/// One region of one plugin.
struct Slot {
    base: usize,
    /// Which region of the plugin it is.
    region: u32,
    plugin: Arc<Plugin>,
}

impl Slot {
    /// The region, unless it is gone: the plugin was unlinked, or it is LIVE and this was an init
    /// region.
    fn region<'t>(&self, tables: Option<&'t Tables>) -> Option<&'t Region> {
        tables?.regions.get(self.region as usize)
    }
}

/// The regions of all plugins in the order of their addresses.
///
/// The list remains the truth: a slot only says where to look, and what it names is asked whether
/// it has that region still. So an index that names too much is slower but not wrong.
///
/// # Invariants
///
/// `slots` is sorted by `base`; regions that exist do not overlap.
pub(crate) struct Index {
    slots: KVVec<Slot>,
    /// The lowest address of all text regions, and the one behind the highest.
    text: Range<usize>,
}

/// The index that readers use. Replaced as a whole.
pub(crate) static INDEX: RcuCell<Index, LOCK> = RcuCell::empty();

/// What an address was found in.
pub(crate) struct Place<'g> {
    /// The plugin.
    pub(crate) plugin: &'g Plugin,
    /// Its tables.
    pub(crate) tables: &'g Tables,
    /// The region.
    pub(crate) region: &'g Region,
}

/// Memory for an index, taken before the lock.
pub(crate) struct Room(KBox<RcuBox<Index>>);

impl Room {
    /// Room for the slots there are and `more`, with some to spare for others that register
    /// meanwhile. May sleep.
    pub(crate) fn new(more: usize) -> Result<Self, AllocError> {
        let now = INDEX
            .load(&PreemptGuard::new())
            .map_or(0, |index| index.slots.len());
        let slots = now.wrapping_add(more).wrapping_add(16);
        Ok(Self(RcuBox::new(Index {
            slots: KVVec::with_capacity(slots, GFP_KERNEL)?,
            text: Range {
                start: usize::MAX,
                end: 0,
            },
        })?))
    }

    /// Whether it is large enough for `more` slots on top of today's.
    pub(crate) fn suffices(&self, more: usize, held: &Held<'_, LOCK>) -> bool {
        let now = INDEX.load_held(held).map_or(0, |index| index.slots.len());
        self.0.slots.capacity() >= now.wrapping_add(more)
    }
}

impl Index {
    /// The plugin, the tables and the region that `addr` lies in. Logarithmic; from any context.
    #[inline]
    pub(crate) fn find<'g>(addr: usize, guard: &'g PreemptGuard) -> Option<Place<'g>> {
        let slots = &INDEX.load(guard)?.slots;
        let mut at = slots.partition_point(|slot| slot.base <= addr);
        // A region that is gone may be in front of one that exists.
        loop {
            at = at.checked_sub(1)?;
            let slot = slots.get(at)?;
            let plugin = &*slot.plugin;
            let tables = plugin.tables(guard);
            if let (Some(tables), Some(region)) = (tables, slot.region(tables)) {
                return region.contains(addr).then_some(Place {
                    plugin,
                    tables,
                    region,
                });
            }
        }
    }

    /// Whether `addr` lies between the lowest and the highest text address of all plugins. From any
    /// context.
    pub(crate) fn may_be_text(addr: usize, guard: &PreemptGuard) -> bool {
        INDEX.load(guard).is_some_and(|i| i.text.contains(&addr))
    }

    /// The plugin that has an address of `region` already.
    pub(crate) fn overlap<'h>(region: &Region, held: &'h Held<'_, LOCK>) -> Option<&'h Plugin> {
        let slots = &INDEX.load_held(held)?.slots;
        let behind =
            slots.partition_point(|slot| slot.base < region.base.wrapping_add(region.size));
        slots
            .get(..behind)?
            .iter()
            .rev()
            .find_map(|slot| Some((slot, slot.region(slot.plugin.tables_held(held))?)))
            .filter(|(_, there)| there.overlaps(region))
            .map(|(slot, _)| &*slot.plugin)
    }

    /// The index with `added` and without what is `gone` or has no such region any more. Needs no
    /// memory beyond `room`, if that suffices.
    pub(crate) fn with(
        room: Room,
        added: Option<&Arc<Plugin>>,
        gone: impl Fn(&Plugin) -> bool,
        held: &Held<'_, LOCK>,
    ) -> KBox<RcuBox<Self>> {
        let Room(mut index) = room;
        let mut put = |slot: Slot, region: &Region| {
            if region.text {
                let text = &mut index.text;
                text.start = text.start.min(region.base);
                text.end = text.end.max(region.base.wrapping_add(region.size));
            }
            // There is room; where there were none, the slot would be left out.
            let _ = index.slots.push_within_capacity(slot);
        };

        // The old slots are in order, so each new one goes in front of the first that is above it.
        let mut new = added.map(|plugin| Sorted::new(plugin, held));
        for old in INDEX.load_held(held).map_or(&[][..], |i| &i.slots) {
            while let Some((slot, region)) = new.as_mut().and_then(|n| n.next_below(old.base)) {
                put(slot, region);
            }
            let tables = old.plugin.tables_held(held);
            if let Some(region) = old.region(tables).filter(|_| !gone(&old.plugin)) {
                let slot = Slot {
                    base: old.base,
                    region: old.region,
                    plugin: old.plugin.clone(),
                };
                put(slot, region);
            }
        }
        while let Some((slot, region)) = new.as_mut().and_then(|n| n.next_below(usize::MAX)) {
            put(slot, region);
        }
        // INVARIANT: Merged in order; the caller has asked `overlap()`.
        index
    }
}

/// A plugin's regions in the order of their addresses.
struct Sorted<'h> {
    plugin: &'h Arc<Plugin>,
    regions: &'h [Region],
    /// The base of the region that was given last.
    last: Option<usize>,
}

impl<'h> Sorted<'h> {
    fn new(plugin: &'h Arc<Plugin>, held: &'h Held<'_, LOCK>) -> Self {
        Self {
            plugin,
            regions: plugin.tables_held(held).map_or(&[], |t| &t.regions),
            last: None,
        }
    }

    /// The lowest region that was not given yet, if it begins below `limit`. There are few regions.
    fn next_below(&mut self, limit: usize) -> Option<(Slot, &'h Region)> {
        let last = self.last;
        let (i, region) = self
            .regions
            .iter()
            .enumerate()
            .filter(|(_, r)| last.is_none_or(|last| r.base > last))
            .min_by_key(|(_, r)| r.base)
            .filter(|(_, r)| r.base < limit)?;
        self.last = Some(region.base);
        let slot = Slot {
            base: region.base,
            region: i as u32,
            plugin: self.plugin.clone(),
        };
        Some((slot, region))
    }
}
