// SPDX-License-Identifier: GPL-2.0
/* Plugins in memory outside of every module, without exception entries. Nothing in them runs. */

#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/vmalloc.h>

#include <modreg.h>

#include "company.h"

/* A page of text, and another behind it, of which perf may read the beginning. */
enum { SIZE = 2 * PAGE_SIZE };

struct foreign {
	const char *name;
	unsigned int num_symbols;
	void *pages;
	struct modreg_plugin *plugin;
};

static struct foreign company = { "company", 2 };
static struct foreign churn = { "churn", 16 };
static struct task_struct *churner;
static unsigned long loads;

static int add(struct foreign *f)
{
	struct modreg_region text = { .size = PAGE_SIZE, .flags = MODREG_TEXT };
	struct modreg_plugin_desc desc = {
		.name = f->name,
		.owner = THIS_MODULE,
		.regions = &text,
		.num_regions = 1,
		.num_symbols = f->num_symbols,
	};
	struct modreg_symbol symbols[16];
	char names[16][16];
	unsigned int i;

	text.base = (unsigned long)f->pages;
	for (i = 0; i < f->num_symbols; i++) {
		snprintf(names[i], sizeof(names[i]), "%s_%u", f->name, i);
		symbols[i] = (struct modreg_symbol){ names[i], text.base + 0x10 * i };
	}
	desc.symbols = symbols;
	f->plugin = modreg_register_plugin(&desc);
	return PTR_ERR_OR_ZERO(f->plugin);
}

static int add_with_memory(struct foreign *f)
{
	int err = -EEXIST;

	if (f->pages)
		return err;
	f->pages = vzalloc(SIZE);
	err = f->pages ? add(f) : -ENOMEM;
	if (err) {
		vfree(f->pages);
		f->pages = NULL;
	}
	return err;
}

int add_plugin(void)
{
	return add_with_memory(&company);
}

/* Returns 0 if it is not there. */
unsigned long plugin_address(void)
{
	return (unsigned long)company.pages;
}

int remove_plugin(void)
{
	int err;

	if (!company.pages)
		return -ENOENT;
	err = modreg_unregister_plugin(company.plugin);
	if (err)
		return err;
	vfree(company.pages);
	company.pages = NULL;
	return 0;
}

/*
 * Mostly it is there, so that a listing has it. The memory stays: readers of the listing never look
 * into it.
 */
static int come_and_go(void *unused)
{
	while (!kthread_should_stop()) {
		if (add(&churn))
			break;
		usleep_range(2000, 20000);
		if (modreg_unregister_plugin(churn.plugin))
			break;
		loads++;
		usleep_range(100, 1000);
	}
	while (!kthread_should_stop())
		msleep(20);
	return 0;
}

int start_churn(void)
{
	if (churner)
		return -EBUSY;
	churn.pages = vzalloc(SIZE);
	if (!churn.pages)
		return -ENOMEM;
	loads = 0;
	churner = kthread_run(come_and_go, NULL, "modreg_churn");
	if (IS_ERR(churner)) {
		int err = PTR_ERR(churner);

		churner = NULL;
		vfree(churn.pages);
		return err;
	}
	return 0;
}

void stop_churn(void)
{
	if (!churner)
		return;
	kthread_stop(churner);
	churner = NULL;
	vfree(churn.pages);
}

unsigned long churned(void)
{
	return loads;
}
