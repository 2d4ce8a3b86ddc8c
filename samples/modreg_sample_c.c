// SPDX-License-Identifier: GPL-2.0
/*
 * A plugin in C with two functions, a page of data and start-up code. The assembler makes
 * them; modreg_sample_jit.c makes such code at run time.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/linkage.h>
#include <linux/module.h>

#include <modreg.h>

#ifdef CONFIG_ARM64
#include "modreg_sample_c_arm64.h"
#else
#include "modreg_sample_c_x86.h"
#endif

static char *args;
module_param(args, charp, 0444);
MODULE_PARM_DESC(args, "the plugin's arguments: \"step=<int>\"");

/* The data region. Its first word is the plugin's parameter. */
static int sample_c_step[PAGE_SIZE / sizeof(int)] __page_aligned_data __used = { 1 };

asm("	.pushsection .text, \"ax\", %progbits\n"
"sample_c_text:\n"
"	.type	sample_c_add, %function\n"
"sample_c_add:\n"
	SAMPLE_C_ADD
"	.size	sample_c_add, . - sample_c_add\n"
"	.type	sample_c_peek, %function\n"
"sample_c_peek:\n"
	/* Its load has an exception entry: a fault continues at the next instruction. */
	SAMPLE_C_PEEK
"	.size	sample_c_peek, . - sample_c_peek\n"
"sample_c_text_end:\n"
"	.popsection\n"

"	.pushsection .init.text, \"ax\", %progbits\n"
"sample_c_init_text:\n"
"	.type	sample_c_start, %function\n"
"sample_c_start:\n"
	SAMPLE_C_START
"	.size	sample_c_start, . - sample_c_start\n"
"sample_c_init_text_end:\n"
"	.popsection\n"
);

/* *p + step; a bad p is an oops. */
asmlinkage long sample_c_add(const long *p);
/* *p, or otherwise if p is bad. */
asmlinkage long sample_c_peek(const long *p, long otherwise);
/* Start-up code, called once. */
asmlinkage int sample_c_start(void);
/* The bounds of the regions. */
asmlinkage void sample_c_text(void), sample_c_text_end(void);
asmlinkage void sample_c_init_text(void), sample_c_init_text_end(void);

/* Called once the plugin is visible and its arguments are parsed. */
static int __init sample_c_init(void *data)
{
	pr_info("init, step %d\n", sample_c_step[0]);
	return sample_c_start();
}

static void sample_c_exit(void *data)
{
	pr_info("exit\n");
}

static struct modreg_plugin *plugin;

static int __init modreg_sample_c_init(void)
{
	const struct modreg_region regions[] = {
		{
			.base = (unsigned long)sample_c_text,
			.size = (unsigned long)sample_c_text_end - (unsigned long)sample_c_text,
			.flags = MODREG_TEXT,
		},
		{
			.base = (unsigned long)sample_c_step,
			.size = sizeof(sample_c_step),
		},
		/* The kernel frees this memory. No reader finds it once the plugin is LIVE. */
		{
			.base = (unsigned long)sample_c_init_text,
			.size = (unsigned long)sample_c_init_text_end -
				(unsigned long)sample_c_init_text,
			.flags = MODREG_TEXT | MODREG_INIT,
		},
	};
	const struct modreg_symbol symbols[] = {
		{ "sample_c_add", (unsigned long)sample_c_add, .flags = MODREG_EXPORT_GPL },
		{ "sample_c_peek", (unsigned long)sample_c_peek },
		{ "sample_c_step", (unsigned long)sample_c_step },
		{ "sample_c_start", (unsigned long)sample_c_start },
	};
	const struct modreg_param params[] = {
		{ "step", &param_ops_int, sample_c_step },
	};
	const struct modreg_plugin_desc desc = {
		.name = "sample_c",
		.owner = THIS_MODULE,
		.regions = regions,
		.num_regions = ARRAY_SIZE(regions),
		.symbols = symbols,
		.num_symbols = ARRAY_SIZE(symbols),
		/* The module's only entry is that of sample_c_peek(). */
		.extable = THIS_MODULE->extable,
		.num_exentries = THIS_MODULE->num_exentries,
		.params = params,
		.num_params = ARRAY_SIZE(params),
		.args = args,
		.init = sample_c_init,
		.exit = sample_c_exit,
	};

	/* modreg copies all of this except the exception entry. */
	plugin = modreg_register_plugin(&desc);
	return PTR_ERR_OR_ZERO(plugin);
}

static void __exit modreg_sample_c_exit(void)
{
	/* A reference to the plugin also pins this module, so this cannot return -EBUSY. */
	modreg_unregister_plugin(plugin);
}

module_init(modreg_sample_c_init);
module_exit(modreg_sample_c_exit);

MODULE_DESCRIPTION("A modreg plugin in C");
MODULE_LICENSE("GPL");
