// SPDX-License-Identifier: GPL-2.0

//! Reference-counted values that RCU frees.
//!
//! C headers: [`include/linux/refcount.h`](srctree/include/linux/refcount.h),
//! [`include/linux/rcupdate.h`](srctree/include/linux/rcupdate.h)
//!
//! If only owners of a reference have pointers to the value, use [`Arc`](kernel::sync::Arc), which
//! frees the value at once, in the thread that drops the last reference.

use super::{
    atomic::{
        load_acquire,
        load_relaxed, //
    },
    cstr::StrTab,
    preempt::PreemptGuard,
    rcu::{
        call_rcu,
        end_callback,
        Held, //
    },
    tailed::{
        Tail,
        Tailed, //
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
        aref::{
            ARef,
            AlwaysRefCounted, //
        },
        atomic::{
            Atomic,
            Relaxed,
            Release, //
        },
        GlobalLockBackend,
        Refcount, //
    },
    types::Opaque, //
};

/// A reference to a value that RCU frees; see [`RcuCounted`].
pub(crate) type RcuRef<T> = ARef<RcuCounted<T>>;

/// A reference-counted value that is freed a grace period after the last reference is dropped.
///
/// A read-side critical section of RCU, or a region with preemption disabled, that began while there
/// was a reference may use a pointer to the value, or into it, without a reference.
///
/// The last reference may be dropped in any context but an NMI. On `PREEMPT_RT` memory must not be freed under
/// a [`PreemptGuard`] or while the machine is stopped.
///
/// # Invariants
///
/// - Each instance was allocated by [`RcuCounted::new`] or [`RcuCounted::with_tail`], so `T` is [`Send`]
///   and `'static`.
/// - `refs` is the number of references, and 0 only once `head` was handed to `call_rcu()`.
/// - `links` belongs to a [`CountedList`](super::counted_list::CountedList). Both pointers are null
///   before it is on one, and the one back is after it was removed.
///
/// # Examples
///
/// ```
/// let seven: RcuRef<u32> = RcuCounted::new(7)?;
/// let again = seven.clone();
/// drop(seven);
/// assert_eq!(**again, 7);
/// // Frees the value after a grace period.
/// drop(again);
/// # Ok::<(), Error>(())
/// ```
#[repr(C)]
pub(crate) struct RcuCounted<T> {
    refs: Refcount,
    head: Opaque<bindings::callback_head>,
    links: Opaque<bindings::list_head>,
    value: T,
}

impl<T> RcuCounted<T> {
    /// Where the value is.
    pub(crate) const VALUE: usize = offset_of!(Self, value);
    /// Where its links are.
    pub(crate) const LINKS: usize = offset_of!(Self, links);

    /// Allocates a value with one reference.
    ///
    /// # Errors
    ///
    /// [`AllocError`] if out of memory.
    ///
    /// Context: May sleep.
    pub(crate) fn new(value: T) -> Result<RcuRef<T>, AllocError>
    where
        T: Send + 'static,
    {
        // INVARIANT: `refs` is 1, for the reference that is returned. `links` is on no list.
        let new = Self {
            refs: Refcount::new(1),
            head: Opaque::uninit(),
            links: Opaque::zeroed(),
            value,
        };
        let ptr = KBox::into_raw(KBox::new(new, GFP_KERNEL)?);
        // SAFETY: `ptr` comes from a box and is not null. The reference that `refs` counts is the
        // one that is created here.
        Ok(unsafe { ARef::from_raw(NonNull::new_unchecked(ptr)) })
    }

    /// Returns the counted value whose value `value` points to, as `container_of()`.
    ///
    /// # Safety
    ///
    /// `value` must point to the value of an `RcuCounted<T>` that is not freed during `'a`, and lead to all of
    /// that, as what `container_of()` is given.
    pub(crate) unsafe fn from_value<'a>(value: *const T) -> &'a Self {
        // SAFETY: By the safety requirements, `value` lies in an `RcuCounted<T>`, which is not freed.
        unsafe { &*value.wrapping_byte_sub(Self::VALUE).cast() }
    }
}

impl<T, E: Copy> RcuCounted<Tailed<T, E>> {
    /// Allocates a value, with a tail of `elements` and `strings`, with one reference.
    ///
    /// # Examples
    ///
    /// ```
    /// use crate::primitives::cstr::StrTab;
    ///
    /// let primes = RcuCounted::with_tail(4, &[2_u32, 3, 5, 7], StrTab::empty())?;
    /// assert_eq!(primes.elements().len(), ***primes);
    /// # Ok::<(), Error>(())
    /// ```
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
    ) -> Result<RcuRef<Tailed<T, E>>, AllocError>
    where
        T: Send + 'static,
        E: Send + 'static,
    {
        let tail = Tail::new(elements, strings)?;
        let new = tail.alloc::<Self>()?;
        let ptr = new.as_ptr();
        // INVARIANT: `refs` is 1, for the reference that is returned. `links` is on no list.
        // SAFETY: `tail` has allocated `ptr`, with room for itself behind the counted value, whose last member
        // is `value`. `head` is used by RCU alone, so all of it is initialized. References move nothing. The
        // one that `refs` counts is created here.
        unsafe {
            (&raw mut (*ptr).refs).write(Refcount::new(1));
            (&raw mut (*ptr).links).write(Opaque::zeroed());
            tail.write(value, &raw mut (*ptr).value);
            Ok(ARef::from_raw(new))
        }
    }
}

impl<T> RcuCounted<T> {
    /// Returns the links, for the list.
    pub(super) fn list_links(&self) -> &Opaque<bindings::list_head> {
        &self.links
    }

    /// Takes a reference, unless the last one was dropped, as `refcount_inc_not_zero()`.
    ///
    /// Context: Any, but NMI, where the reference could not be dropped.
    pub(crate) fn try_ref(&self) -> Option<RcuRef<T>> {
        let refs = self.refs.as_atomic();
        let mut now = refs.load(Relaxed);
        // A saturated count is negative, and stays so.
        while now > 0 && now != i32::MAX {
            match refs.cmpxchg(now, now.wrapping_add(1), Relaxed) {
                // INVARIANT: `refs` counts the reference that is returned.
                // SAFETY: `self` is allocated by the type invariants, and the reference is counted.
                Ok(_) => return Some(unsafe { ARef::from_raw(NonNull::from(self)) }),
                Err(changed) => now = changed,
            }
        }
        None
    }
}

impl<T> Deref for RcuCounted<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.value
    }
}

// SAFETY: `value` is `Send`, `refs` is atomic, `head` is used by RCU alone, and `links` under a lock.
unsafe impl<T: Send> Send for RcuCounted<T> {}

// SAFETY: A shared reference gives access to `value`, which is `Sync`, and to the atomic `refs`; to
// `links` only where its list's lock is held.
unsafe impl<T: Send + Sync> Sync for RcuCounted<T> {}

// SAFETY: `refs` counts the references, and the value is not freed while it is above 0. By the type
// invariants each instance is allocated and counted.
unsafe impl<T> AlwaysRefCounted for RcuCounted<T> {
    fn inc_ref(&self) {
        self.refs.inc();
    }

    unsafe fn dec_ref(obj: NonNull<Self>) {
        /// # Safety
        ///
        /// `head` must be that of an `RcuCounted<T>` whose last reference was dropped, and that
        /// neither a reference nor a reader uses.
        unsafe extern "C" fn free<T>(head: *mut bindings::callback_head) {
            let this = head
                .wrapping_byte_sub(offset_of!(RcuCounted<T>, head))
                .cast::<RcuCounted<T>>();
            // SAFETY: By the type invariants, `this` came from a `KBox`, or is memory of its allocator that is
            // large enough; `Kmalloc` frees by `kfree()`, which takes no size. By the safety requirements, no
            // reference and no reader uses it.
            drop(unsafe { KBox::from_raw(this) });
            end_callback();
        }

        // SAFETY: By the safety requirements the caller has a reference, so `obj` is valid.
        if unsafe { obj.as_ref() }.refs.dec_and_test() {
            let head = obj
                .as_ptr()
                .wrapping_byte_add(offset_of!(Self, head))
                .cast::<bindings::callback_head>();
            // INVARIANT: `refs` is 0, and `head` is handed to RCU.
            // SAFETY: `head` lies in the allocation, which the last reference owned. RCU calls
            // `free()` once no reader can use it. By the type invariants any context may drop `T`.
            unsafe { call_rcu(head, free::<T>) };
        }
    }
}

/// A place for a reference to a value, which readers follow, written under the global lock `B`.
///
/// # Invariants
///
/// `ptr` is null, or a pointer to an [`RcuCounted`] to which this owns a reference.
///
/// # Examples
///
/// ```
/// use crate::primitives::{preempt::PreemptGuard, rcu::Held};
///
/// static SLOT: RcuSlot<u32, LOCK> = RcuSlot::empty();
///
/// let seven = RcuCounted::new(7)?;
/// let mut lock = LOCK.lock();
/// let _none = SLOT.replace(Some(seven), &mut Held::new(&mut lock));
///
/// let guard = PreemptGuard::new();
/// assert_eq!(SLOT.load(&guard), Some(&7));
/// drop(guard);
///
/// drop(SLOT.replace(None, &mut Held::new(&mut lock)));
/// # Ok::<(), Error>(())
/// ```
pub(crate) struct RcuSlot<T: Send + Sync + 'static, B: GlobalLockBackend> {
    ptr: Atomic<*mut RcuCounted<T>>,
    _owns: PhantomData<RcuRef<T>>,
    _lock: PhantomData<fn(B)>,
}

impl<T: Send + Sync, B: GlobalLockBackend> RcuSlot<T, B> {
    /// Creates an empty slot.
    pub(crate) const fn empty() -> Self {
        // INVARIANT: The pointer is null.
        Self {
            ptr: Atomic::new(ptr::null_mut()),
            _owns: PhantomData,
            _lock: PhantomData,
        }
    }

    /// Returns the value, as `rcu_dereference()`.
    ///
    /// Context: Any, NMI included.
    #[inline]
    pub(crate) fn load<'g>(&'g self, _guard: &'g PreemptGuard) -> Option<&'g T> {
        // SAFETY: By the type invariants, the pointer is null or valid. A value whose last reference
        // is dropped is freed after `_guard` is.
        unsafe { load_acquire(&self.ptr).as_ref() }.map(|counted| &**counted)
    }

    /// Returns a reference to the value, unless its last one was dropped.
    ///
    /// Context: Any, but NMI.
    pub(crate) fn load_ref(&self, _guard: &PreemptGuard) -> Option<RcuRef<T>> {
        // SAFETY: As in `load()`.
        unsafe { load_acquire(&self.ptr).as_ref() }.and_then(RcuCounted::try_ref)
    }

    /// Publishes a reference, as `rcu_replace_pointer()`, and returns the one before.
    ///
    /// Context: Any, with the lock held.
    pub(crate) fn replace(
        &self,
        new: Option<RcuRef<T>>,
        _held: &mut Held<'_, B>,
    ) -> Option<RcuRef<T>> {
        let old = load_relaxed(&self.ptr);
        let new = new.map_or(ptr::null_mut(), |new| ARef::into_raw(new).as_ptr());
        // INVARIANT: The slot owns the reference to `new`.
        self.ptr.store(new, Release);
        // SAFETY: By the type invariants, the slot owned a reference to `old`. `_held` proves that
        // nothing else takes it.
        NonNull::new(old).map(|old| unsafe { ARef::from_raw(old) })
    }
}

impl<T: Send + Sync, B: GlobalLockBackend> Drop for RcuSlot<T, B> {
    fn drop(&mut self) {
        if let Some(ptr) = NonNull::new(*self.ptr.get_mut()) {
            // SAFETY: By the type invariants, the slot owns a reference.
            drop(unsafe { ARef::from_raw(ptr) });
        }
    }
}
