/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What bindgen reads: the C contract, the helpers, and the kernel's functions that the
 * kernel crate does not bind.
 */
#ifndef _MODREG_BINDINGS_HELPER_H
#define _MODREG_BINDINGS_HELPER_H

/* <linux/module_symbol.h> leaves this to others. */
#include <linux/types.h>

#include <linux/kdebug.h>
#include <linux/module_symbol.h>
#include <linux/panic_notifier.h>
#include <linux/sort.h>
#include <linux/stop_machine.h>

#include <modreg.h>

#include "helpers.h"
#include "trace.h"

#endif /* _MODREG_BINDINGS_HELPER_H */
