// SPDX-License-Identifier: GPL-2.0
/*
 * Many small plugins, beside the kernel's own structures for the same ranges: the latched rbtree of
 * modules and BPF, and a maple tree.
 *
 *   scale alloc N		memory for N plugins of one region and one symbol, and for peers
 *   scale add N [same|init]	registers them until there are N: with three symbols of the same
 *				names, or with an init region each
 *   scale peers		enters the same ranges into the peers
 *   scale region		the region of an address: modreg, both peers
 *   scale miss			the same for addresses that no plugin has: modreg
 *   scale names		plugin:name of the oldest, the newest, and one with a unique name
 *   scale register		registers one: modreg; kmalloc(), a list and the latched rbtree
 *				under a mutex
 *   scale remove NUM		removes NUM in one call: oldest, newest, any; a stop of nothing
 *   scale stopped NUM		the same, as seen by a CPU that only computes; the stop of nothing
 *				comes after as much work, and before as much
 *   scale free
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/completion.h>
#include <linux/cpu.h>
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/maple_tree.h>
#include <linux/mutex.h>
#include <linux/prandom.h>
#include <linux/rbtree_latch.h>
#include <linux/rculist.h>
#include <linux/slab.h>
#include <linux/stop_machine.h>

#include "bench.h"

#define SPACING 64
/* Behind text, the header asks for as much. */
#define ROOM 16
#define QUESTIONS 0x4000
#define MANY 100
#define SAME 3

/* Prime to the number of places, so that plugins come in no order of addresses. */
#define STRIDE 7919

struct peer {
	struct list_head list;
	struct latch_tree_node node;
	unsigned long base, size;
};

static struct {
	char *memory;
	/* In the order of registration, with their places; NULL for one that was removed. */
	struct modreg_plugin **plugins;
	unsigned int *where;
	/* Places in memory without a plugin. */
	unsigned int *free;
	struct peer **peers;
	unsigned int places, num_free, head, tail, num, serial, num_peers;
	const char *kind;
} many;

static LIST_HEAD(peers);
static DEFINE_MUTEX(peers_lock);
static struct latch_tree_root latched ____cacheline_aligned;
static struct maple_tree maple = MTREE_INIT(maple, MT_FLAGS_ALLOC_RANGE | MT_FLAGS_USE_RCU);

static __always_inline bool peer_less(struct latch_tree_node *a, struct latch_tree_node *b)
{
	return container_of(a, struct peer, node)->base < container_of(b, struct peer, node)->base;
}

static __always_inline int peer_comp(void *key, struct latch_tree_node *n)
{
	const struct peer *p = container_of(n, struct peer, node);
	unsigned long addr = (unsigned long)key;

	if (addr < p->base)
		return -1;
	return addr >= p->base + p->size;
}

static const struct latch_tree_ops peer_ops = { .less = peer_less, .comp = peer_comp };

static noinline bool latch_is_address(unsigned long addr)
{
	guard(preempt)();
	return latch_tree_find((void *)addr, &latched, &peer_ops);
}

static noinline bool maple_is_address(unsigned long addr)
{
	guard(preempt)();
	return mtree_load(&maple, addr);
}

/* The place that the plugin with that serial number has when none was removed before. */
static unsigned int place(unsigned int serial)
{
	return (u64)serial * STRIDE % many.places;
}

static unsigned long address(unsigned int place)
{
	return (unsigned long)many.memory + place * SPACING;
}

/* The array has room for a while; then it starts anew. */
static void rewind(void)
{
	unsigned int i, n = 0;

	for (i = many.head; i < many.tail; i++) {
		if (many.plugins[i]) {
			many.where[n] = many.where[i];
			many.plugins[n++] = many.plugins[i];
		}
	}
	memset(many.plugins + n, 0, (many.tail - n) * sizeof(*many.plugins));
	many.head = 0;
	many.tail = n;
}

static void many_free(void)
{
	unsigned int i, n;

	rewind();
	for (i = 0; i < many.tail; i += n) {
		n = min(many.tail - i, 1000);
		modreg_unregister_plugins(many.plugins + i, n);
		cond_resched();
	}
	for (i = 0; i < many.num_peers; i++) {
		latch_tree_erase(&many.peers[i]->node, &latched, &peer_ops);
		list_del_rcu(&many.peers[i]->list);
		kfree(many.peers[i]);
	}
	mtree_destroy(&maple);
	mt_init_flags(&maple, MT_FLAGS_ALLOC_RANGE | MT_FLAGS_USE_RCU);
	kvfree(many.peers);
	kvfree(many.where);
	kvfree(many.free);
	kvfree(many.plugins);
	kvfree(many.memory);
	memset(&many, 0, sizeof(many));
	/* What waits for a grace period would take pages from what is made next. */
	rcu_barrier();
}

static int many_alloc(unsigned int num)
{
	unsigned int slots = num * 2 + 0x10000, i;

	many_free();
	many.kind = "";
	many.places = num + 2 * MANY;
	/* So that each place comes once. */
	while (!(many.places % STRIDE))
		many.places++;
	many.memory = kvmalloc(many.places * SPACING + ROOM, GFP_KERNEL);
	many.plugins = kvcalloc(slots, sizeof(*many.plugins), GFP_KERNEL);
	many.where = kvcalloc(slots, sizeof(*many.where), GFP_KERNEL);
	many.free = kvcalloc(many.places, sizeof(*many.free), GFP_KERNEL);
	many.peers = kvcalloc(num + MANY, sizeof(*many.peers), GFP_KERNEL);
	if (!many.memory || !many.plugins || !many.where || !many.free || !many.peers) {
		many_free();
		return -ENOMEM;
	}
	for (i = many.places; i--;)
		many.free[many.num_free++] = place(i);
	return 0;
}

static struct modreg_plugin *many_register(const char *kind, unsigned long base)
{
	char name[MODREG_NAME_LEN];
	const struct modreg_region regions[] = {
		{ .base = base, .size = SPACING / 2, .flags = MODREG_TEXT },
		{ .base = base + SPACING / 2, .size = SPACING / 2, .flags = MODREG_INIT },
	};
	const struct modreg_symbol symbols[SAME] = {
		{ .name = "function", .value = regions[0].base },
		{ .name = "another", .value = regions[0].base + 8 },
		{ .name = "third", .value = regions[0].base + 16 },
	};
	const struct modreg_plugin_desc desc = {
		.name = name, .owner = THIS_MODULE, .flags = MODREG_QUIET,
		.regions = regions, .num_regions = 1 + !strcmp(kind, "init"),
		.symbols = symbols, .num_symbols = strcmp(kind, "same") ? 1 : SAME,
	};

	snprintf(name, sizeof(name), "many%u", many.serial);
	return modreg_register_plugin(&desc);
}

static int many_add(void)
{
	unsigned int at = many.free[many.num_free - 1];
	struct modreg_plugin *plugin = many_register(many.kind, address(at));

	if (IS_ERR(plugin))
		return PTR_ERR(plugin);
	many.num_free--;
	many.serial++;
	many.where[many.tail] = at;
	many.plugins[many.tail++] = plugin;
	many.num++;
	return 0;
}

static int many_add_to(unsigned int num, const char *kind)
{
	int err = 0;

	many.kind = kind;
	while (many.num < num && !err) {
		err = many_add();
		cond_resched();
	}
	return err;
}

static struct peer *peer_add(unsigned long base, struct mutex *lock)
{
	struct peer *p = kmalloc(sizeof(*p), GFP_KERNEL);

	if (!p)
		return NULL;
	p->base = base;
	p->size = SPACING / 2;
	mutex_lock(lock);
	list_add_rcu(&p->list, &peers);
	latch_tree_insert(&p->node, &latched, &peer_ops);
	mutex_unlock(lock);
	return p;
}

static int peers_add_to(unsigned int num)
{
	while (many.num_peers < num) {
		struct peer *p = peer_add(address(place(many.num_peers)), &peers_lock);
		int err;

		if (!p)
			return -ENOMEM;
		many.peers[many.num_peers++] = p;
		err = mtree_insert_range(&maple, p->base, p->base + p->size - 1, p, GFP_KERNEL);
		if (err)
			return err;
		cond_resched();
	}
	return 0;
}

static void peers_drop(unsigned int num)
{
	while (num--) {
		struct peer *p = many.peers[--many.num_peers];

		latch_tree_erase(&p->node, &latched, &peer_ops);
		list_del_rcu(&p->list);
		mtree_erase(&maple, p->base);
		/* After a grace period of all of them, by the caller. */
		many.peers[many.num_peers] = NULL;
		kfree_rcu_mightsleep(p);
		cond_resched();
	}
}

static unsigned long ask_modreg(struct asker *a, const struct question *q)
{
	return modreg_is_address(q->addr);
}

static unsigned long ask_latch(struct asker *a, const struct question *q)
{
	return latch_is_address(q->addr);
}

static unsigned long ask_maple(struct asker *a, const struct question *q)
{
	return maple_is_address(q->addr);
}

static unsigned long ask_name(struct asker *a, const struct question *q)
{
	return modreg_kallsyms_lookup_name(q->name);
}

/* Random addresses, so that no cache learns their order; with a miss, behind each region. */
static struct asker *make_addresses(bool miss)
{
	struct asker *a = kzalloc(sizeof(*a), GFP_KERNEL);
	struct rnd_state rnd;
	unsigned int i;

	if (!a)
		return NULL;
	a->num = QUESTIONS;
	a->questions = kvcalloc(a->num, sizeof(*a->questions), GFP_KERNEL);
	if (!a->questions) {
		kfree(a);
		return NULL;
	}
	prandom_seed_state(&rnd, 3);
	for (i = 0; i < a->num; i++)
		a->questions[i].addr = address(place(prandom_u32_state(&rnd) %
						     max(many.num, 1))) +
				       prandom_u32_state(&rnd) % (SPACING / 2) +
				       (miss ? SPACING / 2 : 0);
	return a;
}

static void free_addresses(struct asker *a)
{
	kvfree(a->questions);
	kfree(a);
}

static int run_region(struct seq_buf *out)
{
	struct leg legs[] = {
		{ "modreg", ask_modreg }, { "latch", ask_latch }, { "maple", ask_maple },
	};
	struct asker *a = make_addresses(false);
	int err;

	if (!a)
		return -ENOMEM;
	err = same_answers(a, legs, ARRAY_SIZE(legs));
	err = err ?: compare(out, "scale:region", many.num, a, legs, ARRAY_SIZE(legs));
	free_addresses(a);
	return err;
}

static int run_miss(struct seq_buf *out, const char *label)
{
	struct leg leg = { "modreg", ask_modreg };
	struct asker *a = make_addresses(true);
	char what[40];
	int err;

	if (!a)
		return -ENOMEM;
	snprintf(what, sizeof(what), "scale:miss:%s", label);
	err = compare(out, what, many.num, a, &leg, 1);
	free_addresses(a);
	return err;
}

static int run_same_names(struct seq_buf *out)
{
	char names[3][2 * MODREG_NAME_LEN];
	/* Too large for the stack. */
	static struct question questions[3];
	static struct asker askers[3];
	struct leg legs[] = {
		{ "unique", ask_name, &askers[0] }, { "oldest", ask_name, &askers[1] },
		{ "newest", ask_name, &askers[2] },
	};
	unsigned int i;

	/* The name of a plugin alone has no symbol: the peer is a plugin of its own. */
	snprintf(names[0], sizeof(names[0]), "unique:only");
	snprintf(names[1], sizeof(names[1]), "many0:third");
	snprintf(names[2], sizeof(names[2]), "many%u:third", many.serial - 1);
	for (i = 0; i < ARRAY_SIZE(legs); i++) {
		questions[i].name = names[i];
		askers[i].questions = &questions[i];
		askers[i].num = 1;
		if (!modreg_kallsyms_lookup_name(names[i]))
			return -ENOENT;
	}
	return compare(out, "scale:names", many.num, NULL, legs, ARRAY_SIZE(legs));
}

static noinline_for_stack int run_names(struct seq_buf *out)
{
	const struct modreg_region region = {
		.base = address(many.free[0]), .size = SPACING / 2, .flags = MODREG_TEXT,
	};
	const struct modreg_symbol symbols[SAME] = {
		{ .name = "first", .value = region.base },
		{ .name = "second", .value = region.base },
		{ .name = "only", .value = region.base },
	};
	const struct modreg_plugin_desc desc = {
		.name = "unique", .owner = THIS_MODULE, .flags = MODREG_QUIET,
		.regions = &region, .num_regions = 1, .symbols = symbols, .num_symbols = SAME,
	};
	struct modreg_plugin *unique = modreg_register_plugin(&desc);
	int err;

	if (IS_ERR(unique))
		return PTR_ERR(unique);
	err = run_same_names(out);
	modreg_unregister_plugin(unique);
	return err;
}

static int run_register(struct seq_buf *out)
{
	unsigned int batch, i;
	u64 start, ours, theirs;
	int err = 0;

	for (batch = 0; batch < batches && !err; batch++) {
		start = ktime_get_ns();
		for (i = 0; i < MANY && !err; i++)
			err = many_add();
		ours = ktime_get_ns() - start;
		if (err)
			break;
		start = ktime_get_ns();
		for (i = 0; i < MANY; i++) {
			struct peer *p = peer_add(address(place(many.num_peers)),
						  &peers_lock);

			if (!p)
				return -ENOMEM;
			many.peers[many.num_peers++] = p;
		}
		theirs = ktime_get_ns() - start;
		seq_buf_printf(out, "scale:register\t%u\tmodreg=%llu\tpeer=%llu\n",
			       many.num - MANY, ours / MANY, theirs / MANY);
		peers_drop(MANY);
		for (i = 0; i < MANY; i++)
			many.free[many.num_free++] = many.where[--many.tail];
		many.num -= MANY;
		many.serial -= MANY;
		err = modreg_unregister_plugins(many.plugins + many.tail, MANY);
		cond_resched();
	}
	return err;
}

static int nothing(void *unused)
{
	return 0;
}

/* A CPU that only computes: it notices how long it was kept from that, and when. */
static struct {
	bool stop;
	u64 longest, since;
	struct completion done;
} bystander;

static int bystander_thread(void *data)
{
	u64 last = ktime_get_ns(), now;

	while (!READ_ONCE(bystander.stop)) {
		now = ktime_get_ns();
		if (now - last > READ_ONCE(bystander.longest)) {
			WRITE_ONCE(bystander.longest, now - last);
			WRITE_ONCE(bystander.since, last);
		}
		last = now;
	}
	complete(&bystander.done);
	return 0;
}

enum which { OLDEST, NEWEST, ANY, NOBODY, WHICH };

static const char * const which_names[WHICH] = { "oldest", "newest", "any", "noop" };

/* Those to remove; they leave the array. */
static void choose(enum which which, struct modreg_plugin **chosen, unsigned int num,
		   struct rnd_state *rnd)
{
	unsigned int n = 0, at;

	while (n < num) {
		switch (which) {
		case OLDEST:
			at = many.head++;
			break;
		case NEWEST:
			at = --many.tail;
			break;
		default:
			at = many.head + prandom_u32_state(rnd) % (many.tail - many.head);
			break;
		}
		if (!many.plugins[at])
			continue;
		chosen[n++] = many.plugins[at];
		many.free[many.num_free++] = many.where[at];
		many.plugins[at] = NULL;
		many.num--;
	}
}

/* How long a removal works before the machine is stopped, and how long afterwards. */
struct work {
	u64 before, after;
};

/* Takes caches as a removal does: reads the memory of random plugins, for so long. */
static void work_for(u64 ns, struct rnd_state *rnd)
{
	u64 end = ktime_get_ns() + ns;
	unsigned int at;

	while (ktime_get_ns() < end) {
		at = many.head + prandom_u32_state(rnd) % (many.tail - many.head);
		if (many.plugins[at])
			READ_ONCE(*(char *)many.plugins[at]);
	}
}

static int remove_some(enum which which, unsigned int num, bool watched, struct work *work,
		       u64 *ns, struct rnd_state *rnd)
{
	struct modreg_plugin **chosen __free(kvfree) = NULL;
	u64 start, end, since;
	int err = 0;

	chosen = kvcalloc(num, sizeof(*chosen), GFP_KERNEL);
	if (!chosen)
		return -ENOMEM;
	if (which != NOBODY)
		choose(which, chosen, num, rnd);
	/* What the last one has left to others is done, and they have gone idle. */
	usleep_range(2000, 2500);
	WRITE_ONCE(bystander.longest, 0);
	start = ktime_get_ns();
	if (which == NOBODY) {
		if (work)
			work_for(work->before, rnd);
		stop_machine(nothing, NULL, NULL);
		if (work)
			work_for(work->after, rnd);
	} else {
		err = modreg_unregister_plugins(chosen, num);
	}
	end = ktime_get_ns();
	*ns = end - start;
	if (watched) {
		/* It has to run to notice that it did not. */
		usleep_range(1000, 1500);
		*ns = READ_ONCE(bystander.longest);
		since = clamp(READ_ONCE(bystander.since), start, end);
		if (which != NOBODY)
			*work = (struct work) {
				since - start, end - since - min(*ns, end - since),
			};
	}
	return err;
}

static int run_remove(struct seq_buf *out, unsigned int num, bool watched)
{
	unsigned int total = many.num, batch;
	struct task_struct *task;
	struct rnd_state rnd;
	enum which which;
	int err = 0;

	if (watched) {
		if (num_online_cpus() < 2)
			return -ENODEV;
		bystander.stop = false;
		init_completion(&bystander.done);
		task = kthread_create_on_cpu(bystander_thread, NULL, num_online_cpus() - 1,
					     "bystander/%u");
		if (IS_ERR(task))
			return PTR_ERR(task);
		wake_up_process(task);
	}
	prandom_seed_state(&rnd, 5);
	for (batch = 0; batch < batches && !err; batch++) {
		struct work work = { };
		u64 ns[WHICH] = { };

		for (which = 0; which < WHICH && !err; which++) {
			err = remove_some(which, num, watched, watched ? &work : NULL, &ns[which],
					  &rnd) ?:
				many_add_to(total, many.kind);
			if (many.tail > many.places)
				rewind();
		}
		seq_buf_printf(out, "scale:%s:%u", watched ? "stopped" : "remove", num);
		seq_buf_printf(out, "\t%u", total);
		for (which = 0; which < WHICH; which++)
			seq_buf_printf(out, "\t%s=%llu", which_names[which], ns[which]);
		seq_buf_puts(out, "\n");
	}
	if (watched) {
		WRITE_ONCE(bystander.stop, true);
		wait_for_completion(&bystander.done);
	}
	return err;
}

/* In one call. */
static int run_drop(unsigned int num)
{
	struct rnd_state rnd;
	u64 ns;

	if (num > many.num)
		return -EINVAL;
	prandom_seed_state(&rnd, 7);
	return remove_some(ANY, num, false, NULL, &ns, &rnd);
}

/* All symbols of the newest plugin, as often. */
static int run_replace(unsigned int num)
{
	const unsigned long base = address(many.where[many.tail - 1]);
	const struct modreg_symbol symbol = { .name = "replaced", .value = base };
	const struct modreg_plugin_desc desc = { .symbols = &symbol, .num_symbols = 1 };
	int err = 0;

	if (!many.num || !many.plugins[many.tail - 1])
		return -EINVAL;
	while (num-- && !err)
		err = modreg_replace_symbols(many.plugins[many.tail - 1], &desc);
	return err;
}

int run_scale(struct seq_buf *out, int argc, char **argv)
{
	unsigned int num = 0;

	if (argc > 1 && strcmp(argv[0], "miss") && kstrtouint(argv[1], 0, &num))
		return -EINVAL;
	if (argc == 2 && !strcmp(argv[0], "alloc"))
		return many_alloc(num);
	if (argc == 1 && !strcmp(argv[0], "free")) {
		many_free();
		return 0;
	}
	if (!many.memory)
		return -ENOENT;
	if (argc >= 2 && !strcmp(argv[0], "add"))
		return many_add_to(num, argc > 2 && !strcmp(argv[2], "same") ? "same" :
					argc > 2 && !strcmp(argv[2], "init") ? "init" : "");
	if (argc == 1 && !strcmp(argv[0], "peers"))
		return peers_add_to(many.num);
	if (argc == 1 && !strcmp(argv[0], "region"))
		return run_region(out);
	if (argc == 2 && !strcmp(argv[0], "miss"))
		return run_miss(out, argv[1]);
	if (argc == 1 && !strcmp(argv[0], "names"))
		return run_names(out);
	if (argc == 1 && !strcmp(argv[0], "register"))
		return run_register(out);
	if (argc == 2 && !strcmp(argv[0], "drop"))
		return run_drop(num);
	if (argc == 2 && !strcmp(argv[0], "replace"))
		return run_replace(num);
	if (argc == 2 && !strcmp(argv[0], "remove"))
		return run_remove(out, num, false);
	if (argc == 2 && !strcmp(argv[0], "stopped"))
		return run_remove(out, num, true);
	return -EINVAL;
}

void scale_exit(void)
{
	many_free();
}
