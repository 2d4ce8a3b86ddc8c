// SPDX-License-Identifier: GPL-2.0

//! Tests of `include/modreg/`, the Rust wrapper: ownership, and what a drop does.
//!
//! Each file in `/sys/kernel/debug/test_modreg_rust` is a case: a write runs it. The write fails if a
//! check does, and the log says which.

mod modreg;

use kernel::{
    debugfs::{
        Dir,
        File, //
    },
    prelude::*,
    sync::atomic::{
        Atomic,
        Relaxed, //
    },
    time::{
        delay::fsleep,
        Delta, //
    },
    uaccess::UserSliceReader,
    workqueue,
    InPlaceModule, //
};
use modreg::{
    Builder,
    Param,
    Pinned,
    Region,
    Registration,
    Symbol, //
};

module! {
    type: TestModule,
    name: "test_modreg_rust",
    authors: ["The modreg developers"],
    description: "Tests of modreg's Rust wrapper",
    license: "GPL",
}

/// Addresses that nothing else has.
static ROOM: [u8; 64] = [0; 64];

static INITS: Atomic<i32> = Atomic::new(0);
static EXITS: Atomic<i32> = Atomic::new(0);
static DROPS: Atomic<i32> = Atomic::new(0);
static NUMBER: Atomic<i32> = Atomic::new(0);
static RELEASED: Atomic<i32> = Atomic::new(0);

/// A plugin that counts what happens to it.
struct Counted {
    fails: bool,
}

impl modreg::Plugin for Counted {
    fn init(&self) -> Result {
        INITS.fetch_add(1, Relaxed);
        if self.fails {
            return Err(ENOSPC);
        }
        Ok(())
    }

    fn exit(&self) {
        EXITS.fetch_add(1, Relaxed);
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        DROPS.fetch_add(1, Relaxed);
    }
}

/// Returns how often init and exit were called and data was dropped since the last call.
fn seen() -> (i32, i32, i32) {
    (
        INITS.xchg(0, Relaxed),
        EXITS.xchg(0, Relaxed),
        DROPS.xchg(0, Relaxed),
    )
}

fn room() -> usize {
    (&raw const ROOM).addr()
}

fn register(
    name: &CStr,
    args: &CStr,
    fails: bool,
    module: &'static ThisModule,
) -> Result<Registration<Counted>> {
    Builder::new(name, module)
        // SAFETY: It is memory of this module.
        .regions(&[unsafe { Region::text(room()..room().wrapping_add(ROOM.len())) }])
        .symbols(&[
            Symbol::new(c"wrapped", room().wrapping_add(16)).export_gpl(),
            Symbol::new(c"weak", room().wrapping_add(32)).letter(b'w'),
        ])
        .params(&[Param::int(c"number", &NUMBER)])
        .args(args)
        .register(KBox::new(Counted { fails }, GFP_KERNEL)?)
}

macro_rules! check {
    ($cond:expr) => {
        if !$cond {
            pr_err!("failed: line {}: {}\n", line!(), stringify!($cond));
            return Err(EIO);
        }
    };
}

/// A dropped registration unregisters the plugin and drops its data.
fn dropped(module: &&'static ThisModule, _: &mut UserSliceReader) -> Result {
    let plugin = register(c"test_rust", c"number=7", false, module)?;
    check!(NUMBER.load(Relaxed) == 7);
    check!(!plugin.fails);
    check!(seen() == (1, 0, 0));
    drop(plugin);
    check!(seen() == (0, 1, 1));
    check!(Pinned::find(c"wrapped").is_none());
    Ok(())
}

/// A refused registration leaves nothing behind and drops its data.
fn refused(module: &&'static ThisModule, _: &mut UserSliceReader) -> Result {
    let error = register(c"test_rust", c"", true, module).err();
    check!(error == Some(ENOSPC));
    check!(seen() == (1, 0, 1));
    let error = register(c"test_rust", c"other=7", false, module).err();
    check!(error == Some(ENOENT));
    check!(seen() == (0, 0, 1));
    let error = register(c"", c"", false, module).err();
    check!(error == Some(EINVAL));
    check!(seen() == (0, 0, 1));

    let plugin = register(c"test_rust", c"", false, module)?;
    check!(seen() == (1, 0, 0));
    for name in [c"test_rust", c"other"] {
        // The name is taken, then the region.
        let error = register(name, c"", false, module).err();
        check!(error == Some(EEXIST));
        check!(seen() == (0, 0, 1));
    }
    drop(plugin);
    check!(seen() == (0, 1, 1));

    let error = Builder::new(c"test_rust", module)
        .register(KBox::new((), GFP_KERNEL)?)
        .err();
    check!(error == Some(EINVAL));
    Ok(())
}

/// A refused unregistration returns the registration.
fn busy(module: &&'static ThisModule, _: &mut UserSliceReader) -> Result {
    let plugin = register(c"test_rust", c"", false, module)?;
    let pinned = Pinned::find(c"wrapped").ok_or(ENOENT)?;
    check!(pinned.value() == room().wrapping_add(16));
    check!(pinned.plugin() == c"test_rust");
    check!(Pinned::find(c"weak").is_none());
    check!(seen() == (1, 0, 0));

    let Err((error, plugin)) = plugin.unregister() else {
        return Err(EIO);
    };
    check!(error == EBUSY);
    check!(!plugin.fails);
    check!(seen() == (0, 0, 0));

    drop(pinned);
    let data = plugin.unregister().map_err(|(error, _)| error)?;
    check!(seen() == (0, 1, 0));
    drop(data);
    check!(seen() == (0, 0, 1));
    Ok(())
}

/// A drop waits for the last reference to the plugin.
fn waits(module: &&'static ThisModule, _: &mut UserSliceReader) -> Result {
    let plugin = register(c"test_rust", c"", false, module)?;
    let pinned = Pinned::find(c"wrapped").ok_or(ENOENT)?;
    RELEASED.store(0, Relaxed);
    workqueue::system().try_spawn(GFP_KERNEL, move || {
        fsleep(Delta::from_millis(50));
        RELEASED.store(1, Relaxed);
        drop(pinned);
    })?;
    drop(plugin);
    check!(RELEASED.load(Relaxed) == 1);
    check!(seen() == (1, 1, 1));
    // Lets the worker leave this module's code.
    fsleep(Delta::from_millis(50));
    Ok(())
}

#[pin_data]
struct TestModule {
    _dir: Dir,
    #[pin]
    dropped: File<&'static ThisModule>,
    #[pin]
    refused: File<&'static ThisModule>,
    #[pin]
    busy: File<&'static ThisModule>,
    #[pin]
    waits: File<&'static ThisModule>,
}

impl InPlaceModule for TestModule {
    fn init(module: &'static ThisModule) -> impl PinInit<Self, Error> {
        let dir = Dir::new(c"test_modreg_rust");
        try_pin_init!(Self {
            dropped <- dir.write_callback_file(c"dropped", module, &dropped),
            refused <- dir.write_callback_file(c"refused", module, &refused),
            busy <- dir.write_callback_file(c"busy", module, &busy),
            waits <- dir.write_callback_file(c"waits", module, &waits),
            _dir: dir,
        })
    }
}
