// SPDX-License-Identifier: GPL-2.0
/* Plugins to test with, and checks of every reader's answers about them. */

#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/string.h>

#include "test_modreg.h"

/* Addresses that nothing else has: three regions for each fixture, a gap behind each. */
static char arena[FIXTURES][3][2 * REGION_SIZE] __aligned(PAGE_SIZE);

struct fixture fixtures[FIXTURES];

void set_exception(struct exception_table_entry *entry, unsigned long insn)
{
	entry->insn = insn - (unsigned long)&entry->insn;
	entry->fixup = insn - (unsigned long)&entry->fixup;
	ex_type(entry) = EX_TYPE_PLAIN;
}

static int fixture_init(void *data)
{
	struct fixture *f = data;

	f->inits++;
	return f->in_init ? f->in_init(f) : 0;
}

static void fixture_exit(void *data)
{
	struct fixture *f = data;

	f->exits++;
	if (f->in_exit)
		f->in_exit(f);
}

/* Returns fixture i in its initial state; its plugin is called test_a, test_b, ... */
struct fixture *fixture(unsigned int i)
{
	struct fixture *f = &fixtures[i];

	memset(f, 0, sizeof(*f));
	snprintf(f->name, sizeof(f->name), "test_%c", 'a' + i);
	f->text = (unsigned long)arena[i][0];
	f->data = (unsigned long)arena[i][1];
	f->start = (unsigned long)arena[i][2];

	f->regions[0] = (struct modreg_region){ f->text, REGION_SIZE, MODREG_TEXT };
	f->regions[1] = (struct modreg_region){ f->data, REGION_SIZE };
	f->regions[2] = (struct modreg_region){ f->start, REGION_SIZE, MODREG_TEXT | MODREG_INIT };

	f->symbols[0] = (struct modreg_symbol){ "alpha", f->text + ALPHA };
	f->symbols[1] = (struct modreg_symbol){ "beta", f->text + BETA, 0, MODREG_EXPORT };
	f->symbols[2] = (struct modreg_symbol){ "beta_alias", f->text + BETA, 'w' };
	f->symbols[3] = (struct modreg_symbol){ "gamma", f->text + GAMMA, 0, MODREG_EXPORT_GPL };
	f->symbols[4] = (struct modreg_symbol){ "delta", f->data };
	f->symbols[5] = (struct modreg_symbol){ "startup", f->start, 0, MODREG_EXPORT };

	set_exception(&f->extable[0], f->text + ALPHA + 4);
	set_exception(&f->extable[1], f->text + BETA + 8);
	set_exception(&f->extable[2], f->start + 12);

	f->params[0] = (struct modreg_param){ "some_number", &param_ops_int, &f->number };

	f->desc = (struct modreg_plugin_desc){
		.name = f->name,
		.owner = THIS_MODULE,
		.regions = f->regions,
		.num_regions = ARRAY_SIZE(f->regions),
		.symbols = f->symbols,
		.num_symbols = ARRAY_SIZE(f->symbols),
		.extable = f->extable,
		.num_exentries = ARRAY_SIZE(f->extable),
		.params = f->params,
		.num_params = ARRAY_SIZE(f->params),
		.init = fixture_init,
		.exit = fixture_exit,
		.data = f,
	};
	return f;
}

bool fixture_register(struct fixture *f)
{
	f->plugin = modreg_register_plugin(&f->desc);
	return check_eq(PTR_ERR_OR_ZERO(f->plugin), 0);
}

void fixture_unregister(struct fixture *f)
{
	if (!IS_ERR_OR_NULL(f->plugin))
		check_eq(modreg_unregister_plugin(f->plugin), 0);
	f->plugin = NULL;
}

/*
 * Registers up to n quiet plugins "many_00", …, each with size bytes of data from base on.
 * Returns their number.
 */
unsigned int register_many(struct modreg_plugin **plugins, unsigned int n, unsigned long base,
			   unsigned int size)
{
	unsigned int i;
	char name[16];

	for (i = 0; i < n; i++) {
		const struct modreg_region region = { base + i * size, size };
		const struct modreg_plugin_desc desc = {
			.name = name,
			.owner = THIS_MODULE,
			.regions = &region,
			.num_regions = 1,
			.flags = MODREG_QUIET,
		};

		snprintf(name, sizeof(name), "many_%02u", i);
		plugins[i] = modreg_register_plugin(&desc);
		if (!check_eq(PTR_ERR_OR_ZERO(plugins[i]), 0))
			break;
		cond_resched();
	}
	return i;
}

bool find_symbol(const char *name, struct modreg_find_symbol_arg *fsa)
{
	*fsa = (struct modreg_find_symbol_arg){ .name = name, .gplok = true };
	return modreg_find_symbol(fsa);
}

bool find_symbol_get(const char *name, struct modreg_find_symbol_arg *fsa)
{
	*fsa = (struct modreg_find_symbol_arg){ .name = name, .gplok = true };
	return modreg_find_symbol_get(fsa);
}

/* Returns the address that "plugin:symbol" resolves to. */
unsigned long lookup(struct fixture *f, const char *symbol)
{
	char name[64];

	snprintf(name, sizeof(name), "%s:%s", f->desc.name, symbol);
	return modreg_kallsyms_lookup_name(name);
}

unsigned int count_symbols(void)
{
	char name[KSYM_NAME_LEN], plugin[MODREG_NAME_LEN], type;
	unsigned long value;
	unsigned int n = 0;
	int exported;

	while (!modreg_get_kallsym(n, &value, &type, name, plugin, &exported))
		n++;
	return n;
}

/*
 * Checks every reader about a LIVE fixture. Context: any, so it uses little stack and does not
 * sleep.
 */
void fixture_answers(struct fixture *f)
{
	struct modreg_find_symbol_arg fsa;
	char name[KSYM_NAME_LEN], plugin[MODREG_NAME_LEN], type;
	unsigned long size, offset, value;
	int exported;

	/* The failed registration is reported already. */
	if (IS_ERR_OR_NULL(f->plugin))
		return;
	check_eq(modreg_address_lookup(f->text + BETA + 5, &size, &offset, plugin, name), 4);
	check_str(name, "beta");
	check_str(plugin, f->desc.name);
	check_eq(size, GAMMA - BETA);
	check_eq(offset, 5);
	check_eq(modreg_lookup_symbol_name(f->data + 1, name), 0);
	check_str(name, "delta");
	check_eq(modreg_lookup_symbol_attrs(f->text + GAMMA, &size, &offset, plugin, name), 0);
	check_str(name, "gamma");
	check_eq(size, REGION_SIZE - GAMMA);
	check_eq(offset, 0);
	check_eq(modreg_get_kallsym(0, &value, &type, name, plugin, &exported), 0);
	check_eq(lookup(f, "gamma"), f->text + GAMMA);
	check_eq(modreg_search_extables(f->text + BETA + 8), &f->extable[1]);
	check_eq(modreg_is_address(f->data), true);

	/* The answers stay valid while preemption is disabled. */
	preempt_disable();
	check_eq(modreg_text_address(f->text), f->plugin);
	check_str(modreg_plugin_name(f->plugin), f->desc.name);
	check(find_symbol("gamma", &fsa));
	preempt_enable();

	if (check(find_symbol_get("gamma", &fsa)))
		modreg_find_symbol_put(fsa.owner);
}

/* Checks every reader about a fixture that is not registered. */
void fixture_is_gone(struct fixture *f)
{
	char name[KSYM_NAME_LEN], plugin[MODREG_NAME_LEN];
	unsigned long at[] = { f->text, f->text + BETA, f->data, f->start };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(at); i++) {
		check_eq(modreg_is_address(at[i]), false);
		check_eq(modreg_address_lookup(at[i], NULL, NULL, plugin, name), 0);
		check_eq(modreg_lookup_symbol_name(at[i], name), -ERANGE);
		check_eq(modreg_text_address(at[i]), NULL);
	}
	for (i = 0; i < ARRAY_SIZE(f->symbols); i++)
		if (f->symbols[i].name)
			check_eq(lookup(f, f->symbols[i].name), 0);
	check_eq(modreg_search_extables(f->text + BETA + 8), NULL);
}
