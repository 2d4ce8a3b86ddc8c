#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The log lines that docs/interfaces.md lists, whole and in their order.
#
# on: first umkasan

. "$(dirname "$0")/functions.sh"

# lines WANT COMMAND...: whether modreg logs just that while the command runs.
lines()
{
	local want=$1
	shift
	log_mark
	"$@"
	output_is "$want" modreg_log
}

# The letters behind a plugin's name in the list.
letters()
{
	run_case "$1" && output_is "Plugins linked in: test_a($2)" eval \
		'modreg_log | grep linked | sed "s/ \[last unloaded: .*//"'
}

comes=": coming, 3 regions, 6 symbols"

load modreg && load test_modreg || ktap_exit_fail_msg "cannot load the modules"
ktap_print_header
ktap_set_plan 25

result "a plugin comes" lines "sample_c: coming, 3 regions, 4 symbols
sample_c: live" load modreg_sample_c
result "a plugin goes" lines "sample_c: going
sample_c: gone" rmmod modreg_sample_c
result "an unknown parameter" lines "sample_c: coming, 3 regions, 4 symbols
sample_c: gone
sample_c: refused, unknown parameter (-ENOENT)" load_fails modreg_sample_c args=stride=3
result "a bad value" lines "sample_c: coming, 3 regions, 4 symbols
sample_c: gone
sample_c: refused, a parameter's value is invalid (-EINVAL)" load_fails modreg_sample_c args=step=three
result "a missing value" lines "sample_c: coming, 3 regions, 4 symbols
sample_c: gone
sample_c: refused, a parameter has no value (-EINVAL)" load_fails modreg_sample_c args=step
result "one that is referenced stays" lines "test_a$comes
test_a: live
test_a: refused, busy with 1 references (-EBUSY)
test_a: going
test_a: gone" run_case writers.unregister_referenced
result "several go in one stop" lines "test_a$comes
test_a: live
test_b$comes
test_b: live
test_c$comes
test_c: live
test_d$comes
test_d: live
test_a: going
test_b: going
test_c: going
test_d: going
test_a: gone
test_b: gone
test_c: gone
test_d: gone" run_case writers.unregister_several
for context in preempt_off irqs_off bh_off spinlock rcu softirq hardirq nmi; do
	result "a caller that may not sleep: $context" lines "test_a$comes
test_a: live
test_b: refused, called where sleeping is not allowed (-EDEADLK)
test_modreg: refused, called where sleeping is not allowed (-EDEADLK)
refused: stop_machine() where sleeping is not allowed (-EDEADLK)
refused: stop_machine() where sleeping is not allowed (-EDEADLK)
test_a: going
test_a: gone" run_case "writers.atomic.$context"
done
result "a GPL-only symbol is hidden" lines "test_a$comes
test_a: live
test_a:gamma is for GPL-compatible callers only
test_a: going
test_a: gone" run_case readers.find_symbol_gpl
result "a name is taken, a region is" lines "test_a$comes
test_a: refused, the name is taken (-EEXIST)
test_b: refused, a region overlaps plugin test_a (-EEXIST)
test_a: live
test_a: going
test_a: gone" run_case states.coming_collides
result "an init that fails" lines "test_a$comes
test_a: gone
test_a: refused, its init failed (-EXFULL)" run_case states.failed_init
result "the list has a plugin COMING" letters states.coming "$external+"
result "the list has a plugin GOING" letters states.going "$external-"
result "an owner that leaves a plugin behind" lines "left: coming, 1 regions, 0 symbols
left: live
left: its owner goes without unregistering it
left: gone" eval 'load test_modreg_owner mode=leave && rmmod test_modreg_owner'
load modreg_sample_c
log_mark
load test_modreg_owner mode=module
result "the plugins, newest first, and the one that went last" \
	output_is "Plugins linked in: test_modreg_owner($external+) sample_c($external) [last unloaded: left($external)]" \
	eval 'modreg_log | grep linked'
result "a module that registered itself" output_has_line \
	"test_modreg_owner: coming, [0-9]+ regions, [0-9]+ symbols" modreg_log
result "one without an exit callback goes" lines "test_modreg_owner: gone" rmmod test_modreg_owner
result "nothing is left" unload_all

ktap_finished
