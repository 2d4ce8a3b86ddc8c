// SPDX-License-Identifier: GPL-2.0
/*
 * Plugins of another module, test_modreg_owner, which is loaded and unloaded by the script.
 * Some cases only arm what happens then, and others check what came of it.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/completion.h>
#include <linux/cpu.h>
#include <linux/delay.h>
#include <linux/kernel.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/notifier.h>
#include <linux/string.h>
#include <linux/vmalloc.h>

#include "test_modreg.h"

#define OWNER "test_modreg_owner"

/* The module, from its COMING to its GOING event. */
static struct module *other;

/* What is done at these events, before modreg is told of them. */
static void (*on_coming)(struct module *mod);
static void (*on_going)(struct module *mod);

/* Whether the module's load is refused. */
static bool refuses;

/* Addresses outside of every module, which are claimed and never read. */
static void *page;

static struct modreg_plugin *kept[3];
static int result;

static int watch(struct notifier_block *nb, unsigned long state, void *data)
{
	struct module *mod = data;

	if (strcmp(mod->name, OWNER))
		return NOTIFY_DONE;
	if (state == MODULE_STATE_COMING) {
		WRITE_ONCE(other, mod);
		if (on_coming)
			on_coming(mod);
	} else if (state == MODULE_STATE_GOING) {
		if (on_going)
			on_going(mod);
		WRITE_ONCE(other, NULL);
	}
	return NOTIFY_DONE;
}

static int refuse(struct notifier_block *nb, unsigned long state, void *data)
{
	struct module *mod = data;

	if (refuses && state == MODULE_STATE_COMING && !strcmp(mod->name, OWNER))
		return notifier_from_errno(-EXFULL);
	return NOTIFY_DONE;
}

static struct notifier_block watcher = { .notifier_call = watch };
/* Behind the watcher, in front of modreg. */
static struct notifier_block refuser = { .notifier_call = refuse, .priority = -1 };

int owners_init(void)
{
	page = vmalloc(PAGE_SIZE);
	if (!page)
		return -ENOMEM;
	register_module_notifier(&watcher);
	register_module_notifier(&refuser);
	return 0;
}

void owners_exit(void)
{
	unregister_module_notifier(&refuser);
	unregister_module_notifier(&watcher);
	vfree(page);
}

static void disarm(void)
{
	on_coming = NULL;
	on_going = NULL;
	refuses = false;
}

static struct modreg_plugin *register_for_other(unsigned int i, int (*init)(void *data),
						void (*exit)(void *data), void *data)
{
	char name[] = "other_a";
	const struct modreg_region region = { (unsigned long)page + i * 64, 64 };
	const struct modreg_plugin_desc desc = {
		.name = name,
		.owner = other,
		.regions = &region,
		.num_regions = 1,
		.init = init,
		.exit = exit,
		.data = data,
	};

	name[sizeof(name) - 2] += i;
	return modreg_register_plugin(&desc);
}

static void register_case(const struct test_case *tc)
{
	unsigned int i;

	if (!check(other))
		return;
	for (i = 0; i < 2; i++) {
		kept[i] = register_for_other(i, NULL, NULL, NULL);
		check_eq(PTR_ERR_OR_ZERO(kept[i]), 0);
	}
	check(modreg_is_address((unsigned long)page));
}

/* The owner has gone with its plugins; the handles are still there. */
static void orphans_case(const struct test_case *tc)
{
	struct fixture *f = fixture(0);
	struct modreg_plugin *plugins[3];

	check(!modreg_is_address((unsigned long)page));
	check_str(modreg_plugin_name(kept[0]), "other_a");
	if (!fixture_register(f))
		return;
	plugins[0] = kept[0];
	plugins[1] = f->plugin;
	plugins[2] = kept[0];
	check_eq(modreg_unregister_plugins(plugins, 3), -EBUSY);
	check_eq(f->exits, 0);
	fixture_answers(f);
	check_eq(modreg_unregister_plugins(plugins, 2), -ENODEV);
	check_eq(f->exits, 1);
	fixture_is_gone(f);
	check_eq(modreg_unregister_plugin(kept[1]), -ENODEV);
}

static void register_module(struct module *mod)
{
	kept[0] = modreg_register_module(mod, NULL);
	result = PTR_ERR_OR_ZERO(kept[0]);
}

static void unregister_kept(struct module *mod)
{
	result = modreg_unregister_plugin(kept[0]);
}

/* The load is refused behind the registration; the plugin is left, or unregistered at GOING. */
static void arm_refusal_case(const struct test_case *tc)
{
	on_coming = register_module;
	on_going = strstr(tc->name, "left") ? NULL : unregister_kept;
	refuses = true;
}

static void refused_case(const struct test_case *tc)
{
	if (!on_going) {
		check_eq(result, 0);
		unregister_kept(NULL);
	}
	check_eq(result, -ENODEV);
	disarm();
}

/* A thread that unregisters, and the exit callback that it is in */

static DECLARE_COMPLETION(exit_entered);
static DECLARE_COMPLETION(exit_continues);
static DECLARE_COMPLETION(unregistered);
static unsigned long init_begin, init_end, core_text;

static void exit_waits(void *data)
{
	complete_all(&exit_entered);
	wait_for_completion_timeout(&exit_continues, 60 * HZ);
}

static int ignore(struct notifier_block *nb, unsigned long state, void *data)
{
	return NOTIFY_DONE;
}

/* This waits for the end of the event that the module is told of. */
static void exit_registers_notifier(void *data)
{
	static struct notifier_block nb = { .notifier_call = ignore };

	exit_waits(data);
	/* By now modreg has been told of the event, too. */
	msleep(300);
	register_module_notifier(&nb);
	unregister_module_notifier(&nb);
}

static int unregister_thread(void *data)
{
	result = modreg_unregister_plugin(kept[0]);
	complete_all(&unregistered);
	return 0;
}

/* Registers a module that is COMING, and returns when another thread is in the exit callback. */
static void register_and_unregister(struct module *mod, void (*exit)(void *data))
{
	const struct modreg_plugin_desc desc = { .exit = exit };
	struct task_struct *task;

	reinit_completion(&exit_entered);
	reinit_completion(&exit_continues);
	reinit_completion(&unregistered);
	init_begin = (unsigned long)mod->mem[MOD_INIT_TEXT].base;
	init_end = init_begin + mod->mem[MOD_INIT_TEXT].size;
	core_text = (unsigned long)mod->mem[MOD_TEXT].base;
	kept[0] = modreg_register_module(mod, &desc);
	result = PTR_ERR_OR_ZERO(kept[0]);
	if (result)
		return;
	task = kthread_run(unregister_thread, NULL, "test_unregister");
	if (!IS_ERR(task))
		wait_for_completion_timeout(&exit_entered, 60 * HZ);
}

static void come_and_exit(struct module *mod)
{
	register_and_unregister(mod, exit_waits);
}

static void arm_exit_case(const struct test_case *tc)
{
	on_coming = come_and_exit;
}

/* The owner is LIVE, and its init memory is free; the exit callback still runs. */
static void init_is_gone_case(const struct test_case *tc)
{
	char name[KSYM_NAME_LEN], plugin[MODREG_NAME_LEN], type;
	unsigned long addr, value;
	unsigned int n;
	int exported;

	disarm();
	check(completion_done(&exit_entered));
	check(init_end > init_begin);
	for (addr = init_begin; addr < init_end; addr += 16) {
		if (!check_eq(modreg_is_address(addr), false) ||
		    !check_eq(modreg_address_lookup(addr, NULL, NULL, plugin, name), 0))
			break;
	}
	check_eq(modreg_kallsyms_lookup_name(OWNER ":test_modreg_owner_init"), 0);
	for (n = 0; !modreg_get_kallsym(n, &value, &type, name, plugin, &exported); n++)
		if (!check(value < init_begin || value >= init_end))
			break;
	check(modreg_is_address(core_text));
	complete_all(&exit_continues);
	if (check(wait_for_completion_timeout(&unregistered, 60 * HZ)))
		check_eq(result, 0);
	check(!modreg_is_address(core_text));
}

static void come_and_wait(struct module *mod)
{
	register_and_unregister(mod, exit_registers_notifier);
}

static void let_exit_continue(struct module *mod)
{
	complete_all(&exit_continues);
}

static void arm_notifier_case(const struct test_case *tc)
{
	on_coming = come_and_wait;
	on_going = let_exit_continue;
}

static void notifier_done_case(const struct test_case *tc)
{
	disarm();
	if (check(wait_for_completion_timeout(&unregistered, 60 * HZ)))
		check_eq(result, 0);
	check(!modreg_is_address(core_text));
}

/* Init succeeds while the owner is being unloaded, which its exit function holds up. */

static atomic_t exits;

static int init_until_going(void *data)
{
	unsigned int i;

	for (i = 0; i < 1500 && READ_ONCE(other->state) != MODULE_STATE_GOING; i++)
		msleep(20);
	check_eq(READ_ONCE(other->state), MODULE_STATE_GOING);
	return 0;
}

static void count_exit(void *data)
{
	check(modreg_is_address((unsigned long)page + 2 * 64));
	atomic_inc(&exits);
}

static void init_while_going_case(const struct test_case *tc)
{
	struct modreg_plugin *plugin;

	if (!check(other))
		return;
	atomic_set(&exits, 0);
	plugin = register_for_other(2, init_until_going, count_exit, NULL);
	check_eq(PTR_ERR_OR_ZERO(plugin), -ENODEV);
	check_eq(atomic_read(&exits), 1);
	check(!modreg_is_address((unsigned long)page + 2 * 64));
}

/* References come and go */

/*
 * In bursts: a task is mostly preempted where get() drops its guard, while it holds a reference.
 * Without pauses the owner could not be unloaded on one processor.
 */
static int take_and_put(void *data)
{
	struct modreg_find_symbol_arg fsa = { .name = "own_symbol", .gplok = true };
	unsigned long end;

	set_user_nice(current, MAX_NICE);
	while (!kthread_should_stop()) {
		end = jiffies + 1;
		while (!time_after(jiffies, end)) {
			if (modreg_find_symbol_get(&fsa))
				modreg_find_symbol_put(fsa.owner);
			/* As torture's readers do. */
			cond_resched_tasks_rcu_qs();
		}
		schedule_timeout_uninterruptible(2);
	}
	return 0;
}

static void references_case(const struct test_case *tc)
{
	struct task_struct *tasks[2];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(tasks); i++) {
		tasks[i] = kthread_run(take_and_put, NULL, "test_references/%u", i);
		check(!IS_ERR(tasks[i]));
	}
	test_hold();
	for (i = 0; i < ARRAY_SIZE(tasks); i++)
		if (!IS_ERR(tasks[i]))
			kthread_stop(tasks[i]);
}

/* A registration may stop the machine, which takes this lock. Lockdep must see that. */
static void cpus_case(const struct test_case *tc)
{
	struct fixture *f = fixture(0);

	cpus_read_lock();
	fixture_register(f);
	cpus_read_unlock();
	fixture_unregister(f);
}

const struct test_case owner_cases[] = {
	{ "owners.register", register_case },
	{ "owners.orphans", orphans_case },
	{ "owners.arm_refusal", arm_refusal_case },
	{ "owners.arm_refusal_left", arm_refusal_case },
	{ "owners.refused", refused_case },
	{ "owners.arm_exit", arm_exit_case },
	{ "owners.init_is_gone", init_is_gone_case },
	{ "owners.arm_notifier", arm_notifier_case },
	{ "owners.notifier_done", notifier_done_case },
	{ "owners.init_while_going", init_while_going_case },
	{ "locks.cpus", cpus_case },
	{ "hold.references", references_case },
	{ }
};
