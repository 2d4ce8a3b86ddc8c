// SPDX-License-Identifier: GPL-2.0
/*
 * The kernel's own answers, as a count and a hash for each kind of question: about the symbols,
 * the text and the exception entries of vmlinux, of this module and of all modules that were
 * loaded before it. Modules that come later are left out, so the hashes of two moments are the
 * same if the kernel answers the same.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/pgtable.h>
#include <linux/sched.h>
#include <linux/siphash.h>
#include <linux/static_call.h>

#include "mirror.h"

/* By name, since each bare one is looked for in all modules. */
enum { NAMES_EVERY = 64 };

enum answer {
	SPRINT_SYMBOL, SPRINT_BACKTRACE, LOOKUP_SYMBOL_NAME, BARE_NAME, MODULE_NAME, TEXT,
	EXCEPTION, NTH_SYMBOL, BEHIND, NUM_ANSWERS,
};

static const char * const names[NUM_ANSWERS] = {
	[SPRINT_SYMBOL]		= "sprint_symbol",
	[SPRINT_BACKTRACE]	= "sprint_backtrace",
	[LOOKUP_SYMBOL_NAME]	= "lookup_symbol_name",
	[BARE_NAME]		= "kallsyms_lookup_name, symbol",
	[MODULE_NAME]		= "kallsyms_lookup_name, module:symbol",
	[TEXT]			= "text address",
	[EXCEPTION]		= "exception entry",
	[NTH_SYMBOL]		= "n-th symbol",
	[BEHIND]		= "n-th symbol, behind the modules",
};

static struct {
	unsigned long count;
	u64 hash;
} answers[NUM_ANSWERS];

/* Static calls, for an indirect one needs an entry that the kernel may have closed. */
DEFINE_STATIC_CALL_NULL(lookup_name, kallsyms_lookup_name);
DEFINE_STATIC_CALL_NULL(size_offset, kallsyms_lookup_size_offset);
DEFINE_STATIC_CALL_NULL(each_symbol, kallsyms_on_each_symbol);
DEFINE_STATIC_CALL_NULL(backtrace, sprint_backtrace);
DEFINE_STATIC_CALL_NULL(symbol_name, lookup_symbol_name);
DEFINE_STATIC_CALL_NULL(kernel_text, kernel_text_address);
DEFINE_STATIC_CALL_NULL(module_text, is_module_text_address);
DEFINE_STATIC_CALL_NULL(exception, search_exception_tables);
DEFINE_STATIC_CALL_NULL(module_exception, search_module_extables);
DEFINE_STATIC_CALL_NULL(nth_symbol, module_get_kallsym);

static const struct exception_table_entry *extable, *extable_end;

#define FIND(call, name) static_call_update(call, (typeof(name) *)find(#name))

static void *find(const char *name)
{
	return (void *)static_call(lookup_name)(name);
}

/* Takes the address of kallsyms_lookup_name(). */
int find_answers(unsigned long lookup)
{
	if (!lookup)
		return -ENOENT;
	static_call_update(lookup_name, (typeof(kallsyms_lookup_name) *)lookup);
	FIND(size_offset, kallsyms_lookup_size_offset);
	FIND(each_symbol, kallsyms_on_each_symbol);
	FIND(backtrace, sprint_backtrace);
	FIND(symbol_name, lookup_symbol_name);
	FIND(kernel_text, kernel_text_address);
	FIND(module_text, is_module_text_address);
	FIND(exception, search_exception_tables);
	FIND(module_exception, search_module_extables);
	FIND(nth_symbol, module_get_kallsym);
	extable = find("__start___ex_table");
	extable_end = find("__stop___ex_table");
	if (static_call_query(size_offset) && static_call_query(each_symbol) &&
	    static_call_query(backtrace) && static_call_query(symbol_name) &&
	    static_call_query(kernel_text) && static_call_query(module_text) &&
	    static_call_query(exception) && static_call_query(module_exception) &&
	    static_call_query(nth_symbol) && extable && extable_end)
		return 0;
	pr_err("the kernel lacks a function to ask\n");
	return -ENOENT;
}

/* Makes an answer part of the hash. */
static void note(enum answer kind, const void *answer, size_t len)
{
	const siphash_key_t key = { { answers[kind].hash, len } };

	answers[kind].count++;
	answers[kind].hash = siphash(answer, len, &key);
}

/* What a function leaves in a buffer is its answer, and so is what it returns. */
static struct {
	long ret;
	char text[KSYM_SYMBOL_LEN];
} told;

static void note_told(enum answer kind, long ret)
{
	told.ret = ret;
	note(kind, &told, offsetof(typeof(told), text) + strnlen(told.text, sizeof(told.text)));
}

/*
 * What lies beside a module may belong to one that comes later, so a module's first byte has no
 * backtrace.
 */
static void ask_address(const struct module *mod, unsigned long addr)
{
	bool text[2];

	note_told(SPRINT_SYMBOL, sprint_symbol(told.text, addr));
	if (!mod || within_module(addr - 1, mod))
		note_told(SPRINT_BACKTRACE, static_call(backtrace)(told.text, addr));
	note_told(LOOKUP_SYMBOL_NAME, static_call(symbol_name)(addr, told.text));
	text[0] = static_call(kernel_text)(addr);
	text[1] = static_call(module_text)(addr);
	note(TEXT, text, sizeof(text));
}

/* Asks about the first, a middle and the last byte. */
static void ask_symbol(const struct module *mod, unsigned long addr)
{
	unsigned long size, offset;

	ask_address(mod, addr);
	if (!static_call(size_offset)(addr, &size, &offset) || size < 2)
		return;
	addr -= offset;
	ask_address(mod, addr + size / 2);
	ask_address(mod, addr + size - 1);
}

static void ask_name(enum answer kind, const char *name)
{
	unsigned long addr = static_call(lookup_name)(name);

	note(kind, &addr, sizeof(addr));
}

static int ask_vmlinux_symbol(void *number, const char *name, unsigned long addr)
{
	unsigned int n = (*(unsigned int *)number)++;

	if (n % every)
		return 0;
	ask_symbol(NULL, addr);
	if (n / every % NAMES_EVERY == 0)
		ask_name(BARE_NAME, name);
	return 0;
}

static void ask_entries(const struct exception_table_entry *from,
			const struct exception_table_entry *to)
{
	for (; from < to; from++) {
		unsigned long insn = (unsigned long)&from->insn + from->insn;
		int beside;

		for (beside = -1; beside <= 1; beside++) {
			const struct exception_table_entry *found[] = {
				static_call(exception)(insn + beside),
				static_call(module_exception)(insn + beside),
			};

			note(EXCEPTION, found, sizeof(found));
		}
	}
}

static void ask_module(const struct module *mod)
{
	const struct mod_kallsyms *ks = &mod->core_kallsyms;
	static char qualified[MODULE_NAME_LEN + 1 + KSYM_NAME_LEN];
	unsigned int i;

	for (i = 1; i < ks->num_symtab; i += every) {
		const char *name = ks->strtab + ks->symtab[i].st_name;

		cond_resched();
		if (within_module(ks->symtab[i].st_value, mod))
			ask_symbol(mod, ks->symtab[i].st_value);
		snprintf(qualified, sizeof(qualified), "%s:%s", mod->name, name);
		if (i / every % NAMES_EVERY == 0)
			ask_name(MODULE_NAME, qualified);
	}
	for_each_mod_mem_type(type) {
		unsigned long base = (unsigned long)mod->mem[type].base;
		unsigned long end = base + mod->mem[type].size;

		if (base == end)
			continue;
		ask_address(mod, base);
		ask_address(mod, end - 1);
	}
	ask_entries(mod->extable, mod->extable + mod->num_exentries);
}

/*
 * Asks about every number, from the first of this module's on. What comes behind the modules is
 * counted apart if it has a name: the kernel passes the nameless by.
 */
static void ask_numbers(void)
{
	struct module *mod = THIS_MODULE;
	static char name[KSYM_NAME_LEN];
	char module[MODULE_NAME_LEN];
	unsigned int left = 0, n;
	unsigned long value;
	bool begun = false;
	int exported;
	char type;

	list_for_each_entry_from(mod, kernel.modules, list)
		left += mod->core_kallsyms.num_symtab;
	for (n = 0; !static_call(nth_symbol)(n, &value, &type, name, module, &exported); n++) {
		enum answer kind = left ? NTH_SYMBOL : BEHIND;

		cond_resched();
		begun |= !strcmp(module, KBUILD_MODNAME);
		if (!begun || (kind == BEHIND && !*name))
			continue;
		note_told(kind, snprintf(told.text, sizeof(told.text), "%lx %c %s [%s] %d", value,
					 type, name, module, exported));
		/* Exported names are unique: no module that comes later has one of them. */
		if (kind == NTH_SYMBOL && left-- % NAMES_EVERY == 0 && exported)
			ask_name(BARE_NAME, name);
	}
}

static int answers_show(struct seq_file *s, void *unused)
{
	const unsigned long nowhere[] = { 0, PAGE_SIZE, PAGE_OFFSET, VMALLOC_START, ULONG_MAX };
	struct module *mod = THIS_MODULE;
	unsigned int number = 0, i;
	enum answer kind;

	guard(mutex)(&mirror_lock);
	memset(answers, 0, sizeof(answers));
	static_call(each_symbol)(ask_vmlinux_symbol, &number);
	ask_entries(extable, extable_end);
	for (i = 0; i < ARRAY_SIZE(nowhere); i++)
		ask_address(NULL, nowhere[i]);
	list_for_each_entry_from(mod, kernel.modules, list)
		ask_module(mod);
	ask_numbers();
	for (kind = 0; kind < NUM_ANSWERS; kind++)
		seq_printf(s, "%-36s %9lu %016llx\n", names[kind], answers[kind].count,
			   answers[kind].hash);
	return 0;
}

static int answers_open(struct inode *inode, struct file *file)
{
	return single_open(file, answers_show, NULL);
}

const struct file_operations answers_fops = {
	.owner = THIS_MODULE,
	.open = answers_open,
	.read = seq_read,
	.llseek = seq_lseek,
	.release = single_release,
};
