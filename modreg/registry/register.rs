// SPDX-License-Identifier: GPL-2.0

//! Adding a plugin.

use super::unregister::{
    call_exit,
    remove_now,
    say_atomic, //
};
use crate::{
    modreg::{
        error::Refusal,
        foreign,
        index::{
            self,
            by_address,
            by_name::NAMES,
            by_owner::{
                self,
                Reservation, //
            },
            name_set::NameSet, //
        },
        lock::LOCK,
        name::Name,
        plugin::{
            list::{
                add_count,
                PLUGINS, //
            },
            Core,
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
            RcuOwned,
            Retired, //
        },
        stop_machine::might_stop_machine,
        vec::SmallVec, //
    },
};
use kernel::{
    alloc::AllocError,
    prelude::*,
    sync::GlobalGuard,
    warn_on, //
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

/// Regions that are being collected. A module has seven at most.
pub(crate) type Regions = SmallVec<Region, 7>;

/// The regions and the tables of a new plugin.
pub(crate) struct Content {
    /// Its regions; those that stay come before the init regions.
    pub(crate) regions: Regions,
    /// Those that readers find while the plugin is COMING.
    pub(crate) full: RcuOwned<Tables>,
    /// Those that readers find once it is LIVE; [`None`] if they are the same.
    pub(crate) core: Option<RcuOwned<Tables>>,
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
/// - `E2BIG` if all plugins together would have 2^32 symbols.
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
    if is_taken(&name) {
        return Err(NAME_TAKEN);
    }
    let content = content()?;

    let regions = content.regions.len();
    let symbols = content.full.symtab().len();
    let at_once = start.is_none() && content.core.is_none();
    let plugin = Plugin::new(
        name,
        owner.id(),
        request.follows_owner,
        request.quiet,
        &content.regions,
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

/// Checks a plugin with as many symbols against all others.
fn check(plugin: &Plugin, symbols: u32, held: &Held<'_, LOCK>) -> Result<(), Refusal> {
    if !index::has_numbers(symbols, held) {
        return Err(NO_NUMBERS);
    }
    if is_taken(plugin.name()) {
        return Err(NAME_TAKEN);
    }
    for region in plugin.regions() {
        if let Some(other) = by_address::overlap(region, held) {
            let refusal = Refusal::new(EEXIST, "a region overlaps plugin");
            return Err(refusal.by(*other.name()));
        }
    }
    Ok(())
}

/// The refusal of symbols that have no numbers.
pub(super) const NO_NUMBERS: Refusal = Refusal::new(E2BIG, "all plugins would have 2^32 symbols");

/// The refusal of a name that is taken.
const NAME_TAKEN: Refusal = Refusal::new(EEXIST, "the name is taken");

/// Returns whether a plugin has that name.
fn is_taken(name: &Name) -> bool {
    let guard = PreemptGuard::new();
    NAMES.plugin(name.as_cstr().to_bytes(), &guard).is_some()
}

/// The names of a plugin: those that remain when it is LIVE, and those that it has until then.
struct Names {
    core: NameSet,
    init: Option<NameSet>,
    /// Whether the names of symbols are not among them.
    is_large: bool,
}

impl Names {
    /// Hashes the names.
    fn new(plugin: &Plugin, full: &Tables, core: Option<&Tables>) -> Result<Self, AllocError> {
        let is_large = NAMES.takes_large(core.unwrap_or(full).symtab().len());
        let set = |tables| NameSet::new(plugin.name(), tables, is_large);
        Ok(Self {
            core: set(core.unwrap_or(full))?,
            init: core.map(|_| set(full)).transpose()?,
            is_large,
        })
    }

    fn sets(&self) -> [Option<&NameSet>; 2] {
        [Some(&self.core), self.init.as_ref()]
    }
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
    let pin = Module::try_pin_this();
    let pin = pin.ok_or(Refusal::new(ENODEV, "modreg is being unloaded"))?;
    let mut reservation = Reservation::new(plugin.owner())?;
    let full = content.full;
    trace::plugin_content(plugin, &full, content.core.as_ref().map(|core| &***core));
    let symbols = full.symtab().len();
    let core = content.core.map(Core::new).transpose()?;
    let hash_names = || Names::new(plugin, &full, core.as_ref().map(|core| &**core.tables));
    let mut names = hash_names()?;
    // Another writer may have taken the place.
    let has_place = |names: &Names| !names.is_large || NAMES.takes_large(u32::MAX);

    let mut lock = loop {
        if !has_place(&names) {
            names = hash_names()?;
        }
        if !reservation.is_enough(plugin.owner()) {
            reservation = Reservation::new(plugin.owner())?;
        }
        let shortage = || index::shortage(plugin.regions().len(), &names.sets());
        let mut short = shortage();
        if short.is_none() {
            let mut lock = LOCK.lock();
            check(plugin, symbols, &Held::new(&mut lock))?;
            // Another writer may have used up the room.
            short = shortage();
            let is_enough = has_place(&names) && reservation.is_enough(plugin.owner());
            if short.is_none() && is_enough {
                break lock;
            }
        }
        if let Some(short) = short {
            let room = short.reserve()?;
            index::extend(room, &mut Held::new(&mut LOCK.lock()));
        }
    };
    let mut held = Held::new(&mut lock);
    let foreign = foreign::add(plugin.regions(), &full, &mut held);
    // The index comes last (modelled in tests/litmus/registry-publish.litmus).
    plugin.publish(full, &mut held);
    // It was on no list.
    warn_on!(!PLUGINS.add(plugin.clone(), &mut held));
    add_count(1, &held);
    let id = index::publish(plugin, symbols, &mut held);
    let Names {
        core: core_names,
        init,
        is_large,
    } = &names;
    let linked = index::publish_names(id, core_names, 0, *is_large, &mut held);
    let core = core.zip(init.as_ref()).map(|(mut core, init)| {
        core.init = index::publish_names(id, init, 1, *is_large, &mut held);
        core
    });
    trace::plugin_register(plugin, plugin.regions().len(), symbols);
    let links = plugin.links().as_mut(&mut lock);
    links.pin = Some(pin);
    links.id = id;
    links.names = linked;
    links.foreign = foreign;
    links.core = core;
    by_owner::enter(plugin, id, reservation, &mut lock);
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
    let id = links.id;
    let old_foreign = links.foreign;
    let Core { tables: core, init } = KBox::into_inner(links.core.take()?);
    let symbols = core.symtab().len();
    let mut held = Held::new(lock);
    let foreign = foreign::replace(old_foreign, plugin.regions(), &core, &mut held);
    let full = index::exchange(&mut held, |held| plugin.drop_init(core, held));
    index::drop_init(plugin, id, symbols, &init, &mut held);
    plugin.links().as_mut(lock).foreign = foreign;
    full
}

/// Reports that a plugin has become LIVE.
pub(super) fn say_live(plugin: &Plugin) {
    if !plugin.is_quiet() {
        pr_info!("{}: live\n", plugin.name());
    }
}
