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
        INDEX, //
    },
    lock::{
        Writers,
        LOCK, //
    },
    name::Name,
    names::{
        NameSet,
        NAMES, //
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
    tables::Tables,
    trace, //
};
use core::mem;
use kernel::{
    prelude::*,
    sync::{
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

/// A name that no other plugin can take, and that no reader sees: an UNFORMED plugin.
struct Reservation(Option<Name>);

impl Reservation {
    fn new(name: Name) -> Result<Self, Refusal> {
        let mut lock = LOCK.lock();
        let taken = NAMES.plugin(&name, &PreemptGuard::new()).is_some();
        if taken || lock.unformed.contains(&name) {
            return Err(Refusal::new(EEXIST, "the name is taken"));
        }
        lock.unformed.push(name, GFP_KERNEL)?;
        Ok(Self(Some(name)))
    }

    /// Gives the name up, or to the plugin that is published under the same lock.
    fn end(mut self, writers: &mut Writers) {
        if let Some(name) = self.0.take() {
            writers.unreserve(name);
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if let Some(name) = self.0.take() {
            LOCK.lock().unreserve(name);
        }
    }
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
/// Follows `load_module()`. Sleeps, and holds no lock while it calls either.
pub(crate) fn register(
    name: Name,
    by: Ownership,
    exit: Callback<()>,
    content: impl FnOnce() -> Result<Content, Refusal>,
    start: impl FnOnce() -> Result<(), Refusal>,
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
    let reservation = Reservation::new(name)?;
    let content = content()?;

    let regions = content.full.regions.len();
    let symbols = content.full.symtab.len();
    let plugin = Plugin::new(name, by.owner, by.follows, exit);
    let plugin = Arc::new(plugin, GFP_KERNEL)?;
    publish(&plugin, content, reservation)?;
    trace::plugin_register(&name, regions, symbols);
    pr_info!(
        "{}: coming, {} regions, {} symbols\n",
        name,
        regions,
        symbols
    );

    if let Err(refusal) = start() {
        remove_now(&plugin);
        return Err(refusal);
    }
    let mut lock = LOCK.lock();
    plugin.set_started(&Held::new(&mut lock));
    // Where the owner is COMING, its LIVE event is still to come and finds the plugin started.
    let coming = by.owner.is_some_and(|m| m.state() == ModuleState::Coming);
    if !(by.follows && coming) {
        go_live(&plugin, lock);
    } else {
        drop(lock);
    }
    // The owner may have gone meanwhile, and its GOING event with it.
    if owner_going() {
        remove_now(&plugin);
        return Err(Refusal::new(ENODEV, "its owner is being unloaded"));
    }
    Ok(plugin)
}

/// Makes `plugin` visible with `content`.
fn publish(
    plugin: &Arc<Plugin>,
    content: Content,
    reservation: Reservation,
) -> Result<(), Refusal> {
    let Content { full, core } = content;
    let node = Node::new(plugin.clone())?;
    let mut change = Change::add(plugin, &full.regions)?;
    let names = NameSet::new(plugin, core.as_ref().unwrap_or(&full))?;
    let init = match &core {
        Some(_) => Some(NameSet::new(plugin, &full)?),
        None => None,
    };
    let full = RcuBox::new(full)?;
    let core = core.map(RcuBox::new).transpose()?;

    // Others may use up what room there is while memory for more is taken without the lock.
    let (mut lock, need) = loop {
        let mut lock = LOCK.lock();
        let held = Held::new(&mut lock);
        if let Some(there) = full.regions.iter().find_map(|r| Index::overlap(r, &held)) {
            let refusal = Refusal::new(EEXIST, "a region overlaps plugin");
            return Err(refusal.by(*there.name()));
        }
        let need = change.needs(&held);
        if !change.has(&need) {
            drop(lock);
            change.provide(need)?;
        } else if let Some(lack) = NAMES.lacks(&[Some(&names), init.as_ref()], &held) {
            drop(lock);
            let more = lack.more()?;
            NAMES.extend(more, &mut Held::new(&mut LOCK.lock()));
        } else {
            break (lock, need);
        }
    };
    // The order of publication is modelled in tests/litmus/registry-publish.litmus.
    let mut held = Held::new(&mut lock);
    plugin.publish(full, &mut held);
    let entry = PLUGINS.add(node, &mut held);
    let replaced = change.apply(&need, &mut held);
    let names = NAMES.link(names, &mut held);
    let init = init.map(|init| NAMES.link(init, &mut held));
    *plugin.links().as_mut(&mut lock) = Links {
        entry: Some(entry),
        names: Some(names),
        core: core.zip(init),
    };
    reservation.end(&mut lock);
    drop(lock);
    // Readers may still stand in it.
    drop(replaced);
    Ok(())
}

/// Makes a started plugin LIVE, if it is COMING still. Follows the end of `do_init_module()`.
fn go_live(plugin: &Plugin, mut lock: GlobalGuard<LOCK>) {
    if plugin.state() != State::Coming {
        return;
    }
    let (core, init) = plugin.links().as_mut(&mut lock).core.take().unzip();
    let mut held = Held::new(&mut lock);
    let full = plugin.go_live(core, &mut held);
    if let Some(init) = init {
        NAMES.unlink(&init, &mut held);
    }
    drop(lock);
    trace::plugin_live(plugin.name());
    pr_info!("{}: live\n", plugin.name());
    // A reader may still stand in the old tables. Where their memory is the owner's, who frees it
    // waits too.
    drop(full);
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
        if let Some(entry) = plugin.links().as_mut(&mut lock).entry.take() {
            // There is room.
            let _ = entries.push_within_capacity(entry);
        }
    }
    drop(lock);

    for plugin in plugins {
        trace::plugin_going(plugin.name());
        pr_info!("{}: going\n", plugin.name());
        plugin.exit();
    }
    unlink(plugins, move |held| {
        for entry in entries {
            // There is room; without, it would be freed after a grace period.
            let _ = retired.push_within_capacity(take_off(entry, held));
        }
        retired
    })
}

/// Removes a plugin whose start failed or whose owner goes; that cannot be refused. Sleeps.
fn remove_now(plugin: &Arc<Plugin>) {
    let mut lock = LOCK.lock();
    if plugin.must_go(&Held::new(&mut lock)) {
        trace::plugin_going(plugin.name());
        let entry = plugin.links().as_mut(&mut lock).entry.take();
        drop(lock);
        let done = unlink(core::slice::from_ref(plugin), |held| {
            entry.map(|entry| take_off(entry, held))
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
fn take_off(entry: Entry<Arc<Plugin>, LOCK>, held: &mut Held<'_, LOCK>) -> Removed {
    let tables = entry.clear(held);
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
    let change = Change::remove(plugins, &held).ok();
    let gone = stop_machine(|_stopped| {
        let off = off(&mut held);
        let last = last.and_then(|last| LAST_UNLOADED.replace(Some(last), &mut held));
        (off, last)
    })?;
    // They have no tables any more, so readers pass them by until here.
    let replaced = change.map(|(change, need)| change.apply(&need, &mut held));
    for plugin in plugins {
        let Links { names, core, .. } = mem::take(plugin.links().as_mut(&mut lock));
        let mut held = Held::new(&mut lock);
        for names in [names, core.unzip().1].iter().flatten() {
            NAMES.unlink(names, &mut held);
        }
    }
    drop(lock);
    drop(replaced);
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
                    go_live(&plugin, LOCK.lock());
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
    drop(LAST_UNLOADED.replace(None, &mut held));
}
