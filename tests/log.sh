#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The log lines that docs/interfaces.md lists: whole, complete and in order.
#
# on: first umkasan

. "$(dirname "$0")/functions.sh"

# logs_exactly LINES COMMAND...: returns 0 if modreg logs exactly the lines while the command runs
logs_exactly()
{
	local want=$1
	shift
	log_mark
	"$@"
	output_is "$want" modreg_log
}

# letters_are CASE LETTERS: runs the case; returns 0 if the list has the letters behind the plugin's name
letters_are()
{
	run_case "$1" && output_is "Plugins linked in: test_a($2)" eval \
		'modreg_log | grep linked | sed "s/ \[last unloaded: .*//"'
}

coming=": coming, regions=3 symbols=6"

load modreg && load test_modreg || ktap_exit_fail_msg "cannot load the modules"
ktap_print_header
ktap_set_plan $((25 + 7 + 1))

result "registered plugin: coming, live" logs_exactly "sample_c: coming, regions=3 symbols=4
sample_c: live" load modreg_sample_c
result "unregistered plugin with an exit callback: going, gone" logs_exactly "sample_c: going
sample_c: gone" rmmod modreg_sample_c
result "unknown parameter: plugin is removed and refused" logs_exactly "sample_c: coming, regions=3 symbols=4
sample_c: gone
sample_c: refused, unknown parameter (-ENOENT)" load_fails modreg_sample_c args=stride=3
result "bad parameter value: plugin is removed and refused" logs_exactly "sample_c: coming, regions=3 symbols=4
sample_c: gone
sample_c: refused, a parameter's value is invalid (-EINVAL)" load_fails modreg_sample_c args=step=three
result "missing parameter value: plugin is removed and refused" logs_exactly "sample_c: coming, regions=3 symbols=4
sample_c: gone
sample_c: refused, a parameter has no value (-EINVAL)" load_fails modreg_sample_c args=step
result "plugin with a reference: unregistration is refused" logs_exactly "test_a$coming
test_a: live
test_a: refused, busy, references=1 (-EBUSY)
test_a: going
test_a: gone" run_case writers.unregister_referenced
result "several plugins in one call: all are going before one is gone" logs_exactly "test_a$coming
test_a: live
test_b$coming
test_b: live
test_c$coming
test_c: live
test_d$coming
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
	result "writers in $context: refused with -EDEADLK" logs_exactly "test_a$coming
test_a: live
test_b: refused, called where sleeping is not allowed (-EDEADLK)
test_modreg: refused, called where sleeping is not allowed (-EDEADLK)
refused: stop_machine() where sleeping is not allowed (-EDEADLK)
refused: stop_machine() where sleeping is not allowed (-EDEADLK)
test_a: going
test_a: gone" run_case "writers.atomic.$context"
done
for context in preempt_off irqs_off rcu; do
	for callback in init exit; do
		text="test_a$coming
test_a: live
test_a: going
test_a: gone"
		says="test_a: its $callback callback left preemption, interrupts or RCU disabled"
		[[ $callback = init ]] && text=${text/test_a: live/$says$'\n'test_a: live} ||
			text=${text/test_a: going/test_a: going$'\n'$says}
		result "$callback callback that returns in $context: is reported" \
			logs_exactly "$text" run_case "writers.${callback}_atomic.$context"
	done
done
result "quiet plugin: only a refusal is logged" \
	logs_exactly "test_a: refused, the name is taken (-EEXIST)" run_case writers.quiet
if cases writers | grep -qx writers.stop_fails; then
	result "machine that cannot be stopped: plugins are removed, and it is said" logs_exactly "test_a$coming
test_a: live
test_b$coming
test_b: live
test_a: going
test_b: going
test_a: removed without stopping the machine (-EIO)
test_a: gone
test_b: removed without stopping the machine (-EIO)
test_b: gone
test_c$coming
test_c: removed without stopping the machine (-EIO)
test_c: gone
test_c: refused, its init failed (-EIO)" run_case writers.stop_fails
else
	ktap_test_skip "machine that cannot be stopped: there are no kprobes"
fi
result "GPL-only symbols: hidden with one warning" logs_exactly "test_a$coming
test_a: live
test_b$coming
test_b: live
test_b:gamma is for GPL-compatible callers only
test_b: going
test_b: gone
test_a: going
test_a: gone" run_case readers.find_symbol_gpl
result "taken name, overlapping region: refused" logs_exactly "test_a$coming
test_a: refused, the name is taken (-EEXIST)
test_b: refused, a region overlaps plugin test_a (-EEXIST)
test_a: live
test_a: going
test_a: gone" run_case states.coming_collides
result "failed init: plugin is removed and refused" logs_exactly "test_a$coming
test_a: gone
test_a: refused, its init failed (-EXFULL)" run_case states.failed_init
result "list of plugins: COMING plugin has +" letters_are states.coming "$external+"
result "list of plugins: GOING plugin has -" letters_are states.going "$external-"
result "owner that leaves a plugin behind: plugin is removed with a warning" logs_exactly "left: coming, regions=1 symbols=0
left: live
left: owner unloaded with the plugin registered, removing it
left: gone" eval 'load test_modreg_owner mode=leave && rmmod test_modreg_owner'
load modreg_sample_c
log_mark
load test_modreg_owner mode=module
result "list of plugins: newest first, then the last unloaded" \
	output_is "Plugins linked in: test_modreg_owner($external+) sample_c($external) [last unloaded: left($external)]" \
	eval 'modreg_log | grep linked'
result "module that registers itself: coming" output_has_line \
	"test_modreg_owner: coming, regions=[0-9]+ symbols=[0-9]+" modreg_log
result "unregistered plugin without an exit callback: gone" logs_exactly "test_modreg_owner: gone" rmmod test_modreg_owner
result "modules unload" unload_all

ktap_finished
