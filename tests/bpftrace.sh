#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The tracepoints, as bpftrace sees them. It takes minutes to start in an emulated guest.
#
# limit: 600

. "$(dirname "$0")/functions.sh"

seen=/tmp/bpftrace
# Names come from the raw tracepoints: bpftrace 0.23 reads strings of the other kind at a wrong place,
# also those of the kernel's module:module_load.
program='BEGIN { printf("ready\n"); }
	tracepoint:modreg:plugin_register { printf("symbols %d\n", args.symbols); }
	tracepoint:modreg:plugin_state { printf("state %d\n", args.state); }
	tracepoint:modreg:plugin_unregister { printf("gone\n"); }
	rawtracepoint:plugin_register { printf("register %s\n", str(arg0)); }
	rawtracepoint:plugin_state { printf("%s is %d\n", str(arg0), arg2); }
	rawtracepoint:plugin_unregister { printf("unregister %s\n", str(arg0)); }'

# ready: returns 0 once bpftrace has attached its probes
ready()
{
	local i
	for ((i = 0; i < 20; i++)); do
		! try grep -qx ready "$seen" || return 0
		[[ -e /proc/$pid ]] || return 1
	done
	return 1
}

# load_and_unload: makes a plugin come and go, and waits until bpftrace has seen it
load_and_unload()
{
	load modreg_sample_c && rmmod modreg_sample_c &&
		try grep -qx gone "$seen" && try grep -q unregister "$seen"
}

ktap_print_header
command -v bpftrace > /dev/null || { ktap_skip_all "there is no bpftrace"; exit 4; }
load modreg || ktap_exit_fail_msg "cannot load modreg"
ktap_set_plan 5

bpftrace -B line -e "$program" > "$seen" 2>&1 &
pid=$!
result "bpftrace attaches to the tracepoints" ready
result "plugin comes and goes while bpftrace runs" load_and_unload
kill "$pid"
wait "$pid"
result "bpftrace prints each event, in order" output_is "symbols 4
state 1
state 0
state 2
gone" grep -xE 'symbols .*|state .*|gone' "$seen"
result "bpftrace prints the plugin's name with each event" output_is "register sample_c
sample_c is 1
sample_c is 0
sample_c is 2
unregister sample_c" grep sample_c "$seen"
result "modules unload" unload_all

ktap_finished
