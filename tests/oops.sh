#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# An oops inside a plugin: modreg adds to the kernel's report the plugins, and the plugin's functions
# that the instruction and the stack lie in.
#
# expects: BUG: unable to handle page fault for address
# expects: Oops: Oops: 0000

. "$(dirname "$0")/functions.sh"

owner=test_modreg_owner
number='0x[0-9a-f]+'

# What faulted is killed, and holds on to its modules.
trap - EXIT

load modreg && load test_modreg && load modreg_sample_c || ktap_exit_fail_msg "cannot load the modules"
ktap_print_header
ktap_set_plan 8

log_mark
result "a plugin's function faults, and who called it dies" \
	eval '! (echo "sample_c_add bad" > "$test_modreg/call") 2> /dev/null'
result "the plugins are listed" output_is "Plugins linked in: sample_c($external)" eval 'modreg_log | grep linked | tail -n 1'
result "the function is named" output_has_line "IP: sample_c_add\+$number/$number \[sample_c\]" modreg_log

log_mark
result "a plugin's function faults below another, during its init" load_fails $owner mode=oops
result "the plugin is listed as COMING" \
	output_is "Plugins linked in: $owner($external+) sample_c($external)" eval 'modreg_log | grep linked | tail -n 1'
result "the function is named" output_has_line "IP: trouble_inner[.a-z0-9]*\+$number/$number \[$owner\]" modreg_log
result "its caller is named" output_has_line "stack: trouble_outer[.a-z0-9]*\+$number/$number \[$owner\]" modreg_log
result "lookups go on" output_has_line "$number sample_c_add\+0x0/$number \[sample_c\]" resolve sample_c_add

ktap_finished
