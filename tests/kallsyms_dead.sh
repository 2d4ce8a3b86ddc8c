#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# ftrace switches itself off, as after a warning inside of it, while modreg_kallsyms has its hooks in: they
# stay, and answer.
#
# boot: --memory 2G

. "$(dirname "$0")/functions.sh"

skip_without modreg_company modreg_sample_jit

# The hooks cannot be taken out any more.
trap - EXIT
load modreg && load test_modreg && load modreg_company && load modreg_kallsyms ||
	ktap_exit_fail_msg "cannot load the modules"
mapfile -t questions < <(cases kallsyms | grep -vE 'kprobe|nmi')
ktap_print_header
ktap_set_plan $((2 * ${#questions[@]} + 7))

echo > /sys/kernel/debug/modreg_company/kill
for question in "${questions[@]}"; do
	result "ftrace dead: $question" run_case "$question"
done
log_mark
result "ftrace dead: disabling fails with ENODEV" fails_with "No such device" eval 'echo 0 > "$enabled"'
result "ftrace dead: the log says what stays hooked" output_has_line \
	'modreg_kallsyms: refused: module_kallsyms_lookup_name stays hooked, ftrace is dead \(-ENODEV\)' log
result "ftrace dead: the switch is on" output_is Y cat "$enabled"
result "ftrace dead: disabling again fails too" fails_with "No such device" eval 'echo 0 > "$enabled"'
result "ftrace dead: the module cannot be unloaded" eval '! rmmod modreg_kallsyms 2> /dev/null'
for question in "${questions[@]}"; do
	result "disabling failed: $question" run_case "$question"
done
result "disabling failed: /proc/kallsyms lists a new plugin" \
	eval 'load modreg_sample_jit && grep -q "\[sample_jit\]$" /proc/kallsyms && rmmod modreg_sample_jit'
result "disabling failed: modreg cannot be unloaded" eval '! rmmod modreg 2> /dev/null'

ktap_finished
