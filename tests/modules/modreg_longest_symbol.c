// SPDX-License-Identifier: GPL-2.0
/*
 * The kernel's lib/tests/longest_symbol_kunit.c as it stands in the kernel's source, with
 * modreg in the place of kallsyms. Writing 1 to the parameter 'run' runs its two cases; the
 * write fails if one does. The symbol is this module's, which modreg_mirror registers.
 *
 * Distributions' kernels have no KUnit, so what the file takes from it is made here.
 */

#include <linux/kallsyms.h>
#include <linux/kprobes.h>
#include <linux/module.h>
#include <linux/stringify.h>

#include <modreg.h>

/* Replaces kunit/test.h. */
#define _KUNIT_TEST_H

struct kunit {
	int failures;
};

struct kunit_case {
	void (*run_case)(struct kunit *test);
	const char *name;
};

struct kunit_suite {
	const char *name;
	struct kunit_case *test_cases;
};

#define KUNIT_CASE(fn)			{ .run_case = fn, .name = #fn }
#define KUNIT_FAIL(test, fmt...)	({ (test)->failures++; pr_err(fmt); })
#define KUNIT_EXPECT_EQ(test, left, right) \
	({ if ((left) != (right)) KUNIT_FAIL(test, "%s != %s\n", #left, #right); })
#define kunit_warn(test, fmt...)	((void)(test))
#define kunit_test_suite(suite)

/* The test takes the address of kallsyms_lookup_name() from a kprobe. */
#define register_kprobe(kp)	({ (kp)->addr = (void *)modreg_kallsyms_lookup_name; 0; })
#define unregister_kprobe(kp)

#undef pr_fmt
#include "longest_symbol_kunit.c"

static int run_set(const char *val, const struct kernel_param *kp)
{
	struct kunit test = {};
	struct kunit_case *at;

	for (at = longest_symbol_test_suite.test_cases; at->run_case; at++) {
		at->run_case(&test);
		pr_info("%s: %s, %d failures so far\n", longest_symbol_test_suite.name, at->name,
			test.failures);
	}
	return test.failures ? -ESRCH : 0;
}

static const struct kernel_param_ops run_ops = { .set = run_set };
module_param_cb(run, &run_ops, NULL, 0200);
MODULE_PARM_DESC(run, "runs the cases when written to");
