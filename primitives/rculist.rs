// SPDX-License-Identifier: GPL-2.0

//! RCU lists.
//!
//! C header: [`include/linux/rculist.h`](srctree/include/linux/rculist.h)
//!
//! If all readers take the lock, use [`kernel::list::List`].

use super::bindings as helpers;
use super::{
    atomic::load_acquire,
    preempt::PreemptGuard,
    rcu::{
        Held,
        RcuBox,
        RcuOwned,
        Retired, //
    },
};
use core::{
    marker::PhantomData,
    mem::offset_of,
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

/// A value with the links of an [`RcuList`].
#[repr(C)]
pub(crate) struct Node<T> {
    links: Opaque<bindings::list_head>,
    value: T,
}

// SAFETY: `links` is written only under the list's lock, and read with atomic loads. `T` is `Send`.
unsafe impl<T: Send> Send for Node<T> {}

// SAFETY: `links` is written only under the list's lock, and read with atomic loads. `T` is `Sync`.
unsafe impl<T: Sync> Sync for Node<T> {}

impl<T> Node<T> {
    /// Where the value is, from the links on.
    pub(crate) const VALUE: usize = offset_of!(Self, value);

    /// Allocates a node that is on no list.
    ///
    /// Context: May sleep.
    pub(crate) fn new(value: T) -> Result<RcuOwned<Self>, AllocError> {
        RcuBox::new(Self {
            links: Opaque::uninit(),
            value,
        })
    }
}

/// A list that is read with preemption disabled and written under the global lock `B`.
///
/// One store publishes an element: a reader sees all of it or nothing, and takes no lock.
///
/// Only the [`Entry`] that [`RcuList::add`] returned can remove the element. It proves that the
/// element is on this list, a proof that [`kernel::list::List::remove`] lacks and is `unsafe` for.
///
/// # Invariants
///
/// - `head` is the head of a circular list of the `links` of `Node<T>`s, each owned by an
///   [`Entry`].
/// - `head` and `links` are written only by the holder of `B`.
///
/// # Examples
///
/// ```
/// use crate::primitives::{preempt::PreemptGuard, rcu::Held};
///
/// rculist_head! {
///     static NUMBERS: RcuList<u32, LOCK>;
/// }
///
/// let node = Node::new(7)?;
/// let mut lock = LOCK.lock();
/// let mut held = Held::new(&mut lock);
/// let seven = NUMBERS.add(node, &mut held);
/// assert_eq!(*seven, 7);
///
/// // A reader needs no lock.
/// let guard = PreemptGuard::new();
/// assert_eq!(NUMBERS.iter(&guard).next(), Some(&7));
/// drop(guard);
///
/// let retired = seven.remove(&mut held);
/// drop(lock);
/// // Readers may still use 7, which is freed after a grace period.
/// drop(retired);
/// # Ok::<(), Error>(())
/// ```
#[repr(C)]
pub(crate) struct RcuList<T, B: GlobalLockBackend> {
    head: Opaque<bindings::list_head>,
    _owns: PhantomData<T>,
    _lock: PhantomData<fn(B)>,
}

// SAFETY: Readers on any thread get shared references to `T`, which is `Sync`. An `Entry` may be
// dropped by any thread, and `T` is `Send`.
unsafe impl<T: Send + Sync, B: GlobalLockBackend> Sync for RcuList<T, B> {}

/// Defines a static [`RcuList`], as `LIST_HEAD()`.
macro_rules! rculist_head {
    ($(#[$meta:meta])* $vis:vis static $name:ident: RcuList<$t:ty, $b:ty>;) => {
        $(#[$meta])*
        $vis static $name: $crate::primitives::rculist::RcuList<$t, $b> =
            // SAFETY: `&raw const` gives the address of the static that is defined here.
            unsafe { $crate::primitives::rculist::RcuList::from_static(&raw const $name) };
    };
}
pub(crate) use rculist_head;

impl<T: Send + Sync + 'static, B: GlobalLockBackend> RcuList<T, B> {
    /// Creates an empty list; [`rculist_head!`] calls this.
    ///
    /// # Safety
    ///
    /// `this` must be the address of the static that is initialized with the result.
    pub(crate) const unsafe fn from_static(this: *const Self) -> Self {
        let head = this.cast::<bindings::list_head>().cast_mut();
        // INVARIANT: `head` is the first member of `this`, so it leads to itself and the list is
        // empty.
        Self {
            head: Opaque::new(bindings::list_head {
                next: head,
                prev: head,
            }),
            _owns: PhantomData,
            _lock: PhantomData,
        }
    }

    /// Returns the address of the head.
    pub(crate) const fn as_ptr(this: &'static Self) -> *const c_void {
        (&raw const *this).cast()
    }

    /// Publishes a node at the head of the list, as `list_add_rcu()`.
    pub(crate) fn add(
        &'static self,
        node: RcuOwned<Node<T>>,
        _held: &mut Held<'_, B>,
    ) -> Entry<T, B> {
        let links = node.links.get();
        // INVARIANT: `node` is linked below.
        let entry = Entry {
            // SAFETY: A box is never null.
            node: unsafe { NonNull::new_unchecked(RcuBox::into_raw(node)) },
            _lock: PhantomData,
        };
        // Modelled in tests/litmus/rculist-add.litmus.
        // SAFETY: `links` is on no list and does not move, since `entry` owns the allocation. By
        // the type invariants, `head` is the head of a valid list. `_held` excludes other writers.
        unsafe { helpers::list_add_rcu(links, self.head.get()) };
        entry
    }

    /// Returns an iterator over the elements, newest first, as `list_for_each_entry_rcu()`.
    ///
    /// Context: Any, NMI included.
    #[inline]
    pub(crate) fn iter<'g>(&'g self, _guard: &'g PreemptGuard) -> Iter<'g, T> {
        // INVARIANT: `pos` is `head`. `_guard` keeps preemption disabled for `'g`.
        Iter {
            head: self.head.get(),
            pos: self.head.get(),
            _list: PhantomData,
        }
    }
}

/// The owner of a node that is on a list.
///
/// Dropping it leaks the node, which stays on its list.
///
/// # Invariants
///
/// - `node` came from [`RcuBox::into_raw`] and is owned by this.
/// - `node` is on a list that is written under `B`.
#[must_use = "an element cannot be removed without its entry"]
pub(crate) struct Entry<T: Send + Sync + 'static, B: GlobalLockBackend> {
    node: NonNull<RcuBox<Node<T>>>,
    _lock: PhantomData<fn(B)>,
}

// SAFETY: By the type invariants, this owns the node, and `T` is `Send` and `Sync`.
unsafe impl<T: Send + Sync, B: GlobalLockBackend> Send for Entry<T, B> {}

// SAFETY: A shared reference gives access to a shared reference to `T` only, and `T` is `Sync`.
unsafe impl<T: Send + Sync, B: GlobalLockBackend> Sync for Entry<T, B> {}

impl<T: Send + Sync, B: GlobalLockBackend> Entry<T, B> {
    /// Removes the node from its list, as `list_del_rcu()`.
    ///
    /// The node's forward pointer stays, for readers that are at this node.
    pub(crate) fn remove(self, _held: &mut Held<'_, B>) -> Retired<Node<T>> {
        // SAFETY: By the type invariants, `node` is owned by `self`, so it is valid.
        let links = unsafe { self.node.as_ref() }.links.get();
        // SAFETY: By the type invariants, `links` is on a list. `_held` excludes other writers.
        unsafe { helpers::list_del_rcu(links) };
        // SAFETY: By the type invariants, `node` came from `into_raw()` and was owned by `self`. It was
        // removed from its list above.
        unsafe { Retired::new(self.node) }
    }
}

impl<T: Send + Sync, B: GlobalLockBackend> Deref for Entry<T, B> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: By the type invariants, `node` is owned by `self`, so it is valid.
        &unsafe { self.node.as_ref() }.value
    }
}

/// An iterator over an [`RcuList`].
///
/// # Invariants
///
/// - `pos` is `head`, or the `links` of a node that was on the list after preemption was disabled.
/// - Preemption stays disabled for `'g`, so such a node is not freed during `'g`.
pub(crate) struct Iter<'g, T> {
    head: *mut bindings::list_head,
    pos: *mut bindings::list_head,
    _list: PhantomData<&'g T>,
}

impl<'g, T> Iterator for Iter<'g, T> {
    type Item = &'g T;

    #[inline]
    fn next(&mut self) -> Option<&'g T> {
        // SAFETY: By the type invariants, `pos` is valid. Writers store to `next` atomically.
        let next = load_acquire(unsafe { Atomic::from_ptr(&raw mut (*self.pos).next) });
        if ptr::eq(next, self.head) {
            return None;
        }
        // INVARIANT: `pos` is on the list, or was removed and kept its forward pointer. Either way
        // `next` was on the list after preemption was disabled.
        self.pos = next;
        // SAFETY: By the type invariants, `next` leads to a node that is valid for `'g`, and
        // `links` is the first member of a `Node<T>`.
        Some(&unsafe { &*next.cast::<Node<T>>() }.value)
    }
}
