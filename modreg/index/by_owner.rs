// SPDX-License-Identifier: GPL-2.0

//! Index of plugins by owner.
//!
//! A list of the modules that own plugins, each with the ids of its oldest and its newest plugin. Each id
//! has those of its neighbours, in `by_id.rs`.
//!
//! Only writers ask it. They take constant time for a plugin, beside finding its owner: there are not
//! more of these than modules.

use crate::{
    modreg::{
        index::by_id::{
            Neighbours,
            IDS, //
        },
        lock::LOCK,
        plugin::{
            Plugin,
            PluginRef, //
        },
    },
    primitives::{
        module::ModuleId,
        preempt::PreemptGuard,
        rcu::{
            Held,
            RcuOwned,
            Retired, //
        },
        rculist::{
            rculist_head,
            Entry,
            Node, //
        },
    },
};
use kernel::{
    alloc::AllocError,
    prelude::*,
    sync::{
        Arc,
        GlobalGuard,
        GlobalLockedBy, //
    },
    warn_on, //
};

rculist_head! {
    /// The modules that own plugins.
    static OWNERS: RcuList<Arc<Owner>, LOCK>;
}

/// A module that owns plugins.
pub(crate) struct Owner {
    id: ModuleId,
    links: GlobalLockedBy<Links, LOCK>,
}

/// The part of an owner that the lock protects.
#[derive(Default)]
struct Links {
    /// The owner's entry on `OWNERS`.
    entry: Option<Entry<Arc<Owner>, LOCK>>,
    /// The ids of the plugin that was registered first and of the one that was registered last.
    ends: Neighbours,
}

/// An element of `OWNERS` before it is on the list.
type OwnerNode = RcuOwned<Node<Arc<Owner>>>;

/// Memory for the owner of a plugin; [`None`] if it had plugins already.
pub(crate) struct Reservation(Option<(Arc<Owner>, OwnerNode)>);

impl Reservation {
    /// Reserves memory for a plugin of an owner, which need not have other plugins.
    ///
    /// # Errors
    ///
    /// [`AllocError`] if out of memory.
    ///
    /// Context: May sleep.
    pub(crate) fn new(id: ModuleId) -> Result<Self, AllocError> {
        if find(id, &PreemptGuard::new()).is_some() {
            return Ok(Self(None));
        }
        let links = GlobalLockedBy::new(Links::default());
        let owner = Arc::new(Owner { id, links }, GFP_KERNEL)?;
        Ok(Self(Some((owner.clone(), Node::new(owner)?))))
    }

    /// Returns whether the memory is enough: the owner may have lost its last plugin meanwhile.
    pub(crate) fn is_enough(&self, id: ModuleId) -> bool {
        self.0.is_some() || find(id, &PreemptGuard::new()).is_some()
    }
}

/// Returns the owner with that identity.
fn find(id: ModuleId, guard: &PreemptGuard) -> Option<Arc<Owner>> {
    OWNERS.iter(guard).find(|owner| owner.id == id).cloned()
}

/// Enters a plugin, which has that id, as the newest of its owner.
pub(crate) fn enter(
    plugin: &Plugin,
    id: u32,
    reservation: Reservation,
    lock: &mut GlobalGuard<LOCK>,
) {
    let there = find(plugin.owner(), &PreemptGuard::new());
    let owner = match (there, reservation.0) {
        (Some(owner), _) => owner,
        (None, Some((owner, node))) => {
            let entry = OWNERS.add(node, &mut Held::new(lock));
            owner.links.as_mut(lock).entry = Some(entry);
            owner
        }
        (None, None) => {
            warn_on!(true);
            return;
        }
    };
    let ends = &mut owner.links.as_mut(lock).ends;
    let older = ends.newer;
    *ends = Neighbours {
        older: if older == 0 { id } else { ends.older },
        newer: id,
    };
    let mut held = Held::new(lock);
    IDS.set_neighbours(id, Neighbours { older, newer: 0 }, &mut held);
    join(older, id, &mut held);
}

/// Makes two plugins of an owner neighbours. An id may be 0.
fn join(older: u32, newer: u32, held: &mut Held<'_, LOCK>) {
    for (id, is_older) in [(older, true), (newer, false)] {
        let mut neighbours = IDS.neighbours(id);
        match is_older {
            true => neighbours.newer = newer,
            false => neighbours.older = older,
        }
        IDS.set_neighbours(id, neighbours, held);
    }
}

/// Removes a plugin, which had that id, from those of its owner.
pub(crate) fn leave(
    plugin: &Plugin,
    id: u32,
    lock: &mut GlobalGuard<LOCK>,
) -> Option<Retired<Node<Arc<Owner>>>> {
    let owner = find(plugin.owner(), &PreemptGuard::new())?;
    let Neighbours { older, newer } = IDS.neighbours(id);
    join(older, newer, &mut Held::new(lock));
    let links = owner.links.as_mut(lock);
    if older == 0 {
        links.ends.older = newer;
    }
    if newer == 0 {
        links.ends.newer = older;
    }
    if links.ends.older != 0 {
        return None;
    }
    let entry = links.entry.take()?;
    Some(entry.remove(&mut Held::new(lock)))
}

/// Returns the plugin of an owner that was registered after `last`, or the oldest one.
///
/// If `last` was removed meanwhile, this begins anew with the oldest.
pub(crate) fn next(
    id: ModuleId,
    last: Option<&PluginRef>,
    lock: &GlobalGuard<LOCK>,
) -> Option<PluginRef> {
    let guard = PreemptGuard::new();
    let owner = find(id, &guard)?;
    let next = match last.map_or(0, |last| last.links().as_ref(lock).id) {
        0 => owner.links.as_ref(lock).ends.older,
        last => IDS.neighbours(last).newer,
    };
    IDS.plugin_ref(next, &guard)
}
