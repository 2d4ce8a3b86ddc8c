/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The code of modreg_sample_c for arm64. "hint 34" is BTI C.
 */

#include <asm/asm-extable.h>

#define SAMPLE_C_ADD \
	"	hint	34\n" \
	"	adrp	x1, sample_c_step\n" \
	"	ldrsw	x1, [x1, :lo12:sample_c_step]\n" \
	"	ldr	x0, [x0]\n" \
	"	add	x0, x0, x1\n" \
	"	ret\n"

#define SAMPLE_C_PEEK \
	"	hint	34\n" \
	"	mov	x2, x0\n" \
	"	mov	x0, x1\n" \
	"1:	ldr	x0, [x2]\n" \
	"2:	ret\n" \
	_ASM_EXTABLE_KACCESS(1b, 2b)

#define SAMPLE_C_START \
	"	hint	34\n" \
	"	mov	w0, wzr\n" \
	"	ret\n"
