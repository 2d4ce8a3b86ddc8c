// SPDX-License-Identifier: GPL-2.0
/*
 * The questions of a reader. An answer is judged by the slot's word before and after the question.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/delay.h>
#include <linux/hex.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/string.h>

#include "readers.h"

const char * const context_names[CONTEXTS] = { "process", "softirq", "hardirq", "NMI" };

const char * const question_names[QUESTIONS] = {
	"address_lookup", "lookup_symbol_name", "lookup_symbol_attrs", "is_address",
	"text_address", "search_extables", "kallsyms_lookup_name", "find_symbol",
	"find_symbol_get", "sample pinned", "get_kallsym", "shared", "listed", "nobody",
	"kernel's name", "kernel's name kept", "kernel's text", "fixup", "trace",
};

struct counts __percpu *counts;
atomic_t print_wanted[CONTEXTS];

bool read_name(const char *name, bool symbol, struct told *told)
{
	u64 digits = 0;
	unsigned int i;
	int digit;

	if (strncmp(name, PREFIX, sizeof(PREFIX) - 1))
		return false;
	name += sizeof(PREFIX) - 1;
	for (i = 0; i < 10 + symbol; i++) {
		digit = hex_to_bin(name[i]);
		if (digit < 0)
			return false;
		digits = digits << 4 | digit;
	}
	if (name[i])
		return false;
	told->k = symbol ? digits & 0xf : PLACES;
	if (symbol)
		digits >>= 4;
	told->gen = digits;
	digits >>= 32;
	told->slot = &slots[digits < SLOTS ? digits : 0];
	return digits < SLOTS && (!symbol || told->k < PLACES);
}

void count(const struct asker *a, enum question q)
{
	this_cpu_inc(counts->asked[a->context][q]);
}

void judge(struct asker *a, enum question q, const struct slot *s, u64 before, bool found, u32 gen,
	   bool init)
{
	u64 after = look_again(s);

	count(a, q);
	if (found ? possible(before, after, gen ?: gen_of(after), init) :
		    !certain(before, after, init))
		return;
	wrong(a, q, "slot %u: %s %u, but it was %u in phase %d, then %u in phase %d", index_of(s),
	      found ? "found" : "not found", gen, gen_of(before), phase_of(before),
	      gen_of(after), phase_of(after));
}

/* Questions about the symbol at an address. */
static void ask_symbol(struct asker *a, enum question q, struct slot *s, enum place k)
{
	unsigned long size = places[k].size, offset = random(&a->rnd, places[k].size);
	unsigned long addr = address(s, k) + offset, its_size = size, its_offset = offset;
	struct told told = { s };
	bool found;
	u64 before;
	int ret;

	/* The shared name alone does not say which slot it belongs to. */
	if (q == SYMBOL_NAME && k == SHARED)
		return;
	a->plugin[0] = 0;
	a->name[0] = 0;
	before = look(s);
	switch (q) {
	case ADDRESS_LOOKUP:
		ret = modreg_address_lookup(addr, &its_size, &its_offset, a->plugin, a->name);
		found = ret > 0;
		if (ret && ret != strlen(a->name))
			wrong(a, q, "returns %d for '%s'", ret, a->name);
		break;
	case SYMBOL_NAME:
		ret = modreg_lookup_symbol_name(addr, a->name);
		found = !ret;
		break;
	default:
		ret = modreg_lookup_symbol_attrs(addr, &its_size, &its_offset, a->plugin, a->name);
		found = !ret;
		break;
	}
	if (q != ADDRESS_LOOKUP && ret && ret != -ERANGE)
		wrong(a, q, "returns %d", ret);
	if (found) {
		bool ours = q == SYMBOL_NAME ? read_name(a->name, true, &told) :
					       read_name(a->plugin, false, &told);

		name_symbol(a->wanted, s, told.gen, k);
		if (!ours || told.slot != s || strcmp(a->name, a->wanted) ||
		    its_size != size || its_offset != offset)
			wrong(a, q, "slot %u place %d: %s+%#lx/%#lx [%s], not %s+%#lx/%#lx",
			      index_of(s), k, a->name, its_offset, its_size, a->plugin,
			      a->wanted, offset, size);
	}
	judge(a, q, s, before, found, told.gen, k == INIT);
}

static void ask_is_address(struct asker *a, struct slot *s, enum place k)
{
	u64 before = look(s);
	bool found = modreg_is_address(address(s, k) + random(&a->rnd, places[k].size));

	judge(a, IS_ADDRESS, s, before, found, 0, k == INIT);
}

static void ask_text_address(struct asker *a, struct slot *s, enum place k)
{
	struct modreg_plugin *plugin;
	struct told told = { s };
	u64 before;

	/* The plugin stays while preemption is disabled. */
	guard(preempt)();
	before = look(s);
	plugin = modreg_text_address(address(s, k) + random(&a->rnd, places[k].size));
	if (k == DATA) {
		if (plugin)
			wrong(a, TEXT_ADDRESS, "slot %u: data is code", index_of(s));
		return;
	}
	if (plugin) {
		strscpy(a->plugin, modreg_plugin_name(plugin));
		if (!read_name(a->plugin, false, &told) || told.slot != s)
			wrong(a, TEXT_ADDRESS, "slot %u: is of [%s]", index_of(s), a->plugin);
		if (one_in(&a->rnd, 8))
			udelay(random(&a->rnd, 20));
		if (strcmp(a->plugin, modreg_plugin_name(plugin)))
			wrong(a, TEXT_ADDRESS, "slot %u: [%s] became [%s]", index_of(s), a->plugin,
			      modreg_plugin_name(plugin));
	}
	judge(a, TEXT_ADDRESS, s, before, plugin, told.gen, k == INIT);
}

static void ask_extables(struct asker *a, struct slot *s)
{
	bool init = one_in(&a->rnd, 4);
	const struct exception_table_entry *e;
	u64 before;
	u32 gen = 0;

	/* The entry stays while preemption is disabled. */
	guard(preempt)();
	before = look(s);
	e = modreg_search_extables(faulting(s, init));
	if (!entries) {
		count(a, EXTABLES);
		if (e)
			wrong(a, EXTABLES, "slot %u: an entry where there is none", index_of(s));
		return;
	}
	if (e) {
		gen = entry_gen(e, gen_of(before));
		if (e != &homes[index_of(s)].extable[gen & 1][init])
			wrong(a, EXTABLES, "slot %u: the wrong entry, of %u", index_of(s), gen);
		if (one_in(&a->rnd, 8))
			udelay(random(&a->rnd, 20));
		if (entry_gen(e, gen) != gen)
			wrong(a, EXTABLES, "slot %u: the entry of %u became one of %u", index_of(s),
			      gen, entry_gen(e, gen));
	}
	judge(a, EXTABLES, s, before, e, gen, init);
}

/* Returns a generation to ask about by name, mostly the present one. */
static u32 some_gen(struct asker *a, u64 word)
{
	u32 gen = gen_of(word);

	switch (random(&a->rnd, 8)) {
	case 0:
		return gen - !!gen;
	case 1:
		return gen + 1;
	default:
		return gen;
	}
}

/* Judges an answer about one generation. */
static void judge_named(struct asker *a, enum question q, const struct slot *s, u64 before,
			bool found, u32 gen, bool init)
{
	/* Another generation need not be found. */
	if (!found && gen != gen_of(before))
		count(a, q);
	else
		judge(a, q, s, before, found, gen, init);
}

static void ask_name(struct asker *a, struct slot *s, enum place k)
{
	unsigned long value;
	size_t len = 0;
	u64 before;
	u32 gen;

	before = look(s);
	gen = some_gen(a, before);
	if (k == SHARED || one_in(&a->rnd, 2)) {
		name_plugin(a->wanted, s, gen);
		len = strlen(a->wanted);
		a->wanted[len++] = ':';
	}
	name_symbol(a->wanted + len, s, gen, k);
	value = modreg_kallsyms_lookup_name(a->wanted);
	if (value && value != address(s, k))
		wrong(a, LOOKUP_NAME, "%s is %lx, not %lx", a->wanted, value, address(s, k));
	judge_named(a, LOOKUP_NAME, s, before, value, gen, k == INIT);
}

/* Checks that the owner in an answer is this generation. Preemption is disabled. */
static void check_owner(struct asker *a, enum question q, const struct modreg_plugin *owner,
			const struct slot *s, u32 gen)
{
	struct told told;

	strscpy(a->plugin, modreg_plugin_name(owner));
	if (!read_name(a->plugin, false, &told) || told.slot != s || told.gen != gen)
		wrong(a, q, "slot %u generation %u: is of [%s]", index_of(s), gen, a->plugin);
}

static void ask_find_symbol(struct asker *a, struct slot *s, enum place k)
{
	struct modreg_find_symbol_arg fsa = { .name = a->wanted, .gplok = !one_in(&a->rnd, 4) };
	bool found;
	u64 before;
	u32 gen;

	if (k == SHARED)
		return;
	guard(preempt)();
	before = look(s);
	gen = some_gen(a, before);
	name_symbol(a->wanted, s, gen, k);
	found = modreg_find_symbol(&fsa);
	if (!places[k].flags || !exports(gen) || (k == GPL && !fsa.gplok)) {
		count(a, FIND_SYMBOL);
		if (found)
			wrong(a, FIND_SYMBOL, "%s is not exported", a->wanted);
		return;
	}
	if (found) {
		if (fsa.value != address(s, k) ||
		    fsa.license != (k == GPL ? MODREG_GPL_ONLY : MODREG_NOT_GPL_ONLY))
			wrong(a, FIND_SYMBOL, "%s is %lx with %d, not %lx", a->wanted, fsa.value,
			      fsa.license, address(s, k));
		check_owner(a, FIND_SYMBOL, fsa.owner, s, gen);
	}
	judge_named(a, FIND_SYMBOL, s, before, found, gen, k == INIT);
}

/* While a reference is held, the plugin stays registered. */
static void ask_find_symbol_get(struct asker *a, struct slot *s)
{
	struct modreg_find_symbol_arg fsa = { .name = a->wanted, .gplok = true };
	u64 before, now;
	bool found;
	u32 gen;

	atomic_inc(&s->holders);
	atomic_inc(&s->pins);
	/* Before the reference is taken. */
	smp_mb__after_atomic();
	before = look(s);
	gen = some_gen(a, before);
	name_symbol(a->wanted, s, gen, GPL);
	found = modreg_find_symbol_get(&fsa);
	count(a, FIND_SYMBOL_GET);
	now = look_again(s);
	if (!found) {
		if (before == now && phase_of(now) == LIVE && gen == gen_of(now) && exports(gen))
			wrong(a, FIND_SYMBOL_GET, "%s is there, but not found", a->wanted);
		goto none_held;
	}
	if (fsa.value != address(s, GPL) || !exports(gen))
		wrong(a, FIND_SYMBOL_GET, "%s is %lx, not %lx", a->wanted, fsa.value,
		      address(s, GPL));
	if (a->context == PROCESS && one_in(&a->rnd, 32))
		schedule_timeout_uninterruptible(1 + random(&a->rnd, 3));
	ask_symbol(a, ADDRESS_LOOKUP, s, one_in(&a->rnd, 2) ? LOCAL : DATA);
	check_owner(a, FIND_SYMBOL_GET, fsa.owner, s, gen);
	now = look_again(s);
	if (gen_of(now) != gen || phase_of(now) < STARTED || phase_of(now) > LEAVING)
		wrong(a, FIND_SYMBOL_GET, "%s is pinned, but now it is %u in phase %d", a->wanted,
		      gen_of(now), phase_of(now));
	modreg_find_symbol_put(fsa.owner);
none_held:
	/* After the reference was put. */
	smp_mb__before_atomic();
	atomic_dec(&s->holders);
}

/* References to the samples' plugins, whose owners unregister them when they are unloaded. */
static void ask_sample(struct asker *a)
{
	struct modreg_find_symbol_arg fsa = { .gplok = true };

	fsa.name = one_in(&a->rnd, 2) ? "sample_c_add" : "sample_rust_add";
	if (modreg_find_symbol_get(&fsa))
		modreg_find_symbol_put(fsa.owner);
	count(a, SAMPLE);
}

static void look_at_all(struct asker *a)
{
	unsigned int i;

	for (i = 0; i < SLOTS; i++)
		a->before[i] = look(&slots[i]);
}

/* Asks for the n-th symbol; returns false behind the last. Other plugins may be registered too. */
static bool nth(struct asker *a, enum question q, unsigned int n, struct told *told)
{
	unsigned long value;
	struct told symbol;
	int exported, ret;
	bool ours;
	char type;

	told->slot = NULL;
	ret = modreg_get_kallsym(n, &value, &type, a->name, a->plugin, &exported);
	if (ret) {
		if (ret != -ERANGE)
			wrong(a, q, "returns %d", ret);
		return false;
	}
	/* Behind these come no others. */
	if (is_standing(a->plugin))
		return false;
	/* ELF's first symbol is null. */
	if (!read_name(a->plugin, false, told) || !a->name[0])
		return true;
	if (!strcmp(a->name, SHARED_NAME)) {
		ours = true;
		told->k = SHARED;
	} else {
		ours = read_name(a->name, true, &symbol) && symbol.slot == told->slot &&
		       symbol.gen == told->gen;
		told->k = symbol.k;
	}
	if (!ours || value != address(told->slot, told->k) || type != places[told->k].type ||
	    exported != (exports(told->gen) && places[told->k].flags))
		wrong(a, q, "%u is %lx %c %s [%s] %d", n, value, type, a->name, a->plugin,
		      exported);
	return true;
}

static void ask_get_kallsym(struct asker *a)
{
	struct told told;

	look_at_all(a);
	if (nth(a, GET_KALLSYM, random(&a->rnd, SLOTS * PLACES), &told) && told.slot)
		judge(a, GET_KALLSYM, told.slot, a->before[index_of(told.slot)], true, told.gen,
		      told.k == INIT);
	else
		count(a, GET_KALLSYM);
}

/* All plugins share this name; the one found must be registered. */
static void ask_shared(struct asker *a)
{
	struct modreg_find_symbol_arg fsa = { .name = SHARED_NAME };
	bool must = false, found;
	struct told told;
	unsigned int i;

	guard(preempt)();
	look_at_all(a);
	found = modreg_find_symbol(&fsa);
	if (found) {
		strscpy(a->plugin, modreg_plugin_name(fsa.owner));
		if (!read_name(a->plugin, false, &told) || !exports(told.gen) ||
		    fsa.value != address(told.slot, SHARED))
			wrong(a, SHARED_SYMBOL, "%lx of [%s]", fsa.value, a->plugin);
		else
			judge(a, SHARED_SYMBOL, told.slot, a->before[index_of(told.slot)], true,
			      told.gen, false);
		return;
	}
	count(a, SHARED_SYMBOL);
	for (i = 0; i < SLOTS; i++)
		must |= certain(a->before[i], look_again(&slots[i]), false) &&
			exports(gen_of(a->before[i]));
	if (must)
		wrong(a, SHARED_SYMBOL, "not found");
}

/*
 * A plugin that is found by address or by name is also on the list. None is removed while
 * preemption is disabled, and a new one is near the head of the list.
 */
static void ask_listed(struct asker *a, struct slot *s)
{
	struct told told, listed;
	unsigned int n;
	u64 before, after;

	/* An NMI can see the list change while the machine is stopped. */
	if (a->context == NMI)
		return;
	guard(preempt)();
	before = look(s);
	if (one_in(&a->rnd, 2)) {
		if (!modreg_address_lookup(address(s, LOCAL), NULL, NULL, a->plugin, NULL) ||
		    !read_name(a->plugin, false, &told))
			return;
	} else {
		told.gen = gen_of(before);
		name_symbol(a->wanted, s, told.gen, LOCAL);
		if (!modreg_kallsyms_lookup_name(a->wanted))
			return;
	}
	/* Older plugins are far from the head, and finding them takes long. */
	if (phase_of(before) > ARRIVING && !(a->context == PROCESS && one_in(&a->rnd, 64)))
		return;
	count(a, LISTED);
	for (n = 0; nth(a, LISTED, n, &listed); n++)
		if (listed.slot == s && listed.gen == told.gen)
			return;
	after = look_again(s);
	wrong(a, LISTED, "slot %u: %u is found, but not listed; phases %u.%d, %u.%d",
	      index_of(s), told.gen, gen_of(before), phase_of(before), gen_of(after),
	      phase_of(after));
}

/* Asks about an address between regions, which no plugin ever has. */
static void ask_nobody(struct asker *a, struct slot *s)
{
	unsigned long addr = hole(s) + random(&a->rnd, REGION_SIZE);

	count(a, NOBODY);
	guard(preempt)();
	if (modreg_is_address(addr) || modreg_text_address(addr) || modreg_search_extables(addr) ||
	    modreg_address_lookup(addr, NULL, NULL, a->plugin, a->name))
		wrong(a, NOBODY, "slot %u: found", index_of(s));
}

/* Puts every question once. Context: any. */
void ask(struct asker *a)
{
	struct slot *s = &slots[one_in(&a->rnd, 2) ? READ_ONCE(hot) : random(&a->rnd, SLOTS)];
	enum place k = random(&a->rnd, PLACES);

	ask_symbol(a, ADDRESS_LOOKUP, s, k);
	ask_symbol(a, SYMBOL_NAME, s, k);
	ask_symbol(a, SYMBOL_ATTRS, s, k);
	ask_is_address(a, s, k);
	ask_text_address(a, s, k);
	ask_extables(a, s);
	ask_name(a, s, k);
	ask_find_symbol(a, s, k);
	ask_find_symbol_get(a, s);
	ask_sample(a);
	ask_get_kallsym(a);
	ask_shared(a);
	ask_listed(a, s);
	ask_nobody(a, s);
	ask_kernel(a, s, k);
	if (atomic_read(&print_wanted[a->context]) && atomic_xchg(&print_wanted[a->context], 0))
		modreg_print_plugins();
}
