#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The tracepoints, as the tracing file system shows them.
#
# on: first umkasan

. "$(dirname "$0")/functions.sh"

[[ -e $tracing/trace ]] || mount -t tracefs tracefs "$tracing"

# events: prints modreg's events, without task, processor and time
events()
{
	sed -n 's/.* \(plugin_[a-z]*: .*\)/\1/p' "$tracing/trace"
}

# load_and_unload: makes a plugin come and go, with an empty trace buffer before
load_and_unload()
{
	echo > "$tracing/trace"
	load modreg_sample_c && add=$(resolve sample_c_add | sed 's/^0x0*/0x/') && rmmod modreg_sample_c || return
	generation=$(events | sed -n 's/^plugin_register: sample_c generation=\([0-9]*\) .*/\1/p')
}

# symbol_of NAME: prints what the event says about a symbol, as resolve says it, but without leading zeros
symbol_of()
{
	events | sed -nE "s/^plugin_symbol: (\w+) generation=$generation value=0x(\w+) size=(\w+) type=. flags=0x0 symbol=($1)\$/0x\2 \4+0x0\/\3 [\1]/p"
}

load modreg || ktap_exit_fail_msg "cannot load modreg"
ktap_print_header
ktap_set_plan 10

result "tracefs lists six tracepoints" output_is "enable
filter
plugin_region
plugin_register
plugin_replace
plugin_state
plugin_symbol
plugin_unregister" ls "$tracing/events/modreg"
result "tracepoints off: a plugin's life leaves no event" eval 'load_and_unload && empty events'
echo 1 > "$tracing/events/modreg/enable"
result "tracepoints on: plugin comes and goes" load_and_unload
result "tracepoints on: one event for each step, in order" output_is "plugin_register: sample_c generation=$generation regions=3 symbols=4
plugin_state: sample_c generation=$generation COMING
plugin_state: sample_c generation=$generation LIVE
plugin_state: sample_c generation=$generation GOING
plugin_unregister: sample_c generation=$generation" eval 'events | grep -vE "plugin_(region|symbol)"'
result "tracepoints on: the regions and the symbols come first, with their addresses" output_is "region region region symbol symbol symbol symbol register" \
	eval 'events | sed -nE "1,8s/plugin_([a-z]*): sample_c generation=$generation .*/\1/p" | paste -s -d " "'
result "tracepoints on: the address and the size of a symbol are those of resolve" output_is "$add" symbol_of sample_c_add
echo > "$tracing/trace"
result "tracepoints on: a name that would break a line is escaped" output_has_line \
	'plugin_symbol: .* symbol=odd\\x09sy\\x0abol' eval 'load test_modreg_odd && rmmod test_modreg_odd && events'
echo 0 > "$tracing/events/modreg/enable"
# Readers are asked by tracers, too: what they call must not be traced.
functions=$tracing/available_filter_functions
if [[ -e $functions ]]; then
	result "function tracer: readers cannot be traced" eval "grep -q '\[modreg\]' $functions && ! grep '\[modreg\]' $functions |
		grep -vE '^(trace|perf_trace|do_perf_trace|__bpf_trace|__traceiter|__probestub|rust_do_trace|trace_raw|trace_event)_' |
		sed 's/^/# /' | grep ."
	result "function tracer: the kernel's functions that readers call cannot be traced" eval "grep -q . $functions && ! grep -xE \
		'(strcmp|strlen|bcmp|memcpy|sized_strscpy|__hsiphash_(un)?aligned|preempt_schedule_notrace)' $functions |
		sed 's/^/# /' | grep ."
else
	ktap_test_skip "function tracer: there is none"
	ktap_test_skip "function tracer: there is none"
fi
result "modules unload" unload_all

ktap_finished
