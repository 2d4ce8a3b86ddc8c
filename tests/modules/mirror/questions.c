// SPDX-License-Identifier: GPL-2.0
/* Questions about modules that stay, put to modreg and to the kernel. */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/prandom.h>

#include "../extable.h"
#include "mirror.h"

/* The kernel scans all symbols of a module for one address, so a quick run asks about a part. */
unsigned int every = 1;
module_param(every, uint, 0644);
MODULE_PARM_DESC(every, "ask about each how-manyth symbol (1)");

static unsigned int random = 100000;
module_param(random, uint, 0644);
MODULE_PARM_DESC(random, "random addresses inside, and as many outside (100000)");

static u64 seed = 1;
module_param(seed, ullong, 0644);
MODULE_PARM_DESC(seed, "for the random addresses (1)");

/* The kernel's answer about an address. One buffer is enough: all is asked under mirror_lock. */
static struct {
	int ret;
	unsigned long size;
	unsigned long offset;
	char *mod;
	char name[KSYM_NAME_LEN];
} want;

static void ask_owner(unsigned long addr)
{
	struct modreg_plugin *plugin;
	struct module *mod;

	count(IS_ADDRESS, kernel.is_module_address(addr) == modreg_is_address(addr));
	/* The answers point into tables that must stay. */
	guard(preempt)();
	mod = kernel.__module_text_address(addr);
	plugin = modreg_text_address(addr);
	count(TEXT_ADDRESS, mod && plugin ? !strcmp(mod->name, modreg_plugin_name(plugin)) :
	      !mod && !plugin);
}

static bool same_attrs(unsigned long addr)
{
	static char name[KSYM_NAME_LEN];
	char plugin[MODREG_NAME_LEN];
	unsigned long size, offset;

	if (modreg_lookup_symbol_attrs(addr, &size, &offset, plugin, name))
		return want.ret == 0;
	return want.ret && size == want.size && offset == want.offset && want.mod &&
	       !strcmp(plugin, want.mod) && !strcmp(name, want.name);
}

/* Writes the kernel's answer to 'want'. */
static bool same_address(unsigned long addr)
{
	static char name[KSYM_NAME_LEN];
	char plugin[MODREG_NAME_LEN] = "";
	unsigned long size = 0, offset = 0;
	bool same;
	int ret;

	memset(&want, 0, sizeof(want));
	name[0] = 0;
	want.ret = kernel.module_address_lookup(addr, &want.size, &want.offset, &want.mod, NULL,
						want.name);
	ret = modreg_address_lookup(addr, &size, &offset, plugin, name);
	same = ret == want.ret && size == want.size && offset == want.offset &&
	       !strcmp(plugin, want.mod ?: "") && !strcmp(name, want.name);
	if (!same)
		pr_info_ratelimited("%lx: kernel %d %s+%lx/%lx [%s], modreg %d %s+%lx/%lx [%s]\n",
				    addr, want.ret, want.name, want.offset, want.size,
				    want.mod ?: "", ret, name, offset, size, plugin);
	count(SYMBOL_ATTRS, same_attrs(addr));
	ask_owner(addr);
	return same;
}

static void ask_symbol_name(unsigned long addr)
{
	static char kname[KSYM_NAME_LEN], mname[KSYM_NAME_LEN];

	kname[0] = 0;
	mname[0] = 0;
	count(SYMBOL_NAME, kernel.lookup_module_symbol_name(addr, kname) ==
	      modreg_lookup_symbol_name(addr, mname) && !strcmp(kname, mname));
}

/* Compares the kernel's text for an address with the same text made from modreg's answer. */
static void ask_sprint(unsigned long addr)
{
	static char ktext[KSYM_SYMBOL_LEN], mtext[KSYM_SYMBOL_LEN], name[KSYM_NAME_LEN];
	char plugin[MODREG_NAME_LEN];
	unsigned long size, offset;

	sprint_symbol(ktext, addr);
	if (modreg_address_lookup(addr, &size, &offset, plugin, name))
		snprintf(mtext, sizeof(mtext), "%s+%#lx/%#lx [%s]", name, offset, size, plugin);
	else
		snprintf(mtext, sizeof(mtext), "0x%lx", addr);
	count(SPRINT, !strcmp(ktext, mtext));
}

static bool same_name(const char *name, unsigned long *value)
{
	unsigned long mvalue = modreg_kallsyms_lookup_name(name);

	*value = kernel.module_kallsyms_lookup_name(name);
	if (*value == mvalue)
		return true;
	pr_info_ratelimited("%s: kernel %lx, modreg %lx\n", name, *value, mvalue);
	return false;
}

static void ask_names(const struct module *mod, const char *name)
{
	static char qualified[MODULE_NAME_LEN + 1 + KSYM_NAME_LEN];
	unsigned long own, value;
	bool same;

	snprintf(qualified, sizeof(qualified), "%s:%s", mod->name, name);
	count(QUALIFIED, same_name(qualified, &own));
	/* Several modules have the name if it leads elsewhere. */
	same = same_name(name, &value);
	count(value == own ? PLAIN : DUPLICATE, same);
}

static void ask_symbol(const struct module *mod, const Elf_Sym *sym, const char *name)
{
	unsigned long addr = sym->st_value, size;
	bool same;

	if (*name)
		ask_names(mod, name);
	if (!within_module(addr, mod) || sym->st_shndx == SHN_UNDEF || !*name ||
	    is_mapping_symbol(name)) {
		leave_out(NO_ADDRESS);
		return;
	}
	same = same_address(addr);
	/* The address has another name if the first symbol in the table is not this one. */
	count(strcmp(want.name, name) ? ALIAS : FIRST_BYTE, same);
	size = want.size;
	ask_symbol_name(addr);
	count(MIDDLE, same_address(addr + size / 2));
	ask_sprint(addr + size / 2);
	count(LAST_BYTE, same_address(addr + size - 1));
}

static void ask_symbols(const struct module *mod)
{
	const struct mod_kallsyms *ks = &mod->core_kallsyms;
	unsigned int i;

	for (i = 0; i < ks->num_symtab; i += max(every, 1)) {
		cond_resched();
		ask_symbol(mod, &ks->symtab[i], ks->strtab + ks->symtab[i].st_name);
	}
}

static void ask_regions(const struct module *mod)
{
	for_each_mod_mem_type(type) {
		unsigned long base = (unsigned long)mod->mem[type].base;
		unsigned long size = mod->mem[type].size;

		if (!size)
			continue;
		count(BESIDE, same_address(base - 1));
		count(BESIDE, same_address(base));
		count(BESIDE, same_address(base + size - 1));
		count(BESIDE, same_address(base + size));
	}
}

/* Has an exception entry to ask about: on some kernels no other module has one. */
static noinline long __used load_or_go_on(const long *p)
{
	long value = -1;

	asm volatile(LOAD_OR_GO_ON : "+r" (value) : "m" (*p));
	return value;
}

static void ask_extable(const struct module *mod)
{
	unsigned int i;

	for (i = 0; i < mod->num_exentries; i++) {
		const struct exception_table_entry *entry = &mod->extable[i];
		unsigned long insn = (unsigned long)&entry->insn + entry->insn;

		count(EXTABLE, kernel.search_module_extables(insn) == entry &&
		      modreg_search_extables(insn) == entry);
		count(NO_EXTABLE, kernel.search_module_extables(insn + 1) ==
		      modreg_search_extables(insn + 1));
	}
}

/* Returns the n-th byte of all regions of all modules, or the number of those bytes. */
static unsigned long nth_byte(unsigned long n, unsigned long *total)
{
	struct mirrored *m;

	*total = 0;
	list_for_each_entry(m, &mirrored, list) {
		for_each_mod_mem_type(type) {
			const struct module_memory *mem = &m->mod->mem[type];

			if (n >= *total && n - *total < mem->size)
				return (unsigned long)mem->base + n - *total;
			*total += mem->size;
		}
	}
	return 0;
}

static u64 prandom_u64(struct rnd_state *rnd)
{
	return (u64)prandom_u32_state(rnd) << 32 | prandom_u32_state(rnd);
}

static void ask_random(void)
{
	unsigned long total, addr, end;
	struct rnd_state rnd;
	unsigned int i;

	prandom_seed_state(&rnd, seed);
	nth_byte(ULONG_MAX, &total);
	for (i = 0; total && i < random; i++) {
		cond_resched();
		count(INSIDE, same_address(nth_byte(prandom_u64(&rnd) % total, &end)));
	}
	/* One in four addresses is anywhere, the others are where modules can be. */
	for (i = 0; i < random; i++) {
		cond_resched();
		do {
			addr = prandom_u64(&rnd);
			if (i % 4)
				addr = MODULES_VADDR + addr % (MODULES_END - MODULES_VADDR);
		} while (kernel.is_module_address(addr));
		count(OUTSIDE, same_address(addr));
	}
}

/* A name that vmlinux exports is vmlinux's, even if a module exports it too. */
static void ask_export(const char *name)
{
	struct find_symbol_arg karg = { .name = name, .gplok = true };
	struct modreg_find_symbol_arg marg = { .name = name, .gplok = true };
	const struct kernel_symbol_offset {
		int value;
	} *ksym;
	bool found;

	scoped_guard(preempt) {
		if (!kernel.find_symbol(&karg) || !karg.owner) {
			leave_out(VMLINUX_TOO);
			return;
		}
		ksym = karg.sym;
		count(EXPORTED, modreg_find_symbol(&marg) &&
		      marg.value == (unsigned long)offset_to_ptr(&ksym->value) &&
		      !strcmp(modreg_plugin_name(marg.owner), karg.owner->name) &&
		      (int)marg.license == karg.license);
		karg.gplok = false;
		marg.gplok = false;
		count(GPL_GATE, kernel.find_symbol(&karg) == modreg_find_symbol(&marg));
	}
	/* __symbol_get() would log each refusal. */
	if (marg.license != MODREG_GPL_ONLY) {
		leave_out(NOT_GPL_ONLY);
		return;
	}
	ksym = __symbol_get(name);
	marg.gplok = true;
	found = modreg_find_symbol_get(&marg);
	count(PINNED, ksym ? found && marg.value == (unsigned long)ksym : !found);
	if (ksym)
		__symbol_put(name);
	if (found)
		modreg_find_symbol_put(marg.owner);
}

void ask_exports(void)
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
			ask_export(kname);
	}
}

/* Init memory that was freed; the latest. */
static struct {
	unsigned long base, size;
} former_init[64];

static unsigned int num_former_init;

/* Both sides know a module's init memory while it is COMING, and neither once it is LIVE. */
void ask_coming(struct module *mod)
{
	const struct mod_kallsyms *ks = rcu_dereference_raw(mod->kallsyms);
	static char qualified[MODULE_NAME_LEN + 1 + KSYM_NAME_LEN];
	unsigned int i;

	for_class_mod_mem_type(type, init) {
		if (!mod->mem[type].size)
			continue;
		i = num_former_init++ % ARRAY_SIZE(former_init);
		former_init[i].base = (unsigned long)mod->mem[type].base;
		former_init[i].size = mod->mem[type].size;
	}
	for (i = 1; i < ks->num_symtab; i++) {
		const char *name = ks->strtab + ks->symtab[i].st_name;
		unsigned long addr = ks->symtab[i].st_value, value;

		if (!within_module_init(addr, mod) || !*name || is_mapping_symbol(name))
			continue;
		count(INIT_ADDRESS, same_address(addr));
		snprintf(qualified, sizeof(qualified), "%s:%s", mod->name, name);
		count(INIT_NAME, same_name(qualified, &value));
		count(INIT_NAME, same_name(name, &value));
	}
}

static void ask_former_init(void)
{
	unsigned int i;

	for (i = 0; i < min(num_former_init, ARRAY_SIZE(former_init)); i++) {
		count(FORMER_INIT, same_address(former_init[i].base));
		count(FORMER_INIT, same_address(former_init[i].base + former_init[i].size / 2));
		count(FORMER_INIT, same_address(former_init[i].base + former_init[i].size - 1));
	}
}

void ask_all(void)
{
	struct mirrored *m;

	list_for_each_entry(m, &mirrored, list) {
		ask_symbols(m->mod);
		ask_regions(m->mod);
		ask_extable(m->mod);
	}
	ask_random();
	ask_former_init();
	ask_exports();
}
