// SPDX-License-Identifier: GPL-2.0
/*
 * Writers: how long the step under the lock takes, what it is for the other CPUs, and what removal
 * costs, beside insertion under stop_machine() (see variants.rs) and a stop_machine() of nothing.
 *
 *   writers step N		with N plugins registered
 *   writers stall N		a CPU that only computes, while N plugins are registered
 *
 * The step of modreg_register_plugin() is seen from outside: ftrace tells when it takes and gives
 * back a mutex that lies in modreg. All sections of MANY registrations are added up. What ftrace
 * itself costs is found out with an empty section, and reported beside it.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/completion.h>
#include <linux/cpu.h>
#include <linux/delay.h>
#include <linux/ftrace.h>
#include <linux/kthread.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/stop_machine.h>

#include "bench.h"

#define PLUGIN_SPACING 64
#define MANY 100
#define STOPS 10

static unsigned int limit_ms = 20000;
module_param(limit_ms, uint, 0644);
MODULE_PARM_DESC(limit_ms, "when a measurement ends that was repeated 5 times, in ms (20000)");

/* Small plugins: one region and one symbol. */
static struct {
	char *memory;
	struct modreg_plugin **plugins;
	unsigned int num;
} small;

static int small_alloc(unsigned int max)
{
	small.memory = kvmalloc(max * PLUGIN_SPACING + ROOM, GFP_KERNEL);
	small.plugins = kvcalloc(max, sizeof(*small.plugins), GFP_KERNEL);
	small.num = 0;
	return small.memory && small.plugins ? 0 : -ENOMEM;
}

static int small_add(void)
{
	char name[MODREG_NAME_LEN];
	const struct modreg_region region = {
		.base = (unsigned long)small.memory + small.num * PLUGIN_SPACING,
		.size = PLUGIN_SPACING, .flags = MODREG_TEXT,
	};
	const struct modreg_symbol symbol = { .name = "function", .value = region.base };
	const struct modreg_plugin_desc desc = {
		.name = name, .owner = THIS_MODULE, .regions = &region, .num_regions = 1,
		.symbols = &symbol, .num_symbols = 1,
	};
	struct modreg_plugin *plugin;

	snprintf(name, sizeof(name), "small%u", small.num);
	plugin = modreg_register_plugin(&desc);
	if (IS_ERR(plugin))
		return PTR_ERR(plugin);
	small.plugins[small.num++] = plugin;
	return 0;
}

static int small_add_all(unsigned int num)
{
	int err = 0;

	while (num-- && !err)
		err = small_add();
	return err;
}

/* The last ones, in one call. */
static int small_drop(unsigned int num)
{
	int err;

	if (!num)
		return 0;
	err = modreg_unregister_plugins(small.plugins + small.num - num, num);
	if (!err)
		small.num -= num;
	return err;
}

static int small_free(void)
{
	int err = small_drop(small.num);

	if (err)
		return err;
	kvfree(small.plugins);
	kvfree(small.memory);
	memset(&small, 0, sizeof(small));
	return 0;
}

static int nothing(void *unused)
{
	return 0;
}

#ifdef CONFIG_DYNAMIC_FTRACE_WITH_ARGS

/* The sections under modreg's locks, of one task. */
static struct {
	struct task_struct *task;
	const struct module *mod;
	u64 begun, sum;
	unsigned int num;
} sections;

static unsigned long lock_ip;

static void notrace on_mutex(unsigned long ip, unsigned long parent_ip, struct ftrace_ops *ops,
			     struct ftrace_regs *fregs)
{
	u64 now;

	if (READ_ONCE(sections.task) != current ||
	    !within_module(ftrace_regs_get_argument(fregs, 0), sections.mod))
		return;
	now = ktime_get_mono_fast_ns();
	/* The call to ftrace is near the function's start. */
	if (ip - lock_ip < 16) {
		sections.begun = now;
	} else {
		sections.sum += now - sections.begun;
		sections.num++;
	}
}

static struct ftrace_ops mutex_ops = {
	.func = on_mutex,
	.flags = FTRACE_OPS_FL_RECURSION,
};

static int watch(void)
{
	int err;

	lock_ip = (unsigned long)mutex_lock;
	err = ftrace_set_filter_ip(&mutex_ops, lock_ip, 0, 0);
	err = err ?: ftrace_set_filter_ip(&mutex_ops, (unsigned long)mutex_unlock, 0, 0);
	return err ?: register_ftrace_function(&mutex_ops);
}

static void unwatch(void)
{
	unregister_ftrace_function(&mutex_ops);
	ftrace_free_filter(&mutex_ops);
}

static void sections_begin(const struct module *mod)
{
	sections.mod = mod;
	sections.sum = 0;
	sections.num = 0;
	WRITE_ONCE(sections.task, current);
}

static u64 sections_end(unsigned int *num)
{
	WRITE_ONCE(sections.task, NULL);
	*num = sections.num;
	return sections.sum;
}

#else

static int watch(void) { return -EOPNOTSUPP; }
static void unwatch(void) { }
static void sections_begin(const struct module *mod) { }
static u64 sections_end(unsigned int *num) { return 0; }

#endif

static DEFINE_MUTEX(empty);

/* What an empty section costs: as seen by ftrace, and without it. */
static void empty_section(u64 *seen, u64 *bare)
{
	unsigned int num, i;
	u64 start;

	sections_begin(THIS_MODULE);
	mutex_lock(&empty);
	mutex_unlock(&empty);
	*seen = sections_end(&num);
	start = ktime_get_ns();
	for (i = 0; i < 16; i++) {
		mutex_lock(&empty);
		mutex_unlock(&empty);
	}
	*bare = (ktime_get_ns() - start) / 16;
}

const struct module *find_modreg(void)
{
	struct module *mod;

	list_for_each_entry(mod, kernel.modules, list)
		if (!strcmp(mod->name, "modreg"))
			return mod;
	return NULL;
}

/*
 * Before each measurement: what the last one has left to others is done, and they have gone idle;
 * to wake them is part of a stop.
 */
static void settle(void)
{
	usleep_range(2000, 2500);
}

/* The mean of several, as a driver or a JIT comes with several. */
static s64 mean_insert(unsigned int num, bool stop)
{
	s64 sum = 0, ret;
	unsigned int i;

	for (i = 0; i < num; i++) {
		ret = variants_insert(1, 1, 1, stop);
		if (ret < 0)
			return ret;
		sum += ret;
	}
	return div_s64(sum, num);
}

static int step_batch(struct seq_buf *out, const struct module *modreg)
{
	u64 start, step, whole, one = 0, hundred, noop = 0, seen, bare;
	unsigned int num, i;
	s64 rcu, stop;
	int err;

	settle();
	start = ktime_get_ns();
	err = small_add_all(MANY);
	whole = (ktime_get_ns() - start) / MANY;
	err = err ?: small_drop(MANY);
	if (err)
		return err;

	settle();
	sections_begin(modreg);
	err = small_add_all(MANY);
	step = sections_end(&num);
	empty_section(&seen, &bare);
	if (err)
		return err;

	settle();
	rcu = mean_insert(MANY, false);
	settle();
	stop = mean_insert(STOPS, true);
	if (rcu < 0 || stop < 0)
		return min(rcu, stop);

	settle();
	start = ktime_get_ns();
	err = small_drop(MANY);
	hundred = ktime_get_ns() - start;
	err = err ?: small_add_all(STOPS);
	if (err)
		return err;

	/* In turns: right behind another, a stop meets CPUs that have not gone idle yet. */
	settle();
	for (i = 0; i < STOPS && !err; i++) {
		start = ktime_get_ns();
		stop_machine(nothing, NULL, NULL);
		noop += ktime_get_ns() - start;
		start = ktime_get_ns();
		err = small_drop(1);
		one += ktime_get_ns() - start;
	}
	if (err)
		return err;
	seq_buf_printf(out, "\twhole=%llu\tsteps=%u\tstep=%llu\tsections=%u\tseen=%llu\tbare=%llu",
		       whole, MANY, step, num, seen, bare);
	seq_buf_printf(out, "\trcu=%lld\tstop=%lld\tnoop=%llu\tone=%llu\thundred=%llu\n", rcu, stop,
		       noop / STOPS, one / STOPS, hundred);
	return 0;
}

static int run_step(struct seq_buf *out, unsigned int plugins)
{
	const struct module *modreg = find_modreg();
	u64 start = ktime_get_ns();
	unsigned int batch;
	int err;

	err = small_alloc(plugins + MANY + 1) ?: watch();
	if (err)
		return err;
	err = small_add_all(plugins);
	for (batch = 0; batch < batches && !err; batch++) {
		if (batch >= 5 && ktime_get_ns() - start > limit_ms * 1000000ULL)
			break;
		seq_buf_printf(out, "step:%u\t%u", plugins, num_online_cpus());
		err = step_batch(out, modreg);
		cond_resched();
	}
	unwatch();
	variants_clear();
	return err ?: small_free();
}

/* A CPU that only computes: it notices how long it was kept from that. */
struct bystander {
	bool stop;
	u64 longest;
	struct completion done;
};

static int bystander_thread(void *data)
{
	struct bystander *b = data;
	u64 last = ktime_get_ns(), now;

	while (!READ_ONCE(b->stop)) {
		now = ktime_get_ns();
		b->longest = max(b->longest, now - last);
		last = now;
	}
	complete(&b->done);
	return 0;
}

enum during { IDLE, REGISTER, STOP };

/* Returns how long it lasted; as long as wanted, where that is not 0. */
static int stall(enum during what, unsigned int plugins, u64 *ns, struct bystander *b)
{
	struct task_struct *task;
	s64 err = 0;
	u64 start;

	*b = (struct bystander) { };
	init_completion(&b->done);
	task = kthread_create_on_cpu(bystander_thread, b, num_online_cpus() - 1, "bystander/%u");
	if (IS_ERR(task))
		return PTR_ERR(task);
	wake_up_process(task);
	start = ktime_get_ns();
	switch (what) {
	case IDLE:
		while (ktime_get_ns() - start < *ns)
			cond_resched();
		break;
	case REGISTER:
		err = small_add_all(plugins);
		*ns = ktime_get_ns() - start;
		break;
	case STOP:
		do {
			err = variants_insert(1, 1, 1, true);
			cond_resched();
		} while (err >= 0 && ktime_get_ns() - start < *ns);
		break;
	}
	WRITE_ONCE(b->stop, true);
	wait_for_completion(&b->done);
	return min(err, 0);
}

static int run_stall(struct seq_buf *out, unsigned int plugins)
{
	struct bystander idle, reg, stop;
	u64 begun = ktime_get_ns();
	unsigned int batch;
	int err;

	if (num_online_cpus() < 2)
		return -ENODEV;
	err = small_alloc(plugins);
	for (batch = 0; batch < batches && !err; batch++) {
		u64 ns = 0;

		if (batch >= 5 && ktime_get_ns() - begun > limit_ms * 1000000ULL)
			break;
		err = stall(REGISTER, plugins, &ns, &reg) ?: stall(IDLE, plugins, &ns, &idle) ?:
			stall(STOP, plugins, &ns, &stop) ?: small_drop(plugins);
		seq_buf_printf(out, "stall:%u\t%u\tidle=%llu\tregister=%llu\tstop=%llu\n", plugins,
			       num_online_cpus(), idle.longest, reg.longest, stop.longest);
		variants_clear();
		cond_resched();
	}
	return err ?: small_free();
}

int run_writers(struct seq_buf *out, int argc, char **argv)
{
	unsigned int plugins;

	if (argc != 2 || kstrtouint(argv[1], 0, &plugins))
		return -EINVAL;
	if (!strcmp(argv[0], "step"))
		return run_step(out, plugins);
	if (!strcmp(argv[0], "stall"))
		return run_stall(out, plugins);
	return -EINVAL;
}
