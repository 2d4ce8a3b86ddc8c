// SPDX-License-Identifier: GPL-2.0

//! Adding a plugin.

use super::{
    changes::{
        count_change,
        CHANGES, //
    },
    unregister::remove_now, //
};
use crate::{
    modreg::{
        error::Refusal,
        foreign,
        index::{
            by_address::{
                Change,
                Index,
                Need, //
            },
            by_name::{
                NameSet,
                NameShortage,
                NAMES, //
            },
            by_number::{
                Order,
                ORDER, //
            },
        },
        lock::LOCK,
        name::Name,
        plugin::{
            list::PLUGINS,
            Links,
            Plugin,
            State, //
        },
        tables::{
            region::Region,
            Tables, //
        },
        trace, //
    },
    primitives::{
        callback::Callback,
        errno::edeadlk,
        module::{
            Module,
            ModuleState, //
        },
        preempt::{
            preemptible,
            PreemptGuard, //
        },
        rcu::{
            Held,
            RcuBox,
            Retired, //
        },
        rculist::Node, //
    },
};
use kernel::{
    prelude::*,
    sync::{
        atomic::{
            Acquire,
            Relaxed, //
        },
        Arc,
        GlobalGuard, //
    },
};

/// The refusal of a registration whose owner is being unloaded.
pub(crate) const OWNER_GOING: Refusal = Refusal::new(ENODEV, "its owner is being unloaded");

/// The tables of a new plugin.
pub(crate) struct Content {
    /// Those that readers find while the plugin is COMING.
    pub(crate) full: Tables,
    /// Those that readers find once it is LIVE; [`None`] if they are the same.
    pub(crate) core: Option<Tables>,
}

/// A plugin's relation to its owner.
#[derive(Clone, Copy)]
pub(crate) struct Ownership {
    /// The owner; [`None`] for built-in code.
    pub(crate) owner: Option<Module>,
    /// Whether the plugin stays COMING until its owner is LIVE.
    pub(crate) follows: bool,
}

/// Adds a plugin.
///
/// `content` makes its tables. `start` is called once it is published, and parses its arguments and
/// calls its init callback. No lock is held while either runs. A plugin without `start` and without
/// init regions is LIVE at once.
///
/// Follows `load_module()`.
///
/// # Errors
///
/// - `EDEADLK` if called where sleeping is not allowed.
/// - `ENODEV` if the owner is being unloaded.
/// - `EEXIST` if the name is taken or a region overlaps another plugin's.
/// - `ENOMEM` if out of memory.
/// - What `content` or `start` returned.
///
/// Context: May sleep.
pub(crate) fn register(
    name: Name,
    by: Ownership,
    exit: Callback<()>,
    content: impl FnOnce() -> Result<Content, Refusal>,
    start: Option<impl FnOnce() -> Result<(), Refusal>>,
) -> Result<Arc<Plugin>, Refusal> {
    if !preemptible() {
        return Err(Refusal::new(
            edeadlk(),
            "called where sleeping is not allowed",
        ));
    }
    let owner_going = || by.owner.is_some_and(|m| m.state() == ModuleState::Going);
    if owner_going() {
        return Err(OWNER_GOING);
    }
    check_name(&name)?;
    let content = content()?;

    let regions = content.full.regions.len();
    let symbols = content.full.symtab.len();
    let at_once = start.is_none() && content.core.is_none();
    let plugin = Plugin::new(name, by.owner, by.follows, exit);
    let plugin = Arc::new(plugin, GFP_KERNEL)?;
    let mut live = publish(&plugin, content, at_once)?;
    pr_info!(
        "{}: coming, regions={} symbols={}\n",
        name,
        regions,
        symbols
    );

    if let Some(Err(refusal)) = start.map(|start| start()) {
        remove_now(&plugin);
        return Err(refusal);
    }
    if !at_once {
        let mut lock = LOCK.lock();
        let full;
        (live, full) = started(&plugin, &mut lock);
        drop(lock);
        drop(full);
    }
    if live {
        say_live(&plugin);
    }
    // The owner's GOING event may have been before the publication.
    if owner_going() {
        remove_now(&plugin);
        return Err(OWNER_GOING);
    }
    Ok(plugin)
}

/// Refuses a name that is taken.
fn check_name(name: &Name) -> Result<(), Refusal> {
    match NAMES.plugin(name, &PreemptGuard::new()) {
        Some(_) => Err(Refusal::new(EEXIST, "the name is taken")),
        None => Ok(()),
    }
}

/// Memory that the publication of a plugin takes and that has to be allocated.
enum Shortage {
    Index(Need),
    Names(NameShortage),
    Order(u32),
}

/// Checks a plugin against all others, and prepares its entries in the indexes.
///
/// Called without the lock, it reads what may change before the lock is taken.
fn prepare(
    name: &Name,
    regions: &[Region],
    change: &mut Change,
    names: &[Option<&NameSet>],
) -> Result<Option<Shortage>, Refusal> {
    check_name(name)?;
    for region in regions {
        if let Some(there) = Index::overlap(region, &PreemptGuard::new()) {
            let refusal = Refusal::new(EEXIST, "a region overlaps plugin");
            return Err(refusal.by(*there.name()));
        }
    }
    let guard = PreemptGuard::new();
    Ok(match change.make(&guard) {
        Err(need) => Some(Shortage::Index(need)),
        Ok(()) => {
            let shortage = NAMES.shortage(names, &guard).map(Shortage::Names);
            shortage.or_else(|| ORDER.shortage(&guard).map(Shortage::Order))
        }
    })
}

/// Publishes `plugin` with `content`.
///
/// With `at_once`, it is LIVE in the same step. Returns whether it is LIVE.
fn publish(plugin: &Arc<Plugin>, content: Content, at_once: bool) -> Result<bool, Refusal> {
    let Content { full, core } = content;
    let node = Node::new(plugin.clone())?;
    let mut change = Change::add(plugin, &full.regions)?;
    let mut names = NameSet::new(plugin, core.as_ref().unwrap_or(&full))?;
    let mut init = match &core {
        Some(_) => Some(NameSet::new(plugin, &full)?),
        None => None,
    };
    let (regions, symbols) = (full.regions.len(), full.symtab.len());
    trace::plugin_content(plugin, &full, core.as_ref());
    let full = RcuBox::new(full)?;
    let core = core.map(RcuBox::new).transpose()?;

    let mut lock = loop {
        let mut prepare = || {
            let names = [Some(&names), init.as_ref()];
            prepare(plugin.name(), &full.regions, &mut change, &names)
        };
        let changes = CHANGES.load(Acquire);
        let mut shortage = prepare()?;
        if shortage.is_none() {
            let lock = LOCK.lock();
            // Another writer may have changed the registry, or used up the room.
            if CHANGES.load(Relaxed) != changes {
                shortage = prepare()?;
            }
            if shortage.is_none() {
                break lock;
            }
        }
        match shortage {
            Some(Shortage::Index(need)) => change.provide(need)?,
            Some(Shortage::Names(shortage)) => {
                let more = shortage.more()?;
                NAMES.extend(more, &mut Held::new(&mut LOCK.lock()));
            }
            Some(Shortage::Order(room)) => {
                let more = Order::more(room)?;
                ORDER.extend(more, &mut Held::new(&mut LOCK.lock()));
            }
            None => {}
        }
    };
    // Publish on the list and in `ORDER` before the address and name indexes: a plugin that a
    // lookup returns must also be found by iteration and by symbol number. The order is modelled in
    // tests/litmus/registry-publish.litmus.
    let mut held = Held::new(&mut lock);
    let names = NAMES.enter(&mut names, &mut held);
    let foreign = foreign::add(&full, &mut held);
    plugin.publish(full, &mut held);
    let entry = PLUGINS.add(node, &mut held);
    let place = ORDER.push(names.first(), symbols, &mut held);
    change.apply(&mut held);
    NAMES.link(&names, &mut held);
    let init = init.as_mut().map(|init| NAMES.enter(init, &mut held));
    if let Some(init) = &init {
        NAMES.link(init, &mut held);
    }
    count_change(&mut held);
    trace::plugin_register(plugin, regions, symbols);
    *plugin.links().as_mut(&mut lock) = Links {
        entry: Some(entry),
        place,
        names: Some(names),
        foreign,
        core: core.zip(init),
    };
    let (live, _none) = if at_once {
        started(plugin, &mut lock)
    } else {
        (false, None)
    };
    drop(lock);
    Ok(live)
}

/// Marks `plugin` as started and makes it LIVE.
///
/// A plugin that follows an owner in COMING stays COMING until the owner's LIVE event. Returns as
/// [`go_live`].
fn started(plugin: &Plugin, lock: &mut GlobalGuard<LOCK>) -> (bool, Option<Retired<Tables>>) {
    plugin.set_started(&Held::new(lock));
    let coming = |m: Module| m.state() == ModuleState::Coming;
    if plugin.awaits_owner() && plugin.owner().is_some_and(coming) {
        return (false, None);
    }
    go_live(plugin, lock)
}

/// Makes a started plugin LIVE, if it is COMING.
///
/// Returns whether it did, and the old tables. The caller drops the old tables after unlocking,
/// since readers may still use them. Init memory that they borrow from the owner is freed by
/// `do_free_init()`, which waits for a grace period.
///
/// Follows the end of `do_init_module()`.
pub(super) fn go_live(
    plugin: &Plugin,
    lock: &mut GlobalGuard<LOCK>,
) -> (bool, Option<Retired<Tables>>) {
    if plugin.state() != State::Coming {
        return (false, None);
    }
    let links = plugin.links().as_mut(lock);
    let place = links.place;
    let (core, init) = links.core.take().unzip();
    let symbols = core.as_ref().map(|core| core.symtab.len());
    let mut held = Held::new(lock);
    let full = plugin.go_live(core, &mut held);
    trace::plugin_state(plugin);
    if let Some(symbols) = symbols {
        ORDER.shrink(place, symbols, &mut held);
    }
    if let Some(init) = init {
        NAMES.unlink(&init, &mut held);
    }
    (true, full)
}

/// Reports that a plugin has become LIVE.
pub(super) fn say_live(plugin: &Plugin) {
    pr_info!("{}: live\n", plugin.name());
}
