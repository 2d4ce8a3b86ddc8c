// SPDX-License-Identifier: GPL-2.0

//! A plugin: what is registered, and what readers find.

pub(crate) mod list;

use crate::{
    modreg::{
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
use kernel::{
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

/// Where a plugin stands in its life, as `enum module_state`. While it is UNFORMED nobody knows it but
/// who registers it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// Visible, and starting: its arguments are parsed and its init callback runs.
    Coming,
    /// Started; without its init regions.
    Live,
    /// Being removed: its exit callback runs.
    Going,
}

/// Where a plugin came into the order of `index/by_number.rs`. Removals move it towards the front,
/// and nothing moves it back.
#[derive(Clone, Copy, Default)]
pub(crate) struct Position {
    /// The place in the order.
    pub(crate) at: u32,
    /// The number of the first page of the plugin's names.
    pub(crate) page: u32,
}

/// The names of one plugin that `index/by_name.rs` has linked.
#[derive(Default)]
pub(crate) struct LinkedNames {
    /// The numbers of their pages, the last page's first.
    pub(crate) pages: KVec<u32>,
    /// How many there are.
    pub(crate) names: u32,
}

impl LinkedNames {
    /// The first page's; 0 where there is none.
    pub(crate) fn first(&self) -> u32 {
        self.pages.last().copied().unwrap_or(0)
    }
}

/// What lies under the lock.
#[derive(Default)]
pub(crate) struct Links {
    /// What takes the plugin off the list.
    pub(crate) entry: Option<Entry<Arc<Plugin>, LOCK>>,
    /// Where it came into the order.
    pub(crate) place: Position,
    /// Its names.
    pub(crate) names: Option<LinkedNames>,
    /// The tables without what is in init regions, for when the plugin is LIVE, and the names that
    /// it has until then.
    pub(crate) core: Option<(KBox<RcuBox<Tables>>, LinkedNames)>,
}

/// A registered plugin.
///
/// # Invariants
///
/// - `refs` is 0 while the plugin is COMING or GOING. It is 1 more than the references while it is
///   LIVE.
/// - `tables` is empty before the plugin is published and after it is unlinked.
pub(crate) struct Plugin {
    name: Name,
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
    /// A plugin that nobody can find yet.
    pub(crate) fn new(
        name: Name,
        owner: Option<Module>,
        follows_owner: bool,
        exit: Callback<()>,
    ) -> Self {
        // INVARIANT: COMING, so without references.
        Self {
            name,
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

    /// The plugin's name.
    pub(crate) fn name(&self) -> &Name {
        &self.name
    }

    /// The module that registered it; nothing for built-in code.
    pub(crate) fn owner(&self) -> Option<Module> {
        self.owner
    }

    /// Notes that its arguments are parsed and its init callback has succeeded.
    pub(crate) fn set_started(&self, _held: &Held<'_, LOCK>) {
        self.started.store(true, Relaxed);
    }

    /// Whether all that keeps it from being LIVE is that its owner is not.
    pub(crate) fn awaits_owner(&self) -> bool {
        self.follows_owner && self.state() == State::Coming && self.started.load(Relaxed)
    }

    /// Its state. From any context.
    pub(crate) fn state(&self) -> State {
        match self.state.load(Relaxed) {
            s if s == State::Coming as u32 => State::Coming,
            s if s == State::Live as u32 => State::Live,
            _ => State::Going,
        }
    }

    /// What readers find in it; nothing before it is published and once it is unlinked. From any
    /// context.
    #[inline]
    pub(crate) fn tables<'a>(&'a self, by: impl RcuRead<'a, LOCK>) -> Option<&'a Tables> {
        by.read(&self.tables)
    }

    /// Publishes what readers find while it is COMING.
    pub(crate) fn publish(&self, full: KBox<RcuBox<Tables>>, held: &mut Held<'_, LOCK>) {
        // It was empty.
        let _none = self.tables.replace(Some(full), held);
    }

    /// What the lock protects.
    pub(crate) fn links(&self) -> &GlobalLockedBy<Links, LOCK> {
        &self.links
    }

    /// How many references are held. From any context.
    pub(crate) fn references(&self) -> i32 {
        self.refs.load(Relaxed).saturating_sub(1).max(0)
    }

    /// Makes the plugin LIVE: its init regions and their symbols disappear from every reader with
    /// one store, and references can be taken.
    pub(crate) fn go_live(
        &self,
        core: Option<KBox<RcuBox<Tables>>>,
        held: &mut Held<'_, LOCK>,
    ) -> Option<Retired<Tables>> {
        // Modelled, with a reader and with `try_get()`, in tests/litmus/plugin-live.litmus.
        let full = core.and_then(|core| self.tables.replace(Some(core), held));
        self.state.store(State::Live as u32, Relaxed);
        // INVARIANT: LIVE without references. Who gets one sees all of the above.
        self.refs.store(1, Release);
        full
    }

    /// Makes a started plugin without references GOING. Returns the state that it was in.
    pub(crate) fn try_begin_removal(&self, _held: &Held<'_, LOCK>) -> Option<State> {
        // Modelled, against `try_get()` and `put()`, in tests/litmus/plugin-reference.litmus.
        // INVARIANT: No reference can be taken from here.
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

    /// Takes [`Plugin::try_begin_removal`] back.
    pub(crate) fn cancel_removal(&self, was: State, _held: &Held<'_, LOCK>) {
        self.state.store(was as u32, Relaxed);
        if was == State::Live {
            // INVARIANT: LIVE without references again.
            self.refs.store(1, Release);
        }
    }

    /// Makes the plugin GOING whatever its state, where its start failed or its owner goes. Returns
    /// whether it was not GOING already.
    pub(crate) fn force_removal(&self, _held: &Held<'_, LOCK>) -> bool {
        // INVARIANT: No reference can be taken from here.
        self.refs.store(0, Relaxed);
        self.state.xchg(State::Going as u32, Full) != State::Going as u32
    }

    /// The exit callback.
    pub(crate) fn exit(&self) -> &Callback<()> {
        &self.exit
    }

    /// Takes away what readers find, as the last step of unlinking.
    pub(crate) fn clear(&self, held: &mut Held<'_, LOCK>) -> Option<Retired<Tables>> {
        self.tables.replace(None, held)
    }

    /// Pins the plugin and its owner; only while both are LIVE, as `strong_try_module_get()`. From
    /// any context.
    pub(crate) fn try_get(&self) -> bool {
        let mut refs = self.refs.load(Relaxed);
        // As atomic_inc_not_zero().
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

    /// Gives back what [`Plugin::try_get`] pinned. From any context.
    pub(crate) fn put(&self) {
        let owner = self.owner;
        // `self` may be gone from here on.
        self.refs.fetch_sub(1, Release);
        if let Some(m) = owner {
            m.put();
        }
    }

    /// The letters of `print_modules()`: the owner's taints, then '+' or '-'; empty for a LIVE
    /// plugin without taints.
    pub(crate) fn flags(&self) -> Flags {
        Flags {
            taints: self.owner.map_or(0, Module::taints),
            state: self.state(),
        }
    }
}

/// What [`Plugin::flags`] prints, as `module_flags()`.
#[derive(Clone, Copy)]
pub(crate) struct Flags {
    taints: usize,
    state: State,
}

impl fmt::Display for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The letters of taint_flags[] in kernel/panic.c, which is not exported.
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
