// SPDX-License-Identifier: GPL-2.0
/* The helpers that the primitives call; modreg.ko does not export its own. */
#include "../../../glue/helpers.c"
#include "../../../glue/kernel_private.c"
