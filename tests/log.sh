#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The log lines that the README lists, whole and in their order.

. "$(dirname "$0")/functions.sh"

# lines WANT COMMAND...: whether modreg logs just that while the command runs.
lines()
{
	local want=$1
	shift
	log_mark
	"$@"
	says "$want" modreg_log
}

load modreg && load test_modreg || ktap_exit_fail_msg "cannot load the modules"
ktap_print_header
ktap_set_plan 9

result "a plugin comes" lines "sample_c: coming, 3 regions, 4 symbols
sample_c: live" load modreg_sample_c
result "a plugin goes" lines "sample_c: going
sample_c: gone" rmmod modreg_sample_c
result "an unknown parameter" lines "sample_c: coming, 3 regions, 4 symbols
sample_c: gone
sample_c: refused, unknown parameter (-ENOENT)" refuses modreg_sample_c args=stride=3
result "a bad value" lines "sample_c: coming, 3 regions, 4 symbols
sample_c: gone
sample_c: refused, a parameter's value is invalid (-EINVAL)" refuses modreg_sample_c args=step=three
result "a missing value" lines "sample_c: coming, 3 regions, 4 symbols
sample_c: gone
sample_c: refused, a parameter has no value (-EINVAL)" refuses modreg_sample_c args=step
result "an owner that leaves a plugin behind" lines "left: coming, 1 regions, 0 symbols
left: live
left: its owner goes without unregistering it
left: gone" eval 'load test_modreg_owner mode=leave && rmmod test_modreg_owner'
load modreg_sample_c
log_mark
load test_modreg_owner mode=module
result "the plugins, newest first, and the one that went last" \
	says "Plugins linked in: test_modreg_owner(OE+) sample_c(OE) [last unloaded: left(OE)]" \
	eval 'modreg_log | grep linked'
result "a module that registered itself" matches \
	"test_modreg_owner: coming, [0-9]+ regions, [0-9]+ symbols" modreg_log
result "nothing is left" unload_all

ktap_finished
