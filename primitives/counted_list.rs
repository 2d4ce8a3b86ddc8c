// SPDX-License-Identifier: GPL-2.0

//! RCU lists of reference-counted values.
//!
//! C header: [`include/linux/rculist.h`](srctree/include/linux/rculist.h)
//!
//! The links are part of the value's allocation. If the value has no references, use
//! [`RcuList`](super::rculist::RcuList), which knows without asking whether an element is on it.

use super::bindings as helpers;
use super::{
    atomic::load_acquire,
    preempt::PreemptGuard,
    rcu::Held,
    rcu_counted::{
        RcuCounted,
        RcuRef, //
    },
};
use core::{
    marker::PhantomData,
    ptr::{
        self,
        NonNull, //
    },
};
use kernel::{
    bindings,
    prelude::*,
    sync::{
        aref::ARef,
        atomic::Atomic,
        GlobalLockBackend, //
    },
    types::Opaque, //
};

/// A value that can be on a [`CountedList`].
pub(crate) trait Listed: Send + Sync + Sized + 'static {
    /// The global lock that all lists of such values are written under.
    type Lock: GlobalLockBackend;
}

/// A list of reference-counted values that is read with preemption disabled and written under a global
/// lock.
///
/// One store publishes an element: a reader sees all of it or nothing, and takes no lock. A value is on
/// one list at a time, and once: one that was removed cannot be added again, since readers may still be
/// at it.
///
/// # Invariants
///
/// - `head` is the head of a circular list of the `links` of `RcuCounted<T>`s, and owns a reference to
///   each.
/// - `head` and `links` are written only by the holder of `T::Lock`.
///
/// # Examples
///
/// ```
/// use crate::primitives::{preempt::PreemptGuard, rcu::Held, rcu_counted::RcuCounted};
///
/// struct Number(u32);
///
/// impl Listed for Number {
///     type Lock = LOCK;
/// }
///
/// counted_list_head! {
///     static NUMBERS: CountedList<Number>;
/// }
///
/// let seven = RcuCounted::new(Number(7))?;
/// let mut lock = LOCK.lock();
/// let mut held = Held::new(&mut lock);
/// assert!(NUMBERS.add(seven.clone(), &mut held));
/// // It is there.
/// assert!(!NUMBERS.add(seven.clone(), &mut held));
///
/// // A reader needs no lock.
/// let guard = PreemptGuard::new();
/// assert!(NUMBERS.iter(&guard).next().is_some_and(|number| number.0 == 7));
/// drop(guard);
///
/// assert!(CountedList::remove(&seven, &mut held).is_some());
/// assert!(CountedList::remove(&seven, &mut held).is_none());
/// drop(lock);
/// // Readers may still use 7, which is freed after a grace period.
/// drop(seven);
/// # Ok::<(), Error>(())
/// ```
#[repr(C)]
pub(crate) struct CountedList<T: Listed> {
    head: Opaque<bindings::list_head>,
    _owns: PhantomData<RcuRef<T>>,
}

// SAFETY: Readers on any thread get shared references to `T`, which is `Sync`. References are dropped by
// any thread, and `T` is `Send`.
unsafe impl<T: Listed> Sync for CountedList<T> {}

/// Defines a static [`CountedList`], as `LIST_HEAD()`.
macro_rules! counted_list_head {
    ($(#[$meta:meta])* $vis:vis static $name:ident: CountedList<$t:ty>;) => {
        $(#[$meta])*
        $vis static $name: $crate::primitives::counted_list::CountedList<$t> =
            // SAFETY: `&raw const` gives the address of the static that is defined here.
            unsafe { $crate::primitives::counted_list::CountedList::from_static(&raw const $name) };
    };
}
pub(crate) use counted_list_head;

impl<T: Listed> CountedList<T> {
    /// Creates an empty list; [`counted_list_head!`] calls this.
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
        }
    }

    /// Returns the address of the head.
    pub(crate) const fn as_ptr(this: &'static Self) -> *const c_void {
        (&raw const *this).cast()
    }

    /// Publishes a value at the head of the list, as `list_add_rcu()`.
    ///
    /// Returns `false`, and drops the reference, if the value is on a list or was removed from one.
    ///
    /// Context: Any, with the lock held.
    pub(crate) fn add(&'static self, value: RcuRef<T>, _held: &mut Held<'_, T::Lock>) -> bool {
        let links = value.list_links().get();
        // SAFETY: `value` is allocated. `_held` excludes all that write `links`.
        if !unsafe { (*links).next }.is_null() {
            return false;
        }
        // INVARIANT: The list owns the reference.
        let _ = ARef::into_raw(value);
        // Modelled in tests/litmus/rculist-add.litmus.
        // SAFETY: `links` is on no list, and does not move, since the list owns a reference to the
        // value. By the type invariants, `head` is the head of a valid list. `_held` excludes other
        // writers of both.
        unsafe { helpers::list_add_rcu(links, self.head.get()) };
        true
    }

    /// Removes a value from its list, as `list_del_rcu()`, and returns the list's reference; [`None`] if
    /// the value is on no list.
    ///
    /// The value's forward pointer stays, for readers that are at it. They may use it for a grace period
    /// after the last reference is dropped.
    ///
    /// Context: Any, with the lock held.
    pub(crate) fn remove(
        value: &RcuCounted<T>,
        _held: &mut Held<'_, T::Lock>,
    ) -> Option<RcuRef<T>> {
        let links = value.list_links().get();
        // SAFETY: `value` is allocated. `_held` excludes all that write `links`.
        if unsafe { (*links).prev }.is_null() {
            return None;
        }
        // SAFETY: `links` is on a list, as checked here: the pointers of one that never was are null, and
        // that of one that was removed is set to null below. `_held` excludes other writers.
        unsafe {
            helpers::list_del_rcu(links);
            (*links).prev = ptr::null_mut();
        }
        // SAFETY: By the type invariants, the list owned a reference, which is taken once.
        Some(unsafe { ARef::from_raw(NonNull::from(value)) })
    }

    /// Returns an iterator over the values, newest first, as `list_for_each_entry_rcu()`.
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

/// An iterator over a [`CountedList`].
///
/// # Invariants
///
/// - `pos` is `head`, or the `links` of a value that was on the list after preemption was disabled.
/// - Preemption stays disabled for `'g`, so such a value is not freed during `'g`.
pub(crate) struct Iter<'g, T> {
    head: *mut bindings::list_head,
    pos: *mut bindings::list_head,
    _list: PhantomData<&'g RcuCounted<T>>,
}

impl<'g, T> Iterator for Iter<'g, T> {
    type Item = &'g RcuCounted<T>;

    #[inline]
    fn next(&mut self) -> Option<&'g RcuCounted<T>> {
        // SAFETY: By the type invariants, `pos` is valid. Writers store to `next` atomically.
        let next = load_acquire(unsafe { Atomic::from_ptr(&raw mut (*self.pos).next) });
        if ptr::eq(next, self.head) {
            return None;
        }
        // INVARIANT: `pos` is on the list, or was removed and kept its forward pointer. Either way
        // `next` was on the list after preemption was disabled.
        self.pos = next;
        let value = next.wrapping_byte_sub(RcuCounted::<T>::LINKS);
        // SAFETY: By the type invariants, `next` is the `links` of a value that is valid for `'g`: the
        // list had a reference to it then.
        Some(unsafe { &*value.cast() })
    }
}
