// SPDX-License-Identifier: GPL-2.0

//! A plugin in Rust with two functions, a page of data and start-up code.
//!
//! The assembler makes them, for each architecture in a file of its own; `modreg_sample_jit.c` makes
//! such code at run time.

mod modreg;
#[cfg(CONFIG_ARM64)]
mod modreg_sample_rust_arm64;
#[cfg(CONFIG_X86_64)]
mod modreg_sample_rust_x86;

use kernel::{
    prelude::*,
    str::CString,
    sync::atomic::{
        Atomic,
        Relaxed, //
    },
};
use modreg::{
    Builder,
    Param,
    Region,
    Registration,
    Symbol, //
};

module! {
    type: SampleModule,
    name: "modreg_sample_rust",
    authors: ["The modreg developers"],
    description: "A modreg plugin in Rust",
    license: "GPL",
    params: {
        step: i32 {
            default: 1,
            description: "the plugin's parameter of that name",
        },
    },
}

/// The data region, whose first word is the plugin's parameter.
#[repr(C, align(4096))]
struct Page {
    step: Atomic<i32>,
    rest: [u8; 4092],
}

#[no_mangle]
static sample_rust_step: Page = Page {
    step: Atomic::new(1),
    rest: [0; 4092],
};

extern "C" {
    static sample_rust_text: u8;
    static sample_rust_text_end: u8;
    static sample_rust_init_text: u8;
    static sample_rust_init_text_end: u8;

    /// Returns `*p + step`; a bad `p` is an oops.
    fn sample_rust_add(p: *const c_long) -> c_long;
    /// Returns `*p`, or `otherwise` if `p` is bad.
    fn sample_rust_peek(p: *const c_long, otherwise: c_long) -> c_long;
    /// Start-up code, called once.
    fn sample_rust_start() -> c_int;
}

struct Sample;

impl modreg::Plugin for Sample {
    fn init(&self) -> Result {
        // The plugin is visible now, and its arguments are parsed.
        pr_info!("init, step {}\n", sample_rust_step.step.load(Relaxed));
        // SAFETY: The start-up code has no requirements.
        kernel::error::to_result(unsafe { sample_rust_start() })
    }

    fn exit(&self) {
        pr_info!("exit\n");
    }
}

struct SampleModule {
    _plugin: Registration<Sample>,
}

impl kernel::Module for SampleModule {
    fn init(module: &'static ThisModule) -> Result<Self> {
        let args = CString::try_from_fmt(fmt!("step={}", module_parameters::step.value()))?;
        let addr = |label: *const u8| label as usize;
        let step = addr((&raw const sample_rust_step).cast());
        let text = addr(&raw const sample_rust_text)..addr(&raw const sample_rust_text_end);
        let init =
            addr(&raw const sample_rust_init_text)..addr(&raw const sample_rust_init_text_end);

        // modreg copies all of this except the exception entry, the only one of this module.
        let plugin = Builder::new(c"sample_rust", module)
            .regions(&[
                // SAFETY: It is code of this module.
                unsafe { Region::text(text) },
                Region::data(step..step.wrapping_add(size_of::<Page>())),
                // No reader finds this once the plugin is LIVE, and the memory may be reused.
                // SAFETY: Until then it is code of this module.
                unsafe { Region::text(init) }.init(),
            ])
            .symbols(&[
                Symbol::new(c"sample_rust_add", sample_rust_add as *const () as usize).export_gpl(),
                Symbol::new(c"sample_rust_peek", sample_rust_peek as *const () as usize),
                Symbol::new(c"sample_rust_step", step),
                Symbol::new(
                    c"sample_rust_start",
                    sample_rust_start as *const () as usize,
                ),
            ])
            .exceptions(modreg::exceptions_of(module))
            .params(&[Param::int(c"step", &sample_rust_step.step)])
            .args(&args)
            .register(KBox::new(Sample, GFP_KERNEL)?)?;
        Ok(Self { _plugin: plugin })
    }
}
