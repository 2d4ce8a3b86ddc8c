// SPDX-License-Identifier: GPL-2.0

//! Reports about plugins on an oops or a panic.

use crate::{
    modreg::{
        foreign, lookup,
        plugin::list::{
            LAST_UNLOADED,
            PLUGINS, //
        },
    },
    primitives::{
        nofault::read_word,
        notifier::{
            Trouble,
            TroubleNotify, //
        },
        preempt::PreemptGuard, //
    },
};
use core::mem::size_of;
use kernel::{
    pr_cont,
    prelude::*, //
};

/// Logs the plugins with their letters, as `print_modules()`.
///
/// Context: Any, NMI included.
pub(crate) fn print_plugins() {
    let guard = PreemptGuard::new();
    pr_info!("Plugins linked in:");
    for plugin in PLUGINS.iter(&guard) {
        pr_cont!(" {}{}", plugin.name(), plugin.flags());
    }
    if let Some(last) = LAST_UNLOADED.load(&guard) {
        pr_cont!(" [last unloaded: {}]", last);
    }
    pr_cont!("\n");
}

/// Logs `addr` if it lies in a plugin, in the form of `sprint_symbol()`.
fn print_address(what: &str, addr: usize) {
    let guard = PreemptGuard::new();
    match lookup::address_lookup(addr, &guard) {
        Some((plugin, Some(at))) => pr_info!(
            "{}: {}+{:#x}/{:#x} [{}]\n",
            what,
            at.name.to_cstr(),
            at.offset,
            at.size,
            plugin.name()
        ),
        Some((plugin, None)) => pr_info!("{}: {:#x} [{}]\n", what, addr, plugin.name()),
        None => {}
    }
}

/// Completes the kernel's own report on an oops or a panic.
///
/// Logs the plugins, and the faulting instruction and the words on the stack that lie in one.
pub(crate) struct Report;

impl TroubleNotify for Report {
    fn trouble(at: &Trouble) {
        print_plugins();
        // The kernel itself has said the rest.
        if foreign::is_hooked() {
            return;
        }
        if let Some(ip) = at.ip {
            print_address("IP", ip);
        }
        let words = at.stack.clone().step_by(size_of::<usize>());
        for word in words.map_while(read_word) {
            let code = lookup::text_address(word, &PreemptGuard::new()).is_some();
            if code {
                print_address("stack", word);
            }
        }
    }
}
