// SPDX-License-Identifier: GPL-2.0

//! The kernel's RCU list.
//!
//! C header: [`include/linux/rculist.h`](srctree/include/linux/rculist.h)

use super::bindings as helpers;
use super::{
    atomic::load_acquire,
    preempt::PreemptGuard,
    rcu::{
        Held,
        RcuBox,
        Retired, //
    },
};
use core::{
    marker::PhantomData,
    ops::Deref,
    ptr::{
        self,
        NonNull, //
    },
};
use kernel::{
    alloc::AllocError,
    bindings,
    prelude::*,
    sync::{
        atomic::Atomic,
        GlobalLockBackend, //
    },
    types::Opaque, //
};

/// A value with the links that put it on an [`RcuList`].
#[repr(C)]
pub(crate) struct Node<T> {
    links: Opaque<bindings::list_head>,
    value: T,
}

// SAFETY: `links` is only touched under the list's lock, or by readers through atomic accesses.
unsafe impl<T: Send> Send for Node<T> {}

// SAFETY: As above; a shared reference gives access to `value` only.
unsafe impl<T: Sync> Sync for Node<T> {}

impl<T> Node<T> {
    /// Allocates a node that is on no list. May sleep.
    pub(crate) fn new(value: T) -> Result<KBox<RcuBox<Self>>, AllocError> {
        RcuBox::new(Self {
            links: Opaque::uninit(),
            value,
        })
    }
}

/// A list that is read with preemption disabled and written under the global lock `B`.
///
/// An element is published with one store, so a reader sees it whole or not at all, and stops
/// nobody. The list hands out an [`Entry`] for it, which alone can take it out again: so what is
/// removed is known to be linked, which is what [`kernel::list::List::remove`] is unsafe for want
/// of.
///
/// # Invariants
///
/// - `head` is the head of a circular list of the `links` of `Node<T>`s, each owned by an
///   [`Entry`].
/// - It is changed only by who holds `B`.
///
/// # Examples
///
/// ```
/// rculist_head! {
///     static NUMBERS: RcuList<u32, LOCK>;
/// }
///
/// let node = Node::new(7)?;
/// let mut lock = LOCK.lock();
/// let seven = NUMBERS.add(node, &mut Held::new(&mut lock));
///
/// let guard = PreemptGuard::new();
/// assert_eq!(NUMBERS.iter(&guard).next(), Some(&7));
/// drop(guard);
///
/// let retired = seven.remove(&mut Held::new(&mut lock));
/// drop(lock);
/// // A reader may still look at it.
/// drop(retired);
/// ```
#[repr(C)]
pub(crate) struct RcuList<T, B: GlobalLockBackend> {
    head: Opaque<bindings::list_head>,
    _owns: PhantomData<T>,
    _lock: PhantomData<fn(B)>,
}

// SAFETY: Readers get shared references to `T` on any thread, and `Entry` may drop one on any
// thread.
unsafe impl<T: Send + Sync, B: GlobalLockBackend> Sync for RcuList<T, B> {}

/// Defines a static [`RcuList`], as `LIST_HEAD()`.
macro_rules! rculist_head {
    ($(#[$meta:meta])* $vis:vis static $name:ident: RcuList<$t:ty, $b:ty>;) => {
        $(#[$meta])*
        $vis static $name: $crate::primitives::rculist::RcuList<$t, $b> =
            // SAFETY: This is the address of the static that is defined here.
            unsafe { $crate::primitives::rculist::RcuList::from_static(&raw const $name) };
    };
}
pub(crate) use rculist_head;

impl<T: Send + Sync + 'static, B: GlobalLockBackend> RcuList<T, B> {
    /// An empty list. Use [`rculist_head!`].
    ///
    /// # Safety
    ///
    /// `this` must be the address of the static that is initialized with the result.
    pub(crate) const unsafe fn from_static(this: *const Self) -> Self {
        let head = this.cast::<bindings::list_head>().cast_mut();
        // INVARIANT: `head` is the first member, so this is an empty circular list.
        Self {
            head: Opaque::new(bindings::list_head {
                next: head,
                prev: head,
            }),
            _owns: PhantomData,
            _lock: PhantomData,
        }
    }

    /// Publishes a node at the head, as `list_add_rcu()`.
    pub(crate) fn add(
        &'static self,
        node: KBox<RcuBox<Node<T>>>,
        _held: &mut Held<'_, B>,
    ) -> Entry<T, B> {
        let links = node.links.get();
        // INVARIANT: `node` is linked below.
        let entry = Entry {
            // SAFETY: A box is never null.
            node: unsafe { NonNull::new_unchecked(KBox::into_raw(node)) },
            _lock: PhantomData,
        };
        // Modelled in tests/litmus/rculist-add.litmus.
        // SAFETY: `links` is unused and stays where it is, since `entry` owns the allocation.
        // `head` is that of a valid list by the type invariant, and `_held` excludes other writers.
        unsafe { helpers::list_add_rcu(links, self.head.get()) };
        entry
    }

    /// The elements, newest first, as `list_for_each_entry_rcu()`. From any context.
    #[inline]
    pub(crate) fn iter<'g>(&'g self, _guard: &'g PreemptGuard) -> Iter<'g, T> {
        // INVARIANT: Starts at the head; the guard is borrowed for `'g`.
        Iter {
            head: self.head.get(),
            pos: self.head.get(),
            _list: PhantomData,
        }
    }
}

/// The sole owner of a node that is on a list.
///
/// Dropping it leaves the node on its list for good.
///
/// # Invariants
///
/// `node` came from a `KBox`, is owned by this, and is on a list whose writers hold `B`.
#[must_use = "without its entry an element can never be removed"]
pub(crate) struct Entry<T: Send + Sync + 'static, B: GlobalLockBackend> {
    node: NonNull<RcuBox<Node<T>>>,
    _lock: PhantomData<fn(B)>,
}

// SAFETY: The owner of an `Entry` owns the node.
unsafe impl<T: Send + Sync, B: GlobalLockBackend> Send for Entry<T, B> {}

// SAFETY: A shared reference gives access to a shared reference of `T` only.
unsafe impl<T: Send + Sync, B: GlobalLockBackend> Sync for Entry<T, B> {}

impl<T: Send + Sync, B: GlobalLockBackend> Entry<T, B> {
    /// Takes the node off its list, as `list_del_rcu()`: its forward pointer stays whole for
    /// readers that stand on it.
    pub(crate) fn remove(self, _held: &mut Held<'_, B>) -> Retired<Node<T>> {
        // SAFETY: By the type invariant the node is valid.
        let links = unsafe { self.node.as_ref() }.links.get();
        // SAFETY: By the type invariant the node is on a list, and `_held` excludes other writers.
        unsafe { helpers::list_del_rcu(links) };
        // SAFETY: The node came from a `KBox`, was owned by `self`, and no list leads to it any
        // more.
        unsafe { Retired::new(self.node) }
    }
}

impl<T: Send + Sync, B: GlobalLockBackend> Deref for Entry<T, B> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: By the type invariant the node is valid while this owns it.
        &unsafe { self.node.as_ref() }.value
    }
}

/// An iterator over an [`RcuList`].
///
/// # Invariants
///
/// - `pos` is `head` or the `links` of a node that was on the list after preemption was disabled.
/// - Preemption stays disabled for `'g`, so no node that was on the list meanwhile is freed.
pub(crate) struct Iter<'g, T> {
    head: *mut bindings::list_head,
    pos: *mut bindings::list_head,
    _list: PhantomData<&'g T>,
}

impl<'g, T> Iterator for Iter<'g, T> {
    type Item = &'g T;

    #[inline]
    fn next(&mut self) -> Option<&'g T> {
        // SAFETY: By the type invariant `pos` is valid. Writers change `next` with a marked store.
        let next = load_acquire(unsafe { Atomic::from_ptr(&raw mut (*self.pos).next) });
        if ptr::eq(next, self.head) {
            return None;
        }
        // INVARIANT: `pos` was on the list, or was removed with its forward pointer left whole;
        // either way what it leads to was on the list after preemption was disabled.
        self.pos = next;
        // SAFETY: By the type invariant this is the first member of a `Node<T>` that is valid for
        // `'g`.
        Some(&unsafe { &*next.cast::<Node<T>>() }.value)
    }
}
