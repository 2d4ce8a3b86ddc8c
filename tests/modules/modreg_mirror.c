// SPDX-License-Identifier: GPL-2.0
/*
 * Registers every loaded module with modreg, follows loads and unloads, and asks modreg and the
 * kernel the same questions: the reference for modreg's lookups is the kernel's own.
 *
 * Reading /sys/kernel/debug/modreg_mirror/conformance asks them all and prints how many were
 * asked, equal and different, by kind. The first differences of a read are logged.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/debugfs.h>
#include <linux/kallsyms.h>
#include <linux/kprobes.h>
#include <linux/module.h>
#include <linux/module_symbol.h>
#include <linux/mutex.h>
#include <linux/prandom.h>
#include <linux/seq_file.h>
#include <linux/slab.h>

#include <modreg.h>

/* As in kernel/module/internal.h. */
struct kernel_find_symbol_arg {
	const char *name;
	bool gplok;
	bool warn;

	struct module *owner;
	const u32 *crc;
	const void *sym;
	int license;
};

/* The kernel's own functions, which modules cannot call by name. */
static struct {
	int (*module_address_lookup)(unsigned long addr, unsigned long *size,
				     unsigned long *offset, char **modname,
				     const unsigned char **modbuildid, char *namebuf);
	unsigned long (*module_kallsyms_lookup_name)(const char *name);
	int (*module_get_kallsym)(unsigned int symnum, unsigned long *value, char *type,
				  char *name, char *module_name, int *exported);
	const struct exception_table_entry *(*search_module_extables)(unsigned long addr);
	bool (*is_module_address)(unsigned long addr);
	struct module *(*__module_text_address)(unsigned long addr);
	bool (*find_symbol)(struct kernel_find_symbol_arg *fsa);
	struct list_head *modules;
} kernel;

/* A module that is registered. */
struct mirrored {
	struct list_head list;
	struct module *mod;
	struct modreg_plugin *plugin;
};

static LIST_HEAD(mirrored);
static DEFINE_MUTEX(mirror_lock);

enum kind {
	FIRST_BYTE, MIDDLE, LAST_BYTE, OUTSIDE, RANDOM_INSIDE, RANDOM_OUTSIDE,
	NAME, PLAIN_NAME, LISTING, EXPORTED, GPL_GATE, EXTABLE, IS_ADDRESS, TEXT_ADDRESS, KINDS,
};

static const char * const kind_names[KINDS] = {
	[FIRST_BYTE]	 = "address, first byte",
	[MIDDLE]	 = "address, middle",
	[LAST_BYTE]	 = "address, last byte",
	[OUTSIDE]	 = "address, beside the regions",
	[RANDOM_INSIDE]	 = "address, random inside",
	[RANDOM_OUTSIDE] = "address, random outside",
	[NAME]		 = "name, module:symbol",
	[PLAIN_NAME]	 = "name, symbol",
	[LISTING]	 = "n-th symbol",
	[EXPORTED]	 = "exported symbol",
	[GPL_GATE]	 = "exported symbol, GPL gate",
	[EXTABLE]	 = "exception entry",
	[IS_ADDRESS]	 = "is address",
	[TEXT_ADDRESS]	 = "is text address",
};

static struct {
	unsigned long asked, different;
} counts[KINDS];

static void count(enum kind kind, bool equal)
{
	counts[kind].asked++;
	if (!equal)
		counts[kind].different++;
}

static unsigned long lookup_by_kprobe(const char *name)
{
	struct kprobe kp = { .symbol_name = name };
	unsigned long addr;

	if (register_kprobe(&kp) < 0)
		return 0;
	addr = (unsigned long)kp.addr;
	unregister_kprobe(&kp);
	return addr;
}

static int find_kernel_functions(void)
{
	const struct {
		const char *name;
		void *function;
	} wanted[] = {
		{ "module_address_lookup", &kernel.module_address_lookup },
		{ "module_kallsyms_lookup_name", &kernel.module_kallsyms_lookup_name },
		{ "module_get_kallsym", &kernel.module_get_kallsym },
		{ "search_module_extables", &kernel.search_module_extables },
		{ "is_module_address", &kernel.is_module_address },
		{ "__module_text_address", &kernel.__module_text_address },
		{ "find_symbol", &kernel.find_symbol },
		{ "modules", &kernel.modules },
	};
	unsigned long (*lookup)(const char *name);
	unsigned int i;

	lookup = (typeof(lookup))lookup_by_kprobe("kallsyms_lookup_name");
	if (!lookup)
		return -ENOENT;
	for (i = 0; i < ARRAY_SIZE(wanted); i++) {
		unsigned long addr = lookup(wanted[i].name);

		if (!addr) {
			pr_err("the kernel has no %s\n", wanted[i].name);
			return -ENOENT;
		}
		*(unsigned long *)wanted[i].function = addr;
	}
	return 0;
}

static struct mirrored *find_mirrored(struct module *mod)
{
	struct mirrored *m;

	list_for_each_entry(m, &mirrored, list)
		if (m->mod == mod)
			return m;
	return NULL;
}

static int mirror(struct module *mod)
{
	struct mirrored *m = kzalloc(sizeof(*m), GFP_KERNEL);

	if (!m)
		return -ENOMEM;
	m->mod = mod;
	m->plugin = modreg_register_module(mod, NULL);
	if (IS_ERR(m->plugin)) {
		int err = PTR_ERR(m->plugin);

		kfree(m);
		return err;
	}
	list_add(&m->list, &mirrored);
	return 0;
}

static int unmirror(struct mirrored *m)
{
	int err = modreg_unregister_plugin(m->plugin);

	if (err)
		return err;
	list_del(&m->list);
	kfree(m);
	return 0;
}

static int module_event(struct notifier_block *nb, unsigned long action, void *data)
{
	struct module *mod = data;
	struct mirrored *m;

	guard(mutex)(&mirror_lock);
	m = find_mirrored(mod);
	if (action == MODULE_STATE_COMING && !m) {
		if (mirror(mod))
			pr_err("%s not registered\n", mod->name);
	} else if (action == MODULE_STATE_GOING && m) {
		/* Whose init failed is COMING still; modreg itself takes it away then. */
		if (unmirror(m)) {
			list_del(&m->list);
			kfree(m);
		}
	}
	return NOTIFY_OK;
}

static struct notifier_block module_nb = { .notifier_call = module_event };

/* The oldest first, so that the registry's order is that of the kernel's list. */
static int mirror_all(void)
{
	struct module *mod;
	int err = 0;

	list_for_each_entry_reverse(mod, kernel.modules, list) {
		if (mod->state != MODULE_STATE_LIVE && mod != THIS_MODULE)
			continue;
		err = mirror(mod);
		if (err)
			break;
	}
	return err;
}

static bool same_address(unsigned long addr)
{
	static char kname[KSYM_NAME_LEN], mname[KSYM_NAME_LEN];
	char mplugin[MODREG_NAME_LEN] = "";
	unsigned long ksize = 0, koffset = 0, msize = 0, moffset = 0;
	char *kmod = NULL;
	int kret, mret;

	kname[0] = 0;
	mname[0] = 0;
	kret = kernel.module_address_lookup(addr, &ksize, &koffset, &kmod, NULL, kname);
	mret = modreg_address_lookup(addr, &msize, &moffset, mplugin, mname);
	if (kret == mret && ksize == msize && koffset == moffset && !strcmp(kname, mname) &&
	    !strcmp(kmod ?: "", mplugin))
		return true;
	pr_info_ratelimited("%lx: kernel %d %s+%lx/%lx [%s], modreg %d %s+%lx/%lx [%s]\n",
			    addr, kret, kname, koffset, ksize, kmod ?: "",
			    mret, mname, moffset, msize, mplugin);
	return false;
}

static void ask_symbols(struct module *mod)
{
	struct mod_kallsyms *ks = &mod->core_kallsyms;
	static char qualified[MODULE_NAME_LEN + 1 + KSYM_NAME_LEN];
	unsigned int i;

	for (i = 0; i < ks->num_symtab; i++) {
		const Elf_Sym *sym = &ks->symtab[i];
		const char *name = ks->strtab + sym->st_name;
		unsigned long addr = sym->st_value, size = 0;

		cond_resched();
		if (kernel.module_address_lookup(addr, &size, NULL, NULL, NULL, qualified)) {
			count(FIRST_BYTE, same_address(addr));
			count(MIDDLE, same_address(addr + size / 2));
			count(LAST_BYTE, same_address(addr + size - 1));
		}
		if (!*name)
			continue;
		snprintf(qualified, sizeof(qualified), "%s:%s", mod->name, name);
		count(NAME, kernel.module_kallsyms_lookup_name(qualified) ==
		      modreg_kallsyms_lookup_name(qualified));
		count(PLAIN_NAME, kernel.module_kallsyms_lookup_name(name) ==
		      modreg_kallsyms_lookup_name(name));
	}
}

/* A name that vmlinux exports too is its own there, so only what modules export is asked. */
static void ask_exported(const char *name, unsigned long value)
{
	struct kernel_find_symbol_arg karg = { .name = name, .gplok = true };
	struct modreg_find_symbol_arg marg = { .name = name, .gplok = true };
	bool kfound, mfound;

	scoped_guard(preempt) {
		kfound = kernel.find_symbol(&karg);
		mfound = modreg_find_symbol(&marg);
		if (!kfound || !karg.owner)
			return;
		count(EXPORTED, mfound && marg.value == value &&
		      !strcmp(modreg_plugin_name(marg.owner), karg.owner->name) &&
		      (int)marg.license == karg.license);
		karg.gplok = false;
		marg.gplok = false;
		count(GPL_GATE, kernel.find_symbol(&karg) == modreg_find_symbol(&marg));
	}
}

static void ask_boundary(unsigned long addr)
{
	count(OUTSIDE, same_address(addr));
	count(IS_ADDRESS, kernel.is_module_address(addr) == modreg_is_address(addr));
	scoped_guard(preempt)
		count(TEXT_ADDRESS, !kernel.__module_text_address(addr) ==
		      !modreg_text_address(addr));
}

static void ask_regions(struct module *mod, struct rnd_state *rnd)
{
	int i;

	for_each_mod_mem_type(type) {
		unsigned long base = (unsigned long)mod->mem[type].base;
		unsigned long size = mod->mem[type].size;

		if (!size)
			continue;
		ask_boundary(base - 1);
		ask_boundary(base);
		ask_boundary(base + size - 1);
		ask_boundary(base + size);
		for (i = 0; i < 100; i++) {
			cond_resched();
			count(RANDOM_INSIDE,
			      same_address(base + prandom_u32_state(rnd) % size));
			count(RANDOM_OUTSIDE,
			      same_address(base + (s32)prandom_u32_state(rnd)));
		}
	}
	for (i = 0; i < mod->num_exentries; i++) {
		unsigned long insn = (unsigned long)&mod->extable[i].insn + mod->extable[i].insn;

		count(EXTABLE, kernel.search_module_extables(insn) ==
		      modreg_search_extables(insn));
		count(EXTABLE, kernel.search_module_extables(insn + 1) ==
		      modreg_search_extables(insn + 1));
	}
}

static void ask_listing(void)
{
	static char kname[KSYM_NAME_LEN], mname[KSYM_NAME_LEN];
	char kmod[MODULE_NAME_LEN], mplugin[MODREG_NAME_LEN];
	unsigned long kvalue, mvalue;
	int kexported, mexported, kret, mret;
	char ktype, mtype;
	unsigned int i;

	for (i = 0;; i++) {
		cond_resched();
		kret = kernel.module_get_kallsym(i, &kvalue, &ktype, kname, kmod, &kexported);
		mret = modreg_get_kallsym(i, &mvalue, &mtype, mname, mplugin, &mexported);
		if (kret || mret) {
			count(LISTING, kret == mret);
			break;
		}
		count(LISTING, kvalue == mvalue && ktype == mtype && !strcmp(kname, mname) &&
		      !strcmp(kmod, mplugin) && kexported == mexported);
		if (kexported)
			ask_exported(kname, kvalue);
	}
}

static int conformance_show(struct seq_file *s, void *unused)
{
	unsigned long asked = 0, different = 0;
	struct rnd_state rnd;
	struct mirrored *m;
	int kind;

	guard(mutex)(&mirror_lock);
	memset(counts, 0, sizeof(counts));
	prandom_seed_state(&rnd, 1);
	list_for_each_entry(m, &mirrored, list) {
		ask_symbols(m->mod);
		ask_regions(m->mod, &rnd);
	}
	ask_listing();

	seq_printf(s, "%-28s %10s %10s %10s\n", "question", "asked", "equal", "different");
	for (kind = 0; kind < KINDS; kind++) {
		seq_printf(s, "%-28s %10lu %10lu %10lu\n", kind_names[kind], counts[kind].asked,
			   counts[kind].asked - counts[kind].different, counts[kind].different);
		asked += counts[kind].asked;
		different += counts[kind].different;
	}
	seq_printf(s, "%-28s %10lu %10lu %10lu\n", "all", asked, asked - different, different);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(conformance);

static struct dentry *dir;

static void unmirror_all(void)
{
	struct mirrored *m, *next;

	guard(mutex)(&mirror_lock);
	list_for_each_entry_safe(m, next, &mirrored, list)
		unmirror(m);
}

static int __init modreg_mirror_init(void)
{
	int err = find_kernel_functions();

	if (err)
		return err;
	scoped_guard(mutex, &mirror_lock)
		err = mirror_all();
	if (!err)
		err = register_module_notifier(&module_nb);
	if (err) {
		unmirror_all();
		return err;
	}
	dir = debugfs_create_dir("modreg_mirror", NULL);
	debugfs_create_file("conformance", 0400, dir, NULL, &conformance_fops);
	return 0;
}
module_init(modreg_mirror_init);

static void __exit modreg_mirror_exit(void)
{
	debugfs_remove(dir);
	unregister_module_notifier(&module_nb);
	unmirror_all();
}
module_exit(modreg_mirror_exit);

MODULE_AUTHOR("The modreg developers");
MODULE_DESCRIPTION("Asks modreg and the kernel the same questions");
MODULE_LICENSE("GPL");
