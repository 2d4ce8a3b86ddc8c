// SPDX-License-Identifier: GPL-2.0
/*
 * The questions that the kernel itself puts to modreg, where modreg_kallsyms is loaded: names by
 * its own printing, traces through a plugin's code, faults that go on at a fixup.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/delay.h>
#include <linux/kallsyms.h>
#include <linux/kprobes.h>
#include <linux/moduleparam.h>
#include <linux/stacktrace.h>
#include <linux/string.h>

#include "../jit.h"
#include "readers.h"

/* The kernel's own functions, which are not exported. */
static const char *(*lookup)(unsigned long addr, unsigned long *size, unsigned long *offset,
			     char **modname, char *namebuf);
static int (*text_address)(unsigned long addr);

static bool asks, has_jit;

static void *find(const char *name)
{
	struct kprobe kp = { .symbol_name = name };

	if (register_kprobe(&kp))
		return NULL;
	unregister_kprobe(&kp);
	return kp.addr;
}

bool kernel_asks(void)
{
	return asks;
}

/* The hooks are in, and were for the time of a question. */
static bool hooks_stay(unsigned int before)
{
	/* After the answer, as look_again(). */
	smp_mb();
	return !(before & 1) && READ_ONCE(switched) == before;
}

/* Judges an answer that may be lacking because the hooks were out. */
/* Returns how often the switch was thrown. */
static unsigned int look_at_switch(void)
{
	/* Before the question. */
	return smp_load_acquire(&switched);
}

static void judge_hooked(struct asker *a, enum question q, struct slot *s, u64 before,
			 unsigned int hooks, bool found, u32 gen, bool init)
{
	if (!found && !hooks_stay(hooks))
		count(a, q);
	else
		judge(a, q, s, before, found, gen, init);
}

/* "name+0x1/0x2 [plugin]", printed by the kernel. */
static void ask_kernel_name(struct asker *a, struct slot *s, enum place k)
{
	unsigned long offset = random(&a->rnd, places[k].size);
	unsigned int hooks = look_at_switch();
	struct told told = { s };
	u64 before = look(s);
	bool found;
	char *at;

	sprint_symbol(a->printed, address(s, k) + offset);
	found = strncmp(a->printed, "0x", 2);
	if (found) {
		at = strchr(a->printed, '[');
		strscpy(a->plugin, at ? at + 1 : "");
		*strchrnul(a->plugin, ']') = '\0';
		if (read_name(a->plugin, false, &told)) {
			name_symbol(a->wanted, s, told.gen, k);
			snprintf(a->name, sizeof(a->name), "%s+%#lx/%#x [%s]", a->wanted, offset,
				 places[k].size, a->plugin);
		}
		if (told.slot != s || strcmp(a->printed, a->name))
			wrong(a, KERNEL_NAME, "slot %u: '%s', not '%s'", index_of(s), a->printed,
			      a->name);
	}
	judge_hooked(a, KERNEL_NAME, s, before, hooks, found, told.gen, k == INIT);
}

/* The kernel keeps the pointer to a plugin's name, protected by RCU alone. */
static void ask_kernel_name_kept(struct asker *a, struct slot *s, enum place k)
{
	unsigned int hooks = look_at_switch();
	unsigned long size, offset;
	struct told told = { s };
	u64 before = look(s);
	char *plugin = NULL;
	bool found;

	/* Not with preemption disabled, which stop_machine() would wait for. */
	guard(rcu)();
	found = lookup(address(s, k), &size, &offset, &plugin, a->name);
	if (found && plugin) {
		strscpy(a->plugin, plugin);
		udelay(random(&a->rnd, a->context == PROCESS ? 200 : 20));
		if (strcmp(a->plugin, plugin))
			wrong(a, KERNEL_NAME_KEPT, "slot %u: [%s] became [%s]", index_of(s),
			      a->plugin, plugin);
		if (!read_name(a->plugin, false, &told) || told.slot != s || offset ||
		    size != places[k].size)
			wrong(a, KERNEL_NAME_KEPT, "slot %u: %s+%#lx/%#lx [%s]", index_of(s),
			      a->name, offset, size, a->plugin);
	}
	judge_hooked(a, KERNEL_NAME_KEPT, s, before, hooks, found, told.gen, k == INIT);
}

static void ask_kernel_text(struct asker *a, struct slot *s, enum place k)
{
	unsigned int hooks = look_at_switch();
	u64 before = look(s);
	bool found = text_address(address(s, k) + random(&a->rnd, places[k].size));

	if (k == DATA) {
		if (found)
			wrong(a, KERNEL_TEXT, "slot %u: data is code", index_of(s));
		return;
	}
	judge_hooked(a, KERNEL_TEXT, s, before, hooks, found, 0, k == INIT);
}

/* Without the hooks this would be an oops. */
static void ask_fixup(struct asker *a)
{
	/* Never mapped, and none at all. */
	unsigned long bad = one_in(&a->rnd, 2) ? -4096UL : 0x8000000000000000UL;

	count(a, FIXUP);
	if (jit_call(JIT_PEEK, bad, 0) != -1)
		wrong(a, FIXUP, "another answer at %lx", bad);
}

static noinline long save_trace(unsigned long arg)
{
	struct asker *a = (struct asker *)arg;

	a->trace_len = stack_trace_save(a->trace, ARRAY_SIZE(a->trace), 0);
	/* No tail call, or this would be no frame. */
	barrier();
	return 0;
}

static noinline void ask_trace(struct asker *a)
{
	unsigned int i;

	count(a, TRACE);
	jit_call(JIT_CALL, (unsigned long)save_trace, (unsigned long)a);
	for (i = 1; i < a->trace_len; i++)
		if (a->trace[i] - jit_address(JIT_CALL) < jit_size(JIT_CALL))
			break;
	if (i + 1 >= a->trace_len)
		wrong(a, TRACE, "%u frames, none in the plugin with one behind", a->trace_len);
}

void ask_kernel(struct asker *a, struct slot *s, enum place k)
{
	if (!asks)
		return;
	ask_kernel_name(a, s, k);
	ask_kernel_name_kept(a, s, k);
	ask_kernel_text(a, s, k);
	if (!has_jit || !one_in(&a->rnd, 8))
		return;
	ask_fixup(a);
	ask_trace(a);
}

int begin_kernel(void)
{
	int err;

	lookup = find("kallsyms_lookup");
	text_address = find("kernel_text_address");
	if (!lookup || !text_address)
		return -ENOENT;
	/* Its fixups would not let the hooks go. */
	if (entries) {
		err = jit_register();
		if (err)
			return err;
		has_jit = true;
	}
	/* An empty answer is no error where the hooks are in, but where they are not. */
	asks = find("modreg_kallsyms_enable");
	return 0;
}

void end_kernel(void)
{
	asks = false;
	if (has_jit)
		jit_unregister();
	has_jit = false;
}
