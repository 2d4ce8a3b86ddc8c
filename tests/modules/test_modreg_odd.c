// SPDX-License-Identifier: GPL-2.0
/*
 * A module with a symbol whose name is longer than any name in kallsyms, and one whose name
 * would break a line. The loader takes both, so modreg does.
 *
 * The kernel must not be asked about the first: its module_address_lookup() returns -E2BIG, which
 * its callers take for a length.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/kallsyms.h>
#include <linux/module.h>
#include <linux/string.h>

#include <modreg.h>

#define TIMES_2(x) x##x
#define TIMES_4(x) TIMES_2(x##x)
#define TIMES_8(x) TIMES_4(x##x)
#define TIMES_64(x) TIMES_8_(TIMES_8(x))
#define TIMES_8_(x) TIMES_8(x)
#define TIMES_512(x) TIMES_8_(TIMES_64(x))
#define NAME_(x) long_##x
#define NAME(x) NAME_(x)
#define LONG NAME(TIMES_512(x))

/* "long_" and 512 letters. */
static int LONG[4] __used = { 1 };

/* What its name is replaced by has as many letters. */
static int odd_symbol[4] __used = { 1 };
static const char odd_name[] = "odd\tsy\nbol";

static_assert(sizeof(odd_name) == sizeof("odd_symbol"));

static struct modreg_plugin *plugin;

static void spoil(const struct mod_kallsyms *kallsyms)
{
	unsigned int i;
	char *name;

	for (i = 0; i < kallsyms->num_symtab; i++) {
		name = kallsyms->strtab + kallsyms->symtab[i].st_name;
		if (!strcmp(name, "odd_symbol"))
			strscpy(name, odd_name, sizeof(odd_name));
	}
}

static int __init test_modreg_odd_init(void)
{
	char name[KSYM_NAME_LEN], module[MODREG_NAME_LEN];
	unsigned long size, offset;
	int len;

	spoil(rcu_dereference_raw(THIS_MODULE->kallsyms));
	spoil(&THIS_MODULE->core_kallsyms);
	plugin = modreg_register_module(THIS_MODULE, NULL);
	if (IS_ERR(plugin))
		return PTR_ERR(plugin);
	len = modreg_address_lookup((unsigned long)LONG, &size, &offset, module, name);
	pr_info("long: %d, %zu\n", len, strlen(name));
	return 0;
}

static void __exit test_modreg_odd_exit(void)
{
	modreg_unregister_plugin(plugin);
}

module_init(test_modreg_odd_init);
module_exit(test_modreg_odd_exit);

MODULE_DESCRIPTION("A module with names that the kernel's loader takes and other places do not");
MODULE_LICENSE("GPL");
