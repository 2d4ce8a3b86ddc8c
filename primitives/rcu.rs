// SPDX-License-Identifier: GPL-2.0

//! RCU-protected pointers.
//!
//! C header: [`include/linux/rcupdate.h`](srctree/include/linux/rcupdate.h)
//!
//! An [`RcuCell`] publishes a value to readers that hold a [`PreemptGuard`]. Only the holder of the
//! cell's lock replaces it, and what it replaced comes back as [`Retired`]: a value that nobody new
//! can find but that readers may still hold. There are two ways out of that state, and both wait
//! for the readers: [`stop_machine()`](super::stop_machine::stop_machine), which gives the value
//! back, and dropping it, which leaves the freeing to `call_rcu()`.

use super::{
    atomic::load_acquire,
    preempt::PreemptGuard, //
};
use core::{
    marker::PhantomData,
    mem::ManuallyDrop,
    ops::{
        Deref,
        DerefMut, //
    },
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
        atomic::{
            Atomic,
            Relaxed,
            Release, //
        },
        GlobalGuard,
        GlobalLockBackend, //
    },
    types::Opaque,
};

/// Evidence that the global lock `B` is held for `'a`, and that nobody else has this evidence.
///
/// Unlike a lock guard it may be handed to another thread for that time, for instance to the one
/// that runs a `stop_machine()` callback while the lock's owner waits for it.
///
/// # Invariants
///
/// The global lock `B` is held throughout `'a`.
pub(crate) struct Held<'a, B: GlobalLockBackend> {
    _guard: PhantomData<&'a mut ()>,
    _lock: PhantomData<fn(B)>,
}

impl<'a, B: GlobalLockBackend> Held<'a, B> {
    /// Takes the evidence from the lock's guard, which stays borrowed meanwhile.
    #[inline]
    pub(crate) fn new(_guard: &'a mut GlobalGuard<B>) -> Self {
        // INVARIANT: The guard holds the lock, and it lives as long as its borrow.
        Self {
            _guard: PhantomData,
            _lock: PhantomData,
        }
    }
}

/// An allocation that RCU can free: a value beside the `rcu_head` that its freeing needs.
#[repr(C)]
pub(crate) struct RcuBox<T> {
    head: Opaque<bindings::callback_head>,
    value: T,
}

impl<T> RcuBox<T> {
    /// Allocates a box. May sleep.
    pub(crate) fn new(value: T) -> Result<KBox<Self>, AllocError> {
        KBox::new(
            Self {
                head: Opaque::uninit(),
                value,
            },
            GFP_KERNEL,
        )
    }
}

impl<T> Deref for RcuBox<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> DerefMut for RcuBox<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

// SAFETY: `head` is only touched by the box's single owner or by RCU after that.
unsafe impl<T: Send> Send for RcuBox<T> {}

// SAFETY: A shared reference gives access to `value` only.
unsafe impl<T: Sync> Sync for RcuBox<T> {}

/// Something that readers may still hold though nobody new can find it.
///
/// # Safety
///
/// Implementers must give up their value in [`Retire::reclaim`] only, or by a way that waits for
/// the readers itself.
pub(crate) unsafe trait Retire {
    /// What is left once all readers are gone.
    type Output;

    /// Takes the value back.
    ///
    /// # Safety
    ///
    /// Every reader that could have found the value before it was retired must have dropped its
    /// [`PreemptGuard`].
    unsafe fn reclaim(self) -> Self::Output;
}

// SAFETY: There is no value.
unsafe impl Retire for () {
    type Output = ();

    unsafe fn reclaim(self) {}
}

// SAFETY: Left to the member.
unsafe impl<R: Retire> Retire for Option<R> {
    type Output = Option<R::Output>;

    unsafe fn reclaim(self) -> Option<R::Output> {
        // SAFETY: By the requirement of this function.
        self.map(|r| unsafe { r.reclaim() })
    }
}

// SAFETY: Left to the members.
unsafe impl<A: Retire, B: Retire> Retire for (A, B) {
    type Output = (A::Output, B::Output);

    unsafe fn reclaim(self) -> Self::Output {
        // SAFETY: By the requirement of this function.
        unsafe { (self.0.reclaim(), self.1.reclaim()) }
    }
}

// SAFETY: Left to the members.
unsafe impl<R: Retire> Retire for KVec<R> {
    type Output = ();

    unsafe fn reclaim(self) {
        for r in self {
            // SAFETY: By the requirement of this function.
            drop(unsafe { r.reclaim() });
        }
    }
}

/// A value that was published and is so no more.
///
/// Dropping it frees it after a grace period, by `call_rcu()`; not from NMI context.
///
/// # Invariants
///
/// The pointer is owned, came from a `KBox`, and no [`RcuCell`] or list leads to it.
pub(crate) struct Retired<T: Send + 'static>(NonNull<RcuBox<T>>);

// SAFETY: The owner of a `Retired` owns the value.
unsafe impl<T: Send> Send for Retired<T> {}

impl<T: Send> Retired<T> {
    /// # Safety
    ///
    /// The pointer must come from [`KBox::into_raw`], and the caller must own it and have made it
    /// unreachable for new readers.
    pub(super) unsafe fn new(ptr: NonNull<RcuBox<T>>) -> Self {
        // INVARIANT: By the requirement of this function.
        Self(ptr)
    }
}

// SAFETY: Without `reclaim()`, the value is freed after a grace period.
unsafe impl<T: Send> Retire for Retired<T> {
    type Output = KBox<RcuBox<T>>;

    unsafe fn reclaim(self) -> Self::Output {
        let this = ManuallyDrop::new(self);
        // SAFETY: By the type invariant the pointer is owned and came from a `KBox`; by the
        // requirement of this function nobody else uses it.
        unsafe { KBox::from_raw(this.0.as_ptr()) }
    }
}

impl<T: Send> Drop for Retired<T> {
    fn drop(&mut self) {
        /// # Safety
        ///
        /// `head` must be the first member of an owned `RcuBox<T>` that came from a `KBox`.
        unsafe extern "C" fn free<T>(head: *mut bindings::callback_head) {
            // SAFETY: By the requirement of this function; RCU calls it after the last reader.
            drop(unsafe { KBox::from_raw(head.cast::<RcuBox<T>>()) });
        }

        let head = self.0.cast::<bindings::callback_head>().as_ptr();
        // SAFETY: `head` is the first member of a `repr(C)` allocation that this owns and hands
        // over. `T` is `Send`, so any context may drop it.
        unsafe { bindings::call_rcu(head, Some(free::<T>)) };
    }
}

/// Waits until everything that was dropped as [`Retired`] is freed. Sleeps.
///
/// A module calls this before its text goes, since the callbacks are part of it.
pub(crate) fn rcu_barrier() {
    // SAFETY: May always be called in a context that may sleep.
    unsafe { bindings::rcu_barrier() };
}

/// An RCU-protected pointer, written under the global lock `B`.
///
/// # Invariants
///
/// The pointer is null, or it came from a `KBox` that the cell owns.
///
/// # Examples
///
/// ```
/// let cell: RcuCell<u32, LOCK> = RcuCell::empty();
///
/// let mut lock = LOCK.lock();
/// let _none = cell.replace(Some(RcuBox::new(1)?), &mut Held::new(&mut lock));
///
/// let guard = PreemptGuard::new();
/// assert_eq!(cell.load(&guard), Some(&1));
/// drop(guard);
///
/// let old = cell.replace(Some(RcuBox::new(2)?), &mut Held::new(&mut lock));
/// // No reader finds 1 any more, but one may still look at it.
/// drop(lock);
/// // It is freed after a grace period.
/// drop(old);
/// ```
pub(crate) struct RcuCell<T: Send + Sync + 'static, B: GlobalLockBackend> {
    ptr: Atomic<*mut RcuBox<T>>,
    _owns: PhantomData<KBox<RcuBox<T>>>,
    _lock: PhantomData<fn(B)>,
}

impl<T: Send + Sync, B: GlobalLockBackend> RcuCell<T, B> {
    /// A cell that holds nothing.
    pub(crate) const fn empty() -> Self {
        // INVARIANT: The pointer is null.
        Self {
            ptr: Atomic::new(ptr::null_mut()),
            _owns: PhantomData,
            _lock: PhantomData,
        }
    }

    /// What the cell holds, as `rcu_dereference()`. From any context.
    #[inline]
    pub(crate) fn load<'g>(&'g self, _guard: &'g PreemptGuard) -> Option<&'g T> {
        // SAFETY: By the type invariant the pointer is null or valid. What `replace()` takes out is
        // reclaimed only after the guard is dropped, and the cell itself outlives the borrow.
        unsafe { load_acquire(&self.ptr).as_ref() }.map(|b| &**b)
    }

    /// What the cell holds, read by its writer, as `rcu_dereference_protected()`.
    #[inline]
    pub(crate) fn load_held<'h>(&'h self, _held: &'h Held<'_, B>) -> Option<&'h T> {
        // SAFETY: By the type invariant the pointer is null or valid, and `replace()` needs the
        // evidence that is borrowed here, so nobody writes it meanwhile.
        unsafe { self.ptr.as_ptr().read().as_ref() }.map(|b| &**b)
    }

    /// Publishes `new`, as `rcu_replace_pointer()`, and gives back what was there.
    pub(crate) fn replace(
        &self,
        new: Option<KBox<RcuBox<T>>>,
        _held: &mut Held<'_, B>,
    ) -> Option<Retired<T>> {
        // Modelled, with the wait for readers, in tests/litmus/rcu-replace.litmus.
        let old = self.ptr.load(Relaxed);
        // INVARIANT: The pointer is null or comes from a `KBox`, owned from here.
        self.ptr
            .store(new.map_or(ptr::null_mut(), KBox::into_raw), Release);
        // SAFETY: By the type invariant `old` came from a `KBox` that the cell owned. Only one
        // writer is here at a time, so it is taken once, and the store made it unreachable.
        NonNull::new(old).map(|p| unsafe { Retired::new(p) })
    }
}

/// Evidence that allows to read an [`RcuCell`]: a reader's guard, or the writers' lock.
pub(crate) trait RcuRead<'a, B: GlobalLockBackend>: Copy {
    /// What `cell` holds.
    fn read<T: Send + Sync>(self, cell: &'a RcuCell<T, B>) -> Option<&'a T>;
}

impl<'a, B: GlobalLockBackend> RcuRead<'a, B> for &'a PreemptGuard {
    #[inline]
    fn read<T: Send + Sync>(self, cell: &'a RcuCell<T, B>) -> Option<&'a T> {
        cell.load(self)
    }
}

impl<'a, B: GlobalLockBackend> RcuRead<'a, B> for &'a Held<'_, B> {
    #[inline]
    fn read<T: Send + Sync>(self, cell: &'a RcuCell<T, B>) -> Option<&'a T> {
        cell.load_held(self)
    }
}

impl<T: Send + Sync, B: GlobalLockBackend> Drop for RcuCell<T, B> {
    fn drop(&mut self) {
        let ptr = self.ptr.load(Relaxed);
        if !ptr.is_null() {
            // SAFETY: By the type invariant the cell owns the pointer. Readers borrow the cell, so
            // there are none.
            drop(unsafe { KBox::from_raw(ptr) });
        }
    }
}
