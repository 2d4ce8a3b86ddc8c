// SPDX-License-Identifier: GPL-2.0
/*
 * crash: the command modreg. Its symbols become known to bt, sym, dis and the rest, as if each
 * plugin were a module. Built for the crash that loads it, with its header:
 *
 *   gcc -shared -fPIC -O2 -I/usr/include/crash -Iinclude -o modreg_crash.so tools/modreg_crash.c
 *   crash> extend modreg_crash.so
 *   crash> modreg
 *
 * As tools/modreg_debug.py, it trusts nothing that it reads.
 */

/* The machine is the compiler's. -DARM64 says another, for a crash that reads dumps of it. */
#include <defs.h>

#include <modreg_debug.h>

#define FORMS (sizeof(info.forms) / sizeof(struct modreg_debug_symbols))

#define MAX_OFFSET	0x1000
#define MAX_PLUGINS	0x100000
#define MAX_REGIONS	0x400
#define MAX_SYMBOLS	0x1000000
#define MAX_STRINGS	0x40000000

struct region {
	ulong base, size;
	int text;
};

struct plugin {
	char name[256];
	ulonglong generation;
	uint state;
	uint num_regions, num_symbols;
	struct region *regions;
	struct syment *symbols;
};

static struct modreg_debug_info info;
static struct plugin *plugins;
static uint num_plugins;

static int doubt(const char *what, ulong where)
{
	fprintf(fp, "modreg: %s at %lx makes no sense\n", what, where);
	return FALSE;
}

static int get(ulong addr, void *to, ulong size, const char *what)
{
	if (!size)
		return TRUE;
	if (addr < 1UL << 63 || addr > -4096UL - size ||
	    !readmem(addr, KVADDR, to, size, (char *)what, RETURN_ON_ERROR | QUIET))
		return doubt(what, addr);
	return TRUE;
}

/* An array of count elements, and zeroes behind it. */
static int get_array_at(ulong addr, ulong count, ulong size, void **to, const char *what)
{
	*to = calloc(count + 1, size);
	return *to && get(addr, *to, count * size, what);
}

/* The same, from where a pointer leads. */
static int get_array(ulong pointer, ulong count, ulong size, void **to, const char *what)
{
	ulong addr;

	*to = NULL;
	return get(pointer, &addr, sizeof(addr), what) &&
	       get_array_at(addr, count, size, to, what);
}

static int get_count(ulong addr, ulong most, ulong *count, const char *what)
{
	return get(addr, count, sizeof(*count), what) && (*count <= most || doubt(what, addr));
}

static int by_value(const void *a, const void *b)
{
	const struct syment *x = a, *y = b;

	return x->value < y->value ? -1 : x->value > y->value;
}

static int get_regions(struct plugin *p, ulong at, ulong tables)
{
	unsigned char is_init;
	uint count, i;
	void *raw;

	if (!get(tables + info.tables_is_init, &is_init, 1, "whether there are init regions") ||
	    !get(at + info.plugin_num_regions, &count, sizeof(count), "the regions"))
		return FALSE;
	if (count > MAX_REGIONS)
		return doubt("the regions", at);
	if (!get_array_at(at + info.plugin_regions, count, info.region_size, &raw, "the regions"))
		return FALSE;
	p->regions = calloc(count + 1, sizeof(*p->regions));
	for (i = 0; i < count; i++) {
		char *r = (char *)raw + i * info.region_size;
		ulong base = *(ulong *)(r + info.region_base);
		ulong marked = *(ulong *)(r + info.region_length);
		ulong size = marked & ((1UL << info.region_length_bits) - 1);

		if (!size || base + size < base) {
			free(raw);
			return doubt("a region", at);
		}
		if (marked >> info.region_init & 1 && !is_init)
			continue;
		p->regions[p->num_regions].base = base;
		p->regions[p->num_regions].size = size;
		p->regions[p->num_regions++].text = marked >> info.region_text & 1;
	}
	free(raw);
	return TRUE;
}

/* Symbols with their names, of one form. */
struct table {
	const struct modreg_debug_symbols *form;
	ulong count, size;
	void *symbols, *strings, *letters;
};

/* The symbols that a pointer leads to. */
static int get_shared(struct table *t, ulong base)
{
	const struct modreg_debug_symbols *form;
	ulong number;

	if (!get_count(base + info.symbols_form, FORMS - 1, &number, "the form of the symbols"))
		return FALSE;
	form = &info.forms[number];
	t->form = form;
	return get_count(base + form->num, MAX_SYMBOLS, &t->count, "the symbols") &&
	       get_count(base + form->strings_size, MAX_STRINGS, &t->size, "the names") &&
	       get_array(base + form->table, t->count, form->symbol_size, &t->symbols,
			 "the symbols") &&
	       get_array(base + form->strings, t->size, 1, &t->strings, "the names") &&
	       (!form->types || get_array(base + form->types, t->count, 1, &t->letters,
					  "the letters"));
}

/* The symbols that are part of the tables. */
static int get_tail(struct table *t, ulong tables)
{
	ulong tail = tables + info.tables_tail;
	uint count, size;

	t->form = &info.forms[0];
	if (!get(tables + info.tables_num_tail, &count, sizeof(count), "the symbols") ||
	    !get(tables + info.tables_strings_size, &size, sizeof(size), "the names"))
		return FALSE;
	if (count > MAX_SYMBOLS || size > MAX_STRINGS)
		return doubt("the symbols", tail);
	t->count = count;
	t->size = size;
	return get_array_at(tail, count, t->form->symbol_size, &t->symbols, "the symbols") &&
	       get_array_at(tail + count * t->form->symbol_size, size, 1, &t->strings,
			    "the names");
}

static int get_symbols(struct plugin *p, ulong tables)
{
	ulong base, orders, visible = 0, many = 0, i, n;
	struct table t = {};
	void *numbers = NULL;
	int ok = FALSE;

	if (!get(tables + info.tables_symbols, &base, sizeof(base), "the symbols") ||
	    !get(tables + info.tables_orders, &orders, sizeof(orders), "the orders") ||
	    (orders &&
	     !get(orders + info.orders_visible, &visible, sizeof(visible), "the numbers")))
		return FALSE;
	if (base ? !get_shared(&t, base) : !get_tail(&t, tables))
		goto out;
	if (visible && (!get_count(orders + info.orders_num_visible, MAX_SYMBOLS, &many,
				   "the numbers") ||
			!get_array(orders + info.orders_visible, many, 4, &numbers, "the numbers")))
		goto out;
	p->symbols = calloc((visible ? many : t.count) + 1, sizeof(*p->symbols));
	for (i = 0; i < (visible ? many : t.count); i++) {
		struct syment *s = p->symbols + p->num_symbols;
		char *symbol;
		uint name;

		n = visible ? ((uint *)numbers)[i] : i;
		if (n >= t.count)
			continue;
		symbol = (char *)t.symbols + n * t.form->symbol_size;
		name = *(uint *)(symbol + t.form->symbol_name);
		if (name >= t.size || !((char *)t.strings)[name])
			continue;
		s->value = *(ulong *)(symbol + t.form->symbol_value);
		s->name = strdup((char *)t.strings + name);
		s->type = t.letters ? ((char *)t.letters)[n] : symbol[t.form->symbol_type];
		s->flags = MODULE_SYMBOL;
		p->num_symbols++;
	}
	qsort(p->symbols, p->num_symbols, sizeof(*p->symbols), by_value);
	ok = TRUE;
out:
	free(t.symbols);
	free(t.strings);
	free(t.letters);
	free(numbers);
	return ok;
}

static int get_plugin(struct plugin *p, ulong node)
{
	ulong at = node - info.plugin_node, tables, len = info.plugin_name_size;

	if (len > sizeof(p->name) - 1)
		return doubt("the length of names", len);
	if (!get(at + info.plugin_name, p->name, len, "a plugin's name") ||
	    !get(at + info.plugin_state, &p->state, sizeof(p->state), "a plugin's state") ||
	    !get(at + info.plugin_generation, &p->generation, sizeof(p->generation),
		 "a plugin's generation") ||
	    !get(at + info.plugin_tables, &tables, sizeof(tables), "a plugin's tables"))
		return FALSE;
	tables &= ~7UL;
	/* It was removed, and is there for the holder of its handle. */
	if (!tables)
		return FALSE;
	if (get_regions(p, at, tables))
		get_symbols(p, tables);
	return TRUE;
}

/* As Elf64_Sym, of which crash's header knows nothing. */
struct elf_symbol {
	uint name;
	uint kind;
	ulong value, size;
};

/* The address of modreg_debug_info in the symbols of module modreg, whose structure is at mod. */
static ulong find_in(ulong mod)
{
	static const char wanted[] = "modreg_debug_info", what[] = "modreg's own symbols";
	ulong table, symtab, strtab, i;
	char name[sizeof(wanted)];
	struct elf_symbol sym;
	uint count;

	if (!get(mod + MEMBER_OFFSET("module", "kallsyms"), &table, 8, what) ||
	    !get(table + MEMBER_OFFSET("mod_kallsyms", "symtab"), &symtab, 8, what) ||
	    !get(table + MEMBER_OFFSET("mod_kallsyms", "num_symtab"), &count, 4, what) ||
	    !get(table + MEMBER_OFFSET("mod_kallsyms", "strtab"), &strtab, 8, what))
		return 0;
	for (i = 0; i < count && i < MAX_SYMBOLS; i++) {
		if (!get(symtab + i * sizeof(sym), &sym, sizeof(sym), what))
			return 0;
		if (readmem(strtab + sym.name, KVADDR, name, sizeof(name), "a name",
			    RETURN_ON_ERROR | QUIET) && !memcmp(name, wanted, sizeof(wanted)))
			return sym.value;
	}
	return 0;
}

/* crash's own symbol; where crash leaves the modules alone, the one in modreg's table. */
static ulong find_info(void)
{
	static const char what[] = "the list of modules";
	long list = MEMBER_OFFSET("module", "list");
	ulong head, node, n;
	char name[8];

	if (symbol_exists("modreg_debug_info"))
		return symbol_value("modreg_debug_info");
	if (list < 0 || !symbol_exists("modules"))
		return 0;
	head = symbol_value("modules");
	node = head;
	for (n = 0; n < 4096 && get(node, &node, 8, what) && node != head; n++) {
		ulong mod = node - list;

		if (get(mod + MEMBER_OFFSET("module", "name"), name, sizeof(name), what) &&
		    !strncmp(name, "modreg", sizeof(name)))
			return find_in(mod);
	}
	return 0;
}

/* Reads the nodes of the list of plugins, each once. Returns their number. */
static ulong get_nodes(ulong *nodes)
{
	ulong head = (ulong)info.plugins, node = head, mark = 0, n, i;

	for (n = 0; n < MAX_PLUGINS; n++) {
		if (!get(node, &node, sizeof(node), "the list of plugins") || node == head)
			return n;
		nodes[n] = node;
		/* A broken list may close without the head: Brent's way to notice. */
		if (n && node == nodes[mark]) {
			for (i = 0; nodes[i] != nodes[i + n - mark]; i++)
				;
			doubt("the list of plugins", node);
			return i + n - mark;
		}
		if (!(n & (n + 1)))
			mark = n;
	}
	return n;
}

static int read_registry(void)
{
	ulong at = find_info(), *nodes, count, n;

	if (!at) {
		fprintf(fp, "modreg: not loaded, or the kernel lacks KALLSYMS_ALL\n");
		return FALSE;
	}
	if (!get(at, &info, sizeof(info), "modreg_debug_info"))
		return FALSE;
	if (info.magic != MODREG_DEBUG_MAGIC || info.version != MODREG_DEBUG_VERSION ||
	    info.size < sizeof(info))
		return doubt("modreg_debug_info", at);
	for (n = offsetof(struct modreg_debug_info, plugin_name);
	     n < offsetof(struct modreg_debug_info, reserved); n += 4)
		if (*(uint *)((char *)&info + n) > MAX_OFFSET)
			return doubt("modreg_debug_info", at);
	if (info.plugin_node > MAX_OFFSET || info.region_base + 8 > info.region_size ||
	    info.region_length + 8 > info.region_size || info.region_length_bits > 63 ||
	    info.region_text > 63 || info.region_init > 63)
		return doubt("modreg_debug_info", at);
	for (n = 0; n < FORMS; n++) {
		const struct modreg_debug_symbols *form = &info.forms[n];

		if (form->symbol_name + 4 > form->symbol_size ||
		    form->symbol_value + 8 > form->symbol_size ||
		    form->symbol_type >= form->symbol_size)
			return doubt("modreg_debug_info", at);
	}
	nodes = calloc(MAX_PLUGINS, sizeof(*nodes));
	if (!nodes)
		return FALSE;
	count = get_nodes(nodes);
	plugins = calloc(count + 1, sizeof(*plugins));
	for (n = 0; plugins && n < count; n++)
		if (get_plugin(&plugins[num_plugins], nodes[n]))
			num_plugins++;
	free(nodes);
	return !!plugins;
}

/* The hashes of names of versions of crash. A name that crash knows tells which one it has. */
static uint hash_old(const char *name)
{
	size_t len = strlen(name);

	return (uint)(name[0] ^ (name[len - 1] * name[len / 2])) % SYMNAME_HASH;
}

static uint hash_fnv(const char *name)
{
	uint hash = 2166136261U;

	for (; *name; name++)
		hash = (hash ^ (unsigned char)*name) * 16777619;
	return hash % SYMNAME_HASH;
}

static void know_name(struct syment *s)
{
	static uint (*const hashes[])(const char *) = { hash_old, hash_fnv };
	static const char probe[] = "kernel_init";
	uint i, at;

	for (i = 0; i < 2; i++) {
		struct syment *known = st->symname_hash[hashes[i](probe)];

		while (known && strcmp(known->name, probe))
			known = known->name_hash_next;
		if (!known)
			continue;
		at = hashes[i](s->name);
		s->name_hash_next = st->mod_symname_hash[at];
		st->mod_symname_hash[at] = s;
		return;
	}
}

/* The symbols of a region, between those by which crash tells where a module's memory ends. */
static void know_region(struct load_module *lm, int type, const struct plugin *p,
			const struct region *r)
{
	static const char *const tags[] = { "TEXT", "DATA", "RODATA", "RO_AFTER_INIT" };
	struct syment *table = calloc(p->num_symbols + 2, sizeof(*table)), *s = table;
	char name[sizeof(p->name) + 64];
	uint i;

	sprintf(name, "_MODULE_%s_START_%s", tags[type], p->name);
	s->value = r->base;
	s->name = strdup(name);
	s->type = 'm';
	(s++)->flags = MODULE_SYMBOL;
	for (i = 0; i < p->num_symbols; i++) {
		if (p->symbols[i].value - r->base >= r->size)
			continue;
		*s = p->symbols[i];
		know_name(s++);
	}
	sprintf(name, "_MODULE_%s_END_%s", tags[type], p->name);
	s->value = r->base + r->size - 1;
	s->name = strdup(name);
	s->type = 'm';
	s->flags = MODULE_SYMBOL;
	lm->mem[type].base = r->base;
	lm->mem[type].size = r->size;
	lm->ext_symtable[type] = table;
	lm->ext_symend[type] = s;
}

static int in_module(ulong addr)
{
	int i, t;

	for (i = 0; i < st->mods_installed; i++)
		for (t = MOD_TEXT; t <= MOD_RO_AFTER_INIT; t++)
			if (addr - st->load_modules[i].mem[t].base <
			    st->load_modules[i].mem[t].size)
				return TRUE;
	return FALSE;
}

/* Makes the plugins that lie in no module known, as modules. */
static void know_plugins(void)
{
	struct load_module *all;
	uint i, j, known = 0;

	/* With --no_modules there are none but these. */
	if (NO_MODULES()) {
		kt->module_list = symbol_value("modules");
		kt->flags &= ~NO_MODULE_ACCESS;
		kt->flags2 |= KMOD_MEMORY;
		st->flags |= MODULE_SYMS;
		st->mods_installed = 0;
	}
	if (!MODULE_MEMORY() || !(st->flags & MODULE_SYMS))
		return;
	all = calloc(st->mods_installed + num_plugins, sizeof(*all));
	if (!all)
		return;
	if (st->mods_installed)
		memcpy(all, st->load_modules, st->mods_installed * sizeof(*all));
	for (i = 0; i < num_plugins; i++) {
		struct load_module *lm = &all[st->mods_installed + known];
		struct plugin *p = &plugins[i];
		int type = MOD_TEXT;

		/* A module's memory is of four types that stay; more regions than that are rare. */
		for (j = 0; j < p->num_regions && type <= MOD_RO_AFTER_INIT; j++)
			if (!in_module(p->regions[j].base))
				know_region(lm, type++, p, &p->regions[j]);
		if (type == MOD_TEXT)
			continue;
		snprintf(lm->mod_name, sizeof(lm->mod_name), "%.*s", MAX_MOD_NAME - 1, p->name);
		lm->mod_base = lm->mem[MOD_TEXT].base;
		lm->mod_text_start = lm->mod_base;
		lm->mod_size = lm->mem[MOD_TEXT].size;
		lm->mod_flags = MOD_EXT_SYMS;
		known++;
	}
	/* These two lead into the entry itself. */
	for (i = 0; i < st->mods_installed + known; i++) {
		int loaded = i < st->mods_installed &&
			     st->load_modules[i].symtable == st->load_modules[i].load_symtable;

		all[i].symtable = loaded ? all[i].load_symtable : all[i].ext_symtable;
		all[i].symend = loaded ? all[i].load_symend : all[i].ext_symend;
	}
	st->load_modules = all;
	st->mods_installed += known;
	kt->mods_installed = st->mods_installed;
}

void cmd_modreg(void);
void cmd_modreg(void)
{
	static const char *const states[] = { "LIVE", "COMING", "GOING" };
	uint i, j;

	for (i = 0; i < num_plugins; i++) {
		struct plugin *p = &plugins[i];
		ulong size = 0;

		if (args[1] && strcmp(args[1], p->name))
			continue;
		for (j = 0; j < p->num_regions; j++)
			size += p->regions[j].size;
		fprintf(fp, "%-24s %-7s %016lx %8lu bytes %6u symbols  generation %llu\n",
			p->name, p->state < 3 ? states[p->state] : "?",
			p->num_regions ? p->regions[0].base : 0, size, p->num_symbols,
			p->generation);
		for (j = 0; args[1] && j < p->num_symbols; j++)
			fprintf(fp, "%016lx %c %s\n", p->symbols[j].value, p->symbols[j].type,
				p->symbols[j].name);
	}
}

static char *help_modreg[] = {
	"modreg", "modreg's plugins", "[plugin]",
	"  Lists the plugins of modreg, or one with its symbols. Those that lie in no module are known",
	"  to crash as modules from when the extension is loaded: to bt, sym, dis, mod.",
	NULL
};

static struct command_table_entry commands[] = {
	{ "modreg", cmd_modreg, help_modreg, 0 },
	{ NULL }
};

static void __attribute__((constructor)) modreg_init(void)
{
	if (read_registry())
		know_plugins();
	register_extension(commands);
}
