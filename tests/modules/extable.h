/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Exception entries: what differs between architectures.
 */
#ifndef _EXTABLE_H
#define _EXTABLE_H

#ifdef CONFIG_ARM64

#include <asm/asm-extable.h>

/* A type whose handler goes on at the fixup and does no more. */
#define EX_TYPE_PLAIN EX_TYPE_KACCESS_ERR_ZERO
#define ex_type(entry) ((entry)->type)
/* Loads operand 1 into operand 0, or goes on. */
#define LOAD_OR_GO_ON "1: ldr %0, %1\n2:\n" _ASM_EXTABLE_KACCESS(1b, 2b)

#else

#include <asm/asm.h>
#include <asm/extable.h>

#define EX_TYPE_PLAIN EX_TYPE_DEFAULT
#define ex_type(entry) ((entry)->data)
#define LOAD_OR_GO_ON "1: movq %1, %0\n2:\n" _ASM_EXTABLE(1b, 2b)

#endif
#endif
