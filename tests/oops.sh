#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# An oops inside a plugin: modreg adds to the kernel's report the list of plugins, and the plugin's
# functions in which the instruction and words of the stack lie. The modules stay.
#
# boot:
# Of the bad pointer, and of the freed table in the kernel's dynamic memory:
# expects: BUG: unable to handle page fault for address: ffffffffffffffc0
# expects: BUG: unable to handle page fault for address: ffff[89a-e][0-9a-f]{11}
# expects: Oops: Oops: 0000 \[#[1-4]\]

. "$(dirname "$0")/functions.sh"

owner=test_modreg_owner
number='0x[0-9a-f]+'

# The task that faults is killed with its references to the modules held.
trap - EXIT

load modreg && load test_modreg && load modreg_sample_c || ktap_exit_fail_msg "cannot load the modules"
ktap_print_header
ktap_set_plan 14

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


run_case hold.many &
holder=$!
try grep -q '^many_39 ' "$modreg/plugins"
log_mark
result "oops with 42 plugins: the calling task is killed" \
	eval '! (echo "sample_c_add bad" > "$test_modreg/call") 2> /dev/null'
result "oops with 42 plugins: the function, then a list of the newest and how many more" output_is \
	"IP: sample_c_add $(seq -f 'many_%02.0f' -s " " 39 -1 8 | sed "s/\>/($external)/g") and 10 more" \
	eval 'modreg_log | sed -n "s/^\(IP: [a-z_]*\).*/\1/p; s/^Plugins linked in: \([^[]*[^[ ]\).*/\1/p" | paste -s -d " "'
echo > "$test_modreg/release"
wait "$holder"

log_mark
result "fault inside a lookup, of a table that is freed: the calling task is killed" \
	eval '! (run_case oops.freed_table)'
result "fault inside a lookup: one oops" output_is 1 eval 'log | grep -c "^BUG: "'
result "fault inside a lookup: 32 words of the stack, without names" \
	output_is 32 eval "modreg_log | grep -cxE 'stack: $number \[freed\]'"
result "fault inside a lookup: the list of plugins comes last" output_has_line "Plugins linked in: freed.*" \
	eval 'modreg_log | tail -n 1'

ktap_finished
