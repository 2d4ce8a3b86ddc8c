// SPDX-License-Identifier: GPL-2.0

//! The files in debugfs: `plugins`, `kallsyms` and `resolve`.

use crate::{
    modreg::{
        lookup,
        plugin::{
            list::PLUGINS,
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

/// Returns the registered plugins, newest first.
///
/// The result keeps them in memory, but not from being unregistered: a slow reader of a file holds
/// up no writer. A plugin that is unregistered meanwhile has no tables.
///
/// Context: May sleep.
fn snapshot() -> Result<KVVec<PluginRef>> {
    loop {
        let count = PLUGINS.iter(&PreemptGuard::new()).count();
        let mut plugins = KVVec::with_capacity(count.wrapping_add(16), GFP_KERNEL)?;
        let guard = PreemptGuard::new();
        let all = PLUGINS
            .iter(&guard)
            .all(|p| plugins.push_within_capacity(p.clone()).is_ok());
        if all {
            return Ok(plugins);
        }
    }
}

/// The file `plugins`, with the columns of `/proc/modules`.
struct Plugins {
    show_values: bool,
    plugins: KVVec<PluginRef>,
    at: usize,
}

impl Listing for Plugins {
    fn open(show_values: bool) -> Result<Self> {
        Ok(Self {
            show_values,
            plugins: snapshot()?,
            at: 0,
        })
    }

    fn start(&mut self, pos: u64) -> bool {
        self.at = pos as usize;
        self.at < self.plugins.len()
    }

    fn next(&mut self) -> bool {
        self.start((self.at as u64).wrapping_add(1))
    }

    fn show(&self, m: &SeqFile) {
        let guard = PreemptGuard::new();
        let plugin = self.plugins.get(self.at);
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
            tables.total_size(),
            plugin.references(),
            state,
            if self.show_values { tables.base() } else { 0 }
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
    plugins: KVVec<PluginRef>,
    /// The position: a plugin, and one of its symbols.
    at: (usize, u32),
    /// The same position, counted over all plugins.
    pos: u64,
}

impl Kallsyms {
    /// Moves to the first plugin, from the current one on, that has a symbol at the position.
    ///
    /// Returns `false` at the end.
    fn settle(&mut self) -> bool {
        let guard = PreemptGuard::new();
        while let Some(plugin) = self.plugins.get(self.at.0) {
            if plugin
                .tables(&guard)
                .is_some_and(|t| self.at.1 < t.symtab.len())
            {
                return true;
            }
            self.at = (self.at.0.wrapping_add(1), 0);
        }
        false
    }
}

impl Listing for Kallsyms {
    fn open(show_values: bool) -> Result<Self> {
        Ok(Self {
            show_values,
            plugins: snapshot()?,
            at: (0, 0),
            pos: 0,
        })
    }

    fn start(&mut self, pos: u64) -> bool {
        // Reading on continues from the current position.
        if pos < self.pos {
            (self.at, self.pos) = ((0, 0), 0);
        }
        while self.pos < pos {
            if !self.next() {
                return false;
            }
        }
        self.settle()
    }

    fn next(&mut self) -> bool {
        self.at.1 = self.at.1.wrapping_add(1);
        self.pos = self.pos.wrapping_add(1);
        self.settle()
    }

    fn show(&self, m: &SeqFile) {
        let guard = PreemptGuard::new();
        let listed = self
            .plugins
            .get(self.at.0)
            .and_then(|p| Some((p, p.tables(&guard)?.listed(self.at.1)?)));
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
