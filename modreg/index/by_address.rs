// SPDX-License-Identifier: GPL-2.0

//! Index of plugins by address.
//!
//! A [`RangeTree`] of the regions of all plugins.
//!
//! A reader of any context finds the region in a logarithmic number of steps. It counts while its plugin
//! has tables, and an init region while these are those for the time until the plugin is LIVE. So what
//! takes the tables away takes the regions away.
//!
//! A writer takes a logarithmic number of steps for a region, and none under `stop_machine()`.
//!
//! It takes the place of the kernel's latched rbtree, which is up to 4 times slower to search, and of
//! the maple tree, which is up to 5 times slower (docs/benchmarks.md).

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
        atomic::load_relaxed,
        preempt::PreemptGuard,
        range_tree::{
            Found,
            RangeTree,
            Spares, //
        },
        rcu::Held, //
    },
};
use kernel::{
    alloc::AllocError,
    sync::atomic::{
        Atomic,
        Relaxed, //
    },
};

/// Marks of a region in the tree.
const INIT: usize = 1;
const TEXT: usize = 2;
const FOREIGN: usize = 4;

/// The regions of all plugins.
static REGIONS: RangeTree<Plugin, LOCK> = RangeTree::new();

/// The lowest address of all text regions there have been and the one behind the highest, as those of
/// `mod_tree`.
static TEXT_BOUNDS: (Atomic<usize>, Atomic<usize>) = (Atomic::new(usize::MAX), Atomic::new(0));

/// The region that an address lies in.
pub(crate) struct RegionMatch<'g> {
    /// Its plugin.
    pub(crate) plugin: &'g Plugin,
    /// The tables of the plugin.
    pub(crate) tables: &'g Tables,
    /// Its first address.
    pub(crate) base: usize,
    /// Its size in bytes.
    pub(crate) size: usize,
    /// Whether it holds code.
    pub(crate) is_text: bool,
    /// Whether it lies outside of the memory of its owner.
    pub(crate) is_foreign: bool,
}

/// Returns the region that `addr` lies in.
///
/// Context: Any, NMI included.
#[inline(always)]
pub(crate) fn find(addr: usize, guard: &PreemptGuard) -> Option<RegionMatch<'_>> {
    let Found {
        base,
        size,
        value: plugin,
        marks,
    } = REGIONS.find(addr, guard)?;
    let tables = plugin.tables(guard)?;
    if marks & INIT != 0 && !tables.is_init {
        return None;
    }
    Some(RegionMatch {
        plugin,
        tables,
        base,
        size,
        is_text: marks & TEXT != 0,
        is_foreign: marks & FOREIGN != 0,
    })
}

/// Returns whether `addr` lies between the lowest and the highest text address of all plugins.
///
/// Context: Any, NMI included.
pub(crate) fn may_be_text(addr: usize) -> bool {
    (load_relaxed(&TEXT_BOUNDS.0)..load_relaxed(&TEXT_BOUNDS.1)).contains(&addr)
}

/// Returns the plugin that has an address of `region` already.
pub(crate) fn overlap<'h>(region: &Region, held: &'h Held<'_, LOCK>) -> Option<&'h Plugin> {
    let found = REGIONS.overlap(region.base(), region.size(), held);
    found.map(|found| found.value)
}

/// Returns how many spare nodes to allocate for as many regions; [`None`] if there are enough. Other
/// writers may use spares as long as the lock is not held.
///
/// Context: Any, NMI included.
pub(super) fn shortage(regions: usize) -> Option<usize> {
    match REGIONS.shortage(regions) {
        0 => None,
        nodes => Some(nodes),
    }
}

/// Allocates spare nodes.
///
/// Context: May sleep.
pub(super) fn reserve(nodes: usize) -> Result<Spares, AllocError> {
    Spares::new(nodes)
}

/// Adds spare nodes.
pub(super) fn extend(spares: Spares, held: &mut Held<'_, LOCK>) {
    REGIONS.refill(spares, held);
}

/// Adds the regions of a plugin, which overlap no others. There must be spare nodes.
pub(super) fn publish(plugin: &PluginRef, held: &mut Held<'_, LOCK>) {
    for region in plugin.regions() {
        let marks = [
            (region.is_init(), INIT),
            (region.is_text(), TEXT),
            (region.is_foreign(), FOREIGN),
        ];
        let marks = marks
            .iter()
            .filter(|(is, _)| *is)
            .fold(0, |sum, (_, mark)| sum | mark);
        if region.is_text() {
            let end = region.end();
            let (low, high) = (&TEXT_BOUNDS.0, &TEXT_BOUNDS.1);
            low.store(load_relaxed(low).min(region.base()), Relaxed);
            high.store(load_relaxed(high).max(end), Relaxed);
        }
        REGIONS.insert(region.base(), region.size(), plugin.clone(), marks, held);
    }
}

/// Removes regions that no reader finds any more.
pub(super) fn unpublish<'a>(regions: impl Iterator<Item = &'a Region>, held: &mut Held<'_, LOCK>) {
    for region in regions {
        drop(REGIONS.remove(region.base(), held));
    }
}

/// Takes out the spare nodes, for dropping without the lock.
pub(super) fn clear(held: &mut Held<'_, LOCK>) -> Spares {
    REGIONS.clear(held)
}
