#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The tracepoints, as the tracing file system shows them.
#
# on: first umkasan

. "$(dirname "$0")/functions.sh"

tracing=/sys/kernel/tracing
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
	load modreg_sample_c && rmmod modreg_sample_c
}

load modreg || ktap_exit_fail_msg "cannot load modreg"
ktap_print_header
ktap_set_plan 5

result "tracefs lists three tracepoints" output_is "enable
filter
plugin_register
plugin_state
plugin_unregister" ls "$tracing/events/modreg"
result "tracepoints off: a plugin's life leaves no event" eval 'load_and_unload && empty events'
echo 1 > "$tracing/events/modreg/enable"
result "tracepoints on: plugin comes and goes" load_and_unload
result "tracepoints on: one event for each step, in order" output_is "plugin_register: sample_c regions=3 symbols=4
plugin_state: sample_c COMING
plugin_state: sample_c LIVE
plugin_state: sample_c GOING
plugin_unregister: sample_c" events
echo 0 > "$tracing/events/modreg/enable"
result "modules unload" unload_all

ktap_finished
