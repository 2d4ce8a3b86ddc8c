// SPDX-License-Identifier: GPL-2.0

//! The writers: how plugins come and go.
//!
//! Adding a plugin stops nobody. All that can fail or cost time is done before the lock; under it
//! the plugin is published by `list_add_rcu()` and found through the index from then on. Removing
//! one is done under `stop_machine()`, after which no reader can hold it.

use super::{
    index::{
        Change,
        Index,
        Need,
        INDEX, //
    },
    lock::LOCK,
    name::Name,
    names::{
        self,
        NameSet,
        NAMES, //
    },
    order::{
        Order,
        Place,
        ORDER, //
    },
    plugin::{
        Gone,
        Links,
        Plugin,
        State, //
    },
    primitives::{
        callback::Callback,
        errno::edeadlk,
        module::{
            Module,
            ModuleState, //
        },
        notifier::ModuleNotify,
        preempt::{
            preemptible,
            PreemptGuard, //
        },
        rcu::{
            Held,
            RcuBox,
            RcuCell,
            Retire,
            Retired, //
        },
        rculist::{
            rculist_head,
            Entry,
            Node, //
        },
        stop_machine::{
            can_stop_machine,
            stop_machine, //
        },
    },
    refusal::Refusal,
    tables::{
        Region,
        Tables, //
    },
    trace, //
};
use core::mem;
use kernel::{
    prelude::*,
    sync::{
        atomic::{
            Acquire,
            Atomic,
            Relaxed,
            Release, //
        },
        Arc,
        GlobalGuard, //
    },
    time::{
        delay::fsleep,
        Delta, //
    },
};

rculist_head! {
    /// The plugins, newest first.
    pub(crate) static PLUGINS: RcuList<Arc<Plugin>, LOCK>;
}

/// The plugin that was unlinked last.
pub(crate) static LAST_UNLOADED: RcuCell<Gone, LOCK> = RcuCell::empty();

/// How often plugins were published or unlinked. What was read without the lock holds under it, if
/// this has not changed since before (modelled in `tests/litmus/registry-prepare.litmus`).
static CHANGES: Atomic<usize> = Atomic::new(0);

fn count_change(_held: &mut Held<'_, LOCK>) {
    CHANGES.store(CHANGES.load(Relaxed).wrapping_add(1), Release);
}

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
enum Lack {
    Index(Need),
    Names(names::Lack),
    Order(u32),
}

/// Does what publishing a plugin needs to know of others. Without the lock that may change.
fn prepare(
    name: &Name,
    regions: &[Region],
    change: &mut Change,
    names: &[Option<&NameSet>],
) -> Result<Option<Lack>, Refusal> {
    check_name(name)?;
    for region in regions {
        if let Some(there) = Index::overlap(region, &PreemptGuard::new()) {
            let refusal = Refusal::new(EEXIST, "a region overlaps plugin");
            return Err(refusal.by(*there.name()));
        }
    }
    let guard = PreemptGuard::new();
    Ok(match change.make(&guard) {
        Err(need) => Some(Lack::Index(need)),
        Ok(()) => {
            let lack = NAMES.lacks(names, &guard).map(Lack::Names);
            lack.or_else(|| ORDER.lacks(&guard).map(Lack::Order))
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
        let mut lack = prepare()?;
        if lack.is_none() {
            let lock = LOCK.lock();
            // Others may have been faster, and have used up what room there was.
            if CHANGES.load(Relaxed) != changes {
                lack = prepare()?;
            }
            if lack.is_none() {
                break lock;
            }
        }
        match lack {
            Some(Lack::Index(need)) => change.provide(need)?,
            Some(Lack::Names(lack)) => {
                let more = lack.more()?;
                NAMES.extend(more, &mut Held::new(&mut LOCK.lock()));
            }
            Some(Lack::Order(room)) => {
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
fn go_live(plugin: &Plugin, lock: &mut GlobalGuard<LOCK>) -> (bool, Option<Retired<Tables>>) {
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

fn say_live(plugin: &Plugin) {
    trace::plugin_live(plugin.name());
    pr_info!("{}: live\n", plugin.name());
}

/// Removes started plugins that nobody holds a reference to, in one stop; all or none.
///
/// Follows `delete_module(2)`. Sleeps.
///
/// # Errors
///
/// `EBUSY` where one is referenced, not started yet, GOING, or named twice; `EDEADLK` where
/// sleeping is not allowed; `ENOMEM`.
pub(crate) fn unregister(plugins: &[Arc<Plugin>]) -> Result {
    if !can_stop_machine() {
        return Err(edeadlk());
    }
    let mut before = KVec::with_capacity(plugins.len(), GFP_KERNEL)?;
    let mut entries = KVec::with_capacity(plugins.len(), GFP_KERNEL)?;
    let mut retired = KVec::with_capacity(plugins.len(), GFP_KERNEL)?;

    let mut lock = LOCK.lock();
    let held = Held::new(&mut lock);
    for plugin in plugins {
        if let Some(was) = plugin.try_go(&held) {
            // There is room.
            let _ = before.push_within_capacity(was);
            continue;
        }
        for (plugin, &was) in plugins.iter().zip(&before) {
            plugin.stay(was, &held);
        }
        drop(lock);
        let (name, n) = (plugin.name(), plugin.references());
        pr_err!("{}: refused, busy with {} references (-EBUSY)\n", name, n);
        return Err(EBUSY);
    }
    for plugin in plugins {
        let links = plugin.links().as_mut(&mut lock);
        if let Some(entry) = links.entry.take() {
            // There is room.
            let _ = entries.push_within_capacity((entry, links.place));
        }
    }
    drop(lock);

    for plugin in plugins {
        trace::plugin_going(plugin.name());
        if plugin.exit().is_some() {
            pr_info!("{}: going\n", plugin.name());
            plugin.exit().call();
        }
    }
    unlink(plugins, move |held| {
        for (entry, place) in entries {
            // There is room; without, it would be freed after a grace period.
            let _ = retired.push_within_capacity(take_off(entry, place, held));
        }
        retired
    })
}

/// Removes a plugin whose start failed or whose owner goes; that cannot be refused. Sleeps.
fn remove_now(plugin: &Arc<Plugin>) {
    let mut lock = LOCK.lock();
    if plugin.must_go(&Held::new(&mut lock)) {
        trace::plugin_going(plugin.name());
        let links = plugin.links().as_mut(&mut lock);
        let (entry, place) = (links.entry.take(), links.place);
        drop(lock);
        let done = unlink(core::slice::from_ref(plugin), |held| {
            entry.map(|entry| take_off(entry, place, held))
        });
        if done.is_err() {
            pr_err!("{}: not unlinked\n", plugin.name());
        }
        return;
    }
    drop(lock);
    // Somebody else is about it.
    while plugin.tables(&PreemptGuard::new()).is_some() {
        fsleep(Delta::from_millis(1));
    }
    // And holds the lock until the stop is over.
    drop(LOCK.lock());
}

type Removed = (Retired<Node<Arc<Plugin>>>, Option<Retired<Tables>>);

/// Takes a plugin off the list, and away from readers that find it through the index.
fn take_off(entry: Entry<Arc<Plugin>, LOCK>, place: Place, held: &mut Held<'_, LOCK>) -> Removed {
    let tables = entry.clear(held);
    ORDER.mark(place, held);
    (entry.remove(held), tables)
}

/// Unlinks `plugins` under `stop_machine()`. When it returns, no reader can hold one.
///
/// No error stands in the way of this but that of `stop_machine()`: where there is no memory for an
/// index without them, it goes on leading to plugins that have no tables.
fn unlink<R>(plugins: &[Arc<Plugin>], off: impl FnOnce(&mut Held<'_, LOCK>) -> R + Send) -> Result
where
    R: Retire + Send,
{
    let last = plugins.last().map(|p| RcuBox::new(Gone::new(p)));
    let last = last.and_then(Result::ok);

    let mut lock = LOCK.lock();
    let mut held = Held::new(&mut lock);
    let mut change = Change::remove(plugins, &held).ok();
    let gone = stop_machine(|_stopped| {
        let off = off(&mut held);
        ORDER.remove(plugins.len(), &mut held);
        let last = last.and_then(|last| LAST_UNLOADED.replace(Some(last), &mut held));
        (off, last)
    })?;
    // They have no tables any more, so readers pass them by until here.
    if let Some(change) = &mut change {
        change.apply(&mut held);
    }
    count_change(&mut held);
    // Of equal names the newest plugin's come first, and the newest are likely to be the last here.
    for plugin in plugins.iter().rev() {
        let Links { names, core, .. } = mem::take(plugin.links().as_mut(&mut lock));
        let mut held = Held::new(&mut lock);
        for names in [names, core.unzip().1].iter().flatten() {
            NAMES.unlink(names, &mut held);
        }
    }
    drop(lock);
    drop(change);
    // No reader is left: their tables are freed here, they themselves with their last handle.
    drop(gone);
    for plugin in plugins {
        trace::plugin_unregister(plugin.name());
        pr_info!("{}: gone\n", plugin.name());
    }
    Ok(())
}

/// A plugin of `module` that `which` is true of.
fn owned_by(module: Module, which: impl Fn(&Plugin) -> bool) -> Option<Arc<Plugin>> {
    PLUGINS
        .iter(&PreemptGuard::new())
        .find(|p| p.owner() == Some(module) && which(p))
        .cloned()
}

/// Follows the owners of plugins through their lives.
pub(crate) struct Owners;

impl ModuleNotify for Owners {
    fn module_state(module: Module, state: ModuleState) {
        match state {
            ModuleState::Live => {
                while let Some(plugin) = owned_by(module, Plugin::awaits_owner) {
                    let mut lock = LOCK.lock();
                    let (live, full) = go_live(&plugin, &mut lock);
                    drop(lock);
                    if live {
                        say_live(&plugin);
                    }
                    drop(full);
                }
            }
            ModuleState::Going => {
                while let Some(plugin) = owned_by(module, |_| true) {
                    pr_warn!(
                        "{}: its owner goes without unregistering it\n",
                        plugin.name()
                    );
                    remove_now(&plugin);
                }
            }
            ModuleState::Coming | ModuleState::Unformed => {}
        }
    }
}

/// Frees what is left when the module goes; there are no plugins then, since each owner that calls
/// modreg pins it.
pub(crate) fn clear() {
    let mut lock = LOCK.lock();
    let mut held = Held::new(&mut lock);
    drop(INDEX.replace(None, &mut held));
    NAMES.clear(&mut held);
    ORDER.clear(&mut held);
    drop(LAST_UNLOADED.replace(None, &mut held));
}
