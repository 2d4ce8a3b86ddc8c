// SPDX-License-Identifier: GPL-2.0
/*
 * What is registered with modreg while it is measured: the loaded modules, and plugins made here,
 * whose symbols stand 16 bytes apart in memory of their own.
 *
 *   plugins modules		registers each LIVE module that is not registered yet, oldest first
 *   plugins make GROUP N SYMS	registers GROUP0 ... GROUP<N-1> with SYMS symbols each
 *   plugins drop NAMES		unregisters those, all in one call
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "bench.h"

#define SYMBOL_SPACING 16

struct plugin {
	struct list_head list;
	struct table table;
	struct module *pinned;
	char name[MODREG_NAME_LEN];
	void *memory;
	Elf_Sym *symtab;
	char *strtab, *typetab;
};

static LIST_HEAD(plugins);

/* NAMES is a name, or the start of some with a '*' behind it. */
static bool is_named(const struct plugin *p, const char *names)
{
	size_t len = strlen(names);

	if (len && names[len - 1] == '*')
		return !strncmp(p->table.name, names, len - 1);
	return !strcmp(p->table.name, names);
}

int each_table(const char *names, table_fn *fn, void *data)
{
	struct plugin *p;
	int err;

	list_for_each_entry(p, &plugins, list) {
		if (!is_named(p, names))
			continue;
		err = fn(&p->table, data);
		if (err)
			return err;
		cond_resched();
	}
	return 0;
}

static void free_plugin(struct plugin *p)
{
	if (!p)
		return;
	module_put(p->pinned);
	kvfree(p->symtab);
	kvfree(p->strtab);
	kvfree(p->typetab);
	vfree(p->memory);
	kfree(p);
}

DEFINE_FREE(plugin, struct plugin *, free_plugin(_T))

static int add_module(struct module *mod)
{
	struct plugin *p __free(plugin) = kzalloc(sizeof(*p), GFP_KERNEL);
	const struct mod_kallsyms *ks = &mod->core_kallsyms;

	if (!p)
		return -ENOMEM;
	/* One that is leaving. */
	if (!try_module_get(mod))
		return 0;
	p->pinned = mod;
	p->table.name = mod->name;
	p->table.mod = mod;
	p->table.symtab = ks->symtab;
	p->table.num_symtab = ks->num_symtab;
	p->table.strtab = ks->strtab;
	p->table.plugin = modreg_register_module(mod, NULL);
	if (IS_ERR(p->table.plugin))
		return PTR_ERR(p->table.plugin);
	list_add_tail(&no_free_ptr(p)->list, &plugins);
	return 0;
}

/* The oldest first, so that the registry's order is that of the kernel's list. */
static int add_modules(void)
{
	struct module *mod;
	struct plugin *p;
	int err;

	list_for_each_entry_reverse(mod, kernel.modules, list) {
		bool known = false;

		if (mod->state != MODULE_STATE_LIVE || mod == THIS_MODULE)
			continue;
		list_for_each_entry(p, &plugins, list)
			known |= p->pinned == mod;
		if (known)
			continue;
		err = add_module(mod);
		if (err)
			return err;
	}
	return 0;
}

static int make_plugin(const char *group, unsigned int number, unsigned int syms)
{
	struct plugin *p __free(plugin) = kzalloc(sizeof(*p), GFP_KERNEL);
	unsigned int i, len = 0, name_size = 48, local = (syms + 1) / 2;

	if (!p)
		return -ENOMEM;
	snprintf(p->name, sizeof(p->name), "%s%u", group, number);
	p->memory = vmalloc((unsigned long)syms * SYMBOL_SPACING + ROOM);
	p->symtab = kvcalloc(syms + 1, sizeof(*p->symtab), GFP_KERNEL);
	p->strtab = kvzalloc((syms + 1) * name_size, GFP_KERNEL);
	p->typetab = kvmalloc(syms + 1, GFP_KERNEL);
	if (!p->memory || !p->symtab || !p->strtab || !p->typetab)
		return -ENOMEM;
	memset(p->typetab, 't', syms + 1);
	for (i = 1; i <= syms; i++) {
		/* As a linker orders them: local ones, then the others that lie between them. */
		unsigned long at = i <= local ? (i - 1) * 2 : (i - 1 - local) * 2 + 1;

		len++;
		p->symtab[i].st_name = len;
		p->symtab[i].st_shndx = 1;
		p->symtab[i].st_size = SYMBOL_SPACING;
		p->symtab[i].st_value = (unsigned long)p->memory + at * SYMBOL_SPACING;
		len += snprintf(p->strtab + len, name_size, "%s_function_%u_of_%u", p->name, i,
				syms);
		cond_resched();
	}

	p->table.name = p->name;
	p->table.symtab = p->symtab;
	p->table.num_symtab = syms + 1;
	p->table.strtab = p->strtab;
	p->table.base = (unsigned long)p->memory;
	p->table.size = (unsigned long)syms * SYMBOL_SPACING;

	const struct modreg_region region = {
		.base = p->table.base, .size = p->table.size, .flags = MODREG_TEXT,
	};
	const struct modreg_symtab symtab = {
		.symtab = p->symtab, .num_symtab = syms + 1, .typetab = p->typetab,
		.strtab = p->strtab, .strtab_size = len + 1,
	};
	const struct modreg_plugin_desc desc = {
		.name = p->name, .owner = THIS_MODULE, .regions = &region, .num_regions = 1,
		.symtab = &symtab,
	};

	p->table.plugin = modreg_register_plugin(&desc);
	if (IS_ERR(p->table.plugin))
		return PTR_ERR(p->table.plugin);
	list_add_tail(&no_free_ptr(p)->list, &plugins);
	return 0;
}

static int drop(const char *names)
{
	struct modreg_plugin **gone __free(kvfree) = NULL;
	struct plugin *p, *next;
	unsigned int num = 0;
	int err;

	gone = kvcalloc(list_count_nodes(&plugins), sizeof(*gone), GFP_KERNEL);
	if (!gone)
		return -ENOMEM;
	list_for_each_entry(p, &plugins, list)
		if (is_named(p, names))
			gone[num++] = p->table.plugin;
	if (!num)
		return 0;
	err = modreg_unregister_plugins(gone, num);
	if (err)
		return err;
	list_for_each_entry_safe(p, next, &plugins, list) {
		if (!is_named(p, names))
			continue;
		list_del(&p->list);
		free_plugin(p);
	}
	return 0;
}

int run_plugins(struct seq_buf *out, int argc, char **argv)
{
	unsigned int num, syms, i;
	int err = 0;

	if (argc == 1 && !strcmp(argv[0], "modules"))
		return add_modules();
	if (argc == 2 && !strcmp(argv[0], "drop"))
		return drop(argv[1]);
	if (argc != 4 || strcmp(argv[0], "make") || kstrtouint(argv[2], 0, &num) ||
	    kstrtouint(argv[3], 0, &syms) || !syms)
		return -EINVAL;
	for (i = 0; i < num && !err; i++) {
		err = make_plugin(argv[1], i, syms);
		cond_resched();
	}
	return err;
}

void plugins_exit(void)
{
	if (drop("*"))
		pr_err("plugins are left\n");
}
