/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Input of bindgen for primitives/: the helpers, and kernel functions that the kernel crate
 * does not bind.
 */

/* <linux/module_symbol.h> does not include it. */
#include <linux/types.h>

#include <linux/extable.h>
#include <linux/kdebug.h>
#include <linux/module_symbol.h>
#include <linux/panic_notifier.h>
#include <linux/sort.h>
#include <linux/stop_machine.h>

#include "helpers.c"
#include "kernel_private.c"
