// SPDX-License-Identifier: GPL-2.0

//! Adding a plugin.

use super::{
    changes::{
        count_change,
        CHANGES, //
    },
    unregister::{
        call_exit,
        remove_now,
        say_atomic, //
    },
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
            list::{
                add_count,
                PLUGINS, //
            },
            owner,
            Plugin,
            PluginRef,
            State, //
        },
        tables::{
            region::Region,
            Tables, //
        },
        trace, //
    },
    primitives::{
        callback::{
            sleepably,
            Callback, //
        },
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
        rculist::Node,
        stop_machine::might_stop_machine, //
    },
};
use kernel::{
    prelude::*,
    sync::{
        atomic::{
            Acquire,
            Relaxed, //
        },
        GlobalGuard, //
    },
};

/// The refusal of a registration whose owner is being unloaded.
pub(crate) const OWNER_GOING: Refusal = Refusal::new(ENODEV, "its owner is being unloaded");

/// A plugin that is to be registered.
pub(crate) struct Request<'a> {
    /// Its name.
    pub(crate) name: Name,
    /// Its owner.
    pub(crate) owner: &'a Module,
    /// Whether it stays COMING until its owner is LIVE.
    pub(crate) follows_owner: bool,
    /// Whether its life is not logged.
    pub(crate) quiet: bool,
    /// Its exit callback.
    pub(crate) exit: Callback<()>,
}

/// The tables of a new plugin.
pub(crate) struct Content {
    /// Those that readers find while the plugin is COMING.
    pub(crate) full: Tables,
    /// Those that readers find once it is LIVE; [`None`] if they are the same.
    pub(crate) core: Option<Tables>,
}

/// Adds a plugin.
///
/// `content` makes its tables. `start` is called once it is published, and parses its arguments and
/// calls its init callback. No lock is held while either runs. A plugin without `start` and without
/// init regions is LIVE at once. Returns the plugin's handle, for [`unregister`](super::unregister).
///
/// If the owner is unloaded once `start` has succeeded, the exit callback is called.
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
    request: Request<'_>,
    content: impl FnOnce() -> Result<Content, Refusal>,
    start: Option<impl FnOnce() -> Result<(), Refusal>>,
) -> Result<PluginRef, Refusal> {
    if !preemptible() {
        return Err(Refusal::new(
            edeadlk(),
            "called where sleeping is not allowed",
        ));
    }
    // A failed start does.
    might_stop_machine();
    let Request { name, owner, .. } = request;
    if owner.state() == ModuleState::Going {
        return Err(OWNER_GOING);
    }
    check_name(&name)?;
    let content = content()?;

    let regions = content.full.regions.len();
    let symbols = content.full.symtab.len();
    let at_once = start.is_none() && content.core.is_none();
    let plugin = Plugin::new(
        name,
        owner.id(),
        request.follows_owner,
        request.quiet,
        request.exit,
    )?;
    let mut live = publish(&plugin, content, owner, at_once)?;
    if !plugin.is_quiet() {
        pr_info!(
            "{}: coming, regions={} symbols={}\n",
            name,
            regions,
            symbols
        );
    }

    if let Some(start) = start {
        let (outcome, sleepable) = sleepably(start);
        if !sleepable {
            say_atomic(&name, "init");
        }
        if let Err(refusal) = outcome {
            remove_now(&plugin);
            return Err(refusal);
        }
    }
    if !at_once {
        let mut lock = LOCK.lock();
        let full;
        (live, full) = started(&plugin, owner, &mut lock);
        drop(lock);
        drop(full);
    }
    if live {
        say_live(&plugin);
    }
    if hand_out(&plugin, owner) {
        return Ok(plugin);
    }
    call_exit(&plugin);
    remove_now(&plugin);
    Err(OWNER_GOING)
}

/// Lets the caller have the handle of a registered plugin.
///
/// Returns `false`, and makes the plugin GOING, if the owner is being unloaded. The owner's GOING
/// event may have been before the publication, or may have unlinked the plugin.
fn hand_out(plugin: &Plugin, owner: &Module) -> bool {
    let mut lock = LOCK.lock();
    let links = plugin.links().as_mut(&mut lock);
    links.has_handle = !links.unlinked && owner.state() != ModuleState::Going;
    if links.has_handle {
        return true;
    }
    if plugin.force_removal(&mut lock) {
        trace::plugin_state(plugin);
    }
    false
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
    Owner,
    Index(Need),
    Names(NameShortage),
    Order(u32),
}

/// What a plugin is published with.
struct Preparation<'a> {
    regions: &'a [Region],
    change: &'a mut Change,
    names: [Option<&'a NameSet>; 2],
    owner: &'a owner::Reservation,
}

/// Checks a plugin against all others, and prepares its entries in the indexes.
///
/// Called without the lock, it reads what may change before the lock is taken.
fn prepare(plugin: &Plugin, new: &mut Preparation<'_>) -> Result<Option<Shortage>, Refusal> {
    check_name(plugin.name())?;
    for region in new.regions {
        if let Some(there) = Index::overlap(region, &PreemptGuard::new()) {
            let refusal = Refusal::new(EEXIST, "a region overlaps plugin");
            return Err(refusal.by(*there.name()));
        }
    }
    if !new.owner.is_enough(plugin.owner()) {
        return Ok(Some(Shortage::Owner));
    }
    let guard = PreemptGuard::new();
    Ok(match new.change.make(&guard) {
        Err(need) => Some(Shortage::Index(need)),
        Ok(()) => {
            let shortage = NAMES.shortage(&new.names, &guard).map(Shortage::Names);
            shortage.or_else(|| ORDER.shortage(&guard).map(Shortage::Order))
        }
    })
}

/// Publishes `plugin` with `content`.
///
/// With `at_once`, it is LIVE in the same step. Returns whether it is LIVE.
fn publish(
    plugin: &PluginRef,
    content: Content,
    owner: &Module,
    at_once: bool,
) -> Result<bool, Refusal> {
    let Content { full, core } = content;
    let pin = Module::this().try_pin();
    let pin = pin.ok_or(Refusal::new(ENODEV, "modreg is being unloaded"))?;
    let node = Node::new(plugin.clone())?;
    let mut reservation = owner::Reservation::new(plugin.owner())?;
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
            let mut new = Preparation {
                regions: &full.regions,
                change: &mut change,
                names: [Some(&names), init.as_ref()],
                owner: &reservation,
            };
            prepare(plugin, &mut new)
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
            Some(Shortage::Owner) => reservation = owner::Reservation::new(plugin.owner())?,
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
    add_count(1, &held);
    let place = ORDER.push(names.first(), symbols, &mut held);
    change.apply(&mut held);
    NAMES.link(&names, &mut held);
    let init = init.as_mut().map(|init| NAMES.enter(init, &mut held));
    if let Some(init) = &init {
        NAMES.link(init, &mut held);
    }
    count_change(&mut held);
    trace::plugin_register(plugin, regions, symbols);
    let links = plugin.links().as_mut(&mut lock);
    links.entry = Some(entry);
    links.pin = Some(pin);
    links.place = place;
    links.names = Some(names);
    links.foreign = foreign;
    links.core = core.zip(init);
    owner::enter(plugin, reservation, &mut lock);
    let (live, _none) = if at_once {
        started(plugin, owner, &mut lock)
    } else {
        (false, None)
    };
    drop(lock);
    Ok(live)
}

/// Marks `plugin` as started and makes it LIVE.
///
/// A plugin that follows an owner in COMING stays COMING until the owner's LIVE event. Returns
/// whether the plugin has become LIVE, and the old tables, as [`drop_init`].
fn started(
    plugin: &Plugin,
    owner: &Module,
    lock: &mut GlobalGuard<LOCK>,
) -> (bool, Option<Retired<Tables>>) {
    plugin.set_started(lock);
    let waits = plugin.follows_owner() && owner.state() == ModuleState::Coming;
    // A plugin that is GOING was unlinked with its owner.
    if plugin.state() != State::Coming || waits {
        return (false, None);
    }
    let full = drop_init(plugin, lock);
    plugin.set_live(&Held::new(lock));
    trace::plugin_state(plugin);
    (true, full)
}

/// Takes the init regions of a linked plugin away from readers, with their symbols.
///
/// Returns the old tables, or [`None`] if there are no init regions. The caller drops them after
/// unlocking, since readers may still use them. Init memory that they borrow from the owner is
/// freed by `do_free_init()`, which waits for a grace period.
///
/// Follows the end of `do_init_module()`.
pub(super) fn drop_init(plugin: &Plugin, lock: &mut GlobalGuard<LOCK>) -> Option<Retired<Tables>> {
    let links = plugin.links().as_mut(lock);
    let place = links.place;
    let (core, init) = links.core.take()?;
    let symbols = core.symtab.len();
    let mut held = Held::new(lock);
    let full = plugin.drop_init(core, &mut held);
    ORDER.shrink(place, symbols, &mut held);
    NAMES.unlink(&init, &mut held);
    full
}

/// Reports that a plugin has become LIVE.
pub(super) fn say_live(plugin: &Plugin) {
    if !plugin.is_quiet() {
        pr_info!("{}: live\n", plugin.name());
    }
}
