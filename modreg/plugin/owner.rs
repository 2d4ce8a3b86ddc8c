// SPDX-License-Identifier: GPL-2.0

//! The modules that own plugins, each with its plugins.

use super::{
    Plugin,
    PluginRef, //
};
use crate::{
    modreg::lock::LOCK,
    primitives::{
        module::ModuleId,
        preempt::PreemptGuard,
        rcu::{
            Held,
            RcuBox,
            Retired, //
        },
        rculist::{
            rculist_head,
            Entry,
            Node, //
        },
    },
};
use core::ptr;
use kernel::{
    alloc::AllocError,
    prelude::*,
    rbtree::{
        RBTree,
        RBTreeNodeReservation, //
    },
    sync::{
        Arc,
        GlobalGuard,
        GlobalLockedBy, //
    },
    warn_on, //
};

rculist_head! {
    /// The modules that own plugins. There are not more of them than modules.
    static OWNERS: RcuList<Arc<Owner>, LOCK>;
}

/// A module that owns plugins.
pub(crate) struct Owner {
    id: ModuleId,
    links: GlobalLockedBy<Links, LOCK>,
}

/// The part of an owner that the lock protects.
struct Links {
    /// The owner's entry on `OWNERS`.
    entry: Option<Entry<Arc<Owner>, LOCK>>,
    /// The owner's plugins, by address.
    plugins: RBTree<usize, PluginRef>,
}

/// The key of a plugin in the tree of its owner.
fn key(plugin: &Plugin) -> usize {
    ptr::from_ref(plugin).addr()
}

/// An element of `OWNERS` before it is on the list.
type OwnerNode = KBox<RcuBox<Node<Arc<Owner>>>>;

/// Memory for a plugin of an owner.
pub(crate) struct Reservation {
    /// Memory for the owner; [`None`] if the owner had plugins already.
    owner: Option<(Arc<Owner>, OwnerNode)>,
    plugin: RBTreeNodeReservation<usize, PluginRef>,
}

impl Reservation {
    /// Reserves memory for a plugin of `owner`, which need not have other plugins.
    ///
    /// # Errors
    ///
    /// [`AllocError`] if out of memory.
    ///
    /// Context: May sleep.
    pub(crate) fn new(id: ModuleId) -> Result<Self, AllocError> {
        let exists = OWNERS
            .iter(&PreemptGuard::new())
            .any(|owner| owner.id == id);
        let owner = if exists {
            None
        } else {
            let links = Links {
                entry: None,
                plugins: RBTree::new(),
            };
            let links = GlobalLockedBy::new(links);
            let owner = Arc::new(Owner { id, links }, GFP_KERNEL)?;
            Some((owner.clone(), Node::new(owner)?))
        };
        Ok(Self {
            owner,
            plugin: RBTreeNodeReservation::new(GFP_KERNEL).map_err(|_| AllocError)?,
        })
    }

    /// Returns whether the memory is enough: the owner may have lost its last plugin meanwhile.
    pub(crate) fn is_enough(&self, id: ModuleId) -> bool {
        self.owner.is_some() || find(id, &PreemptGuard::new()).is_some()
    }
}

/// Returns the owner with that identity.
fn find(id: ModuleId, guard: &PreemptGuard) -> Option<Arc<Owner>> {
    OWNERS.iter(guard).find(|owner| owner.id == id).cloned()
}

/// Enters a plugin among those of its owner.
pub(crate) fn enter(plugin: &PluginRef, reservation: Reservation, lock: &mut GlobalGuard<LOCK>) {
    let node = reservation.plugin.into_node(key(plugin), plugin.clone());
    let there = find(plugin.owner(), &PreemptGuard::new());
    let owner = match (there, reservation.owner) {
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
    owner.links.as_mut(lock).plugins.insert(node);
}

/// Removes a plugin from those of its owner.
pub(crate) fn leave(
    plugin: &Plugin,
    lock: &mut GlobalGuard<LOCK>,
) -> Option<Retired<Node<Arc<Owner>>>> {
    let owner = find(plugin.owner(), &PreemptGuard::new())?;
    let links = owner.links.as_mut(lock);
    links.plugins.remove(&key(plugin));
    if !links.plugins.is_empty() {
        return None;
    }
    let entry = links.entry.take()?;
    Some(entry.remove(&mut Held::new(lock)))
}

/// Returns the first plugin of an owner, in no particular order, or the one after `last`.
pub(crate) fn next(
    id: ModuleId,
    last: Option<&PluginRef>,
    lock: &GlobalGuard<LOCK>,
) -> Option<PluginRef> {
    let owner = find(id, &PreemptGuard::new())?;
    let first = last.map_or(0, |last| key(last).wrapping_add(1));
    let plugins = &owner.links.as_ref(lock).plugins;
    let plugin = plugins.cursor_lower_bound(&first)?.current().1.clone();
    Some(plugin)
}
