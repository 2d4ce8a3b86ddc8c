/* SPDX-License-Identifier: GPL-2.0 */
/* A module of nothing but symbols, SYMBOLS of them, 16 bytes apart. */

	.section .modinfo, "a"
	.asciz "license=GPL"
	.asciz "description=Symbols to look up"

	.altmacro
	.macro symbol of, number
modreg_symbols_\of\()_function_\number:
	.skip 16
	.endm

	.data
	.balign 16
	.set i, 0
	.rept SYMBOLS
	.set i, i + 1
	symbol SYMBOLS, %i
	.endr
