// SPDX-License-Identifier: GPL-2.0
/*
 * Tortures modreg, in the manner of kernel/rcu/rcutorture.c: writers make plugins come and go while
 * readers in process context, softirq, hard interrupt and NMI put every question of modreg.h and
 * check every answer.
 *
 * What is right? A plugin is one generation of a slot, which owns addresses; its name and those of
 * its symbols hold both, so an answer tells whom it is about. The slot's word tells where the
 * generation stands, and changes before and after each step of its writer. Who asks looks at the
 * word before and after:
 *
 *  - what is found must be a generation that was not gone at the first look and had begun at the
 *    second, and all parts of the answer must belong to that one;
 *  - a generation that was there at the first look and still is at the second must be found.
 *
 * What a plugin borrows is overwritten and freed as soon as its unregistration returns, so who is
 * still looking at it reads no name of ours.
 *
 * In /sys/module/modreg_torture/parameters:
 *   run	1 begins and 0 ends it. The log gets a line every 10 s and the verdict at the end
 *   oops	a write makes a thread fault in a plugin's function
 *   status	that line as it would be now
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cpu.h>
#include <linux/cpuhotplug.h>
#include <linux/delay.h>
#include <linux/hex.h>
#include <linux/hrtimer.h>
#include <linux/kthread.h>
#include <linux/linkage.h>
#include <linux/module.h>
#include <linux/percpu.h>
#include <linux/prandom.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/workqueue.h>
#include <asm/ibt.h>
#include <asm/nmi.h>

#include <modreg.h>

/* About half of the slots are in use: enough for an index of several pieces. */
enum {
	SLOTS = 96,
	WRITERS = 3,
	REGION_SIZE = 0x100,
	BATCH = 4,
	LOUD_ERRORS = 20,
};

/* Where a generation stands. It is there from COMING to GOING. */
enum phase {
	GONE,		/* nobody finds it */
	FAILING,	/* its init callback has failed: it may be gone any moment */
	ARRIVING,	/* being registered: it may be there any moment */
	COMING,		/* in its init callback, with its init region */
	STARTED,	/* its init region may be gone any moment */
	LIVE,		/* registered; without its init region */
	LEAVING,	/* being unregistered, which may be refused: then LIVE again */
	GOING,		/* in its exit callback */
	UNLINKING,	/* it may be gone any moment */
};

/* The symbols of a plugin, each reaches to the next or to the region's end. */
enum place { LOCAL, EXPORTED, GPL, SHARED, DATA, INIT, PLACES };

static const struct {
	unsigned int region, offset, size;
	char type;
	unsigned char flags;
} places[PLACES] = {
	[LOCAL] = { 0, 0x10, 0x30, 't' },
	[EXPORTED] = { 0, 0x40, 0x40, 't', MODREG_EXPORT },
	[GPL] = { 0, 0x80, 0x40, 't', MODREG_EXPORT_GPL },
	[SHARED] = { 0, 0xc0, 0x40, 't', MODREG_EXPORT },
	[DATA] = { 1, 0x20, 0xe0, 'd' },
	[INIT] = { 2, 0, 0x100, 't', MODREG_EXPORT },
};

/* The name that every plugin has. */
#define SHARED_NAME "torture_shared"

/* "torture_", 2 digits for the slot, 8 for the generation, and in a symbol 1 for the place. */
#define PREFIX "torture_"
#define NAME_LEN (sizeof(PREFIX) - 1 + 2 + 8 + 1 + 1)

enum region { TEXT_REGION, DATA_REGION, INIT_REGION, HOLE, REGIONS };

/* Addresses that are nobody else's. The last of each is never registered. */
static char arena[SLOTS][REGIONS][REGION_SIZE] __aligned(PAGE_SIZE);

/* A symbol table that is borrowed. */
struct borrowed {
	struct elf64_sym symtab[1 + PLACES];
	char strtab[1 + PLACES * NAME_LEN + sizeof(SHARED_NAME)];
	char typetab[1 + PLACES];
};

struct slot {
	/* Generation, number of changes, and phase. Only its writer changes it. */
	u64 word;
	/* The rest is the writer's. */
	struct modreg_plugin *plugin;
	struct borrowed *borrowed;
	bool fails;
	/* The one of a generation stays as it is in the next. */
	struct exception_table_entry extable[2][2];
	struct modreg_symbol symbols[PLACES];
	char names[PLACES][NAME_LEN];
	char name[NAME_LEN];
};

static struct slot slots[SLOTS];

/* Where something happens: readers look there more often. */
static unsigned int hot;

enum context { PROCESS, SOFTIRQ, HARDIRQ, NMI, CONTEXTS };

static const char * const context_names[CONTEXTS] = { "process", "softirq", "hardirq", "NMI" };

enum question {
	ADDRESS_LOOKUP, SYMBOL_NAME, SYMBOL_ATTRS, IS_ADDRESS, TEXT_ADDRESS, EXTABLES, LOOKUP_NAME,
	FIND_SYMBOL, FIND_SYMBOL_GET, GET_KALLSYM, SHARED_SYMBOL, LISTED, NOBODY, QUESTIONS
};

static const char * const question_names[QUESTIONS] = {
	"address_lookup", "lookup_symbol_name", "lookup_symbol_attrs", "is_address",
	"text_address", "search_extables", "kallsyms_lookup_name", "find_symbol",
	"find_symbol_get", "get_kallsym", "shared", "listed", "nobody",
};

enum event { REGISTERED, FAILED, REFUSED, UNREGISTERED, IN_BATCHES, BUSY, EVENTS };

/* One who asks. Little of it fits on the stack of an NMI. */
struct asker {
	struct hrtimer timer;
	struct task_struct *task;
	enum context context;
	struct rnd_state rnd;
	u64 before[SLOTS];
	char plugin[MODREG_NAME_LEN];
	char name[KSYM_NAME_LEN];
	char wanted[2 * NAME_LEN];
};

struct counts {
	unsigned long asked[CONTEXTS][QUESTIONS];
};

static struct counts __percpu *counts;
static struct asker __percpu *irq_askers[CONTEXTS];
static struct asker **readers;
static struct task_struct *writers[WRITERS];
static atomic_long_t events[EVENTS];
static atomic_long_t errors;
static atomic_t print_wanted[CONTEXTS];
static unsigned long began;
static bool running;
static int cpuhp_state;
static struct modreg_plugin *oops_plugin;

/* The word of a slot */

static u32 gen_of(u64 word)
{
	return word >> 32;
}

static enum phase phase_of(u64 word)
{
	return word & 0xff;
}

/* The barriers are those of a seqcount: who sees what its writer did next sees the word, too. */
static void enter(struct slot *s, enum phase phase)
{
	u64 word = READ_ONCE(s->word);
	u32 gen = gen_of(word) + (phase == ARRIVING);

	/* After all that was done before, ... */
	smp_mb();
	WRITE_ONCE(s->word, (u64)gen << 32 | (((word & 0xffffff00) + 0x100) & 0xffffff00) | phase);
	/* ... and before all that is done next. */
	smp_mb();
}

static u64 look(const struct slot *s)
{
	/* Before the question. */
	return smp_load_acquire(&s->word);
}

static u64 look_again(const struct slot *s)
{
	/* After the answer. */
	smp_mb();
	return READ_ONCE(s->word);
}

static bool there(u64 word)
{
	return phase_of(word) >= COMING && phase_of(word) <= GOING;
}

/* Whether a generation may have been found between two looks. */
static bool possible(u64 before, u64 after, u32 gen, bool init)
{
	if (gen < gen_of(before) || gen > gen_of(after))
		return false;
	if (gen == gen_of(before))
		return phase_of(before) != GONE && !(init && phase_of(before) >= LIVE);
	return true;
}

/* Whether the generation of the first look must have been found. */
static bool certain(u64 before, u64 after, bool init)
{
	if (init)
		return before == after && phase_of(before) == COMING;
	return gen_of(before) == gen_of(after) && there(before) && there(after);
}

/* Exports need a table that is copied; every other generation has that. */
static bool exports(u32 gen)
{
	return !(gen & 1);
}

/* Names and addresses */

static unsigned int index_of(const struct slot *s)
{
	return s - slots;
}

static unsigned long address(const struct slot *s, enum place k)
{
	return (unsigned long)arena[index_of(s)][places[k].region] + places[k].offset;
}

static unsigned long hole(const struct slot *s)
{
	return (unsigned long)arena[index_of(s)][HOLE];
}

static void name_plugin(char *name, const struct slot *s, u32 gen)
{
	snprintf(name, NAME_LEN, PREFIX "%02x%08x", index_of(s), gen);
}

static void name_symbol(char *name, const struct slot *s, u32 gen, enum place k)
{
	if (k == SHARED)
		strscpy(name, SHARED_NAME, NAME_LEN);
	else
		snprintf(name, NAME_LEN, PREFIX "%02x%08x%x", index_of(s), gen, k);
}

/* What a name tells; false where it is not one that we give. */
struct told {
	struct slot *slot;
	u32 gen;
	enum place k;
};

static bool read_name(const char *name, bool symbol, struct told *told)
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

/* Readers */

static void count(const struct asker *a, enum question q)
{
	this_cpu_inc(counts->asked[a->context][q]);
}

#define wrong(a, q, fmt, ...) do {							\
	if (atomic_long_inc_return(&errors) <= LOUD_ERRORS)				\
		pr_err("wrong: %s in %s: " fmt "\n", question_names[q],			\
		       context_names[(a)->context], ##__VA_ARGS__);			\
} while (0)

/* What was said of a slot; nothing where nothing was found. Generation 0 stands for any. */
static void judge(struct asker *a, enum question q, const struct slot *s, u64 before, bool found,
		  u32 gen, bool init)
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

static unsigned int random(struct rnd_state *rnd, unsigned int below)
{
	return prandom_u32_state(rnd) % below;
}

static bool one_in(struct rnd_state *rnd, unsigned int n)
{
	return !random(rnd, n);
}

/* Questions that name the symbol at an address. */
static void ask_symbol(struct asker *a, enum question q, struct slot *s, enum place k)
{
	unsigned long size = places[k].size, offset = random(&a->rnd, places[k].size);
	unsigned long addr = address(s, k) + offset, its_size = size, its_offset = offset;
	struct told told = { s };
	bool found;
	u64 before;
	int ret;

	/* Without the plugin's name nobody could tell whose that is. */
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

	/* The plugin must not go before preemption is enabled. */
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

static unsigned long faulting(const struct slot *s, bool init)
{
	return address(s, init ? INIT : EXPORTED) + 4;
}

static void ask_extables(struct asker *a, struct slot *s)
{
	bool init = one_in(&a->rnd, 4);
	const struct exception_table_entry *e;
	u64 before;
	u32 gen = 0;

	/* As above. */
	guard(preempt)();
	before = look(s);
	e = modreg_search_extables(faulting(s, init));
	if (e) {
		gen = READ_ONCE(e->data);
		if (e != &s->extable[gen & 1][init])
			wrong(a, EXTABLES, "slot %u: the wrong entry, of %u", index_of(s), gen);
		if (one_in(&a->rnd, 8))
			udelay(random(&a->rnd, 20));
		if (READ_ONCE(e->data) != gen)
			wrong(a, EXTABLES, "slot %u: the entry of %u became one of %u", index_of(s),
			      gen, READ_ONCE(e->data));
	}
	judge(a, EXTABLES, s, before, e, gen, init);
}

/* The generation to ask for by name: most often the present one. */
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

/* What was said of one generation that was asked for. */
static void judge_named(struct asker *a, enum question q, const struct slot *s, u64 before,
			bool found, u32 gen, bool init)
{
	/* Of another one nothing need be said. */
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

/* Whether the plugin that an answer names is the one; preemption is disabled. */
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

/* While a reference is held its plugin is there, and cannot go. */
static void ask_find_symbol_get(struct asker *a, struct slot *s)
{
	struct modreg_find_symbol_arg fsa = { .name = a->wanted, .gplok = true };
	u64 before, now;
	bool found;
	u32 gen;

	before = look(s);
	gen = some_gen(a, before);
	name_symbol(a->wanted, s, gen, GPL);
	found = modreg_find_symbol_get(&fsa);
	count(a, FIND_SYMBOL_GET);
	now = look_again(s);
	if (!found) {
		if (before == now && phase_of(now) == LIVE && gen == gen_of(now) && exports(gen))
			wrong(a, FIND_SYMBOL_GET, "%s is there, but not found", a->wanted);
		return;
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
}

static void look_at_all(struct asker *a)
{
	unsigned int i;

	for (i = 0; i < SLOTS; i++)
		a->before[i] = look(&slots[i]);
}

/* The n-th symbol of all; false behind the last. Other plugins than ours may be there, too. */
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
	/* ELF's first symbol is none. */
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

/* A name that many plugins have: whichever is found must be there. */
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
 * The list is the truth: who is found by address or by name is on it. Nobody is removed while
 * preemption is disabled, and one that just came is near the list's head.
 */
static void ask_listed(struct asker *a, struct slot *s)
{
	struct told told, listed;
	unsigned int n;
	u64 before, after;

	/* An NMI may see the machine stopped, and the list change. */
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
	/* Others are far from it, and it takes long to find them there. */
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

/* Addresses that are between those of plugins, and never any plugin's. */
static void ask_nobody(struct asker *a, struct slot *s)
{
	unsigned long addr = hole(s) + random(&a->rnd, REGION_SIZE);

	count(a, NOBODY);
	guard(preempt)();
	if (modreg_is_address(addr) || modreg_text_address(addr) || modreg_search_extables(addr) ||
	    modreg_address_lookup(addr, NULL, NULL, a->plugin, a->name))
		wrong(a, NOBODY, "slot %u: found", index_of(s));
}

static void ask(struct asker *a)
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
	ask_get_kallsym(a);
	ask_shared(a);
	ask_listed(a, s);
	ask_nobody(a, s);
	if (atomic_read(&print_wanted[a->context]) && atomic_xchg(&print_wanted[a->context], 0))
		modreg_print_plugins();
}

static int ask_in_process(void *data)
{
	struct asker *a = data;

	set_user_nice(current, MAX_NICE);
	while (!kthread_should_stop()) {
		ask(a);
		cond_resched();
	}
	return 0;
}

/* At any moment, but not for more than a tenth of the time. */
static enum hrtimer_restart ask_in_irq(struct hrtimer *timer)
{
	struct asker *a = container_of(timer, struct asker, timer);
	ktime_t start = ktime_get();

	if (a->context == HARDIRQ ? !in_hardirq() : !in_serving_softirq())
		wrong(a, NOBODY, "it is not there");
	ask(a);
	hrtimer_forward_now(timer, 9 * ktime_sub(ktime_get(), start) +
			    (500 + random(&a->rnd, 1000)) * NSEC_PER_USEC);
	return HRTIMER_RESTART;
}

/* Nobody else takes NMIs of unknown origin, and none is swallowed. */
static int ask_in_nmi(unsigned int type, struct pt_regs *regs)
{
	ask(this_cpu_ptr(irq_askers[NMI]));
	return NMI_HANDLED;
}

static int cpu_comes(unsigned int cpu)
{
	enum context c;

	for (c = SOFTIRQ; c <= HARDIRQ; c++)
		hrtimer_start(&this_cpu_ptr(irq_askers[c])->timer, us_to_ktime(1000),
			      c == HARDIRQ ? HRTIMER_MODE_REL_PINNED_HARD :
					     HRTIMER_MODE_REL_PINNED_SOFT);
	return 0;
}

static int cpu_goes(unsigned int cpu)
{
	enum context c;

	for (c = SOFTIRQ; c <= HARDIRQ; c++)
		hrtimer_cancel(&this_cpu_ptr(irq_askers[c])->timer);
	return 0;
}

/* Writers */

static void done(enum event e, long n)
{
	atomic_long_add(n, &events[e]);
}

#define wrote_wrong(fmt, ...) do {							\
	if (atomic_long_inc_return(&errors) <= LOUD_ERRORS)				\
		pr_err("wrong: a writer: " fmt "\n", ##__VA_ARGS__);			\
} while (0)

static int slot_init(void *data)
{
	struct slot *s = data;

	enter(s, COMING);
	if (s->fails) {
		enter(s, FAILING);
		return -EIO;
	}
	enter(s, STARTED);
	return 0;
}

static void slot_exit(void *data)
{
	struct slot *s = data;

	enter(s, GOING);
	enter(s, UNLINKING);
}

/* Whoever still reads what was borrowed must be seen to. */
static void forget(struct slot *s)
{
	u32 gen = gen_of(s->word);

	s->plugin = NULL;
	WRITE_ONCE(s->extable[gen & 1][0].data, 0);
	WRITE_ONCE(s->extable[gen & 1][1].data, 0);
	if (s->borrowed)
		memset(s->borrowed, 'Z', sizeof(*s->borrowed));
	kfree(s->borrowed);
	s->borrowed = NULL;
	enter(s, GONE);
}

static void lend(struct slot *s, struct borrowed *b, struct modreg_symtab *table)
{
	unsigned int at = 1, k;

	b->typetab[0] = '?';
	for (k = 0; k < PLACES; k++) {
		b->symtab[1 + k] = (struct elf64_sym){
			.st_name = at, .st_shndx = 1, .st_value = address(s, k),
		};
		b->typetab[1 + k] = places[k].type;
		at += strscpy(b->strtab + at, s->names[k], NAME_LEN) + 1;
	}
	*table = (struct modreg_symtab){
		b->symtab, ARRAY_SIZE(b->symtab), b->strtab, sizeof(b->strtab), b->typetab,
	};
}

static void set_entry(struct exception_table_entry *e, unsigned long insn, u32 gen)
{
	e->insn = insn - (unsigned long)&e->insn;
	e->fixup = insn - (unsigned long)&e->fixup;
	WRITE_ONCE(e->data, gen);
}

/* Registers the next generation of a slot. Where it 'fails' it is found meanwhile nevertheless. */
static void come(struct slot *s, bool fails, const char *args, int want)
{
	u32 gen = gen_of(s->word) + 1;
	struct exception_table_entry *extable = s->extable[gen & 1];
	int number;
	const struct modreg_param param = { "number", &param_ops_int, &number };
	struct modreg_region regions[] = {
		{ (unsigned long)arena[index_of(s)][TEXT_REGION], REGION_SIZE, MODREG_TEXT },
		{ (unsigned long)arena[index_of(s)][DATA_REGION], REGION_SIZE },
		{ (unsigned long)arena[index_of(s)][INIT_REGION], REGION_SIZE,
		  MODREG_TEXT | MODREG_INIT },
	};
	struct modreg_symtab table;
	struct modreg_plugin_desc desc = {
		.name = s->name,
		.owner = THIS_MODULE,
		.regions = regions,
		.num_regions = ARRAY_SIZE(regions),
		.extable = extable,
		.num_exentries = 2,
		.params = &param,
		.num_params = 1,
		.args = args,
		.init = slot_init,
		.exit = slot_exit,
		.data = s,
	};
	unsigned int k;

	name_plugin(s->name, s, gen);
	for (k = 0; k < PLACES; k++) {
		name_symbol(s->names[k], s, gen, k);
		s->symbols[k] = (struct modreg_symbol){
			s->names[k], address(s, k), places[k].type, places[k].flags,
		};
	}
	set_entry(&extable[0], faulting(s, false), gen);
	set_entry(&extable[1], faulting(s, true), gen);
	if (exports(gen)) {
		desc.symbols = s->symbols;
		desc.num_symbols = PLACES;
	} else {
		s->borrowed = kzalloc_obj(*s->borrowed);
		if (!s->borrowed)
			return;
		lend(s, s->borrowed, &table);
		desc.symtab = &table;
	}
	s->fails = fails;

	enter(s, ARRIVING);
	s->plugin = modreg_register_plugin(&desc);
	if (PTR_ERR_OR_ZERO(s->plugin) != want)
		wrote_wrong("registering %s gives %d, not %d", s->name,
			    PTR_ERR_OR_ZERO(s->plugin), want);
	if (IS_ERR(s->plugin)) {
		forget(s);
		done(FAILED, 1);
	} else {
		enter(s, LIVE);
		done(REGISTERED, 1);
	}
}

/* Registers what must be refused before anybody can find it. */
static void refuse(struct slot *s, unsigned int how)
{
	struct modreg_region regions[] = {
		{ hole(s), REGION_SIZE, MODREG_TEXT },
		{ address(s, DATA), 1 },
	};
	/* Another writer may be at the same. */
	char name[NAME_LEN];
	struct modreg_plugin_desc desc = {
		.name = name,
		.owner = THIS_MODULE,
		.regions = regions,
		.num_regions = 1,
	};
	struct modreg_plugin *plugin;
	int want = -EEXIST;

	snprintf(name, sizeof(name), PREFIX "refused_%02x", index_of(s));
	switch (how) {
	case 0:
		desc.name = s->name;
		break;
	case 1:
		desc.num_regions = 2;
		break;
	default:
		regions[0].size = -1;
		want = -EINVAL;
		break;
	}
	plugin = modreg_register_plugin(&desc);
	if (PTR_ERR_OR_ZERO(plugin) != want)
		wrote_wrong("registering beside %s gives %d, not %d", s->name,
			    PTR_ERR_OR_ZERO(plugin), want);
	if (!IS_ERR(plugin))
		modreg_unregister_plugin(plugin);
	else
		done(REFUSED, 1);
}

/* Unregisters several at once. A reader may hold a reference; 'busy' says that somebody does. */
static void go(struct slot **going, unsigned int n, bool busy)
{
	struct modreg_plugin *plugins[BATCH];
	unsigned int i;
	int ret;

	for (i = 0; i < n; i++) {
		plugins[i] = going[i]->plugin;
		enter(going[i], LEAVING);
	}
	ret = n == 1 ? modreg_unregister_plugin(plugins[0]) : modreg_unregister_plugins(plugins, n);
	if ((ret && ret != -EBUSY) || (!ret && busy))
		wrote_wrong("unregistering %u, %s, gives %d", n, going[0]->name, ret);
	for (i = 0; i < n; i++)
		if (ret)
			enter(going[i], LIVE);
		else
			forget(going[i]);
	if (ret) {
		done(BUSY, 1);
	} else {
		done(UNREGISTERED, n);
		done(IN_BATCHES, n > 1 ? n : 0);
	}
}

static bool live(const struct slot *s)
{
	return phase_of(s->word) == LIVE;
}

/* Each writer has every WRITERS-th slot. */
static unsigned int find_live(struct rnd_state *rnd, unsigned int first, struct slot **found)
{
	unsigned int mine = SLOTS / WRITERS, at = random(rnd, mine), i, n = 0;

	for (i = 0; i < mine && n < BATCH; i++) {
		struct slot *s = &slots[(at + i) % mine * WRITERS + first];

		/* The first one of all stays. */
		if (live(s) && s != slots)
			found[n++] = s;
	}
	return n;
}

static void pin_and_go(struct slot **going, unsigned int n)
{
	struct modreg_find_symbol_arg fsa = { .name = going[0]->names[EXPORTED] };
	bool pinned = modreg_find_symbol_get(&fsa);

	if (pinned != exports(gen_of(going[0]->word)))
		wrote_wrong("%s is LIVE, but %spinned", fsa.name, pinned ? "" : "not ");
	go(going, n, pinned);
	modreg_find_symbol_put(pinned ? fsa.owner : NULL);
}

static void write_once(struct rnd_state *rnd, unsigned int first)
{
	struct slot *s = &slots[random(rnd, SLOTS / WRITERS) * WRITERS + first], *going[BATCH];
	unsigned int n = find_live(rnd, first, going);

	if (!live(s)) {
		WRITE_ONCE(hot, index_of(s));
		switch (random(rnd, 16)) {
		case 0:
			return come(s, true, NULL, -EIO);
		case 1:
			return come(s, false, "nonsense=1", -ENOENT);
		case 2:
			return come(s, false, "number=what", -EINVAL);
		default:
			return come(s, false, one_in(rnd, 2) ? NULL : "number=7", 0);
		}
	}
	if (one_in(rnd, 16))
		return refuse(s, random(rnd, 3));
	if (!n || one_in(rnd, 2))
		return;
	WRITE_ONCE(hot, index_of(going[0]));
	if (one_in(rnd, 2))
		n = 1;
	if (one_in(rnd, 8))
		pin_and_go(going, n);
	else
		go(going, n, false);
}

static int write_thread(void *data)
{
	unsigned long first = (unsigned long)data;
	struct slot *going[BATCH];
	struct rnd_state rnd;
	unsigned int n;

	prandom_seed_state(&rnd, get_random_u64());
	while (!kthread_should_stop()) {
		write_once(&rnd, first);
		if (one_in(&rnd, 2))
			usleep_range(100, 3000);
	}
	/* A reader does not hold one for long. */
	while ((n = find_live(&rnd, first, going))) {
		go(going, n, false);
		schedule_timeout_uninterruptible(1);
	}
	going[0] = slots;
	while (!first && live(slots)) {
		go(going, 1, false);
		schedule_timeout_uninterruptible(1);
	}
	return 0;
}

/* A function to fault in, and a plugin for it. */

/* long torture_fault(const long *p): *p */
asm("	.pushsection .text, \"ax\", @progbits\n"
"	.type	torture_fault, @function\n"
"torture_fault:\n"
	ASM_ENDBR
"	movq	(%rdi), %rax\n"
	ASM_RET
"	.size	torture_fault, . - torture_fault\n"
"torture_fault_end:\n"
"	.popsection\n"
);

asmlinkage long torture_fault(const long *p);
asmlinkage void torture_fault_end(void);

static int fault_thread(void *data)
{
	/* No memory is there. The script knows this number. */
	return torture_fault(ERR_PTR(-0xabc));
}

static struct modreg_plugin *register_oops_plugin(void)
{
	const unsigned long start = (unsigned long)torture_fault;
	const struct modreg_region region = {
		start, (unsigned long)torture_fault_end - start, MODREG_TEXT,
	};
	const struct modreg_symbol symbol = { "torture_fault", start };
	const struct modreg_plugin_desc desc = {
		.name = PREFIX "oops",
		.owner = THIS_MODULE,
		.regions = &region,
		.num_regions = 1,
		.symbols = &symbol,
		.num_symbols = 1,
	};

	return modreg_register_plugin(&desc);
}

/* Begin and end */

static unsigned long asked(enum context c, enum question q)
{
	unsigned long n = 0;
	unsigned int cpu;

	for_each_possible_cpu(cpu)
		n += READ_ONCE(per_cpu_ptr(counts, cpu)->asked[c][q]);
	return n;
}

static unsigned long asked_in(enum context c)
{
	unsigned long n = 0;
	enum question q;

	for (q = 0; q < QUESTIONS; q++)
		n += asked(c, q);
	return n;
}

static int status(char *buffer, size_t size)
{
	unsigned long seconds = running ? (jiffies - began) / HZ : 0;

	return scnprintf(buffer, size,
			 "%lu s: asked in process %lu, softirq %lu, hardirq %lu, NMI %lu; registered %ld, failed %ld, refused %ld, unregistered %ld, %ld of them in batches, busy %ld; errors %ld",
			 seconds, asked_in(PROCESS), asked_in(SOFTIRQ), asked_in(HARDIRQ),
			 asked_in(NMI), atomic_long_read(&events[REGISTERED]),
			 atomic_long_read(&events[FAILED]), atomic_long_read(&events[REFUSED]),
			 atomic_long_read(&events[UNREGISTERED]),
			 atomic_long_read(&events[IN_BATCHES]), atomic_long_read(&events[BUSY]),
			 atomic_long_read(&errors));
}

static void print_status(void)
{
	static char buffer[400];

	status(buffer, sizeof(buffer));
	pr_alert("%s\n", buffer);
}

static void tell(struct work_struct *work);
static DECLARE_DELAYED_WORK(teller, tell);

static void tell(struct work_struct *work)
{
	enum context c;

	print_status();
	for (c = 0; c < CONTEXTS; c++)
		atomic_set(&print_wanted[c], 1);
	schedule_delayed_work(&teller, 10 * HZ);
}

static void print_verdict(void)
{
	bool complete = true;
	enum question q;
	enum context c;
	enum event e;

	for (q = 0; q < QUESTIONS; q++) {
		pr_alert("%s: process %lu softirq %lu hardirq %lu NMI %lu\n", question_names[q],
			 asked(PROCESS, q), asked(SOFTIRQ, q), asked(HARDIRQ, q), asked(NMI, q));
		for (c = 0; c < CONTEXTS; c++)
			complete &= asked(c, q) || (q == LISTED && c == NMI);
	}
	for (e = 0; e < EVENTS; e++)
		complete &= atomic_long_read(&events[e]) > 0;
	print_status();
	pr_alert("end: %s\n", atomic_long_read(&errors) ? "FAILURE" :
		 complete ? "SUCCESS" : "INCOMPLETE: something was never tried");
}

static void torture_end(void)
{
	enum context c;
	unsigned int i;

	for (i = 0; i < WRITERS; i++)
		if (!IS_ERR_OR_NULL(writers[i]))
			kthread_stop(writers[i]);
	memset(writers, 0, sizeof(writers));
	if (cpuhp_state > 0)
		cpuhp_remove_state(cpuhp_state);
	if (running)
		unregister_nmi_handler(NMI_UNKNOWN, KBUILD_MODNAME);
	for (i = 0; readers && readers[i]; i++) {
		if (!IS_ERR_OR_NULL(readers[i]->task))
			kthread_stop(readers[i]->task);
		kfree(readers[i]);
	}
	kfree(readers);
	readers = NULL;
	cancel_delayed_work_sync(&teller);
	if (!IS_ERR_OR_NULL(oops_plugin))
		modreg_unregister_plugin(oops_plugin);
	oops_plugin = NULL;
	if (running)
		print_verdict();
	for (c = SOFTIRQ; c < CONTEXTS; c++) {
		free_percpu(irq_askers[c]);
		irq_askers[c] = NULL;
	}
	free_percpu(counts);
	counts = NULL;
	running = false;
}

static int begin_readers(void)
{
	unsigned int n = num_online_cpus(), cpu, i;
	enum context c;

	counts = alloc_percpu(struct counts);
	readers = kcalloc(n + 1, sizeof(*readers), GFP_KERNEL);
	if (!counts || !readers)
		return -ENOMEM;
	for (c = SOFTIRQ; c < CONTEXTS; c++) {
		irq_askers[c] = alloc_percpu(struct asker);
		if (!irq_askers[c])
			return -ENOMEM;
		for_each_possible_cpu(cpu) {
			struct asker *a = per_cpu_ptr(irq_askers[c], cpu);

			a->context = c;
			prandom_seed_state(&a->rnd, get_random_u64());
			if (c != NMI)
				hrtimer_setup(&a->timer, ask_in_irq, CLOCK_MONOTONIC,
					      c == HARDIRQ ? HRTIMER_MODE_REL_PINNED_HARD :
							     HRTIMER_MODE_REL_PINNED_SOFT);
		}
	}
	for (i = 0; i < n; i++) {
		struct asker *a = kzalloc_obj(*a);

		if (!a)
			return -ENOMEM;
		readers[i] = a;
		a->context = PROCESS;
		prandom_seed_state(&a->rnd, get_random_u64());
		a->task = kthread_run(ask_in_process, a, "modreg_reader/%u", i);
		if (IS_ERR(a->task))
			return PTR_ERR(a->task);
	}
	return 0;
}

static int torture_begin(void)
{
	unsigned long i;
	int err;

	atomic_long_set(&errors, 0);
	for (i = 0; i < EVENTS; i++)
		atomic_long_set(&events[i], 0);
	oops_plugin = register_oops_plugin();
	err = PTR_ERR_OR_ZERO(oops_plugin) ?: begin_readers() ?:
	      register_nmi_handler(NMI_UNKNOWN, ask_in_nmi, 0, KBUILD_MODNAME);
	if (err)
		return err;
	running = true;
	cpuhp_state = cpuhp_setup_state(CPUHP_AP_ONLINE_DYN, "modreg/torture:online", cpu_comes,
					cpu_goes);
	if (cpuhp_state < 0)
		return cpuhp_state;
	for (i = 0; i < WRITERS; i++) {
		writers[i] = kthread_run(write_thread, (void *)i, "modreg_writer/%lu", i);
		if (IS_ERR(writers[i]))
			return PTR_ERR(writers[i]);
	}
	began = jiffies;
	schedule_delayed_work(&teller, 10 * HZ);
	return 0;
}

static int run_set(const char *val, const struct kernel_param *kp)
{
	bool on;
	int err = kstrtobool(val, &on);

	if (err || on == running)
		return err;
	if (on)
		err = torture_begin();
	if (!on || err)
		torture_end();
	return err;
}

static const struct kernel_param_ops run_ops = { .set = run_set, .get = param_get_bool };
module_param_cb(run, &run_ops, &running, 0600);

static int oops_set(const char *val, const struct kernel_param *kp)
{
	struct task_struct *task = kthread_create(fault_thread, NULL, "modreg_fault");

	if (IS_ERR(task))
		return PTR_ERR(task);
	get_task_struct(task);
	wake_up_process(task);
	while (!READ_ONCE(task->exit_state))
		msleep(20);
	put_task_struct(task);
	return 0;
}

static const struct kernel_param_ops oops_ops = { .set = oops_set };
module_param_cb(oops, &oops_ops, NULL, 0200);

static int status_get(char *buffer, const struct kernel_param *kp)
{
	int len;

	if (!running)
		return -ENODATA;
	len = status(buffer, PAGE_SIZE - 1);
	return len + sysfs_emit_at(buffer, len, "\n");
}

static const struct kernel_param_ops status_ops = { .get = status_get };
module_param_cb(status, &status_ops, NULL, 0400);

static int __init torture_init(void)
{
	return 0;
}

static void __exit torture_exit(void)
{
	torture_end();
}

module_init(torture_init);
module_exit(torture_exit);

MODULE_DESCRIPTION("Tortures modreg");
MODULE_LICENSE("GPL");
