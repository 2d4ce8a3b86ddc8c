// SPDX-License-Identifier: GPL-2.0
/*
 * The errors that a generated descriptor may have: a second opinion, written after
 * include/modreg.h alone.
 */

#include <linux/bitmap.h>
#include <linux/err.h>
#include <linux/kallsyms.h>
#include <linux/kasan.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>

#include "generated.h"

unsigned long faults[BITS_TO_LONGS(MAX_ERRNO + 1)];

static void fault(bool is, int err)
{
	if (is)
		__set_bit(-err, faults);
}

static bool wraps(const struct modreg_region *r)
{
	return !r->size || r->size >> 61 || r->base + r->size < r->base;
}

static bool in_region(const struct modreg_region *r, unsigned long addr)
{
	return addr - r->base < r->size;
}

static bool overlap(const struct modreg_region *a, const struct modreg_region *b)
{
	return in_region(a, b->base) || in_region(b, a->base);
}

static bool in_any(const struct modreg_plugin_desc *d, unsigned long addr, unsigned int flags)
{
	unsigned int i;

	for (i = 0; i < d->num_regions; i++)
		if ((d->regions[i].flags & flags) == flags && in_region(&d->regions[i], addr))
			return true;
	return false;
}

static bool printable(const char *name, const char *except)
{
	for (; *name; name++)
		if (*name <= ' ' || *name > '~' || strchr(except, *name))
			return false;
	return true;
}

/* Returns whether the plugin is not one of the generated ones. */
static bool is_stranger(const char *plugin)
{
	unsigned int i;

	for (i = 0; i < PLUGINS; i++)
		if (subjects[i].plugin && !strcmp(subjects[i].desc.name, plugin))
			return false;
	return *plugin;
}

/*
 * Returns whether the region overlaps a plugin that is not one of the generated ones. Those
 * have symbols.
 */
static bool overlaps_stranger(const struct modreg_region *r)
{
	const unsigned long last = r->base + r->size - 1;
	static char name[KSYM_NAME_LEN];
	char plugin[MODREG_NAME_LEN] = "", type;
	unsigned long value;
	int exported;
	u32 n;

	modreg_address_lookup(r->base, NULL, NULL, plugin, NULL);
	if (is_stranger(plugin))
		return true;
	*plugin = '\0';
	modreg_address_lookup(last, NULL, NULL, plugin, NULL);
	if (is_stranger(plugin))
		return true;
	for (n = 0; !modreg_get_kallsym(n, &value, &type, name, plugin, &exported); n++)
		if (value >= r->base && value <= last && is_stranger(plugin))
			return true;
	return false;
}

/* Returns whether the region lies outside of this module, where the kernel may ask about it. */
static bool is_foreign(const struct modreg_region *r)
{
	for_each_mod_mem_type(type) {
		const struct module_memory *mem = &THIS_MODULE->mem[type];
		unsigned long at = r->base - (unsigned long)mem->base;

		if (at < mem->size && r->size <= mem->size - at)
			return false;
	}
	return true;
}

static bool has_symbol(unsigned long addr)
{
	static char name[KSYM_SYMBOL_LEN];

	sprint_symbol(name, addr);
	return strncmp(name, "0x", 2);
}

static bool is_byte_readable(unsigned long addr)
{
	bool readable;
	char byte;

	/* User-mode Linux repeats a fault in the area of vmalloc() for ever. */
	if (IS_ENABLED(CONFIG_UML) && is_vmalloc_addr((void *)addr) &&
	    !vmalloc_to_page((void *)addr))
		return false;
	kasan_disable_current();
	readable = !copy_from_kernel_nofault(&byte, (void *)addr, 1);
	kasan_enable_current();
	return readable;
}

static bool is_readable(unsigned long addr, unsigned long end)
{
	for (; addr < end; addr = min(end, (addr | ~PAGE_MASK) + 1))
		if (!is_byte_readable(addr))
			return false;
	return is_byte_readable(end - 1);
}

static void foreign_faults(const struct modreg_region *r)
{
	const unsigned long end = r->base + r->size;

	/* Under User-mode Linux the kernel has an address space of its own. */
	fault(!IS_ENABLED(CONFIG_UML) && r->base < TASK_SIZE_MAX, -EINVAL);
	fault(has_symbol(r->base) || has_symbol(end - 1), -EEXIST);
	fault((r->flags & MODREG_TEXT) && !is_readable(r->base, end + 16), -EFAULT);
}

static void region_faults(const struct modreg_plugin_desc *d)
{
	const struct modreg_region *r, *q;
	const struct subject *other;
	unsigned int i;

	for (r = d->regions; r < d->regions + d->num_regions; r++) {
		fault(r->flags & ~(MODREG_TEXT | MODREG_INIT), -EINVAL);
		fault(wraps(r), -EINVAL);
		for (q = d->regions; q < r; q++)
			fault(overlap(q, r), -EINVAL);
		for (i = 0; i < PLUGINS; i++) {
			other = &subjects[i];
			if (!other->plugin)
				continue;
			for (q = other->regions; q < other->regions + other->desc.num_regions; q++)
				/* Init regions are gone. */
				fault(!(q->flags & MODREG_INIT) && overlap(q, r), -EEXIST);
		}
		if (wraps(r))
			continue;
		fault(overlaps_stranger(r), -EEXIST);
		if (is_foreign(r))
			foreign_faults(r);
	}
}

static void symbol_faults(const struct modreg_plugin_desc *d)
{
	const struct modreg_symtab *t = d->symtab;
	const struct modreg_symbol *s;
	const struct elf64_sym *elf;
	unsigned int i;

	if (d->num_symbols > MODREG_MAX_SYMBOLS)
		fault(true, -E2BIG);
	else if (d->num_symbols && !d->symbols)
		fault(true, -EINVAL);
	else
		for (s = d->symbols; s < d->symbols + d->num_symbols; s++) {
			fault(!s->name || !*s->name, -EINVAL);
			fault(s->name && strlen(s->name) >= KSYM_NAME_LEN, -ENAMETOOLONG);
			fault(s->name && !printable(s->name, ""), -EINVAL);
			fault(!in_any(d, s->value, 0), -ERANGE);
			fault(s->type && (s->type <= ' ' || s->type > '~'), -EINVAL);
			fault(s->flags & ~(MODREG_EXPORT | MODREG_EXPORT_GPL), -EINVAL);
		}
	if (!t)
		return;
	fault(d->num_symbols, -EINVAL);
	fault(t->num_symtab > MODREG_MAX_SYMBOLS, -E2BIG);
	fault(t->strtab_size > UINT_MAX, -E2BIG);
	fault(t->num_symtab && (!t->symtab || !t->typetab || !t->strtab), -EINVAL);
	fault(t->strtab_size && !t->strtab, -EINVAL);
	fault(t->num_symtab && !t->strtab_size, -EINVAL);
	if (!t->strtab || t->strtab_size > NAMES)
		return;
	fault(t->strtab_size && t->strtab[t->strtab_size - 1], -EINVAL);
	if (t->num_symtab > SYMBOLS)
		return;
	for (i = 0; t->typetab && i < t->num_symtab; i++)
		fault(t->typetab[i] <= ' ' || t->typetab[i] > '~', -EINVAL);
	if (!t->symtab)
		return;
	for (elf = t->symtab; elf < t->symtab + t->num_symtab; elf++) {
		if (elf->st_name >= t->strtab_size) {
			fault(true, -EINVAL);
			continue;
		}
		fault(strnlen(t->strtab + elf->st_name, t->strtab_size - elf->st_name) >=
		      KSYM_NAME_LEN, -ENAMETOOLONG);
		/* Names that do not end there have another fault. */
		if (!t->strtab[t->strtab_size - 1])
			fault(!printable(t->strtab + elf->st_name, ""), -EINVAL);
	}
}

static void extable_faults(const struct modreg_plugin_desc *d)
{
	const struct exception_table_entry *e;
	unsigned long insn, last = 0;

	if (d->num_exentries > MODREG_MAX_SYMBOLS) {
		fault(true, -E2BIG);
		return;
	}
	fault(d->num_exentries && !d->extable, -EINVAL);
	if (!d->extable)
		return;
	for (e = d->extable; e < d->extable + d->num_exentries; e++) {
		insn = (unsigned long)&e->insn + e->insn;
		fault(insn < last, -EINVAL);
		fault(!in_any(d, insn, MODREG_TEXT), -ERANGE);
		last = insn;
	}
}

/* Finds every fault of a descriptor. */
void find_faults(const struct subject *s)
{
	const struct modreg_plugin_desc *d = &s->desc;
	unsigned int i;

	bitmap_zero(faults, MAX_ERRNO + 1);
	if (!d->name) {
		fault(true, -EINVAL);
	} else {
		fault(!*d->name || !printable(d->name, ":[]()"), -EINVAL);
		fault(strlen(d->name) >= MODREG_NAME_LEN, -ENAMETOOLONG);
		for (i = 0; i < PLUGINS; i++)
			fault(subjects[i].plugin && !strcmp(subjects[i].desc.name, d->name),
			      -EEXIST);
	}
	fault(!d->owner || (d->flags & ~MODREG_QUIET), -EINVAL);
	fault(!d->num_regions, -EINVAL);
	fault(d->num_regions && !d->regions, -EINVAL);
	fault(d->num_regions > MODREG_MAX_REGIONS, -E2BIG);
	if (d->regions && d->num_regions <= MODREG_MAX_REGIONS) {
		region_faults(d);
		symbol_faults(d);
		extable_faults(d);
	}
	fault(d->num_params > MODREG_MAX_PARAMS, -E2BIG);
	fault(d->num_params && !d->params, -EINVAL);
	if (d->params && d->num_params <= PARAMS)
		for (i = 0; i < d->num_params; i++)
			fault(!d->params[i].name || !d->params[i].ops, -EINVAL);
	/* These faults count only if there is no other. */
	if (!bitmap_empty(faults, MAX_ERRNO + 1))
		return;
	if (d->args && *d->args && !d->num_params)
		fault(true, -ENOENT);
	else if (s->args_err)
		fault(true, s->args_err);
	else if (d->init && s->init_returns < 0)
		fault(true, s->init_returns);
}
