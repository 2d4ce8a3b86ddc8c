/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What bindgen reads for primitives/: the helpers, and those functions of the kernel that
 * the kernel crate does not bind.
 */

/* <linux/module_symbol.h> leaves this to others. */
#include <linux/types.h>

#include <linux/extable.h>
#include <linux/kdebug.h>
#include <linux/module_symbol.h>
#include <linux/panic_notifier.h>
#include <linux/sort.h>
#include <linux/stop_machine.h>

#include "helpers.c"
#include "kernel_private.c"
