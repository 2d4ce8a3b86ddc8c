/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A module that exports a little. guest.py loads it many times, each time with another number in
 * the place of the zeroes in its names.
 */

#include <linux/export.h>
#include <linux/linkage.h>

	.section .modinfo, "a"
	.asciz "license=GPL"
	.asciz "description=Exports to look up"

#define EXPORTED(number)				\
	.globl modreg_exports_000_##number ASM_NL	\
modreg_exports_000_##number: ASM_NL			\
	.long number ASM_NL				\
	EXPORT_SYMBOL_GPL(modreg_exports_000_##number)

	.data
	.balign 4
EXPORTED(0)
EXPORTED(1)
EXPORTED(2)
EXPORTED(3)
EXPORTED(4)
EXPORTED(5)
EXPORTED(6)
EXPORTED(7)
