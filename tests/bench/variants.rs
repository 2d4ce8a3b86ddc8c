// SPDX-License-Identifier: GPL-2.0

//! Other ways to keep plugins, made of modreg's own primitives: an element is published by
//! `list_add_rcu()` under the mutex, or under `stop_machine()` as the kernel did it before 2008;
//! and an address is found by walking the list, as it did then.

#![allow(dead_code)]

mod primitives;

use kernel::{
    prelude::*,
    time::{
        Instant,
        Monotonic, //
    },
};
use primitives::{
    preempt::PreemptGuard,
    rcu::{
        Held,
        RcuBox,
        RcuCell, //
    },
    rculist::{
        rculist_head,
        Entry,
        Node, //
    },
    stop_machine::stop_machine,
    vec::push_reserved, //
};

/// The module is one of C; its exit calls [`variants_clear()`], which waits for RCU callbacks.
type LocalModule = primitives::exit::Module<()>;

impl primitives::exit::Body for () {
    fn init(_module: &'static ThisModule, _undo: &mut primitives::exit::Undo) -> Result<Self> {
        Ok(())
    }
}

const __LOG_PREFIX: &[u8] = b"modreg_bench\0";

kernel::sync::global_lock! {
    // SAFETY: `variants_init()` initializes it before anything else here is called.
    unsafe(uninit) static LOCK: Mutex<KVVec<Entry<Item, LOCK>>> = KVVec::new();
}

rculist_head! {
    static ITEMS: RcuList<Item, LOCK>;
}

/// What stands for an index beside the list: replaced with each insertion.
static INDEX: RcuCell<usize, LOCK> = RcuCell::empty();

/// An element of the list: a range of addresses, and what its user knows it by.
struct Item {
    base: usize,
    size: usize,
    cookie: usize,
}

/// # Safety
///
/// To be called once, before anything else here.
#[no_mangle]
unsafe extern "C" fn variants_init() {
    // SAFETY: By the requirement of this function.
    unsafe { LOCK.init() };
}

/// Adds an element, and tells how many nanoseconds it took from before the lock to behind it. All
/// that can be done outside of that is done outside.
fn insert(item: Item, stop: bool) -> Result<i64> {
    let node = Node::new(item)?;
    let index = RcuBox::new(0)?;
    LOCK.lock().reserve(1, GFP_KERNEL)?;

    let start = Instant::<Monotonic>::now();
    let mut lock = LOCK.lock();
    let mut held = Held::new(&mut lock);
    let old;
    let entry;
    if stop {
        let mut added = None;
        let (mut node, mut index) = (Some(node), Some(index));
        let done = stop_machine(|_stopped| {
            added = node.take().map(|node| ITEMS.add(node, &mut held));
            INDEX.replace(index.take(), &mut held)
        });
        old = None;
        entry = added;
        // No reader is left.
        drop(done?);
    } else {
        entry = Some(ITEMS.add(node, &mut held));
        old = INDEX.replace(Some(index), &mut held);
    }
    if let Some(entry) = entry {
        push_reserved(&mut lock, entry);
    }
    drop(lock);
    let took = start.elapsed().as_nanos();
    drop(old);
    Ok(took)
}

/// As [`insert`]; an error is negative.
#[no_mangle]
extern "C" fn variants_insert(base: usize, size: usize, cookie: usize, stop: bool) -> i64 {
    match insert(Item { base, size, cookie }, stop) {
        Ok(took) => took,
        Err(err) => err.to_errno().into(),
    }
}

/// Takes all elements off the list.
#[no_mangle]
extern "C" fn variants_clear() {
    let mut lock = LOCK.lock();
    let entries = core::mem::replace(&mut *lock, KVVec::new());
    let mut held = Held::new(&mut lock);
    for entry in entries {
        drop(entry.remove(&mut held));
    }
    drop(INDEX.replace(None, &mut held));
    drop(lock);
    primitives::rcu::rcu_barrier();
}

/// What the element that holds `addr` is known by, or 0; found by walking the list. The caller has
/// preemption disabled for as long as it uses it.
#[no_mangle]
extern "C" fn variants_find(addr: usize) -> usize {
    let guard = PreemptGuard::new();
    let found = ITEMS
        .iter(&guard)
        .find(|item| addr.wrapping_sub(item.base) < item.size);
    found.map_or(0, |item| item.cookie)
}
