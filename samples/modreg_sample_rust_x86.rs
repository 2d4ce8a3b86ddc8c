// SPDX-License-Identifier: GPL-2.0

//! The code of `modreg_sample_rust` for x86-64.

use core::arch::global_asm;
use kernel::bindings;

/// Returns from a function, as `ASM_RET`.
#[cfg(CONFIG_MITIGATION_RETHUNK)]
macro_rules! ret {
    () => {
        "jmp __x86_return_thunk"
    };
}

#[cfg(not(CONFIG_MITIGATION_RETHUNK))]
macro_rules! ret {
    () => {
        "ret; int3"
    };
}

global_asm! {
    ".pushsection .text, \"ax\", @progbits",
    ".globl sample_rust_text, sample_rust_add, sample_rust_peek, sample_rust_text_end",
    "sample_rust_text:",
    ".type sample_rust_add, @function",
    "sample_rust_add:",
    "   endbr64",
    "   movslq sample_rust_step(%rip), %rax",
    "   addq (%rdi), %rax",
    ret!(),
    ".size sample_rust_add, . - sample_rust_add",
    ".type sample_rust_peek, @function",
    "sample_rust_peek:",
    "   endbr64",
    "   movq %rsi, %rax",
    "1: movq (%rdi), %rax",
    "2:",
    ret!(),
    ".size sample_rust_peek, . - sample_rust_peek",
    "sample_rust_text_end:",
    ".popsection",

    // As `_ASM_EXTABLE(1b, 2b)`: a fault of the instruction at 1 continues at 2.
    ".pushsection __ex_table, \"a\"",
    ".balign 4",
    ".long 1b - ., 2b - ., {EX_TYPE_DEFAULT}",
    ".popsection",

    ".pushsection .text, \"ax\", @progbits",
    ".globl sample_rust_init_text, sample_rust_start, sample_rust_init_text_end",
    "sample_rust_init_text:",
    ".type sample_rust_start, @function",
    "sample_rust_start:",
    "   endbr64",
    "   xorl %eax, %eax",
    ret!(),
    ".size sample_rust_start, . - sample_rust_start",
    "sample_rust_init_text_end:",
    ".popsection",
    EX_TYPE_DEFAULT = const bindings::EX_TYPE_DEFAULT,
    options(att_syntax),
}
