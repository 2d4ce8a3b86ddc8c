// SPDX-License-Identifier: GPL-2.0
/* The writers. Each has slots of its own, and changes their words before and after each step. */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/slab.h>

#include "torture.h"

static struct task_struct *writers[WRITERS];
static atomic_long_t events[EVENTS];

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

/* Overwrites what was borrowed, so that a late reader is noticed. */
static void forget(struct slot *s)
{
	u32 gen = gen_of(s->word);

	s->plugin = NULL;
	WRITE_ONCE(homes[index_of(s)].extable[gen & 1][0].data, 0);
	WRITE_ONCE(homes[index_of(s)].extable[gen & 1][1].data, 0);
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
	mark_entry(e, gen);
}

/*
 * Registers the next generation of a slot. With 'fails' its init callback fails; readers may
 * find it until then.
 */
static void come(struct slot *s, bool fails, const char *args, int want)
{
	u32 gen = gen_of(s->word) + 1;
	struct home *home = &homes[index_of(s)];
	struct exception_table_entry *extable = home->extable[gen & 1];
	int number;
	const struct modreg_param param = { "number", &param_ops_int, &number };
	struct modreg_region regions[] = {
		{ (unsigned long)home->regions[TEXT_REGION], REGION_SIZE, MODREG_TEXT },
		{ (unsigned long)home->regions[DATA_REGION], REGION_SIZE },
		{ (unsigned long)home->regions[INIT_REGION], REGION_SIZE,
		  MODREG_TEXT | MODREG_INIT },
	};
	struct modreg_symtab table;
	struct modreg_plugin_desc desc = {
		.name = s->name,
		.owner = THIS_MODULE,
		.regions = regions,
		.num_regions = ARRAY_SIZE(regions),
		.extable = extable,
		.num_exentries = entries ? 2 : 0,
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

/* Makes a registration that is refused before publication. */
static void refuse(struct slot *s, unsigned int how)
{
	struct modreg_region regions[] = {
		{ hole(s), REGION_SIZE, MODREG_TEXT },
		{ address(s, DATA), 1 },
	};
	/* On the stack: another writer may do the same. */
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

/*
 * Unregisters several plugins at once. A reader may hold a reference; with 'busy' one is held
 * for sure.
 */
static void go(struct slot **going, unsigned int n, bool busy)
{
	struct modreg_plugin *plugins[BATCH];
	bool held = busy;
	unsigned int i;
	int ret, pins = 0;

	for (i = 0; i < n; i++) {
		plugins[i] = going[i]->plugin;
		enter(going[i], LEAVING);
		pins -= atomic_read(&going[i]->pins);
	}
	/* A reader that is counted later is seen in 'pins', too. */
	smp_mb();
	for (i = 0; i < n; i++)
		held |= atomic_read(&going[i]->holders);
	ret = n == 1 ? modreg_unregister_plugin(plugins[0]) : modreg_unregister_plugins(plugins, n);
	/* Reads 'pins' after the answer. */
	smp_mb();
	for (i = 0; i < n; i++)
		pins += atomic_read(&going[i]->pins);
	if ((ret && ret != -EBUSY) || (!ret && busy))
		wrote_wrong("unregistering %u, %s, gives %d", n, going[0]->name, ret);
	/* A refusal has a reason: a reference that a reader holds, or may have held meanwhile. */
	if (ret == -EBUSY && !held && !pins)
		wrote_wrong("unregistering %u, %s, is refused without a reference", n,
			    going[0]->name);
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

/* Finds LIVE plugins of a writer, which has every WRITERS-th slot. */
static unsigned int find_live(struct rnd_state *rnd, unsigned int first, struct slot **found)
{
	unsigned int mine = SLOTS / WRITERS, at = random(rnd, mine), i, n = 0;

	for (i = 0; i < mine && n < BATCH; i++) {
		struct slot *s = &slots[(at + i) % mine * WRITERS + first];

		/* Slot 0 stays registered. */
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
	/* A reader holds a reference for a short time. */
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

long happened(enum event e)
{
	return atomic_long_read(&events[e]);
}

/* After an error, end_writers() ends what has begun. */
int begin_writers(void)
{
	unsigned long i;

	for (i = 0; i < EVENTS; i++)
		atomic_long_set(&events[i], 0);
	for (i = 0; i < WRITERS; i++) {
		writers[i] = kthread_run(write_thread, (void *)i, "modreg_writer/%lu", i);
		if (IS_ERR(writers[i]))
			return PTR_ERR(writers[i]);
	}
	return 0;
}

/* The writers unregister their plugins before they end. */
void end_writers(void)
{
	unsigned int i;

	for (i = 0; i < WRITERS; i++)
		if (!IS_ERR_OR_NULL(writers[i]))
			kthread_stop(writers[i]);
	memset(writers, 0, sizeof(writers));
}
