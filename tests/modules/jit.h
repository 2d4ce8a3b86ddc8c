/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Code that is made at run time, in memory of its own, and registered as plugin "test_jit":
 * what the kernel cannot know without modreg_kallsyms.
 */
#ifndef _TEST_JIT_H
#define _TEST_JIT_H

#include <linux/types.h>

/**
 * enum jit_function - the functions, each with an instruction that may fault
 * @JIT_CALL: long (long (*fn)(unsigned long), unsigned long arg): fn(arg).
 * @JIT_LOAD: long (unsigned long p): the word at p; has no exception entry.
 * @JIT_PEEK: the same, or -1 by EX_TYPE_DEFAULT.
 * @JIT_USER: the same of user memory, or -EFAULT by EX_TYPE_UACCESS.
 * @JIT_MSR: long (unsigned long msr): the register, or -EIO by EX_TYPE_RDMSR_SAFE.
 * @JIT_FUNCTIONS: how many there are.
 */
enum jit_function {
	JIT_CALL,
	JIT_LOAD,
	JIT_PEEK,
	JIT_USER,
	JIT_MSR,
	JIT_FUNCTIONS,
};

/* Labels of the template, which jit.c copies. */
extern const char jit_template[], jit_text[], jit_text_end[], jit_extable[], jit_template_end[];
extern const char jit_call_code[], jit_load_code[], jit_peek_code[], jit_user_code[];
extern const char jit_msr_code[], jit_stac[], jit_clac[];

/* The name of a function in plugin "test_jit", and its address while the plugin is there. */
extern const char *const jit_names[JIT_FUNCTIONS];
unsigned long jit_address(enum jit_function f);

/* Bytes of a function, with what is behind its last instruction. */
unsigned long jit_size(enum jit_function f);

/* Makes the code and registers it; takes it back. Only where there is code for it. */
int jit_register(void);
void jit_unregister(void);

/* Calls a function with one or two arguments. */
long jit_call(enum jit_function f, unsigned long a, unsigned long b);

#endif
