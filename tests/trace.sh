#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The tracepoints, seen through the tracing file system.
#
# on: first umkasan

. "$(dirname "$0")/functions.sh"

tracing=/sys/kernel/tracing
[[ -e $tracing/trace ]] || mount -t tracefs tracefs "$tracing"

# The events alone, without who, where and when.
events()
{
	sed -n 's/.* \(plugin_[a-z]*: .*\)/\1/p' "$tracing/trace"
}

come_and_go()
{
	echo > "$tracing/trace"
	load modreg_sample_c && rmmod modreg_sample_c
}

load modreg || ktap_exit_fail_msg "cannot load modreg"
ktap_print_header
ktap_set_plan 5

result "there are three" output_is "enable
filter
plugin_register
plugin_state
plugin_unregister" ls "$tracing/events/modreg"
result "a plugin comes and goes, untraced" eval 'come_and_go && empty events'
echo 1 > "$tracing/events/modreg/enable"
result "it comes and goes, traced" come_and_go
result "the events, in their order" output_is "plugin_register: sample_c regions=3 symbols=4
plugin_state: sample_c COMING
plugin_state: sample_c LIVE
plugin_state: sample_c GOING
plugin_unregister: sample_c" events
echo 0 > "$tracing/events/modreg/enable"
result "nothing is left" unload_all

ktap_finished
