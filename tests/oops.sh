#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# An oops inside a plugin: modreg adds to the kernel's report the list of plugins, and the plugin's
# functions in which the instruction and words of the stack lie.
#
# expects: BUG: unable to handle page fault for address
# expects: Oops: Oops: 0000

. "$(dirname "$0")/functions.sh"

owner=test_modreg_owner
number='0x[0-9a-f]+'

# The task that faults is killed with its references to the modules held.
trap - EXIT

load modreg && load test_modreg && load modreg_sample_c || ktap_exit_fail_msg "cannot load the modules"
ktap_print_header
ktap_set_plan 8

log_mark
result "oops in a LIVE plugin: the calling task is killed" \
	eval '! (echo "sample_c_add bad" > "$test_modreg/call") 2> /dev/null'
result "oops in a LIVE plugin: the log lists the plugins" output_is "Plugins linked in: sample_c($external)" eval 'modreg_log | grep linked | tail -n 1'
result "oops in a LIVE plugin: the log names the function" output_has_line "IP: sample_c_add\+$number/$number \[sample_c\]" modreg_log

log_mark
result "oops in a COMING plugin, one call deep: loading fails" load_fails $owner mode=oops
result "oops in a COMING plugin: the log lists it with +" \
	output_is "Plugins linked in: $owner($external+) sample_c($external)" eval 'modreg_log | grep linked | tail -n 1'
result "oops in a COMING plugin: the log names the function" output_has_line "IP: trouble_inner[.a-z0-9]*\+$number/$number \[$owner\]" modreg_log
result "oops in a COMING plugin: the log names the caller on the stack" output_has_line "stack: trouble_outer[.a-z0-9]*\+$number/$number \[$owner\]" modreg_log
result "after two oopses: lookups work" output_has_line "$number sample_c_add\+0x0/$number \[sample_c\]" resolve sample_c_add

ktap_finished
