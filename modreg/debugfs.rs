// SPDX-License-Identifier: GPL-2.0

//! The files in debugfs: `plugins`, `kallsyms` and `resolve`.

use crate::{
    modreg::{
        index::by_number::{
            Cursor,
            NUMBERS, //
        },
        lookup,
        plugin::{
            PluginRef,
            State, //
        },
    },
    primitives::{
        cstr::ThinCStr,
        debugfs_listing::{
            seq_symbol,
            Listing, //
        },
        debugfs_question::Question,
        exit::Undo,
        preempt::PreemptGuard, //
    },
};
use core::{
    ffi::CStr,
    fmt::Write as _, //
};
use kernel::{
    bindings::KSYM_NAME_LEN,
    prelude::*,
    seq_file::{
        seq_print,
        SeqFile, //
    },
    str::Formatter, //
};

/// Creates the files in `/sys/kernel/debug/modreg`, which exist until the module's exit.
///
/// # Errors
///
/// `ENOMEM` if out of memory.
///
/// Context: May sleep.
pub(crate) fn create(undo: &mut Undo) -> Result {
    let dir = undo.debugfs_dir(c"modreg")?;
    dir.listing::<Plugins>(c"plugins");
    dir.listing::<Kallsyms>(c"kallsyms");
    dir.question::<Resolve>(c"resolve");
    Ok(())
}

/// A walk over the plugins, newest first, which may sleep between two of them.
///
/// It keeps the plugin where it is in memory, but not from being unregistered: a slow reader of a file
/// holds up no writer. A plugin that is unregistered meanwhile has no tables.
#[derive(Default)]
struct Walk {
    cursor: Option<Cursor>,
    plugin: Option<PluginRef>,
}

impl Walk {
    /// Starts a walk with the newest plugin.
    fn start() -> Self {
        let mut this = Self::default();
        this.next();
        this
    }

    /// Moves to the next plugin and returns whether there is one.
    fn next(&mut self) -> bool {
        self.plugin = NUMBERS.older(&mut self.cursor);
        self.plugin.is_some()
    }
}

/// The file `plugins`, with the columns of `/proc/modules`.
struct Plugins {
    show_values: bool,
    walk: Walk,
    pos: u64,
}

impl Listing for Plugins {
    fn open(show_values: bool) -> Result<Self> {
        Ok(Self {
            show_values,
            walk: Walk::start(),
            pos: 0,
        })
    }

    fn start(&mut self, pos: u64) -> bool {
        // Reading on continues from the current position.
        if pos < self.pos {
            (self.walk, self.pos) = (Walk::start(), 0);
        }
        while self.pos < pos && self.next() {}
        self.walk.plugin.is_some()
    }

    fn next(&mut self) -> bool {
        self.pos = self.pos.wrapping_add(1);
        self.walk.next()
    }

    fn show(&self, m: &SeqFile) {
        let guard = PreemptGuard::new();
        let plugin = self.walk.plugin.as_ref();
        let Some((plugin, tables)) = plugin.and_then(|p| Some((p, p.tables(&guard)?))) else {
            return;
        };
        let state = match plugin.state() {
            State::Coming => "Loading",
            State::Live => "Live",
            State::Going => "Unloading",
        };
        seq_print!(
            m,
            "{} {} {} - {} 0x{:016x}",
            plugin.name(),
            plugin.total_size(tables),
            plugin.references(),
            state,
            if self.show_values {
                plugin.base(tables)
            } else {
                0
            }
        );
        if tables.owner.taints() != 0 {
            seq_print!(m, " {}", plugin.flags(tables));
        }
        seq_print!(m, "\n");
    }
}

/// The file `kallsyms`, with the columns of `/proc/kallsyms`.
struct Kallsyms {
    show_values: bool,
    walk: Walk,
    /// The symbol of the plugin.
    at: u32,
    /// The position, counted over all plugins.
    pos: u64,
}

impl Kallsyms {
    /// Moves to the first plugin, from the current one on, that has a symbol at the position.
    ///
    /// Returns `false` at the end.
    fn settle(&mut self) -> bool {
        while let Some(plugin) = &self.walk.plugin {
            let tables = |guard: &_| plugin.tables(guard).map_or(0, |t| t.symtab().len());
            if self.at < tables(&PreemptGuard::new()) {
                return true;
            }
            self.walk.next();
            self.at = 0;
        }
        false
    }
}

impl Listing for Kallsyms {
    fn open(show_values: bool) -> Result<Self> {
        Ok(Self {
            show_values,
            walk: Walk::start(),
            at: 0,
            pos: 0,
        })
    }

    fn start(&mut self, pos: u64) -> bool {
        // Reading on continues from the current position.
        if pos < self.pos {
            (self.walk, self.at, self.pos) = (Walk::start(), 0, 0);
        }
        while self.pos < pos {
            if !self.next() {
                return false;
            }
        }
        self.settle()
    }

    fn next(&mut self) -> bool {
        self.at = self.at.wrapping_add(1);
        self.pos = self.pos.wrapping_add(1);
        self.settle()
    }

    fn show(&self, m: &SeqFile) {
        let guard = PreemptGuard::new();
        let plugin = self.walk.plugin.as_ref();
        let listed = plugin.and_then(|p| Some((p, p.tables(&guard)?.listed(self.at)?)));
        // As `s_show()`: ELF's null symbol has no name.
        let Some((plugin, symbol)) = listed.filter(|(_, s)| !s.name.is_empty()) else {
            return;
        };
        let value = if self.show_values { symbol.value } else { 0 };
        let plugin = plugin.name().as_thin();
        seq_symbol(m, value, symbol.shown_letter(), symbol.name, plugin);
    }
}

/// The file `resolve`, which answers an address or a name with both.
struct Resolve;

impl Question for Resolve {
    fn answer(question: &CStr, show_values: bool, answer: &mut Formatter<'_>) -> Result {
        let guard = PreemptGuard::new();
        let text = question.to_str().map_err(|_| EINVAL)?;
        let addr = match text.strip_prefix("0x") {
            // An answer would tell which addresses are in use.
            Some(_) if !show_values => return Err(EPERM),
            Some(hex) => usize::from_str_radix(hex, 16).map_err(|_| EINVAL)?,
            None => lookup::kallsyms_lookup_name(question, &guard).ok_or(ENOENT)?,
        };
        let shown = if show_values { addr } else { 0 };
        match lookup::address_lookup(addr, &guard) {
            Some((plugin, Some(at))) => {
                let mut name = [0u8; KSYM_NAME_LEN as usize];
                at.name.copy_to(&mut name);
                answer.write_fmt(fmt!(
                    "0x{:016x} {}+{:#x}/{:#x} [{}]\n",
                    shown,
                    ThinCStr::from(&name),
                    at.offset,
                    at.size,
                    plugin.name()
                ))?;
            }
            Some((plugin, None)) => {
                answer.write_fmt(fmt!("0x{:016x} [{}]\n", shown, plugin.name()))?
            }
            // An absolute or per-CPU symbol lies in no region.
            None if text.starts_with("0x") => return Err(ENOENT),
            None => {
                let name = ThinCStr::from(question);
                answer.write_fmt(fmt!("0x{:016x} {}\n", shown, name))?;
            }
        }
        Ok(())
    }
}
