// SPDX-License-Identifier: GPL-2.0
/*
 * What a hook costs a call that it leaves alone, at the processor's own speed: the kernel's own
 * trampoline, taken from its source, around the callback's first stage, in user space. Neither
 * User-mode Linux nor a guest without KVM can tell.
 *
 * Prints lines for tests/bench/report.py.
 */

#include <stdio.h>
#include <time.h>

#define __naked __attribute__((__naked__))

#define CALLS 20000000
#define BATCHES 31

/* Registers as ftrace's trampoline saves them, struct pt_regs. */
struct regs {
	unsigned long r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di;
	unsigned long orig_ax, ip, cs, flags, sp, ss;
};

/* As modreg_foreign_bounds: no foreign region, or addresses that are never asked about. */
static struct {
	unsigned long low, high;
} bounds = { -1UL, 0 };

unsigned long function_trace_op;

/* glue/helpers.c: a function, for Rust cannot inline it. */
static __attribute__((noipa)) unsigned long argument(struct regs *regs)
{
	return regs->di;
}

void ftrace_stub(unsigned long ip, unsigned long parent, unsigned long op, struct regs *regs);

/* primitives/ftrace.rs: callback(), as far as a call goes that concerns no plugin. */
void ftrace_stub(unsigned long ip, unsigned long parent, unsigned long op, struct regs *regs)
{
	unsigned long addr = argument(regs);

	if (__atomic_load_n(&bounds.low, __ATOMIC_RELAXED) <= addr &&
	    addr < __atomic_load_n(&bounds.high, __ATOMIC_RELAXED))
		__builtin_trap();
}

/* A function that does nothing, without the hook and with it. */
static __naked unsigned long plain(unsigned long addr)
{
	asm(".byte 0x0f, 0x1f, 0x44, 0x00, 0x00; mov %rdi, %rax; ret");
}

static __naked unsigned long hooked(unsigned long addr)
{
	asm("call ftrace_caller; mov %rdi, %rax; ret");
}

static double measure(unsigned long (*function)(unsigned long))
{
	struct timespec start, end;
	unsigned long i;

	clock_gettime(CLOCK_MONOTONIC, &start);
	for (i = 0; i < CALLS; i++)
		function(i);
	clock_gettime(CLOCK_MONOTONIC, &end);
	return ((end.tv_sec - start.tv_sec) * 1e9 + end.tv_nsec - start.tv_nsec) / CALLS;
}

int main(void)
{
	unsigned int i;

	for (i = 0; i < BATCHES; i++) {
		double out = measure(plain), in = measure(hooked);

		printf("trampoline\t0\tout=%.3f\tin=%.3f\n", out, in);
	}
	return 0;
}
