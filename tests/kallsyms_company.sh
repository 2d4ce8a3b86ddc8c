#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What else can be on the functions that modreg_kallsyms hooks: BPF programs, the function tracers, a
# livepatch, kprobes, a callback that asks by itself. docs/kallsyms.md lists the outcomes. Names, traces,
# fixups and the listing are asked for by cases of kallsyms.sh.
#
# limit: 900

. "$(dirname "$0")/functions.sh"

company=/sys/kernel/debug/modreg_company
functions=(module_address_lookup is_module_text_address search_module_extables lookup_module_symbol_name
	module_get_kallsym module_kallsyms_lookup_name)
few=(kallsyms.{names,fixups,trace}.{process,softirq,hardirq})
questions=("${few[@]}" kallsyms.{names,fixups,trace}.nmi kallsyms.{user,by_name})
kinds=(fentry fexit fsession)

# listed: prints how many symbols of the sample /proc/kallsyms has
listed()
{
	grep -c '\[sample_jit\]$' /proc/kallsyms
}

# answered QUESTION...: returns 0 if each question about a plugin made at run time is
answered()
{
	local question status=0
	for question; do
		run_case "$question" || { echo "# $question is wrong"; status=1; }
	done
	return "$status"
}

# plugin_is_listed: returns 0 if /proc/kallsyms lists such a plugin
plugin_is_listed()
{
	load modreg_sample_jit && output_is 3 listed && rmmod modreg_sample_jit
}

# answers_are_right: returns 0 if both holds
answers_are_right()
{
	answered "${questions[@]}" && plugin_is_listed
}

# tell FILE TEXT: writes the text to a file of modreg_company
tell()
{
	echo "$2" > "$company/$1"
}

# bpf COMMAND...: has bpf.py execute it, and prints its answer
bpf()
{
	local line
	echo "$@" >&"$to_bpf"
	while read -r -t 120 line <&"$from_bpf" && [[ $line != 'done' ]]; do
		echo "$line"
	done
	[[ $line = 'done' ]]
}

# attach KIND: returns 0 if the kernel takes a program on each hooked function
attach()
{
	output_is "$(printf "$1 %s attached\n" "${functions[@]}")" bpf attach "$1" "${functions[@]}"
}

# programs_ran: returns 0 if each attached program has run; shows how often
programs_ran()
{
	local runs
	runs=$(bpf runs)
	printf '# %s\n' "${runs//$'\n'/$'\n# '}"
	[[ $runs ]] && ! grep -q ' 0$' <<< "$runs"
}

# check_bpf KIND: reports 9 results
check_bpf()
{
	result "$1 after the hooks: programs attach" attach "$1"
	result "$1 after the hooks: answers are right" answers_are_right
	result "$1 after the hooks: programs run" programs_ran
	result "$1 stays, hooks go: the kernel knows nothing of run-time code" \
		eval 'enable_kallsyms 0 && run_case off.kallsyms'
	bpf detach
	result "$1 before the hooks: programs attach" attach "$1"
	result "$1 before the hooks: hooks go in" enable_kallsyms 1
	result "$1 before the hooks: answers are right" answers_are_right
	result "$1 before the hooks: programs run" programs_ran
	result "$1 goes, hooks stay: answers are right" eval 'bpf detach && answers_are_right'
}

# under TRACER COMMAND...: returns 0 if the command does while functions are traced, and the trace has some
under()
{
	local status
	echo "$1" > "$tracing/current_tracer" || return 1
	"${@:2}"
	status=$?
	echo 0 > "$tracing/tracing_on"
	head -n 100 "$tracing/trace" | grep -qv '^#' || { echo "# the trace is empty"; status=1; }
	echo nop > "$tracing/current_tracer"
	echo 1 > "$tracing/tracing_on"
	return "$status"
}

# nested_answers: prints what a callback inside a callback inside a callback has been told
nested_answers()
{
	log | sed -n 's/^modreg_company: nested //p'
}

skip_without modreg_company modreg_sample_jit
load modreg && load test_modreg && load modreg_company || ktap_exit_fail_msg "cannot load the modules"
[[ -e $tracing/trace ]] || mount -t tracefs tracefs "$tracing"
[[ -e /sys/kernel/btf/vmlinux ]] || kinds=()
ktap_print_header
ktap_set_plan $((9 * ${#kinds[@]} + 24))
load modreg_kallsyms
result "alone: answers are right" answers_are_right

# BPF's trampolines call the function where ftrace sends the call.
if [[ ${#kinds[@]} -gt 0 ]]; then
	pipes=$(mktemp -d)
	mkfifo "$pipes"/{to,from}
	python3 bpf.py < "$pipes/to" > "$pipes/from" 2>&1 &
	exec {to_bpf}> "$pipes/to" {from_bpf}< "$pipes/from"
fi
for kind in "${kinds[@]}"; do
	check_bpf "$kind"
done

# Several callbacks share a function, and a part of the questions comes from the tracer itself. Every call
# costs: the listing is asked for once.
result "function tracer on everything: answers are right" under function answered "${few[@]}"
if grep -qw function_graph "$tracing/available_tracers"; then
	result "function_graph on everything: answers are right" under function_graph answered "${few[@]}"
	result "function_graph on everything: plugin is listed" under function_graph plugin_is_listed
else
	for ((i = 0; i < 2; i++)); do
		ktap_test_skip "function_graph: the kernel is configured without"
	done
fi
printf '%s\n' "${functions[@]}" > "$tracing/set_ftrace_filter"
echo 1 > "$tracing/options/func_stack_trace"
result "function tracer with stack traces on hooked functions: answers are right" under function answers_are_right
echo 0 > "$tracing/options/func_stack_trace"
echo > "$tracing/set_ftrace_filter"

# Both a livepatch and a hook change where a call goes on, so ftrace takes one of the two.
if [[ -e /sys/kernel/livepatch ]]; then
	log_mark
	result "livepatch after the hooks: is refused" load_fails modreg_livepatch
	result "livepatch after the hooks: the kernel names the function" output_has_line \
		"livepatch: failed to register ftrace handler for function 'lookup_module_symbol_name' \(-16\)" log
	result "livepatch after the hooks: answers are right" answers_are_right
	result "livepatch before the hooks: loads" eval 'enable_kallsyms 0 && load modreg_livepatch && try grep -qx 0 "$livepatch/transition"'
	log_mark
	result "livepatch before the hooks: enabling fails with EBUSY" \
		fails_with "Device or resource busy" eval 'echo 1 > "$enabled"'
	result "livepatch before the hooks: the log names the function" output_has_line \
		'modreg_kallsyms: refused: lookup_module_symbol_name cannot be hooked \(-EBUSY\)' log
	result "livepatch before the hooks: no hook stays" \
		eval 'output_lacks ".*rust_modreg_kallsyms.*" cat "$tracing/enabled_functions" && run_case off.kallsyms'
	result "livepatch goes: hooks go in" eval 'remove_livepatch && enable_kallsyms 1 && answers_are_right'
else
	for ((i = 0; i < 8; i++)); do
		ktap_test_skip "livepatch: the kernel is configured without"
	done
fi

result "ftrace_enabled=0: is refused" eval '! (echo 0 > /proc/sys/kernel/ftrace_enabled) 2> /dev/null'
result "ftrace_enabled=0 refused: answers are right" answers_are_right

result "kprobe on a hooked function: is taken" tell kprobe module_address_lookup
result "kprobe on a hooked function: answers are right, it is hit" \
	eval 'answers_are_right && [[ $(cat "$company/kprobe") -gt 0 ]]'
tell kprobe ''
# register_kprobe() of 7.2 and 7.3 drops the error of ftrace, and the kprobe is never hit.
result "kprobe with a post handler on a hooked function: is refused, or never hit" \
	eval '! tell kprobe "post module_address_lookup" 2> /dev/null || {
		answers_are_right && [[ $(cat "$company/kprobe") = 0 ]] && tell kprobe ""; }'
result "kprobe with a post handler before the hooks: is taken" \
	eval 'enable_kallsyms 0 && tell kprobe "post module_address_lookup"'
log_mark
result "kprobe with a post handler before the hooks: enabling fails with EBUSY" \
	fails_with "Device or resource busy" eval 'echo 1 > "$enabled"'
result "kprobe with a post handler before the hooks: the log names the function" output_has_line \
	'modreg_kallsyms: refused: module_address_lookup cannot be hooked \(-EBUSY\)' log
tell kprobe ''
enable_kallsyms 1

# ftrace's guard lets two callbacks that share a function stand in one context, and drops the third.
log_mark
tell plugin 1
result "question in a callback in a callback: the kernel's own answer stands in the third" eval 'tell nested 1 &&
	output_is "0: company_0+0x1/0x10 [company]
1: company_0+0x1/0x10 [company]
2: 0x$(printf %x $((0x$(awk "\$3 == \"company_0\" { print \$1 }" /proc/kallsyms) + 1)))" nested_answers'
tell plugin 0
result "alone again: answers are right" answers_are_right
result "registry is empty, modules unload" eval 'rmmod modreg_company && rmmod test_modreg && empty plugins && unload_all'

ktap_finished
