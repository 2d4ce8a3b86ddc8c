// SPDX-License-Identifier: GPL-2.0

//! Indexes over all plugins, one for each question that a reader asks.
//!
//! A writer asks for the [`shortage()`] of room, [reserves](Shortage::reserve) what is missing without the
//! lock, and takes the lock to [`publish()`]. A removal is [prepared](prepare_removal) under the lock,
//! done under `stop_machine()` [with one store](remove_prepared), and [finished](finish_removal) after
//! that, since readers find nothing of a plugin without tables.

pub(crate) mod by_address;
mod by_id;
pub(crate) mod by_name;
pub(crate) mod by_number;
pub(crate) mod by_owner;
mod name_node;
pub(crate) mod name_set;
mod recycler;
mod segments;

use self::{
    by_id::{
        Ids,
        IDS, //
    },
    by_name::{
        NameRoom,
        NameShortage,
        NAMES, //
    },
    by_number::{
        Numbers,
        NUMBERS, //
    },
    name_set::NameSet,
    segments::Segment, //
};
use crate::{
    modreg::{
        lock::LOCK,
        plugin::{
            Linked,
            Plugin,
            PluginRef, //
        }, //
    },
    primitives::{
        range_tree::Spares,
        rcu::Held, //
    },
};
use kernel::alloc::AllocError;

/// What an index has too little of.
pub(crate) enum Shortage {
    /// Nodes of the tree of addresses, that many.
    Nodes(usize),
    /// Ids, beyond that capacity.
    Ids(u32),
    /// Positions in the order of numbers, beyond that capacity.
    Positions(u32),
    /// Something of the table of names.
    Names(NameShortage),
}

/// Memory for an index.
pub(crate) enum Room {
    /// For the tree of addresses.
    Nodes(Spares),
    /// For ids.
    Ids(by_id::Room),
    /// For the order of numbers.
    Positions(Segment<by_number::Rank>),
    /// For the table of names.
    Names(NameRoom),
}

/// Returns what there is too little of to publish that many regions, and names. Other writers may use
/// up room as long as the lock is not held.
///
/// Context: Any, NMI included.
pub(crate) fn shortage(regions: usize, names: &[Option<&NameSet>]) -> Option<Shortage> {
    by_address::shortage(regions)
        .map(Shortage::Nodes)
        .or_else(|| IDS.shortage().map(Shortage::Ids))
        .or_else(|| NUMBERS.shortage().map(Shortage::Positions))
        .or_else(|| NAMES.shortage(names).map(Shortage::Names))
}

impl Shortage {
    /// Allocates what is missing.
    ///
    /// Context: May sleep.
    pub(crate) fn reserve(self) -> Result<Room, AllocError> {
        Ok(match self {
            Self::Nodes(nodes) => Room::Nodes(by_address::reserve(nodes)?),
            Self::Ids(capacity) => Room::Ids(Ids::reserve(capacity)?),
            Self::Positions(capacity) => Room::Positions(Numbers::reserve(capacity)?),
            Self::Names(shortage) => Room::Names(NameRoom::new(shortage)?),
        })
    }
}

/// Adds memory to an index.
pub(crate) fn extend(room: Room, held: &mut Held<'_, LOCK>) {
    match room {
        Room::Nodes(spares) => by_address::extend(spares, held),
        Room::Ids(segment) => IDS.extend(segment, held),
        Room::Positions(segment) => NUMBERS.extend(segment, held),
        Room::Names(room) => NAMES.extend(room, held),
    }
}

/// Returns whether as many symbols more have numbers.
pub(crate) fn has_numbers(symbols: u32, held: &Held<'_, LOCK>) -> bool {
    NUMBERS.has_numbers(symbols, held)
}

/// Publishes a plugin, which is on the list and has its tables. There must be room.
///
/// Returns the plugin's id.
pub(crate) fn publish(plugin: &PluginRef, symbols: u32, held: &mut Held<'_, LOCK>) -> u32 {
    let id = IDS.publish(plugin.clone(), held);
    NUMBERS.publish(id, symbols, plugin.has_foreign_regions(), held);
    by_address::publish(plugin, held);
    id
}

/// Links names of a plugin, which count while it has tables of that version. There must be room, and for
/// a large plugin a place.
pub(crate) fn publish_names(
    id: u32,
    names: &NameSet,
    version: u8,
    is_large: bool,
    held: &mut Held<'_, LOCK>,
) -> Linked {
    if is_large && !NAMES.is_large(id) {
        NAMES.publish_large(id, held);
    }
    NAMES.publish(names, id, version, held)
}

/// Calls `exchange`, which gives a plugin other tables with one store, between [`publish_names`] for
/// these, and [`replace`] or [`drop_init`].
pub(crate) fn exchange<R>(
    held: &mut Held<'_, LOCK>,
    exchange: impl FnOnce(&mut Held<'_, LOCK>) -> R,
) -> R {
    NAMES.exchange(held, exchange)
}

/// Takes away the old names of a plugin that has got other tables, with that many symbols.
pub(crate) fn replace(
    plugin: &Plugin,
    id: u32,
    symbols: u32,
    old: &Linked,
    is_large: bool,
    held: &mut Held<'_, LOCK>,
) {
    NUMBERS.replace(id, symbols, plugin.has_foreign_regions(), held);
    IDS.renew(id, held);
    NAMES.unpublish(old, held);
    if !is_large {
        NAMES.unpublish_large(id, held);
    }
}

/// Takes the init regions of a plugin away, whose tables are those of its LIVE state, which has that many
/// symbols; and the `names` that it had until here.
pub(crate) fn drop_init(
    plugin: &Plugin,
    id: u32,
    symbols: u32,
    names: &Linked,
    held: &mut Held<'_, LOCK>,
) {
    NUMBERS.replace(id, symbols, plugin.has_foreign_regions(), held);
    by_address::unpublish(plugin.regions().iter().filter(|r| r.is_init()), held);
    NAMES.unpublish(names, held);
}

/// Prepares the removal of a plugin.
pub(crate) fn prepare_removal(id: u32, held: &mut Held<'_, LOCK>) {
    NUMBERS.prepare_removal(id, held);
}

/// Removes the prepared plugins, whose tables are taken away. Under `stop_machine()`: one store.
pub(crate) fn remove_prepared(held: &mut Held<'_, LOCK>) {
    NUMBERS.remove_prepared(held);
}

/// What the indexes have of a plugin that was removed.
pub(crate) struct Leftovers<'a> {
    /// The plugin.
    pub(crate) plugin: &'a Plugin,
    /// Its id.
    pub(crate) id: u32,
    /// Its names.
    pub(crate) names: Linked,
    /// The names that it had with its init regions, if it had these.
    pub(crate) init: Option<Linked>,
}

/// Ends the removal of a plugin. [`tidy`] comes when this is done for all that were removed.
pub(crate) fn finish_removal(left: &Leftovers<'_>, held: &mut Held<'_, LOCK>) {
    let id = left.id;
    for linked in [Some(&left.names), left.init.as_ref()]
        .into_iter()
        .flatten()
    {
        NAMES.unpublish(linked, held);
    }
    NAMES.unpublish_large(id, held);
    let has_init = left.init.is_some();
    let regions = left.plugin.regions().iter();
    by_address::unpublish(regions.filter(|r| has_init || !r.is_init()), held);
    NUMBERS.finish_removal(id, held);
    IDS.unpublish(id, held);
}

/// Does a little of what removals leave to do.
pub(crate) fn tidy(held: &mut Held<'_, LOCK>) {
    NUMBERS.tidy(held);
}

/// Frees all memory, when no plugin is left. The caller drops the result without the lock.
pub(crate) fn clear(held: &mut Held<'_, LOCK>) -> Spares {
    NAMES.clear(held);
    NUMBERS.clear(held);
    IDS.clear(held);
    by_address::clear(held)
}
