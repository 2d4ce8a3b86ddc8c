// SPDX-License-Identifier: GPL-2.0

//! Plugins.

pub(crate) mod list;

use crate::{
    modreg::{
        foreign::Foreign,
        lock::LOCK,
        name::Name,
        tables::Tables, //
    },
    primitives::{
        callback::Callback,
        module::{
            Module,
            ModuleState, //
        },
        rcu::{
            Held,
            RcuBox,
            RcuCell,
            RcuRead,
            Retired, //
        },
        rculist::Entry, //
    },
};
use core::mem::offset_of;
use kernel::{
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
        Arc,
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

/// A plugin's position in the order of `index/by_number.rs`.
///
/// Removals of other plugins move it towards the front; nothing moves it back.
#[derive(Clone, Copy, Default)]
pub(crate) struct Position {
    /// The position when the plugin was published.
    pub(crate) at: u32,
    /// The number of the first page of the plugin's names.
    pub(crate) page: u32,
}

/// The names of one plugin that are linked in `index/by_name.rs`.
#[derive(Default)]
pub(crate) struct LinkedNames {
    /// The numbers of the pages that hold them, the last page first.
    pub(crate) pages: KVec<u32>,
    /// The number of names.
    pub(crate) names: u32,
}

impl LinkedNames {
    /// Returns the number of the first page, or 0 if there is none.
    pub(crate) fn first(&self) -> u32 {
        self.pages.last().copied().unwrap_or(0)
    }
}

/// The part of a plugin that the lock protects.
#[derive(Default)]
pub(crate) struct Links {
    /// Removes the plugin from `PLUGINS`; [`None`] before publication and once removal begins.
    pub(crate) entry: Option<Entry<Arc<Plugin>, LOCK>>,
    /// The position in the order of symbol numbers.
    pub(crate) place: Position,
    /// The linked names; those that remain when the plugin is LIVE.
    pub(crate) names: Option<LinkedNames>,
    /// What it counts for among the plugins with foreign regions.
    pub(crate) foreign: Foreign,
    /// The tables for the LIVE state, which lack what is in init regions, and the names that are
    /// linked until then. [`None`] without init regions and once the plugin is LIVE.
    pub(crate) core: Option<(KBox<RcuBox<Tables>>, LinkedNames)>,
}

/// The generation of the next plugin.
static GENERATION: Atomic<u64> = Atomic::new(1);

/// A registered plugin.
///
/// # Invariants
///
/// - `refs` is 0 while `state` is COMING or GOING, and one more than the number of references while
///   it is LIVE.
/// - `tables` is empty before the plugin is published and after it is unlinked.
pub(crate) struct Plugin {
    name: Name,
    generation: u64,
    owner: Option<Module>,
    follows_owner: bool,
    state: Atomic<u32>,
    started: Atomic<bool>,
    refs: Atomic<i32>,
    tables: RcuCell<Tables, LOCK>,
    exit: Callback<()>,
    links: GlobalLockedBy<Links, LOCK>,
}

impl Plugin {
    /// Where the members are that debuggers read.
    pub(crate) const NAME: usize = offset_of!(Self, name);
    pub(crate) const GENERATION: usize = offset_of!(Self, generation);
    pub(crate) const STATE: usize = offset_of!(Self, state);
    pub(crate) const REFS: usize = offset_of!(Self, refs);
    pub(crate) const TABLES: usize = offset_of!(Self, tables) + RcuCell::<Tables, LOCK>::PTR;

    /// Creates a plugin that is not published.
    pub(crate) fn new(
        name: Name,
        owner: Option<Module>,
        follows_owner: bool,
        exit: Callback<()>,
    ) -> Self {
        // INVARIANT: `state` is COMING and `refs` is 0; the plugin is not published and `tables` is
        // empty.
        Self {
            name,
            generation: GENERATION.fetch_add(1, Relaxed),
            owner,
            follows_owner,
            state: Atomic::new(State::Coming as u32),
            started: Atomic::new(false),
            refs: Atomic::new(0),
            tables: RcuCell::empty(),
            exit,
            links: GlobalLockedBy::new(Links::default()),
        }
    }

    /// Returns the name.
    pub(crate) fn name(&self) -> &Name {
        &self.name
    }

    /// Returns the number that no other plugin has or had; it grows.
    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    /// Returns the owner module, or [`None`] if the owner is built in.
    pub(crate) fn owner(&self) -> Option<Module> {
        self.owner
    }

    /// Notes that the arguments are parsed and the init callback has succeeded.
    pub(crate) fn set_started(&self, _held: &Held<'_, LOCK>) {
        self.started.store(true, Relaxed);
    }

    /// Returns whether the plugin has started and is COMING only because its owner is.
    pub(crate) fn awaits_owner(&self) -> bool {
        self.follows_owner && self.state() == State::Coming && self.started.load(Relaxed)
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
    /// unlinked.
    ///
    /// Context: Any, NMI included.
    #[inline]
    pub(crate) fn tables<'a>(&'a self, by: impl RcuRead<'a, LOCK>) -> Option<&'a Tables> {
        by.read(&self.tables)
    }

    /// Publishes the tables for the COMING state.
    pub(crate) fn publish(&self, full: KBox<RcuBox<Tables>>, held: &mut Held<'_, LOCK>) {
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

    /// Makes the plugin LIVE, from when on references can be taken.
    ///
    /// With `core`, init regions and their symbols disappear from every reader with one store.
    /// Returns the tables that `core` replaced.
    pub(crate) fn go_live(
        &self,
        core: Option<KBox<RcuBox<Tables>>>,
        held: &mut Held<'_, LOCK>,
    ) -> Option<Retired<Tables>> {
        // Modelled, with a reader and with `try_get()`, in tests/litmus/plugin-live.litmus.
        let full = core.and_then(|core| self.tables.replace(Some(core), held));
        self.state.store(State::Live as u32, Relaxed);
        // INVARIANT: `state` is LIVE and no reference is held, so `refs` is 1. The release pairs
        // with the `cmpxchg()` in `try_get()`: a holder sees the core tables.
        self.refs.store(1, Release);
        full
    }

    /// Makes a started plugin without references GOING.
    ///
    /// Returns the previous state, or [`None`] if the plugin is referenced, has not started, or is
    /// GOING already.
    pub(crate) fn try_begin_removal(&self, _held: &Held<'_, LOCK>) -> Option<State> {
        // Modelled, against `try_get()` and `put()`, in tests/litmus/plugin-reference.litmus.
        // INVARIANT: `refs` is 0 from here on; a plugin that is COMING has none.
        let was = if self.refs.cmpxchg(1, 0, Full).is_ok() {
            State::Live
        } else if self.awaits_owner() {
            State::Coming
        } else {
            return None;
        };
        self.state.store(State::Going as u32, Relaxed);
        Some(was)
    }

    /// Undoes [`Plugin::try_begin_removal`], which returned `was`.
    pub(crate) fn cancel_removal(&self, was: State, _held: &Held<'_, LOCK>) {
        self.state.store(was as u32, Relaxed);
        if was == State::Live {
            // INVARIANT: `state` is LIVE and no reference is held, so `refs` is 1.
            self.refs.store(1, Release);
        }
    }

    /// Makes the plugin GOING in any state, because its start failed or its owner is unloaded.
    ///
    /// Returns `false` if the plugin was GOING already.
    pub(crate) fn force_removal(&self, _held: &Held<'_, LOCK>) -> bool {
        // INVARIANT: `refs` is 0 before `state` is GOING.
        self.refs.store(0, Relaxed);
        self.state.xchg(State::Going as u32, Full) != State::Going as u32
    }

    /// Returns the exit callback.
    pub(crate) fn exit(&self) -> &Callback<()> {
        &self.exit
    }

    /// Takes the tables away from readers.
    ///
    /// This is a step of unlinking, under `stop_machine()`.
    pub(crate) fn clear(&self, held: &mut Held<'_, LOCK>) -> Option<Retired<Tables>> {
        self.tables.replace(None, held)
    }

    /// Takes a reference to the plugin and to its owner, as `strong_try_module_get()`.
    ///
    /// Returns `false` unless both are LIVE.
    ///
    /// Context: Any, NMI included.
    pub(crate) fn try_get(&self) -> bool {
        let mut refs = self.refs.load(Relaxed);
        // As `atomic_inc_not_zero()`.
        loop {
            if refs <= 0 || refs == i32::MAX {
                return false;
            }
            match self.refs.cmpxchg(refs, refs.wrapping_add(1), Full) {
                Ok(_) => break,
                Err(now) => refs = now,
            }
        }
        let pinned = self
            .owner
            .is_none_or(|m| m.state() == ModuleState::Live && m.try_get());
        if !pinned {
            self.refs.fetch_sub(1, Release);
        }
        pinned
    }

    /// Puts the references that [`Plugin::try_get`] took.
    ///
    /// Context: Any, NMI included.
    pub(crate) fn put(&self) {
        let owner = self.owner;
        // Another thread may unregister and free the plugin as soon as its reference is put.
        self.refs.fetch_sub(1, Release);
        if let Some(m) = owner {
            m.put();
        }
    }

    /// Returns the letters of `print_modules()`: the owner's taints, then '+' or '-'.
    ///
    /// A LIVE plugin without taints has none.
    pub(crate) fn flags(&self) -> Flags {
        Flags {
            taints: self.owner.map_or(0, Module::taints),
            state: self.state(),
        }
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
