// SPDX-License-Identifier: GPL-2.0
/*
 * Questions about modules that come and go. Threads on all processors but the first ask them
 * while user space loads and unloads the modules in a loop.
 *
 * Which answer is right? Each watched module has a sequence count. It is odd from before the
 * module's state in modreg changes until after the change. If the count is even and the same
 * before and after a question, nothing changed meanwhile and there is one right answer: a
 * loaded module is named, with its symbol; an unloaded module is not. If the count moved, the
 * module was loaded at one moment and not at another. Either answer is right, and the question
 * is counted apart. The barriers of the seqcount order modreg's work too: a reader that sees
 * the count even again sees all of the change, and a reader that sees any of the change sees
 * the count moved.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cpu.h>
#include <linux/kthread.h>
#include <linux/prandom.h>
#include <linux/seqlock.h>
#include <linux/slab.h>

#include "mirror.h"

/* A symbol, and the right answer about its second byte. */
struct known {
	char mod[MODULE_NAME_LEN];
	char name[KSYM_NAME_LEN];
	unsigned long value;
	unsigned long size;
	bool text;
	bool exported;
};

/* A module that is loaded and unloaded. */
struct watched {
	char name[MODULE_NAME_LEN];
	seqcount_t seq;
	/* Written while the sequence count is odd. */
	enum module_state state;	/* GOING if unloaded */
	struct known core, export, init;
	/* Number of loads; each load changes the symbol that is asked about. */
	unsigned int loads;
};

static struct watched *watched;
static unsigned int num_watched;
static unsigned long total_loads;

/* One symbol of each module that stays loaded. */
static struct known *throughout;
static unsigned int num_throughout;

/* A reader thread and the answers that it got. */
struct asker {
	struct task_struct *task;
	struct rnd_state rnd;
	char mod[MODREG_NAME_LEN];
	char name[KSYM_NAME_LEN];
	char qualified[MODULE_NAME_LEN + 1 + KSYM_NAME_LEN];
	struct watched now;
};

static struct asker **askers;

typedef bool choice(const struct module *mod, unsigned long addr, const char *name);

/*
 * Takes the n-th symbol that 'want' accepts and that the kernel finds under its own name and
 * address. Counts past the last from the first; returns false if there is none.
 */
static bool know(struct known *known, const struct module *mod, const struct mod_kallsyms *ks,
		 unsigned int n, choice *want)
{
	static char name[KSYM_NAME_LEN];
	unsigned int j;

	for (j = 0; j < ks->num_symtab; j++) {
		const Elf_Sym *sym = &ks->symtab[(n + j) % ks->num_symtab];
		const char *own = ks->strtab + sym->st_name;

		known->value = sym->st_value;
		if (!want(mod, known->value, own) ||
		    !kernel.module_address_lookup(known->value, &known->size, NULL, NULL, NULL,
						  name) ||
		    strcmp(name, own) || known->size < 2)
			continue;
		strscpy(known->mod, mod->name);
		strscpy(known->name, name);
		scoped_guard(preempt)
			known->text = kernel.__module_text_address(known->value);
		known->exported = false;
		return true;
	}
	known->value = 0;
	return false;
}

static bool in_core(const struct module *mod, unsigned long addr, const char *name)
{
	return within_module_core(addr, mod);
}

static bool in_init(const struct module *mod, unsigned long addr, const char *name)
{
	return within_module_init(addr, mod);
}

static bool is_export(const struct module *mod, unsigned long addr, const char *name)
{
	struct find_symbol_arg karg = { .name = name, .gplok = true };

	guard(preempt)();
	return within_module_core(addr, mod) && kernel.find_symbol(&karg) && karg.owner == mod;
}

/* Returns whether modreg gives every right answer about a symbol of a loaded module. */
static bool knows(const struct known *known, struct asker *a)
{
	struct modreg_find_symbol_arg fsa = { .name = known->name, .gplok = true };
	unsigned long size, offset, addr = known->value + 1;
	struct modreg_plugin *plugin;

	if (!modreg_address_lookup(addr, &size, &offset, a->mod, a->name) ||
	    strcmp(a->mod, known->mod) || strcmp(a->name, known->name) ||
	    offset != 1 || size != known->size)
		return false;
	if (!modreg_is_address(addr))
		return false;
	snprintf(a->qualified, sizeof(a->qualified), "%s:%s", known->mod, known->name);
	/* The first symbol of this name may be another one. */
	if (!modreg_kallsyms_lookup_name(a->qualified) ||
	    !modreg_kallsyms_lookup_name(known->name))
		return false;
	guard(preempt)();
	plugin = modreg_text_address(addr);
	if (known->text ? !plugin || strcmp(modreg_plugin_name(plugin), known->mod) : !!plugin)
		return false;
	return !known->exported ||
	       (modreg_find_symbol(&fsa) && fsa.value == known->value &&
		!strcmp(modreg_plugin_name(fsa.owner), known->mod) &&
		modreg_kallsyms_lookup_name(known->name) == known->value);
}

/*
 * Returns whether an answer about a symbol of an unloaded module names that module. Another
 * module may have the address by now.
 */
static bool names_gone(const struct known *known, struct asker *a)
{
	struct modreg_find_symbol_arg fsa = { .name = known->name, .gplok = true };
	unsigned long size, offset, value, addr = known->value + 1;
	struct modreg_plugin *plugin;
	int exported;
	char type;

	if (modreg_address_lookup(addr, &size, &offset, a->mod, a->name) &&
	    !strcmp(a->mod, known->mod))
		return true;
	snprintf(a->qualified, sizeof(a->qualified), "%s:%s", known->mod, known->name);
	if (modreg_kallsyms_lookup_name(a->qualified))
		return true;
	/* The newest modules come first. */
	if (!modreg_get_kallsym(prandom_u32_state(&a->rnd) % 256, &value, &type, a->name, a->mod,
				&exported) && !strcmp(a->mod, known->mod))
		return true;
	guard(preempt)();
	plugin = modreg_text_address(addr);
	if (plugin && !strcmp(modreg_plugin_name(plugin), known->mod))
		return true;
	return known->exported && modreg_find_symbol(&fsa);
}

/* Returns whether an address of init memory leads to the module. */
static bool init_is_there(const struct known *known, struct asker *a)
{
	unsigned long size, offset;

	return modreg_address_lookup(known->value + 1, &size, &offset, a->mod, a->name) &&
	       !strcmp(a->mod, known->mod) && !strcmp(a->name, known->name);
}

static void ask_watched(struct watched *w, struct asker *a)
{
	unsigned int seq = raw_read_seqcount(&w->seq);
	struct watched *now = &a->now;
	bool right, init_right = true;

	*now = *w;
	if (seq & 1 || read_seqcount_retry(&w->seq, seq)) {
		leave_out(IN_BETWEEN);
		return;
	}
	/* The module was never loaded. */
	if (!now->loads)
		return;

	if (now->state == MODULE_STATE_GOING)
		right = !names_gone(&now->core, a) &&
			(!now->export.value || !names_gone(&now->export, a));
	else
		right = knows(&now->core, a) && (!now->export.value || knows(&now->export, a));
	if (now->init.value)
		init_right = init_is_there(&now->init, a) == (now->state == MODULE_STATE_COMING);

	if (read_seqcount_retry(&w->seq, seq)) {
		leave_out(IN_BETWEEN);
		return;
	}
	count(now->state == MODULE_STATE_GOING ? GONE : THERE, right);
	if (now->init.value)
		count(now->state == MODULE_STATE_COMING ? INIT_THERE : INIT_GONE, init_right);
	if (!right || !init_right)
		pr_info_ratelimited("%s: wrong in state %d: core %lx %s, export %lx %s, init %lx %s, last answer %s [%s]\n",
				    w->name, now->state, now->core.value, now->core.name,
				    now->export.value, now->export.name,
				    now->init.value, now->init.name, a->name, a->mod);
}

static int ask(void *data)
{
	struct asker *a = data;
	unsigned int i;

	while (!kthread_should_stop()) {
		for (i = 0; i < num_watched; i++)
			ask_watched(&watched[i], a);
		i = prandom_u32_state(&a->rnd) % num_throughout;
		count(THROUGHOUT, knows(&throughout[i], a));
		cond_resched_tasks_rcu_qs();
	}
	return 0;
}

static struct watched *find_watched(const struct module *mod)
{
	unsigned int i;

	for (i = 0; i < num_watched; i++)
		if (!strcmp(watched[i].name, mod->name))
			return &watched[i];
	return NULL;
}

/* Called before modreg's notifier. */
void churn_begin(const struct module *mod)
{
	struct watched *w = find_watched(mod);

	if (w)
		raw_write_seqcount_begin(&w->seq);
}

/* Called after modreg's notifier. */
void churn_end(struct module *mod, enum module_state state)
{
	struct watched *w = find_watched(mod);

	if (!w)
		return;
	w->state = state;
	if (state == MODULE_STATE_COMING) {
		know(&w->core, mod, &mod->core_kallsyms, w->loads, in_core);
		w->export.exported = know(&w->export, mod, &mod->core_kallsyms, w->loads,
					  is_export);
		know(&w->init, mod, rcu_dereference_raw(mod->kallsyms), w->loads, in_init);
		w->loads++;
	}
	if (state == MODULE_STATE_GOING)
		total_loads++;
	raw_write_seqcount_end(&w->seq);
}

unsigned long churned(void)
{
	return total_loads;
}

void churn_stop(void)
{
	unsigned int cpu;

	for (cpu = 0; askers && cpu < nr_cpu_ids; cpu++) {
		if (askers[cpu])
			kthread_stop(askers[cpu]->task);
		kfree(askers[cpu]);
	}
	kfree(askers);
	askers = NULL;
	kvfree(watched);
	watched = NULL;
	num_watched = 0;
	kvfree(throughout);
	throughout = NULL;
	num_throughout = 0;
}

bool churn_is_on(void)
{
	return askers;
}

static bool is_watched(const struct module *mod)
{
	return find_watched(mod);
}

static int watch(char *names)
{
	unsigned int n = 0;
	char *name;

	for (name = names; *name; name++)
		n += *name == ' ';
	watched = kvzalloc_objs(*watched, n + 1);
	if (!watched)
		return -ENOMEM;
	while ((name = strsep(&names, " "))) {
		strscpy(watched[num_watched].name, name);
		seqcount_init(&watched[num_watched].seq);
		watched[num_watched++].state = MODULE_STATE_GOING;
	}
	return 0;
}

static int know_throughout(void)
{
	unsigned int n = 0;
	struct mirrored *m;

	list_for_each_entry(m, &mirrored, list)
		n++;
	throughout = kvzalloc_objs(*throughout, n);
	if (!throughout)
		return -ENOMEM;
	list_for_each_entry(m, &mirrored, list) {
		struct known *known = &throughout[num_throughout];

		if (is_watched(m->mod))
			return -EBUSY;
		known->exported = know(known, m->mod, &m->mod->core_kallsyms, 1, is_export);
		if (known->exported || know(known, m->mod, &m->mod->core_kallsyms, 1, in_core))
			num_throughout++;
	}
	return num_throughout ? 0 : -ENOENT;
}

static int start_asker(unsigned int cpu)
{
	struct asker *a = kzalloc_obj(*a);

	if (!a)
		return -ENOMEM;
	prandom_seed_state(&a->rnd, cpu);
	a->task = kthread_run_on_cpu(ask, a, cpu, "modreg_churn/%u");
	if (IS_ERR(a->task)) {
		int err = PTR_ERR(a->task);

		kfree(a);
		return err;
	}
	askers[cpu] = a;
	return 0;
}

/* Takes names of modules with spaces between them, none of them loaded; or an empty line. */
int churn_start(char *names)
{
	unsigned int cpu;
	int err;

	if (!*names)
		return 0;
	err = watch(names) ?: know_throughout();
	askers = kzalloc_objs(*askers, nr_cpu_ids);
	if (!err && !askers)
		err = -ENOMEM;
	guard(cpus_read_lock)();
	for_each_online_cpu(cpu)
		if (!err && cpu != cpumask_first(cpu_online_mask))
			err = start_asker(cpu);
	if (err)
		churn_stop();
	return err;
}
