// SPDX-License-Identifier: GPL-2.0

//! Reports about plugins on an oops or a panic.

use crate::{
    modreg::{
        foreign, lookup,
        plugin::list::{
            count,
            LAST_UNLOADED,
            PLUGINS, //
        },
    },
    primitives::{
        cstr::ThinCStr,
        nofault::read_word,
        notifier::{
            Trouble,
            TroubleNotify, //
        },
        preempt::PreemptGuard,
        reentry::Section, //
    },
};
use core::mem::size_of;
use kernel::{
    bindings::KSYM_NAME_LEN,
    current, pr_cont,
    prelude::*,
    sync::atomic::{
        Atomic,
        Relaxed, //
    },
};

/// The number of plugins that are listed by name.
const NAMES: usize = 32;

/// The number of elements of the list that are looked at.
const WALK: usize = 4096;

/// The number of words on the stack that are reported.
const FRAMES: usize = 32;

/// Logs the plugins with their letters, as `print_modules()`: the newest, and how many more.
///
/// Context: Any, NMI included.
pub(crate) fn print_plugins() {
    let guard = PreemptGuard::new();
    pr_info!("Plugins linked in:");
    let (mut walked, mut listed) = (0usize, 0usize);
    // The list also has those that were removed and whose handle was not released.
    for plugin in PLUGINS.iter(&guard).take(WALK) {
        walked = walked.wrapping_add(1);
        let Some(tables) = plugin.tables(&guard) else {
            continue;
        };
        if listed == NAMES {
            break;
        }
        pr_cont!(" {}{}", plugin.name(), plugin.flags(tables));
        listed = listed.wrapping_add(1);
    }
    let more = count().saturating_sub(listed);
    if (listed == NAMES || walked == WALK) && more != 0 {
        pr_cont!(" and {} more", more);
    }
    if let Some(last) = LAST_UNLOADED.load(&guard) {
        pr_cont!(" [last unloaded: {}]", last);
    }
    pr_cont!("\n");
}

/// Logs `addr` if it lies in a plugin, in the form of `sprint_symbol()`.
///
/// With `returns`, `addr` is a return address, and belongs to the function that contains the call
/// before it, as in `sprint_backtrace()`.
fn print_address(what: &str, addr: usize, returns: bool, guard: &PreemptGuard) {
    let back = usize::from(returns);
    let mut name = [0; KSYM_NAME_LEN as usize];
    match lookup::address_lookup_nofault(addr.wrapping_sub(back), &mut name, guard) {
        Some((plugin, Some(at))) => pr_info!(
            "{}: {}+{:#x}/{:#x} [{}]\n",
            what,
            ThinCStr::from(&name),
            at.offset.wrapping_add(back),
            at.size,
            plugin.name()
        ),
        Some((plugin, None)) => pr_info!("{}: {:#x} [{}]\n", what, addr, plugin.name()),
        None => {}
    }
}

/// Completes the kernel's own report on an oops or a panic.
///
/// Logs the faulting instruction and the words on the stack that lie in plugins, then the plugins.
/// Borrowed memory is read as memory that may be unmapped, since it may be the cause of the oops. A
/// fault in this function is not reported: each CPU makes one report at a time.
pub(crate) struct Report;

static REPORT: Section = Section::new();

/// The task that was reported last, so that the panic that follows its oops is not.
static REPORTED: (Atomic<usize>, Atomic<i32>) = (Atomic::new(0), Atomic::new(0));

impl TroubleNotify for Report {
    fn trouble(at: &Trouble) {
        let guard = PreemptGuard::new();
        let Some(_inside) = REPORT.enter(&guard) else {
            return;
        };
        let (task, pid) = (current!().as_ptr().addr(), current!().pid());
        let reported = REPORTED.0.load(Relaxed) == task && REPORTED.1.load(Relaxed) == pid;
        if at.ip.is_none() && reported {
            return;
        }
        REPORTED.0.store(task, Relaxed);
        REPORTED.1.store(pid, Relaxed);

        // The kernel itself has reported these if it asks modreg.
        if !foreign::is_hooked() {
            if let Some(ip) = at.ip {
                print_address("IP", ip, false, &guard);
            }
            let words = at.stack.clone().step_by(size_of::<usize>());
            let code = |word: &usize| lookup::text_address(word.wrapping_sub(1), &guard).is_some();
            for word in words.map_while(read_word).filter(code).take(FRAMES) {
                print_address("stack", word, true, &guard);
            }
        }
        print_plugins();
    }
}
