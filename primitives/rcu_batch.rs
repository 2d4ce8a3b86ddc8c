// SPDX-License-Identifier: GPL-2.0

//! RCU-protected pointers that are emptied together.
//!
//! A writer marks the cells of a batch one by one, which readers do not notice, and then empties all of
//! them with one store under `stop_machine()`. So the machine is stopped as briefly for many cells as for
//! one. The values are taken out one by one afterwards.
//!
//! An [`RcuCell`](super::rcu::RcuCell) is one word too, and is emptied alone.

use super::{
    atomic::{
        load_acquire,
        load_relaxed, //
    },
    errno::edeadlk,
    preempt::PreemptGuard,
    rcu::{
        synchronize_rcu,
        Held,
        RcuBox,
        RcuOwned,
        Retire,
        Retired, //
    },
    stop_machine::{
        can_stop_machine,
        stop_machine, //
    },
};
use core::{
    marker::PhantomData,
    mem::{
        align_of,
        offset_of, //
    },
    ptr::{
        self,
        NonNull, //
    },
};
use kernel::{
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Release, //
        },
        GlobalLockBackend, //
    },
};

/// Set in a pointer that is null, or whose cell was marked.
const MARK: usize = 1;

/// The bits above [`MARK`] that have the number of the cell's batch.
const NUMBER: usize = 0b110;

/// The bits of a pointer that are not part of the address.
const TAG: usize = MARK | NUMBER;

/// Returns the bits that stand for a batch.
fn number(batch: usize) -> usize {
    batch.wrapping_mul(2) & NUMBER
}

/// A global lock under which batches of cells are emptied; [`batch_lock!`] makes it one.
///
/// # Safety
///
/// `batches()` must return the same value each time.
pub(crate) unsafe trait BatchLock: GlobalLockBackend + Sized + 'static {
    /// Returns the batches of all cells that are written under the lock.
    fn batches() -> &'static Batches<Self>;
}

/// Makes the type of a global lock a [`BatchLock`].
macro_rules! batch_lock {
    ($lock:ty) => {
        // SAFETY: There is one static.
        unsafe impl $crate::primitives::rcu_batch::BatchLock for $lock {
            #[inline(always)]
            fn batches() -> &'static $crate::primitives::rcu_batch::Batches<Self> {
                static BATCHES: $crate::primitives::rcu_batch::Batches<$lock> =
                    $crate::primitives::rcu_batch::Batches::new();
                &BATCHES
            }
        }
    };
}
pub(crate) use batch_lock;

/// The batches that were emptied under the global lock `B`.
///
/// # Invariants
///
/// - `last` is the number of the batch that was emptied last, and is written only by the holder of `B`.
/// - A reader that was there when a batch was emptied is gone when the next one is.
pub(crate) struct Batches<B> {
    last: Atomic<usize>,
    _lock: PhantomData<fn(B)>,
}

impl<B: BatchLock> Batches<B> {
    /// Creates the batches, of which there was none; [`batch_lock!`] calls this.
    pub(crate) const fn new() -> Self {
        // INVARIANT: No batch was emptied.
        Self {
            last: Atomic::new(0),
            _lock: PhantomData,
        }
    }
}

/// Evidence that no reader uses what a batch of cells has held.
///
/// # Invariants
///
/// The number is that of a batch that was emptied. The readers from before that are gone.
pub(crate) struct Emptied<B>(usize, PhantomData<fn(B)>);

/// Empties all cells that were [marked](BatchCell::mark) since the last call, with one store.
///
/// This is done under [`stop_machine()`], with `f` behind it, whose result is given back as that of
/// `stop_machine()` is. If the machine cannot be stopped, both are done nevertheless, and this waits for
/// a grace period: the readers are gone then too. But those that were there meanwhile may have come
/// between the store and `f`. The error is returned beside the results.
///
/// `f` must not allocate nor sleep, nor free on `PREEMPT_RT`.
///
/// Context: May sleep.
///
/// # Errors
///
/// `EDEADLK`, with a line in the log, if the caller may not sleep: it may be such a reader itself. Nothing
/// was emptied then.
pub(crate) fn empty_batch<B, R>(
    held: &mut Held<'_, B>,
    mut f: impl FnMut(&mut Held<'_, B>) -> R + Send,
) -> Result<(Emptied<B>, R::Output, Result)>
where
    B: BatchLock,
    R: Retire + Send,
{
    if !can_stop_machine() {
        return Err(edeadlk());
    }
    let number = load_relaxed(&B::batches().last).wrapping_add(1);
    let mut empty = || {
        // Modelled, with the marks and the wait for readers, in tests/litmus/rcu-batch.litmus.
        // INVARIANT: The last call has waited for the readers that were there.
        B::batches().last.store(number, Release);
        f(held)
    };
    let (retired, done) = match stop_machine(|_stopped| empty()) {
        Ok(retired) => (retired, Ok(())),
        Err(error) => {
            let retired = empty();
            synchronize_rcu();
            // SAFETY: The readers from before `f` has unpublished it are gone.
            (unsafe { retired.reclaim() }, Err(error))
        }
    };
    // INVARIANT: The batch was emptied, and the readers were waited for in either case.
    Ok((Emptied(number, PhantomData), retired, done))
}

/// An RCU-protected pointer that is written under the global lock `B`, and emptied with others.
///
/// A reader of a cell that is not marked looks at the pointer alone.
///
/// # Invariants
///
/// - `ptr` without [`TAG`] is null, or came from [`RcuBox::into_raw`] and is owned by the cell. It is null only with
///   [`MARK`].
/// - With [`MARK`], it has the [`number()`] of the batch that the cell belongs to.
/// - `ptr` is written only by the holder of `B`.
///
/// # Examples
///
/// ```
/// use crate::primitives::{
///     preempt::PreemptGuard,
///     rcu::{Held, RcuBox},
/// };
///
/// // Beside the definition of the lock: batch_lock!(LOCK);
/// let cells: [BatchCell<u32, LOCK>; 2] = [BatchCell::empty(), BatchCell::empty()];
///
/// let mut lock = LOCK.lock();
/// let mut held = Held::new(&mut lock);
/// for cell in &cells {
///     assert!(cell.replace(Some(RcuBox::new(7)?), &mut held).is_none());
///     cell.mark(&mut held);
///     assert_eq!(cell.load(&PreemptGuard::new()), Some(&7));
/// }
/// let (emptied, (), done) = empty_batch(&mut held, |_held| ())?;
/// done?;
/// for cell in &cells {
///     assert_eq!(cell.load(&PreemptGuard::new()), None);
///     let value = cell.take(&emptied, &mut held);
///     // No reader uses it.
///     assert_eq!(value.map(|value| **value), Some(7));
/// }
/// # Ok::<(), Error>(())
/// ```
pub(crate) struct BatchCell<T: Send + Sync + 'static, B: BatchLock> {
    ptr: Atomic<*mut RcuBox<T>>,
    _owns: PhantomData<RcuOwned<T>>,
    _lock: PhantomData<fn(B)>,
}

impl<T: Send + Sync, B: BatchLock> BatchCell<T, B> {
    /// Where the pointer to the value's [`RcuBox`] is, whose last three bits are not part of it.
    pub(crate) const PTR: usize = offset_of!(Self, ptr);

    /// Creates a cell without a value.
    pub(crate) const fn empty() -> Self {
        const {
            assert!(align_of::<RcuBox<T>>() > TAG);
        }
        // INVARIANT: `ptr` is null and has `MARK`.
        Self {
            ptr: Atomic::new(ptr::without_provenance_mut(MARK)),
            _owns: PhantomData,
            _lock: PhantomData,
        }
    }

    /// Returns the value, as `rcu_dereference()`; [`None`] if there is none, or the cell's batch was
    /// emptied.
    ///
    /// Context: Any, NMI included.
    #[inline]
    pub(crate) fn load<'g>(&'g self, _guard: &'g PreemptGuard) -> Option<&'g T> {
        let ptr = load_acquire(&self.ptr);
        if ptr.addr() & MARK != 0 {
            // SAFETY: `ptr` was loaded under the guard, which is held during `'g`.
            return unsafe { Self::marked(ptr) };
        }
        // SAFETY: By the type invariants, `ptr` is valid. It is not freed before the guard is dropped:
        // neither by `Retired`, nor after `empty_batch()`, which waits for the guard.
        Some(unsafe { &*ptr })
    }

    /// Returns the value of a cell that has [`MARK`], as [`BatchCell::load`].
    ///
    /// # Safety
    ///
    /// `ptr` must be what a cell had, and the caller must keep preemption disabled from before it was
    /// loaded until the end of `'g`.
    #[cold]
    unsafe fn marked<'g>(ptr: *mut RcuBox<T>) -> Option<&'g T> {
        // By the invariants of `Batches`, this reader has seen one batch emptied at most since it
        // loaded `ptr`: another number is that of a batch that was emptied.
        let next = load_relaxed(&B::batches().last).wrapping_add(1);
        if ptr.addr() & NUMBER != number(next) {
            return None;
        }
        // SAFETY: By the type invariants, the address is null or valid. As the batch was not emptied
        // when the reader was there already, `empty_batch()` waits for it.
        unsafe { ptr.map_addr(|addr| addr & !TAG).as_ref() }.map(|b| &**b)
    }

    /// Returns the pointer without its tag.
    fn ptr(&self) -> *mut RcuBox<T> {
        load_relaxed(&self.ptr).map_addr(|addr| addr & !TAG)
    }

    /// Returns the value to a holder of the lock, marked or not, as `rcu_dereference_protected()`.
    pub(crate) fn load_held<'h>(&'h self, _held: &'h Held<'_, B>) -> Option<&'h T> {
        // SAFETY: By the type invariants, the pointer is null or valid. What replaces or takes the
        // value needs `_held` exclusively.
        unsafe { self.ptr().as_ref() }.map(|b| &**b)
    }

    /// Stores a pointer, null or owned, and returns the one before.
    fn exchange(&self, new: *mut RcuBox<T>) -> Option<NonNull<RcuBox<T>>> {
        let old = self.ptr();
        let new = match new.is_null() {
            true => new.map_addr(|addr| addr | MARK),
            false => new,
        };
        // INVARIANT: The new pointer has `MARK` if it is null.
        self.ptr.store(new, Release);
        NonNull::new(old)
    }

    /// Publishes `new`, as `rcu_replace_pointer()`, and returns the old value. The cell is not marked
    /// then.
    pub(crate) fn replace(
        &self,
        new: Option<RcuOwned<T>>,
        _held: &mut Held<'_, B>,
    ) -> Option<Retired<T>> {
        let old = self.exchange(new.map_or(ptr::null_mut(), RcuBox::into_raw));
        // SAFETY: By the type invariants, `old` came from `into_raw()` and was owned by the cell. `_held`
        // excludes other writers. The new pointer has unpublished it.
        old.map(|old| unsafe { Retired::new(old) })
    }

    /// Marks the cell for the next [`empty_batch()`].
    ///
    /// Until then, a reader finds the value.
    pub(crate) fn mark(&self, _held: &mut Held<'_, B>) {
        let next = load_relaxed(&B::batches().last).wrapping_add(1);
        let ptr = self.ptr();
        if !ptr.is_null() {
            // INVARIANT: The cell belongs to the next batch.
            self.ptr
                .store(ptr.map_addr(|addr| addr | MARK | number(next)), Release);
        }
    }

    /// Takes the value out of a cell of the batch that was emptied last, as `emptied` proves; [`None`]
    /// if it belongs to no such batch.
    pub(crate) fn take(
        &self,
        emptied: &Emptied<B>,
        _held: &mut Held<'_, B>,
    ) -> Option<RcuOwned<T>> {
        let tag = load_relaxed(&self.ptr).addr() & TAG;
        let last = load_relaxed(&B::batches().last);
        if emptied.0 != last || tag != MARK | number(last) {
            return None;
        }
        let ptr = self.exchange(ptr::null_mut())?;
        // SAFETY: By the type invariants, the pointer came from `into_raw()` and was owned by the cell.
        // `_held` excludes other writers. The batch was emptied, so by the invariants of `Emptied` no
        // reader uses the value or finds it.
        Some(unsafe { RcuBox::from_raw(ptr.as_ptr()) })
    }
}

impl<T: Send + Sync, B: BatchLock> Drop for BatchCell<T, B> {
    fn drop(&mut self) {
        if let Some(ptr) = NonNull::new(self.ptr()) {
            // SAFETY: By the type invariants, the pointer came from `into_raw()` and is owned by the cell.
            // Readers borrow the cell, so there are none.
            drop(unsafe { RcuBox::from_raw(ptr.as_ptr()) });
        }
    }
}
