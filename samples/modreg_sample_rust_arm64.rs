// SPDX-License-Identifier: GPL-2.0

//! The code of `modreg_sample_rust` for arm64.

use core::arch::global_asm;
use kernel::bindings;

// `hint 34` is `bti c`.
global_asm! {
    ".pushsection .text, \"ax\", %progbits",
    ".globl sample_rust_text, sample_rust_add, sample_rust_peek, sample_rust_text_end",
    "sample_rust_text:",
    ".type sample_rust_add, %function",
    "sample_rust_add:",
    "   hint 34",
    "   adrp x1, sample_rust_step",
    "   ldrsw x1, [x1, :lo12:sample_rust_step]",
    "   ldr x0, [x0]",
    "   add x0, x0, x1",
    "   ret",
    ".size sample_rust_add, . - sample_rust_add",
    ".type sample_rust_peek, %function",
    "sample_rust_peek:",
    "   hint 34",
    "   mov x2, x0",
    "   mov x0, x1",
    "1: ldr x0, [x2]",
    "2: ret",
    ".size sample_rust_peek, . - sample_rust_peek",
    "sample_rust_text_end:",
    ".popsection",

    // As `_ASM_EXTABLE_KACCESS(1b, 2b)`: a fault of the instruction at 1 continues at 2. Register 31,
    // for the error and the zero, stands for none.
    ".pushsection __ex_table, \"a\"",
    ".balign 4",
    ".long 1b - ., 2b - .",
    ".short {EX_TYPE_KACCESS_ERR_ZERO}, 31 | (31 << 5)",
    ".popsection",

    ".pushsection .text, \"ax\", %progbits",
    ".globl sample_rust_init_text, sample_rust_start, sample_rust_init_text_end",
    "sample_rust_init_text:",
    ".type sample_rust_start, %function",
    "sample_rust_start:",
    "   hint 34",
    "   mov w0, wzr",
    "   ret",
    ".size sample_rust_start, . - sample_rust_start",
    "sample_rust_init_text_end:",
    ".popsection",
    EX_TYPE_KACCESS_ERR_ZERO = const bindings::EX_TYPE_KACCESS_ERR_ZERO,
}
