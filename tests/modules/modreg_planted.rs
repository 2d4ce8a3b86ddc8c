// SPDX-License-Identifier: GPL-2.0

//! Planted faults in Rust, one for each load: a negative control for the kernel's checkers. Their
//! silence about modreg means something only if they report these.

use core::hint::black_box;
use kernel::{
    new_spinlock,
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc,
        Completion,
        SpinLock, //
    },
    time::{
        delay::fsleep,
        Delta,
        Instant,
        Monotonic, //
    },
    workqueue, //
};

module! {
    type: Planted,
    name: "modreg_planted",
    authors: ["The modreg developers"],
    description: "Faults for the kernel's checkers to find",
    license: "GPL",
    params: {
        fault: u8 {
            default: 0,
            description: "0: atomic accesses, 1: data race, 2: use after free, 3: leak, 4: sleeping under a spinlock",
        },
    },
}

static SHARED: Atomic<u64> = Atomic::new(0);

#[inline(never)]
fn plain_write(n: u64) {
    // SAFETY: The number is a static. The race is on purpose.
    unsafe { *SHARED.as_ptr() = n };
}

#[inline(never)]
fn plain_read() -> u64 {
    // SAFETY: As above.
    unsafe { *SHARED.as_ptr() }
}

fn atomic_write(n: u64) {
    SHARED.store(n, Relaxed);
}

fn atomic_read() -> u64 {
    SHARED.load(Relaxed)
}

/// Starts a thread that calls `f` with increasing numbers for five seconds.
fn start(f: impl Fn(u64) + Send + 'static) -> Result<Arc<Completion>> {
    let done = Arc::pin_init(Completion::new(), GFP_KERNEL)?;
    let ours = done.clone();
    workqueue::system_unbound().try_spawn(GFP_KERNEL, move || {
        let begin = Instant::<Monotonic>::now();
        let mut n = 0;
        while begin.elapsed() < Delta::from_secs(5) {
            for _ in 0..1000 {
                f(n);
                n = n.wrapping_add(1);
            }
        }
        ours.complete_all();
    })?;
    Ok(done)
}

/// Lets one kernel thread write what another reads.
fn race(write: fn(u64), read: fn() -> u64) -> Result {
    let writer = start(write)?;
    let reader = start(move |_| {
        black_box(read());
    });
    writer.wait_for_completion();
    reader?.wait_for_completion();
    Ok(())
}

#[inline(never)]
fn use_after_free() -> Result {
    let number = KBox::new(7_u64, GFP_KERNEL)?;
    let ptr = &raw const *number;
    drop(number);
    // SAFETY: None: the memory is freed. The fault is on purpose.
    black_box(unsafe { ptr.read_volatile() });
    Ok(())
}

#[inline(never)]
fn leak() -> Result {
    // Several: a pointer to the last may still be in a register.
    for n in 0..10_u64 {
        core::mem::forget(black_box(KBox::new([n; 16], GFP_KERNEL)?));
    }
    Ok(())
}

#[inline(never)]
fn sleep_under_spinlock() -> Result {
    let lock: Pin<KBox<SpinLock<()>>> = KBox::pin_init(new_spinlock!(()), GFP_KERNEL)?;
    let guard = lock.lock();
    fsleep(Delta::from_millis(1));
    drop(guard);
    Ok(())
}

struct Planted;

impl kernel::Module for Planted {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        match module_parameters::fault.value() {
            0 => race(atomic_write, atomic_read),
            1 => race(plain_write, plain_read),
            2 => use_after_free(),
            3 => leak(),
            4 => sleep_under_spinlock(),
            _ => Err(EINVAL),
        }?;
        Ok(Self)
    }
}
