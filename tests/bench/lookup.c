// SPDX-License-Identifier: GPL-2.0
/*
 * Lookups: the kernel's functions, modreg's, and the floor. What is asked is drawn at random from
 * the symbols of the tables NAMES (see plugins.c), the same for all sides.
 *
 *   lookup address NAMES	modreg, the kernel (all are modules)
 *   lookup floor NAMES		modreg, the floor
 *   lookup list NAMES		modreg, a list without an index (none is a module)
 *   lookup growth NAMES NAMES	modreg on the one and on the other
 *   lookup qualified NAMES	table:symbol; modreg, the kernel
 *   lookup plain NAMES		symbol; modreg, the kernel
 *   lookup export NAMES	exported symbols; modreg, the kernel
 *   lookup nth NAMES		the symbols with numbers up to theirs; modreg, the kernel
 *   lookup parallel NAMES	lookups per second on one CPU and on two; modreg, the floor
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/completion.h>
#include <linux/cpu.h>
#include <linux/kthread.h>
#include <linux/module_symbol.h>
#include <linux/prandom.h>
#include <linux/slab.h>
#include <linux/sort.h>

#include "bench.h"

#define MAX_QUESTIONS 0x4000

static unsigned long checksum(const struct asker *a, int len)
{
	if (len <= 0)
		return 0;
	return a->offset + a->size * 31 + a->name[0] + a->name[len - 1] * 7 + len * 961;
}

static unsigned long ask_kernel_address(struct asker *a, const struct question *q)
{
	char *mod;
	int len = kernel.module_address_lookup(q->addr, &a->size, &a->offset, &mod, NULL, a->name);

	return checksum(a, len);
}

static unsigned long ask_modreg_address(struct asker *a, const struct question *q)
{
	int len = modreg_address_lookup(q->addr, &a->size, &a->offset, a->plugin, a->name);

	return checksum(a, len);
}

/* As the floor, which knows no plugins. */
static unsigned long ask_modreg_symbol(struct asker *a, const struct question *q)
{
	int len = modreg_address_lookup(q->addr, &a->size, &a->offset, NULL, a->name);

	return checksum(a, len);
}

static unsigned long ask_kernel_name(struct asker *a, const struct question *q)
{
	return kernel.module_kallsyms_lookup_name(q->name);
}

static unsigned long ask_modreg_name(struct asker *a, const struct question *q)
{
	return modreg_kallsyms_lookup_name(q->name);
}

static unsigned long ask_kernel_export(struct asker *a, const struct question *q)
{
	struct find_symbol_arg fsa = { .name = q->name, .gplok = true };

	guard(preempt)();
	return kernel.find_symbol(&fsa) ? rust_helper_kernel_symbol_value(fsa.sym, 0) : 0;
}

static unsigned long ask_modreg_export(struct asker *a, const struct question *q)
{
	struct modreg_find_symbol_arg fsa = { .name = q->name, .gplok = true };

	guard(preempt)();
	return modreg_find_symbol(&fsa) ? fsa.value : 0;
}

static unsigned long ask_kernel_nth(struct asker *a, const struct question *q)
{
	int exported;
	char type;

	return kernel.module_get_kallsym(q->addr, &a->offset, &type, a->name, a->plugin, &exported);
}

static unsigned long ask_modreg_nth(struct asker *a, const struct question *q)
{
	int exported;
	char type;

	return modreg_get_kallsym(q->addr, &a->offset, &type, a->name, a->plugin, &exported);
}

/*
 * The least that an answer can cost: one flat array of the addresses in order, beside it where the
 * names are. A region's end is in it too, without a name.
 */
static struct {
	unsigned long *addrs;
	const char **names;
	unsigned int num;
} floor;

static noinline int floor_lookup(unsigned long addr, unsigned long *size, unsigned long *offset,
				 char *namebuf)
{
	unsigned int low = 0, high = floor.num;

	guard(preempt)();
	while (low < high) {
		unsigned int mid = low + (high - low) / 2;

		if (floor.addrs[mid] <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	if (!low || low == floor.num || !floor.names[low - 1])
		return 0;
	*offset = addr - floor.addrs[low - 1];
	*size = floor.addrs[low] - floor.addrs[low - 1];
	return strscpy(namebuf, floor.names[low - 1], KSYM_NAME_LEN);
}

static unsigned long ask_floor(struct asker *a, const struct question *q)
{
	int len = floor_lookup(q->addr, &a->size, &a->offset, a->name);

	return checksum(a, len);
}

/* As it was done in 2008: the list is walked, and then the whole table. */
static unsigned long ask_list(struct asker *a, const struct question *q)
{
	unsigned long best = 0, next;
	const char *name = NULL;
	const struct table *t;
	unsigned int i;

	guard(preempt)();
	t = (const struct table *)variants_find(q->addr);
	if (!t)
		return 0;
	next = t->base + t->size;
	for (i = 1; i < t->num_symtab; i++) {
		unsigned long value = t->symtab[i].st_value;

		if (t->symtab[i].st_shndx == SHN_UNDEF || !t->strtab[t->symtab[i].st_name] ||
		    is_mapping_symbol(t->strtab + t->symtab[i].st_name))
			continue;
		if (value <= q->addr && value > best) {
			best = value;
			name = t->strtab + t->symtab[i].st_name;
		}
		if (value > q->addr && value < next)
			next = value;
	}
	if (!name)
		return 0;
	a->offset = q->addr - best;
	a->size = next - best;
	return checksum(a, strscpy(a->name, name, KSYM_NAME_LEN));
}

/* A symbol while the floor is built, in the order of its table. */
struct place {
	unsigned long addr;
	unsigned int order;
	const char *name;
};

struct collection {
	struct place *places;
	unsigned int num, max, symbols;
};

static int count_symbols(const struct table *t, void *data)
{
	struct collection *c = data;

	c->symbols += t->num_symtab;
	/* And the ends of regions. */
	c->max += t->num_symtab + MOD_MEM_NUM_TYPES;
	return 0;
}

static void add_place(struct collection *c, unsigned long addr, const char *name)
{
	c->places[c->num] = (struct place) { .addr = addr, .order = c->num, .name = name };
	c->num++;
}

static bool is_placed(const struct table *t, const Elf_Sym *sym)
{
	const char *name = t->strtab + sym->st_name;
	unsigned long addr = sym->st_value;

	if (sym->st_shndx == SHN_UNDEF || !*name || is_mapping_symbol(name))
		return false;
	if (!t->mod)
		return addr - t->base < t->size;
	for_class_mod_mem_type(type, core)
		if (within_module_mem_type(addr, t->mod, type))
			return true;
	return false;
}

static int collect_places(const struct table *t, void *data)
{
	struct collection *c = data;
	unsigned int i;

	for (i = 1; i < t->num_symtab; i++)
		if (is_placed(t, &t->symtab[i]))
			add_place(c, t->symtab[i].st_value, t->strtab + t->symtab[i].st_name);
	if (!t->mod) {
		add_place(c, t->base + t->size, NULL);
		return 0;
	}
	for_class_mod_mem_type(type, core)
		if (t->mod->mem[type].size)
			add_place(c, (unsigned long)t->mod->mem[type].base +
				  t->mod->mem[type].size, NULL);
	return 0;
}

static int by_address(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	if (x->addr != y->addr)
		return x->addr < y->addr ? -1 : 1;
	/* A region that begins where another ends. */
	if (!x->name != !y->name)
		return x->name ? -1 : 1;
	return x->order < y->order ? -1 : 1;
}

static void free_floor(void)
{
	kvfree(floor.addrs);
	kvfree(floor.names);
	memset(&floor, 0, sizeof(floor));
}

static int make_floor(const char *names, struct collection *c)
{
	struct place *places __free(kvfree) = NULL;
	unsigned int i;

	free_floor();
	*c = (struct collection) { };
	each_table(names, count_symbols, c);
	if (!c->symbols)
		return -ENOENT;
	places = kvcalloc(c->max, sizeof(*places), GFP_KERNEL);
	if (!places)
		return -ENOMEM;
	c->places = places;
	each_table(names, collect_places, c);
	sort(places, c->num, sizeof(*places), by_address, NULL);

	floor.addrs = kvcalloc(c->num, sizeof(*floor.addrs), GFP_KERNEL);
	floor.names = kvcalloc(c->num, sizeof(*floor.names), GFP_KERNEL);
	if (!floor.addrs || !floor.names)
		return -ENOMEM;
	for (i = 0; i < c->num; i++) {
		/* Of several at an address the first one. */
		if (floor.num && floor.addrs[floor.num - 1] == places[i].addr)
			continue;
		floor.addrs[floor.num] = places[i].addr;
		floor.names[floor.num++] = places[i].name;
	}
	return 0;
}

/* What can be asked of tables. */
enum kind { ADDRESS, QUALIFIED, PLAIN, EXPORT };

struct questions {
	enum kind kind;
	struct question *list;
	unsigned int num, max, tables;
};

static int count_questions(const struct table *t, void *data)
{
	struct questions *qs = data;

	qs->max += qs->kind == EXPORT ? t->mod ? t->mod->num_syms : 0 : t->num_symtab;
	qs->tables++;
	return 0;
}

static int collect_questions(const struct table *t, void *data)
{
	struct questions *qs = data;
	unsigned int i;

	if (qs->kind == EXPORT) {
		for (i = 0; t->mod && i < t->mod->num_syms; i++)
			qs->list[qs->num++].name =
				rust_helper_kernel_symbol_name(t->mod->syms, i);
		return 0;
	}
	for (i = 1; i < t->num_symtab; i++) {
		const Elf_Sym *sym = &t->symtab[i];
		struct question *q = &qs->list[qs->num];

		/* What is asked by name must be found again; this module has such helpers too. */
		q->name = t->strtab + sym->st_name;
		if (!is_placed(t, sym) || strstr(q->name, "rust_helper_"))
			continue;
		q->addr = sym->st_value + sym->st_size / 2;
		q->table = t->name;
		qs->num++;
	}
	return 0;
}

static void free_asker(struct asker *a)
{
	if (!a)
		return;
	kvfree(a->questions);
	kvfree(a->pool);
	kfree(a);
}

DEFINE_FREE(asker, struct asker *, free_asker(_T))

/* "table:symbol" in the place of "symbol". */
static int qualify(struct asker *a)
{
	size_t size = 0, at = 0;
	unsigned int i;

	for (i = 0; i < a->num; i++)
		size += strlen(a->questions[i].table) + strlen(a->questions[i].name) + 2;
	a->pool = kvmalloc(size, GFP_KERNEL);
	if (!a->pool)
		return -ENOMEM;
	for (i = 0; i < a->num; i++) {
		struct question *q = &a->questions[i];
		const char *name = a->pool + at;

		at += snprintf(a->pool + at, size - at, "%s:%s", q->table, q->name) + 1;
		q->name = name;
	}
	return 0;
}

/* In random order, the same each time. */
static struct asker *make_asker(enum kind kind, const char *names)
{
	struct asker *a __free(asker) = kzalloc(sizeof(*a), GFP_KERNEL);
	struct questions qs = { .kind = kind };
	struct rnd_state rnd;
	unsigned int i;

	each_table(names, count_questions, &qs);
	qs.list = kvcalloc(qs.max, sizeof(*qs.list), GFP_KERNEL);
	if (!a || !qs.list) {
		kvfree(qs.list);
		return NULL;
	}
	a->questions = qs.list;
	each_table(names, collect_questions, &qs);
	if (!qs.num)
		return NULL;
	prandom_seed_state(&rnd, 1);
	a->num = min(qs.num, MAX_QUESTIONS);
	for (i = 0; i < a->num; i++)
		swap(qs.list[i], qs.list[i + prandom_u32_state(&rnd) % (qs.num - i)]);
	if (kind == QUALIFIED && qualify(a))
		return NULL;
	return no_free_ptr(a);
}

static int run_pair(struct seq_buf *out, const char *what, const char *names, unsigned int symbols,
		    struct asker *a, struct leg *pair)
{
	char label[80];
	int err = same_answers(a, pair, 2);

	snprintf(label, sizeof(label), "%s:%s", what, names);
	return err ?: compare(out, label, symbols, a, pair, 2);
}

static int run_address(struct seq_buf *out, const char *names)
{
	struct asker *a __free(asker) = make_asker(ADDRESS, names);
	struct leg pair[] = {
		{ "modreg", ask_modreg_address }, { "kernel", ask_kernel_address },
	};
	struct collection c = { };

	if (!a)
		return -ENOENT;
	each_table(names, count_symbols, &c);
	return run_pair(out, "address", names, c.symbols, a, pair);
}

static int run_floor(struct seq_buf *out, const char *names)
{
	struct asker *a __free(asker) = make_asker(ADDRESS, names);
	struct leg pair[] = {
		{ "modreg", ask_modreg_symbol }, { "floor", ask_floor },
	};
	struct collection c;
	int err;

	if (!a)
		return -ENOENT;
	err = make_floor(names, &c);
	return err ?: run_pair(out, "floor", names, c.symbols, a, pair);
}

static int insert_table(const struct table *t, void *data)
{
	s64 ret = t->mod ? -EINVAL : variants_insert(t->base, t->size, (unsigned long)t, false);

	return min(ret, 0);
}

static int run_list(struct seq_buf *out, const char *names)
{
	struct asker *a __free(asker) = make_asker(ADDRESS, names);
	struct leg pair[] = {
		{ "modreg", ask_modreg_address }, { "list", ask_list },
	};
	struct collection c = { };
	int err;

	if (!a)
		return -ENOENT;
	each_table(names, count_symbols, &c);
	err = each_table(names, insert_table, NULL);
	err = err ?: run_pair(out, "list", names, c.symbols, a, pair);
	variants_clear();
	return err;
}

static int run_growth(struct seq_buf *out, const char *small, const char *large)
{
	struct asker *s __free(asker) = make_asker(ADDRESS, small);
	struct asker *l __free(asker) = make_asker(ADDRESS, large);
	struct leg pair[] = {
		{ "small", ask_modreg_address, s }, { "large", ask_modreg_address, l },
	};
	char what[80];

	if (!s || !l)
		return -ENOENT;
	snprintf(what, sizeof(what), "growth:%s:%s", small, large);
	return compare(out, what, 0, NULL, pair, ARRAY_SIZE(pair));
}

static int run_names(struct seq_buf *out, enum kind kind, const char *what, const char *names)
{
	struct asker *a __free(asker) = make_asker(kind, names);
	struct questions qs = { .kind = kind };
	struct leg pair[] = {
		{ "modreg", kind == EXPORT ? ask_modreg_export : ask_modreg_name },
		{ "kernel", kind == EXPORT ? ask_kernel_export : ask_kernel_name },
	};
	int err;

	if (!a)
		return -ENOENT;
	err = same_answers(a, pair, ARRAY_SIZE(pair));
	if (err)
		return err;
	each_table(names, count_questions, &qs);
	return compare(out, what, kind == EXPORT ? qs.tables : qs.max, a, pair, ARRAY_SIZE(pair));
}

static int run_nth(struct seq_buf *out, const char *names)
{
	struct asker *a __free(asker) = make_asker(ADDRESS, names);
	struct leg pair[] = {
		{ "modreg", ask_modreg_nth }, { "kernel", ask_kernel_nth },
	};
	struct collection c = { };
	struct rnd_state rnd;
	char label[80];
	unsigned int i;

	if (!a)
		return -ENOENT;
	each_table(names, count_symbols, &c);
	prandom_seed_state(&rnd, 2);
	for (i = 0; i < a->num; i++)
		a->questions[i].addr = prandom_u32_state(&rnd) % c.symbols;
	snprintf(label, sizeof(label), "nth:%s", names);
	return compare(out, label, c.symbols, a, pair, ARRAY_SIZE(pair));
}

/* One CPU's part of lookups on several at once. */
struct part {
	struct asker asker;
	unsigned long (*ask)(struct asker *asker, const struct question *q);
	u64 until, calls, ns;
	struct completion done;
	atomic_t *ready;
};

static int part_thread(void *data)
{
	struct part *p = data;
	u64 start;

	atomic_dec(p->ready);
	while (atomic_read(p->ready) > 0)
		cpu_relax();
	start = ktime_get_ns();
	do {
		unsigned int i;

		for (i = 0; i < 64; i++) {
			p->ask(&p->asker, &p->asker.questions[p->asker.next]);
			if (++p->asker.next >= p->asker.num)
				p->asker.next = 0;
		}
		p->calls += 64;
		p->ns = ktime_get_ns() - start;
	} while (p->ns < p->until);
	complete(&p->done);
	return 0;
}

/* Lookups per second, of all CPUs together. */
static int rate(const struct asker *a, const struct leg *leg, unsigned int cpus, u64 *per_second)
{
	struct part *parts __free(kvfree) = kvcalloc(cpus, sizeof(*parts), GFP_KERNEL);
	atomic_t ready = ATOMIC_INIT(cpus);
	unsigned int i;

	if (!parts)
		return -ENOMEM;
	*per_second = 0;
	for (i = 0; i < cpus; i++) {
		struct task_struct *task;

		parts[i] = (struct part) {
			.asker = *a, .ask = leg->ask, .until = batch_us * 5000ULL, .ready = &ready,
		};
		/* Not the same addresses at the same time. */
		parts[i].asker.next = a->num / cpus * i;
		init_completion(&parts[i].done);
		task = kthread_create_on_cpu(part_thread, &parts[i], i, "modreg_bench/%u");
		if (IS_ERR(task)) {
			atomic_sub(cpus - i, &ready);
			while (i--)
				wait_for_completion(&parts[i].done);
			return PTR_ERR(task);
		}
		wake_up_process(task);
	}
	for (i = 0; i < cpus; i++) {
		wait_for_completion(&parts[i].done);
		*per_second += div64_u64(parts[i].calls * NSEC_PER_SEC, max(parts[i].ns, 1));
	}
	return 0;
}

static int run_parallel(struct seq_buf *out, const char *names)
{
	struct asker *a __free(asker) = make_asker(ADDRESS, names);
	const struct leg legs[] = {
		{ "modreg", ask_modreg_symbol }, { "floor", ask_floor },
	};
	unsigned int batch, i, cpus;
	struct collection c;
	u64 per_second;
	int err;

	if (!a)
		return -ENOENT;
	if (num_online_cpus() < 2)
		return -ENODEV;
	err = make_floor(names, &c);
	if (err)
		return err;
	for (batch = 0; batch < batches; batch++) {
		seq_buf_printf(out, "parallel:%s\t2", names);
		for (i = 0; i < ARRAY_SIZE(legs); i++) {
			for (cpus = 1; cpus <= 2; cpus++) {
				err = rate(a, &legs[i], cpus, &per_second);
				if (err)
					return err;
				seq_buf_printf(out, "\t%s%u=%llu", legs[i].name, cpus, per_second);
			}
		}
		seq_buf_puts(out, "\n");
	}
	return 0;
}

int run_lookup(struct seq_buf *out, int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[0], "growth"))
		return run_growth(out, argv[1], argv[2]);
	if (argc != 2)
		return -EINVAL;
	if (!strcmp(argv[0], "address"))
		return run_address(out, argv[1]);
	if (!strcmp(argv[0], "floor"))
		return run_floor(out, argv[1]);
	if (!strcmp(argv[0], "list"))
		return run_list(out, argv[1]);
	if (!strcmp(argv[0], "qualified"))
		return run_names(out, QUALIFIED, argv[0], argv[1]);
	if (!strcmp(argv[0], "plain"))
		return run_names(out, PLAIN, argv[0], argv[1]);
	if (!strcmp(argv[0], "export"))
		return run_names(out, EXPORT, argv[0], argv[1]);
	if (!strcmp(argv[0], "nth"))
		return run_nth(out, argv[1]);
	if (!strcmp(argv[0], "parallel"))
		return run_parallel(out, argv[1]);
	return -EINVAL;
}

void lookup_exit(void)
{
	free_floor();
}
