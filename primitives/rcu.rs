// SPDX-License-Identifier: GPL-2.0

//! RCU-protected pointers.
//!
//! C header: [`include/linux/rcupdate.h`](srctree/include/linux/rcupdate.h)
//!
//! An [`RcuCell`] publishes a value to readers that hold a [`PreemptGuard`]. Only the holder of the
//! cell's lock replaces the value, and gets the old one as [`Retired`]: new readers cannot find it,
//! but earlier ones may still use it. There are two ways out of that state, and both wait for those
//! readers: [`stop_machine()`](super::stop_machine::stop_machine) gives the value back, and
//! dropping it frees it after a grace period.

use super::{
    atomic::load_acquire,
    bindings as helpers,
    cstr::StrTab,
    preempt::PreemptGuard,
    tailed::{
        Tail,
        Tailed, //
    },
};
use core::{
    marker::PhantomData,
    mem::{
        offset_of,
        ManuallyDrop, //
    },
    ops::{
        Deref,
        DerefMut, //
    },
    pin::Pin,
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
            Acquire,
            Atomic,
            Relaxed,
            Release, //
        },
        GlobalGuard,
        GlobalLockBackend, //
    },
    task::might_sleep,
    types::Opaque, //
};

/// Evidence that the global lock `B` is held during `'a`.
///
/// There is one such value at a time. Unlike a lock guard it may be sent to another thread, for
/// instance to the one that runs a `stop_machine()` callback while the lock's holder waits.
///
/// # Invariants
///
/// - `_guard`: `B` is held throughout `'a`.
/// - `_guard`: No other `Held<'_, B>` can be used during `'a`.
///
/// # Examples
///
/// ```
/// let mut lock = LOCK.lock();
/// let mut held = Held::new(&mut lock);
/// // Pass `&held` to read, `&mut held` to write.
/// # let cell: RcuCell<u32, LOCK> = RcuCell::empty();
/// assert!(cell.load_held(&held).is_none());
/// assert!(cell.replace(None, &mut held).is_none());
/// ```
pub(crate) struct Held<'a, B: GlobalLockBackend> {
    _guard: PhantomData<&'a mut ()>,
    _lock: PhantomData<fn(B)>,
}

impl<'a, B: GlobalLockBackend> Held<'a, B> {
    /// Creates the evidence from the lock's guard, and borrows the guard for as long.
    #[inline]
    pub(crate) fn new(_guard: &'a mut GlobalGuard<B>) -> Self {
        // INVARIANT: The guard holds the lock during its borrow, which is exclusive.
        Self {
            _guard: PhantomData,
            _lock: PhantomData,
        }
    }
}

/// A value with the `rcu_head` that frees it after a grace period.
///
/// The value is pinned with it.
#[repr(C)]
pub(crate) struct RcuBox<T> {
    head: Opaque<bindings::callback_head>,
    value: T,
}

/// The owner of an [`RcuBox`] that is not published.
pub(crate) type RcuOwned<T> = Pin<KBox<RcuBox<T>>>;

// `head` may be moved until RCU is given it, which then owns the value.
impl<T: Unpin> Unpin for RcuBox<T> {}

impl<T> RcuBox<T> {
    /// Where the value is.
    pub(crate) const VALUE: usize = offset_of!(Self, value);

    /// Allocates memory for `value`.
    ///
    /// Context: May sleep.
    pub(crate) fn new(value: T) -> Result<RcuOwned<T>, AllocError> {
        KBox::pin(
            Self {
                head: Opaque::uninit(),
                value,
            },
            GFP_KERNEL,
        )
    }

    /// Returns the value, which stays pinned.
    pub(crate) fn value_mut(self: Pin<&mut Self>) -> Pin<&mut T> {
        // SAFETY: The value is pinned with `self`.
        unsafe { self.map_unchecked_mut(|this| &mut this.value) }
    }

    /// Gives up an owner, for a pointer that [`RcuBox::from_raw`] turns into one again.
    pub(super) fn into_raw(this: RcuOwned<T>) -> *mut Self {
        // SAFETY: Behind the pointer the value stays where it is.
        KBox::into_raw(unsafe { Pin::into_inner_unchecked(this) })
    }

    /// Returns the owner again.
    ///
    /// # Safety
    ///
    /// `ptr` must come from [`RcuBox::into_raw`], or be the start of memory of `Kmalloc` that begins with an
    /// initialized `RcuBox<T>`, and the caller must own it.
    pub(super) unsafe fn from_raw(ptr: *mut Self) -> RcuOwned<T> {
        // SAFETY: By the safety requirements, `ptr` came from a `KBox`, or is memory of its allocator that is
        // large enough, and is owned. `Kmalloc` frees by `kfree()`, which takes no size.
        KBox::into_pin(unsafe { KBox::from_raw(ptr) })
    }
}

impl<T, E: Copy> RcuBox<Tailed<T, E>> {
    /// Allocates memory for `value` with a tail of `elements` and `strings`.
    ///
    /// # Errors
    ///
    /// [`AllocError`] if out of memory, or if the tail takes 4 GiB. Beyond what `kmalloc()` has, the kernel
    /// warns.
    ///
    /// Context: May sleep.
    pub(crate) fn with_tail(
        value: T,
        elements: &[E],
        strings: StrTab<&[u8]>,
    ) -> Result<RcuOwned<Tailed<T, E>>, AllocError> {
        let tail = Tail::new(elements, strings)?;
        let ptr = tail.alloc::<Self>()?.as_ptr();
        // SAFETY: `tail` has allocated `ptr`, with room for itself behind the box, whose last member is
        // `value`. `head` is used by RCU alone, so the box is initialized, at the start of memory of `Kmalloc`
        // which is owned. A pinned value is not moved.
        unsafe {
            tail.write(value, &raw mut (*ptr).value);
            Ok(Self::from_raw(ptr))
        }
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

// SAFETY: Only the owner uses `head`, and after it RCU. `T` is `Send`.
unsafe impl<T: Send> Send for RcuBox<T> {}

// SAFETY: A shared reference gives access to `value` only, and `T` is `Sync`.
unsafe impl<T: Sync> Sync for RcuBox<T> {}

/// A value that is unpublished but may still be in use by readers.
///
/// # Safety
///
/// An implementer must give the value back in [`Retire::reclaim`] only. Where it frees the value
/// otherwise, it must wait for the readers first.
pub(crate) unsafe trait Retire {
    /// The value once no reader uses it.
    type Output;

    /// Gives the value back.
    ///
    /// # Safety
    ///
    /// Every reader that may have found the value before it was unpublished must have dropped its
    /// [`PreemptGuard`].
    unsafe fn reclaim(self) -> Self::Output;
}

// SAFETY: There is no value to give back.
unsafe impl Retire for () {
    type Output = ();

    unsafe fn reclaim(self) {}
}

// SAFETY: The member alone gives its value back.
unsafe impl<R: Retire> Retire for Option<R> {
    type Output = Option<R::Output>;

    unsafe fn reclaim(self) -> Option<R::Output> {
        // SAFETY: By the safety requirements, the readers of all members are gone.
        self.map(|r| unsafe { r.reclaim() })
    }
}

// SAFETY: The members alone give their values back.
unsafe impl<A: Retire, B: Retire> Retire for (A, B) {
    type Output = (A::Output, B::Output);

    unsafe fn reclaim(self) -> Self::Output {
        // SAFETY: By the safety requirements, the readers of all members are gone.
        unsafe { (self.0.reclaim(), self.1.reclaim()) }
    }
}

/// A value that was published, and that new readers cannot find.
///
/// Dropping it frees the value after a grace period, as `call_rcu()`, which must not be done in an
/// NMI. A module whose code frees such values calls [`rcu_barrier()`] before it is unloaded.
///
/// # Invariants
///
/// - The pointer is owned and came from [`RcuBox::into_raw`].
/// - No [`RcuCell`] and no list leads to it.
///
/// # Examples
///
/// ```
/// let cell: RcuCell<u32, LOCK> = RcuCell::empty();
/// let new = RcuBox::new(1)?;
///
/// let mut lock = LOCK.lock();
/// let mut held = Held::new(&mut lock);
/// assert!(cell.replace(Some(new), &mut held).is_none());
/// let retired = cell.replace(None, &mut held);
/// drop(lock);
///
/// // Frees 1 after a grace period.
/// drop(retired);
/// // Waits for that.
/// rcu_barrier();
/// # Ok::<(), Error>(())
/// ```
pub(crate) struct Retired<T: Send + 'static>(NonNull<RcuBox<T>>);

// SAFETY: By the type invariants, this owns the value, and `T` is `Send`.
unsafe impl<T: Send> Send for Retired<T> {}

impl<T: Send> Retired<T> {
    /// Takes over a value that was unpublished.
    ///
    /// # Safety
    ///
    /// - `ptr` must come from [`RcuBox::into_raw`], and the caller must own it.
    /// - No [`RcuCell`] and no list may lead to `ptr`.
    pub(super) unsafe fn new(ptr: NonNull<RcuBox<T>>) -> Self {
        // INVARIANT: By the safety requirements, `ptr` is owned, came from `into_raw()` and is
        // unpublished.
        Self(ptr)
    }
}

// SAFETY: `reclaim()` gives the value back; `drop()` frees it after a grace period.
unsafe impl<T: Send> Retire for Retired<T> {
    type Output = RcuOwned<T>;

    unsafe fn reclaim(self) -> Self::Output {
        let this = ManuallyDrop::new(self);
        // SAFETY: By the type invariants, the pointer is owned and came from `into_raw()`. By the
        // safety requirements, no reader uses it, and new ones cannot find it.
        unsafe { RcuBox::from_raw(this.0.as_ptr()) }
    }
}

impl<T: Send> Drop for Retired<T> {
    fn drop(&mut self) {
        /// # Safety
        ///
        /// `head` must be the first member of an owned `RcuBox<T>` that came from
        /// [`RcuBox::into_raw`], and that no reader uses.
        unsafe extern "C" fn free<T>(head: *mut bindings::callback_head) {
            // SAFETY: By the safety requirements, `head` is the first member of an owned
            // `RcuBox<T>` that came from `into_raw()`.
            drop(unsafe { RcuBox::from_raw(head.cast::<RcuBox<T>>()) });
            end_callback();
        }

        let head = self.0.cast::<bindings::callback_head>().as_ptr();
        // SAFETY: `head` is the first member of a `repr(C)` type. By the type invariants, it is
        // owned, came from `into_raw()` and is unpublished, so after a grace period no reader uses it.
        // `T` is `Send`, so another thread may drop it.
        unsafe { call_rcu(head, free::<T>) };
    }
}

/// The number of callbacks that RCU was given and that have not ended.
static CALLBACKS: Atomic<i32> = Atomic::new(0);

/// Lets RCU call `func` after a grace period.
///
/// # Safety
///
/// The caller must own `head`, which must stay until `func` is called with it. `func` must be
/// callable in any context then, and must call [`end_callback()`] last.
pub(super) unsafe fn call_rcu(
    head: *mut bindings::callback_head,
    func: unsafe extern "C" fn(*mut bindings::callback_head),
) {
    CALLBACKS.fetch_add(1, Relaxed);
    // SAFETY: By the safety requirements, `head` stays until `func` is called with it.
    unsafe { bindings::call_rcu(head, Some(func)) };
}

/// Ends a callback that [`call_rcu()`] was given.
pub(super) fn end_callback() {
    CALLBACKS.fetch_sub(1, Release);
}

/// Waits, when dropped, until RCU has freed all values that it was given.
///
/// This includes values that RCU is given by its callbacks. A module must wait before its text is
/// freed, since the callbacks are part of it; [`exit::Module`](super::exit::Module) does so.
///
/// Dropping this may sleep.
pub(super) struct WaitForCallbacks;

impl Drop for WaitForCallbacks {
    fn drop(&mut self) {
        loop {
            // A callback may give RCU another one. The last one may still be returning.
            let none = CALLBACKS.load(Acquire) == 0;
            rcu_barrier();
            if none {
                break;
            }
        }
    }
}

/// A grace period, whose end can be asked for.
///
/// # Examples
///
/// ```
/// let grace_period = GracePeriod::start();
/// // Later:
/// if grace_period.has_ended() {
///     // No reader from before the start is left.
/// }
/// ```
#[derive(Clone, Copy)]
pub(crate) struct GracePeriod(usize);

impl GracePeriod {
    /// Starts a grace period, as `start_poll_synchronize_rcu()`.
    ///
    /// Context: Any, but NMI.
    pub(crate) fn start() -> Self {
        // SAFETY: An FFI call with no additional requirements.
        Self(unsafe { bindings::start_poll_synchronize_rcu() } as usize)
    }

    /// Returns whether the grace period has ended, as `poll_state_synchronize_rcu()`.
    ///
    /// Context: Any, but NMI.
    pub(crate) fn has_ended(self) -> bool {
        // SAFETY: An FFI call with no additional requirements.
        unsafe { bindings::poll_state_synchronize_rcu(self.0 as c_ulong) }
    }

    /// Returns the grace period that [`GracePeriod::into_raw`] was called for.
    pub(crate) fn from_raw(raw: usize) -> Self {
        Self(raw)
    }

    /// Returns a number for the grace period.
    pub(crate) fn into_raw(self) -> usize {
        self.0
    }
}

/// Waits for a grace period, as `synchronize_rcu()`: no reader from before it is left.
///
/// Context: May sleep.
pub(crate) fn synchronize_rcu() {
    might_sleep();
    // SAFETY: The caller may sleep.
    unsafe { bindings::synchronize_rcu() };
}

/// Waits until every task that was preempted has gone on and slept, as `synchronize_rcu_tasks()`.
///
/// Context: May sleep.
pub(crate) fn synchronize_rcu_tasks() {
    might_sleep();
    // SAFETY: The caller may sleep.
    unsafe { helpers::synchronize_rcu_tasks() };
}

/// Waits until every dropped [`Retired`] is freed, as `rcu_barrier()`.
///
/// Values that RCU was given by its callbacks need not be freed. The kernel crate has this function
/// since Linux 7.3 only.
///
/// Context: May sleep.
pub(crate) fn rcu_barrier() {
    might_sleep();
    // SAFETY: An FFI call with no additional requirements.
    unsafe { bindings::rcu_barrier() };
}

/// An RCU-protected pointer that is written under the global lock `B`.
///
/// # Invariants
///
/// - `ptr` is null, or came from [`RcuBox::into_raw`] and is owned by the cell.
/// - `ptr` is written only by the holder of `B`.
///
/// # Examples
///
/// ```
/// use crate::primitives::preempt::PreemptGuard;
///
/// let cell: RcuCell<u32, LOCK> = RcuCell::empty();
///
/// let mut lock = LOCK.lock();
/// let mut held = Held::new(&mut lock);
/// assert!(cell.replace(Some(RcuBox::new(1)?), &mut held).is_none());
///
/// // A reader needs no lock.
/// let guard = PreemptGuard::new();
/// assert_eq!(cell.load(&guard), Some(&1));
/// drop(guard);
///
/// let old = cell.replace(Some(RcuBox::new(2)?), &mut held);
/// drop(lock);
/// // New readers find 2. Earlier ones may still use 1, which is freed after a grace period.
/// drop(old);
/// # Ok::<(), Error>(())
/// ```
pub(crate) struct RcuCell<T: Send + Sync + 'static, B: GlobalLockBackend> {
    ptr: Atomic<*mut RcuBox<T>>,
    _owns: PhantomData<RcuOwned<T>>,
    _lock: PhantomData<fn(B)>,
}

impl<T: Send + Sync, B: GlobalLockBackend> RcuCell<T, B> {
    /// Where the pointer to the value's [`RcuBox`] is.
    pub(crate) const PTR: usize = offset_of!(Self, ptr);

    /// Creates a cell without a value.
    pub(crate) const fn empty() -> Self {
        // INVARIANT: `ptr` is null.
        Self {
            ptr: Atomic::new(ptr::null_mut()),
            _owns: PhantomData,
            _lock: PhantomData,
        }
    }

    /// Returns the value, as `rcu_dereference()`, or [`None`] if there is none.
    ///
    /// Context: Any, NMI included.
    #[inline]
    pub(crate) fn load<'g>(&'g self, _guard: &'g PreemptGuard) -> Option<&'g T> {
        // SAFETY: By the type invariants, `ptr` is null or valid. `Retired` keeps a value that was
        // replaced until the guard is dropped, and the cell is borrowed for as long.
        unsafe { load_acquire(&self.ptr).as_ref() }.map(|b| &**b)
    }

    /// Returns the value to a holder of the lock, as `rcu_dereference_protected()`, or [`None`] if
    /// there is none.
    #[inline]
    pub(crate) fn load_held<'h>(&'h self, _held: &'h Held<'_, B>) -> Option<&'h T> {
        // SAFETY: By the type invariants, `ptr` is null or valid. `replace()` needs `_held`
        // exclusively, so there is no writer during the borrow.
        unsafe { self.ptr.as_ptr().read().as_ref() }.map(|b| &**b)
    }

    /// Publishes `new`, as `rcu_replace_pointer()`, and returns the old value, or [`None`] if there
    /// was none.
    pub(crate) fn replace(
        &self,
        new: Option<RcuOwned<T>>,
        _held: &mut Held<'_, B>,
    ) -> Option<Retired<T>> {
        // Modelled, with the wait for readers, in tests/litmus/rcu-replace.litmus.
        let old = self.ptr.load(Relaxed);
        // INVARIANT: The new pointer is null or came from `into_raw()`, and the cell takes it over.
        self.ptr
            .store(new.map_or(ptr::null_mut(), RcuBox::into_raw), Release);
        // SAFETY: By the type invariants, `old` came from `into_raw()` and was owned by the cell.
        // `_held` excludes other writers, so it is taken once. The store above has unpublished it.
        NonNull::new(old).map(|p| unsafe { Retired::new(p) })
    }
}

impl<T: Send + Sync, B: GlobalLockBackend> Drop for RcuCell<T, B> {
    fn drop(&mut self) {
        let ptr = self.ptr.load(Relaxed);
        if !ptr.is_null() {
            // SAFETY: By the type invariants, `ptr` came from `into_raw()` and is owned by the cell.
            // Readers borrow the cell, so there are none.
            drop(unsafe { RcuBox::from_raw(ptr) });
        }
    }
}
