// SPDX-License-Identifier: GPL-2.0
/*
 * A livepatch of a function that modreg_kallsyms hooks. Like one that fixes something there, it
 * does what the function does; this one knows no module's symbols.
 */

#include <linux/errno.h>
#include <linux/livepatch.h>
#include <linux/module.h>

static int no_module_symbol_name(unsigned long addr, char *symname)
{
	return -ERANGE;
}

static struct klp_func funcs[] = {
	{ .old_name = "lookup_module_symbol_name", .new_func = no_module_symbol_name },
	{ }
};

static struct klp_object objects[] = {
	{ .funcs = funcs },
	{ }
};

static struct klp_patch patch = {
	.mod = THIS_MODULE,
	.objs = objects,
};

static int __init modreg_livepatch_init(void)
{
	return klp_enable_patch(&patch);
}
module_init(modreg_livepatch_init);

/* Without an exit function the kernel would keep the module. */
static void __exit modreg_livepatch_exit(void)
{
}
module_exit(modreg_livepatch_exit);

MODULE_AUTHOR("The modreg developers");
MODULE_DESCRIPTION("A livepatch of a function that modreg_kallsyms hooks");
MODULE_LICENSE("GPL");
MODULE_INFO(livepatch, "Y");
