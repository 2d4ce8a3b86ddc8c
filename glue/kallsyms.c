// SPDX-License-Identifier: GPL-2.0
/*
 * modreg_kallsyms: static calls and a parameter with a callback, which the kernel crate
 * lacks.
 */

#include <linux/kstrtox.h>
#include <linux/moduleparam.h>
#include <linux/static_call.h>

#include "kallsyms.h"

/*
 * Static calls are direct. An indirect call needs an ENDBR, which the kernel removes from
 * functions whose address it never takes.
 */
DEFINE_STATIC_CALL_NULL(original_get, module_get_kallsym);
DEFINE_STATIC_CALL_NULL(original_lookup, module_kallsyms_lookup_name);
DEFINE_STATIC_CALL_NULL(module_address, __module_address);

void modreg_kallsyms_set_originals(unsigned long get_kallsym, unsigned long lookup_name,
				   unsigned long module_address)
{
	static_call_update(original_get, (void *)get_kallsym);
	static_call_update(original_lookup, (void *)lookup_name);
	static_call_update(module_address, (void *)module_address);
}

/*
 * The callback tells this module's own calls by their return address. A tail call would pass on
 * the caller's, which a tracer of returns may have replaced: an endless recursion.
 */
notrace int modreg_kallsyms_original_get(unsigned int symnum, unsigned long *value, char *type,
					 char *name, char *module_name, int *exported)
{
	int err = static_call(original_get)(symnum, value, type, name, module_name, exported);

	barrier();
	return err;
}

notrace unsigned long modreg_kallsyms_original_lookup(const char *name)
{
	unsigned long addr = static_call(original_lookup)(name);

	barrier();
	return addr;
}

/* is_module_address(), which is not exported. */
notrace int modreg_kallsyms_is_module_address(unsigned long addr)
{
	return !!static_call(module_address)(addr);
}

/* Protected by kernel_param_lock(). */
static bool enabled = true;
static bool started;

static int enabled_set(const char *val, const struct kernel_param *kp)
{
	bool on;
	int err = kstrtobool(val, &on);

	/* Until the module has started, only the value is stored. */
	if (!err && started && on != enabled)
		err = on ? modreg_kallsyms_enable() : modreg_kallsyms_disable();
	if (!err)
		enabled = on;
	return err;
}

static const struct kernel_param_ops enabled_ops = {
	.set = enabled_set,
	.get = param_get_bool,
};
module_param_cb(enabled, &enabled_ops, &enabled, 0644);
MODULE_PARM_DESC(enabled, "whether the kernel asks modreg (Y)");

int modreg_kallsyms_start(void)
{
	int err = 0;

	kernel_param_lock(THIS_MODULE);
	if (enabled)
		err = modreg_kallsyms_enable();
	/* Without hooks, an error unloads the module. */
	started = !err || modreg_kallsyms_has_hooks();
	kernel_param_unlock(THIS_MODULE);
	return err;
}
