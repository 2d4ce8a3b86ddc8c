// SPDX-License-Identifier: GPL-2.0

//! Plugins.

pub(crate) mod list;

use crate::{
    modreg::{
        foreign::Foreign,
        lock::LOCK,
        name::Name,
        tables::{
            region::Region,
            Tables, //
        },
    },
    primitives::{
        callback::Callback,
        cstr::StrTab,
        module::{
            ModuleId,
            ModulePin,
            ThisModulePin, //
        },
        preempt::PreemptGuard,
        rcu::{
            Held,
            RcuOwned,
            Retired, //
        },
        rcu_batch::{
            BatchCell,
            Emptied, //
        },
        rcu_counted::{
            RcuCounted,
            RcuRef, //
        },
        tailed::Tailed, //
    },
};
use core::mem::{
    self,
    offset_of, //
};
use kernel::{
    alloc::AllocError,
    bindings::{
        module_state_MODULE_STATE_COMING as COMING,
        module_state_MODULE_STATE_GOING as GOING,
        module_state_MODULE_STATE_LIVE as LIVE, //
    },
    fmt,
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Full,
            Relaxed,
            Release, //
        },
        GlobalGuard,
        GlobalLockedBy, //
    },
};

/// A plugin's state, as `enum module_state`.
///
/// There is no UNFORMED: before publication only the registering thread has a pointer to the
/// plugin.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum State {
    /// Published and starting: its arguments are parsed and its init callback runs.
    Coming = COMING,
    /// Started; its init regions are gone.
    Live = LIVE,
    /// Being removed: its exit callback runs.
    Going = GOING,
}

/// Names of one plugin that are linked in `index/by_name.rs`.
#[derive(Default)]
pub(crate) struct Linked {
    /// The first node, or 0.
    pub(crate) first: u32,
}

/// What a plugin with init regions has until these are gone.
pub(crate) struct Core {
    /// The tables for the LIVE state, which lack what is in init regions.
    pub(crate) tables: RcuOwned<Tables>,
    /// The names that are linked beside those that remain.
    pub(crate) init: Linked,
}

impl Core {
    /// Takes the tables of the LIVE state; no names are linked.
    ///
    /// Context: May sleep.
    pub(crate) fn new(tables: RcuOwned<Tables>) -> Result<KBox<Self>, AllocError> {
        let this = Self {
            tables,
            init: Linked::default(),
        };
        KBox::new(this, GFP_KERNEL)
    }
}

/// The part of a plugin that the lock protects.
#[derive(Default)]
pub(crate) struct Links {
    /// Whether the plugin was taken from readers.
    pub(crate) unlinked: bool,
    /// Whether the registration has returned, and its handle was not released since.
    pub(crate) has_handle: bool,
    /// Whether the arguments are parsed and the init callback has succeeded.
    started: bool,
    /// Whether a thread that unregisters the plugin has not returned.
    is_removing: bool,
    /// Whether the exit callback is to be called.
    exit_due: bool,
    /// Keeps modreg loaded while the plugin is registered.
    pub(crate) pin: Option<ThisModulePin>,
    /// The id in the indexes, or 0.
    pub(crate) id: u32,
    /// The linked names; those that remain when the plugin is LIVE.
    pub(crate) names: Linked,
    /// What it counts for among the plugins with foreign regions.
    pub(crate) foreign: Foreign,
    /// What becomes of the plugin once it is LIVE; [`None`] if nothing changes then any more.
    pub(crate) core: Option<KBox<Core>>,
}

/// The generation of the next plugin.
static GENERATION: Atomic<u64> = Atomic::new(1);

/// A reference to a plugin, which is freed a grace period after the last one.
pub(crate) type PluginRef = RcuRef<Plugin>;

/// A registered plugin, with its regions as the tail.
///
/// It is freed a grace period after it was unlinked, since the kernel may use its name inside
/// `rcu_read_lock()`, for which `stop_machine()` does not wait (modelled in
/// `tests/litmus/plugin-name.litmus`). The tables, which may borrow from the owner, are taken away
/// from readers under `stop_machine()`, with those of all other plugins of the removal. A plugin that
/// is found without tables is as one that is not found.
pub(crate) type Plugin = Tailed<Body, Region>;

/// A plugin without its tail.
///
/// # Invariants
///
/// - `refs` is 0 while `state` is COMING or GOING, and one more than the number of references while
///   it is LIVE.
/// - `tables` is empty before the plugin is published and after its removal, and marked during that.
pub(crate) struct Body {
    name: Name,
    generation: u64,
    owner: ModuleId,
    follows_owner: bool,
    quiet: bool,
    state: Atomic<u32>,
    refs: Atomic<i32>,
    tables: BatchCell<Tables, LOCK>,
    exit: Option<KBox<Callback<()>>>,
    links: GlobalLockedBy<Links, LOCK>,
}

// One byte more would take 64, in the allocator, for a plugin of one region.
const _: () = assert!(size_of::<RcuCounted<Plugin>>() + size_of::<Region>() <= 192);

impl Plugin {
    /// Where the members are that debuggers read.
    pub(crate) const NAME: usize = Self::VALUE + offset_of!(Body, name);
    pub(crate) const GENERATION: usize = Self::VALUE + offset_of!(Body, generation);
    pub(crate) const STATE: usize = Self::VALUE + offset_of!(Body, state);
    pub(crate) const REFS: usize = Self::VALUE + offset_of!(Body, refs);
    pub(crate) const TABLES: usize =
        Self::VALUE + offset_of!(Body, tables) + BatchCell::<Tables, LOCK>::PTR;

    /// Creates a plugin that is not published.
    ///
    /// With `follows_owner`, it is COMING at least until its owner is LIVE. With `quiet`, its life is
    /// not logged.
    ///
    /// # Errors
    ///
    /// [`AllocError`] if out of memory.
    ///
    /// Context: May sleep.
    pub(crate) fn new(
        name: Name,
        owner: ModuleId,
        follows_owner: bool,
        quiet: bool,
        regions: &[Region],
        exit: Callback<()>,
    ) -> Result<PluginRef, AllocError> {
        // INVARIANT: `state` is COMING and `refs` is 0; the plugin is not published and `tables` is
        // empty.
        let body = Body {
            name,
            generation: GENERATION.fetch_add(1, Relaxed),
            owner,
            follows_owner,
            quiet,
            state: Atomic::new(State::Coming as u32),
            refs: Atomic::new(0),
            tables: BatchCell::empty(),
            exit: exit
                .is_some()
                .then(|| KBox::new(exit, GFP_KERNEL))
                .transpose()?,
            links: GlobalLockedBy::new(Links::default()),
        };
        RcuCounted::with_tail(body, regions, StrTab::empty())
    }

    /// Returns the name.
    pub(crate) fn name(&self) -> &Name {
        &self.name
    }

    /// Returns the generation: a number that no other plugin has or had, and that grows.
    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    /// Returns the identity of the owner module.
    pub(crate) fn owner(&self) -> ModuleId {
        self.owner
    }

    /// Returns whether the plugin is COMING at least until its owner is LIVE.
    pub(crate) fn follows_owner(&self) -> bool {
        self.follows_owner
    }

    /// Returns whether the plugin's life is not logged.
    pub(crate) fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// Returns the regions that the plugin has or had; those that stay come before the init regions.
    pub(crate) fn regions(&self) -> &[Region] {
        self.elements()
    }

    /// Returns whether the plugin has or had init regions in its owner's memory.
    pub(crate) fn has_init_in_owner(&self) -> bool {
        self.regions()
            .iter()
            .any(|r| r.is_init() && !r.is_foreign())
    }

    /// Returns whether the plugin has or had foreign regions.
    pub(crate) fn has_foreign_regions(&self) -> bool {
        self.regions().iter().any(|region| region.is_foreign())
    }

    /// Returns the size of all regions that the plugin has with `tables`, as `module_total_size()`.
    pub(crate) fn total_size(&self, tables: &Tables) -> usize {
        let regions = self
            .regions()
            .iter()
            .filter(|r| tables.is_init || !r.is_init());
        regions.fold(0, |sum, r| sum.saturating_add(r.size()))
    }

    /// Returns the address of the first text region that the plugin has with `tables`, or of the first
    /// region if none has text.
    pub(crate) fn base(&self, tables: &Tables) -> usize {
        let regions = || {
            self.regions()
                .iter()
                .filter(|r| tables.is_init || !r.is_init())
        };
        let text = regions().find(|r| r.is_text()).or(regions().next());
        text.map_or(0, |r| r.base())
    }

    /// Notes that the arguments are parsed and the init callback has succeeded.
    ///
    /// From here on the exit callback is to be called.
    pub(crate) fn set_started(&self, lock: &mut GlobalGuard<LOCK>) {
        let links = self.links.as_mut(lock);
        links.started = true;
        links.exit_due = true;
    }

    /// Returns whether the plugin has started and is COMING only because its owner is.
    pub(crate) fn awaits_owner(&self, lock: &GlobalGuard<LOCK>) -> bool {
        self.follows_owner && self.state() == State::Coming && self.links.as_ref(lock).started
    }

    /// Returns whether the caller is to call the exit callback; `true` once at most.
    pub(crate) fn take_exit(&self, lock: &mut GlobalGuard<LOCK>) -> bool {
        mem::take(&mut self.links.as_mut(lock).exit_due)
    }

    /// Returns the state.
    ///
    /// Context: Any, NMI included.
    pub(crate) fn state(&self) -> State {
        match self.state.load(Relaxed) {
            s if s == State::Coming as u32 => State::Coming,
            s if s == State::Live as u32 => State::Live,
            _ => State::Going,
        }
    }

    /// Returns what readers find in the plugin, or [`None`] before publication and once it is
    /// removed.
    ///
    /// Context: Any, NMI included.
    #[inline]
    pub(crate) fn tables<'g>(&'g self, guard: &'g PreemptGuard) -> Option<&'g Tables> {
        self.tables.load(guard)
    }

    /// Returns the tables to a holder of the lock, or [`None`] once the plugin is removed.
    pub(crate) fn tables_held<'h>(&'h self, held: &'h Held<'_, LOCK>) -> Option<&'h Tables> {
        self.tables.load_held(held)
    }

    /// Publishes the tables for the COMING state.
    pub(crate) fn publish(&self, full: RcuOwned<Tables>, held: &mut Held<'_, LOCK>) {
        // `tables` was empty.
        let _none = self.tables.replace(Some(full), held);
    }

    /// Returns the part that the lock protects.
    pub(crate) fn links(&self) -> &GlobalLockedBy<Links, LOCK> {
        &self.links
    }

    /// Returns the number of references.
    ///
    /// Context: Any, NMI included.
    pub(crate) fn references(&self) -> i32 {
        self.refs.load(Relaxed).saturating_sub(1).max(0)
    }

    /// Replaces the tables by those without init regions.
    ///
    /// Init regions and their symbols disappear from every reader with one store. Returns the old
    /// tables.
    pub(crate) fn drop_init(
        &self,
        core: RcuOwned<Tables>,
        held: &mut Held<'_, LOCK>,
    ) -> Option<Retired<Tables>> {
        // Modelled, with a reader and with `try_pin()`, in tests/litmus/plugin-live.litmus.
        self.tables.replace(Some(core), held)
    }

    /// Replaces the tables of a LIVE plugin, and returns the old ones.
    ///
    /// Its symbols and exception entries are replaced with one store.
    pub(crate) fn replace_tables(
        &self,
        new: RcuOwned<Tables>,
        held: &mut Held<'_, LOCK>,
    ) -> Option<Retired<Tables>> {
        // Modelled in tests/litmus/plugin-replace.litmus.
        self.tables.replace(Some(new), held)
    }

    /// Makes the plugin LIVE, from when on references can be taken.
    ///
    /// Its init regions are gone already.
    pub(crate) fn set_live(&self, _held: &Held<'_, LOCK>) {
        self.state.store(State::Live as u32, Relaxed);
        // INVARIANT: `state` is LIVE and no reference is held, so `refs` is 1. The release pairs
        // with the `cmpxchg()` in `try_pin()`: a holder sees the tables without init regions.
        self.refs.store(1, Release);
    }

    /// Begins to remove the plugin for the holder of its handle: makes it GOING.
    ///
    /// Returns the previous state, or [`None`] if the plugin is referenced, has not started, or
    /// another thread is removing it. A plugin that was unlinked with its owner was GOING.
    pub(crate) fn try_begin_removal(&self, lock: &mut GlobalGuard<LOCK>) -> Option<State> {
        let awaits_owner = self.awaits_owner(lock);
        let links = self.links.as_mut(lock);
        if links.is_removing || (links.unlinked && !links.has_handle) {
            return None;
        }
        // Modelled, against `try_pin()` and its end, in tests/litmus/plugin-reference.litmus.
        // INVARIANT: `refs` is 0 from here on; a plugin that is not LIVE has none.
        let was = match self.state() {
            State::Live => self.refs.cmpxchg(1, 0, Full).ok().map(|_| State::Live),
            State::Coming => awaits_owner.then_some(State::Coming),
            // The owner has been unloaded.
            State::Going => Some(State::Going),
        }?;
        links.is_removing = true;
        self.state.store(State::Going as u32, Relaxed);
        Some(was)
    }

    /// Undoes [`Plugin::try_begin_removal`], which returned `was`.
    pub(crate) fn cancel_removal(&self, was: State, lock: &mut GlobalGuard<LOCK>) {
        self.links.as_mut(lock).is_removing = false;
        self.state.store(was as u32, Relaxed);
        if was == State::Live {
            // INVARIANT: `state` is LIVE and no reference is held, so `refs` is 1.
            self.refs.store(1, Release);
        }
    }

    /// Ends a removal that [`Plugin::try_begin_removal`] has begun, whether it has failed or not.
    pub(crate) fn end_removal(&self, lock: &mut GlobalGuard<LOCK>) {
        self.links.as_mut(lock).is_removing = false;
    }

    /// Makes the plugin GOING in any state, because its start failed or its owner is unloaded.
    ///
    /// The exit callback is not called any more, except by a registration that has not returned.
    /// Returns `false` if the plugin was GOING already.
    pub(crate) fn force_removal(&self, lock: &mut GlobalGuard<LOCK>) -> bool {
        let links = self.links.as_mut(lock);
        links.exit_due &= !links.has_handle;
        // INVARIANT: `refs` is 0 before `state` is GOING.
        self.refs.store(0, Relaxed);
        self.state.xchg(State::Going as u32, Full) != State::Going as u32
    }

    /// Returns the exit callback, or [`None`] without one.
    pub(crate) fn exit(&self) -> Option<&Callback<()>> {
        self.exit.as_deref()
    }

    /// Lets the next removal take the tables from readers, who find them until then.
    pub(crate) fn mark(&self, held: &mut Held<'_, LOCK>) {
        self.tables.mark(held);
    }

    /// Returns the tables that a removal has taken from readers.
    pub(crate) fn take_tables(
        &self,
        removal: &Emptied<LOCK>,
        held: &mut Held<'_, LOCK>,
    ) -> Option<RcuOwned<Tables>> {
        self.tables.take(removal, held)
    }

    /// Pins the plugin and its owner, as `strong_try_module_get()`.
    ///
    /// Returns [`None`] unless both are LIVE.
    ///
    /// Context: Any, NMI included.
    pub(crate) fn try_pin(&self, guard: &PreemptGuard) -> Option<PluginPin<'_>> {
        // The owner comes first: once it is GOING, its own unregistration finds no reference
        // (modelled in tests/litmus/plugin-owner.litmus).
        let owner = self.tables(guard)?.owner.try_pin_live()?;
        let mut refs = self.refs.load(Relaxed);
        // As `atomic_inc_not_zero()`.
        loop {
            if refs <= 0 || refs == i32::MAX {
                return None;
            }
            match self.refs.cmpxchg(refs, refs.wrapping_add(1), Full) {
                Ok(_) => break,
                Err(now) => refs = now,
            }
        }
        Some(PluginPin {
            plugin: self,
            _owner: owner,
        })
    }

    /// Takes over a reference to the plugin whose [`PluginPin`] was forgotten; `owner` is its
    /// reference to the owner.
    ///
    /// There must be such a reference, and the caller must give it up: else a plugin that is pinned could be
    /// removed.
    pub(crate) fn forgotten_pin(&self, owner: ModulePin) -> PluginPin<'_> {
        PluginPin {
            plugin: self,
            _owner: owner,
        }
    }

    /// Returns the letters of `print_modules()`: the owner's taints, then '+' or '-'.
    ///
    /// A LIVE plugin without taints has none.
    pub(crate) fn flags(&self, tables: &Tables) -> Flags {
        Flags {
            taints: tables.owner.taints(),
            state: self.state(),
        }
    }
}

/// A reference to a LIVE plugin and to its owner, neither of which can go before this is dropped.
///
/// The reference to the owner is put last, so a plugin whose owner is not pinned has no reference.
#[must_use = "the plugin is pinned until this is dropped"]
pub(crate) struct PluginPin<'a> {
    plugin: &'a Plugin,
    _owner: ModulePin,
}

impl Drop for PluginPin<'_> {
    fn drop(&mut self) {
        // Another thread may unregister the plugin from here on. Its owner is still pinned.
        self.plugin.refs.fetch_sub(1, Release);
    }
}

/// The letters of a plugin, in the form of `module_flags()`.
#[derive(Clone, Copy)]
pub(crate) struct Flags {
    taints: usize,
    state: State,
}

impl fmt::Display for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // As `taint_flags[]` in `kernel/panic.c`, which is not exported.
        const LETTERS: &[u8] = b"PFSRMBUDAWCIOELKXTNJ";

        if self.taints == 0 && self.state == State::Live {
            return Ok(());
        }
        f.write_str("(")?;
        for (bit, &letter) in LETTERS.iter().enumerate() {
            if self.taints.wrapping_shr(bit as u32) & 1 != 0 {
                fmt::Write::write_char(f, letter.into())?;
            }
        }
        f.write_str(match self.state {
            State::Coming => "+)",
            State::Live => ")",
            State::Going => "-)",
        })
    }
}
