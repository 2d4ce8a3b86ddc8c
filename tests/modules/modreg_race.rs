// SPDX-License-Identifier: GPL-2.0

//! Two kernel threads that race: what KCSAN has to report, where it watches Rust.
//!
//! For five seconds of the module's init one thread writes what the other reads. With `marked=1`
//! their accesses are atomic, which is no data race.

use kernel::{
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc,
        Completion, //
    },
    time::{
        Delta,
        Instant,
        Monotonic, //
    },
    workqueue, //
};

module! {
    type: Race,
    name: "modreg_race",
    authors: ["The modreg developers"],
    description: "A data race for KCSAN to find",
    license: "GPL",
    params: {
        marked: u8 {
            default: 0,
            description: "1 for atomic accesses",
        },
    },
}

static SHARED: Atomic<u64> = Atomic::new(0);

#[inline(never)]
fn plain_write(n: u64) {
    // SAFETY: The number is a static. That this is a race is what it is for.
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

/// Starts a thread that calls `f` with ever new numbers for a while.
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

struct Race;

impl kernel::Module for Race {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        let marked = module_parameters::marked.value() != 0;
        let (write, read): (fn(u64), fn() -> u64) = if marked {
            (atomic_write, atomic_read)
        } else {
            (plain_write, plain_read)
        };
        let writer = start(write)?;
        let reader = start(move |_| {
            core::hint::black_box(read());
        });
        writer.wait_for_completion();
        reader?.wait_for_completion();
        Ok(Self)
    }
}
