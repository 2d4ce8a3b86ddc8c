// SPDX-License-Identifier: GPL-2.0
/* Plugins that stay, older than all others: what comes and goes does so among many. */

#include <linux/sched.h>
#include <linux/vmalloc.h>

#include "torture.h"

#define STANDING_SIZE 16
#define STANDING "standing_"

unsigned int standing;

static struct modreg_plugin **plugins;
static char *memory;

bool is_standing(const char *plugin)
{
	return strstarts(plugin, STANDING);
}

void end_standing(void)
{
	unsigned int n = 0;

	while (plugins && n < standing && plugins[n])
		n++;
	if (n && modreg_unregister_plugins(plugins, n))
		atomic_long_inc(&errors);
	vfree(plugins);
	vfree(memory);
	plugins = NULL;
	memory = NULL;
}

int begin_standing(void)
{
	unsigned int i;

	if (!standing)
		return 0;
	plugins = vcalloc(standing, sizeof(*plugins));
	memory = vmalloc(array_size(standing, STANDING_SIZE));
	if (!plugins || !memory)
		return -ENOMEM;
	for (i = 0; i < standing; i++) {
		const struct modreg_region region = {
			(unsigned long)memory + i * STANDING_SIZE, STANDING_SIZE,
		};
		const struct modreg_symbol symbol = { "standing", region.base, 'd' };
		char name[MODREG_NAME_LEN];
		const struct modreg_plugin_desc desc = {
			.name = name, .owner = THIS_MODULE, .regions = &region, .num_regions = 1,
			.symbols = &symbol, .num_symbols = 1, .flags = MODREG_QUIET,
		};
		struct modreg_plugin *plugin;

		snprintf(name, sizeof(name), STANDING "%x", i);
		plugin = modreg_register_plugin(&desc);
		if (IS_ERR(plugin))
			return PTR_ERR(plugin);
		plugins[i] = plugin;
		cond_resched();
	}
	return 0;
}
