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

/// What readers are to find in a new plugin.
pub(crate) struct Content {
    /// While it is COMING.
    pub(crate) full: Tables,
    /// Once it is LIVE, where that is less.
    pub(crate) core: Option<Tables>,
}

/// Who registers a plugin.
#[derive(Clone, Copy)]
pub(crate) struct Ownership {
    /// The module; nothing for built-in code.
    pub(crate) owner: Option<Module>,
    /// Whether the plugin is COMING until its owner is LIVE.
    pub(crate) follows: bool,
}

/// Adds a plugin: `content` makes what it consists of, `start` starts it once it is visible.
///
/// Follows `load_module()`. Sleeps, and holds no lock while it calls either. Without `start` and
/// without anything that init alone has, it is LIVE at once.
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
        return Err(Refusal::new(ENODEV, "its owner is being unloaded"));
    }
    check_name(&name)?;
    let content = content()?;

    let regions = content.full.regions.len();
    let symbols = content.full.symtab.len();
    let at_once = start.is_none() && content.core.is_none();
    let plugin = Plugin::new(name, by.owner, by.follows, exit);
    let plugin = Arc::new(plugin, GFP_KERNEL)?;
    let mut live = publish(&plugin, content, at_once)?;
    trace::plugin_register(&name, regions, symbols);
    pr_info!(
        "{}: coming, {} regions, {} symbols\n",
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
    // The owner may have gone meanwhile, and its GOING event with it.
    if owner_going() {
        remove_now(&plugin);
        return Err(Refusal::new(ENODEV, "its owner is being unloaded"));
    }
    Ok(plugin)
}

/// Whether a name is free.
fn check_name(name: &Name) -> Result<(), Refusal> {
    match NAMES.plugin(name, &PreemptGuard::new()) {
        Some(_) => Err(Refusal::new(EEXIST, "the name is taken")),
        None => Ok(()),
    }
}

/// What a plugin lacks for being published.
enum Shortage {
    Index(Need),
    Names(NameShortage),
    Order(u32),
}

/// Does what publishing a plugin needs to know of others. Without the lock that may change.
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

/// Makes `plugin` visible with `content`, and `at_once` LIVE. Returns whether it is.
fn publish(plugin: &Arc<Plugin>, content: Content, at_once: bool) -> Result<bool, Refusal> {
    let Content { full, core } = content;
    let node = Node::new(plugin.clone())?;
    let mut change = Change::add(plugin, &full.regions)?;
    let mut names = NameSet::new(plugin, core.as_ref().unwrap_or(&full))?;
    let mut init = match &core {
        Some(_) => Some(NameSet::new(plugin, &full)?),
        None => None,
    };
    let symbols = full.symtab.len();
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
            // Others may have been faster, and have used up what room there was.
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
    // The order of publication is modelled in tests/litmus/registry-publish.litmus: who finds the
    // plugin finds it on the list too, whether he walks it or counts.
    let mut held = Held::new(&mut lock);
    let names = NAMES.enter(&mut names, &mut held);
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
    *plugin.links().as_mut(&mut lock) = Links {
        entry: Some(entry),
        place,
        names: Some(names),
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

/// Notes that a plugin has started, and makes it LIVE, unless it waits for its owner: that one's LIVE
/// event is still to come then, and finds it. Returns as [`go_live`].
fn started(plugin: &Plugin, lock: &mut GlobalGuard<LOCK>) -> (bool, Option<Retired<Tables>>) {
    plugin.set_started(&Held::new(lock));
    let coming = |m: Module| m.state() == ModuleState::Coming;
    if plugin.awaits_owner() && plugin.owner().is_some_and(coming) {
        return (false, None);
    }
    go_live(plugin, lock)
}

/// Makes a started plugin LIVE, if it is COMING still. Follows the end of `do_init_module()`.
///
/// Returns whether it did, and the old tables, for dropping without the lock: a reader may still
/// stand in them. Where their memory is the owner's, who frees it waits too.
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
    if let Some(symbols) = symbols {
        ORDER.shrink(place, symbols, &mut held);
    }
    if let Some(init) = init {
        NAMES.unlink(&init, &mut held);
    }
    (true, full)
}

pub(super) fn say_live(plugin: &Plugin) {
    trace::plugin_live(plugin.name());
    pr_info!("{}: live\n", plugin.name());
}
