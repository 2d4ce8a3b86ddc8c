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
	load modreg_sample_c && add=$(resolve sample_c_add) && rmmod modreg_sample_c
	generation=$(events | sed -n 's/^plugin_register: sample_c generation=\([0-9]*\) .*/\1/p')
}

# symbol_of NAME: prints what the event says about a symbol, as resolve says it
symbol_of()
{
	events | sed -nE "s/^plugin_symbol: (\w+) generation=$generation value=0x(\w+) size=(\w+) type=. flags=0x0 symbol=($1)\$/0x\2 \4+0x0\/\3 [\1]/p"
}

load modreg || ktap_exit_fail_msg "cannot load modreg"
ktap_print_header
ktap_set_plan 7

result "tracefs lists five tracepoints" output_is "enable
filter
plugin_region
plugin_register
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
echo 0 > "$tracing/events/modreg/enable"
result "modules unload" unload_all

ktap_finished
