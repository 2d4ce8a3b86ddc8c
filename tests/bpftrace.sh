#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The tracepoints, seen by bpftrace, which takes its time to start in an emulated guest.
#
# limit: 600

. "$(dirname "$0")/functions.sh"

seen=/tmp/bpftrace
# The names are taken from the raw tracepoints: bpftrace 0.23 reads strings of others at a wrong
# place, the kernel's own (module:module_load) too.
program='BEGIN { printf("ready\n"); }
	tracepoint:modreg:plugin_register { printf("symbols %d\n", args.symbols); }
	tracepoint:modreg:plugin_state { printf("state %d\n", args.state); }
	tracepoint:modreg:plugin_unregister { printf("gone\n"); }
	rawtracepoint:plugin_register { printf("register %s\n", str(arg0)); }
	rawtracepoint:plugin_state { printf("%s is %d\n", str(arg0), arg1); }
	rawtracepoint:plugin_unregister { printf("unregister %s\n", str(arg0)); }'

ready()
{
	local i
	for ((i = 0; i < 20; i++)); do
		! try grep -qx ready "$seen" || return 0
		[[ -e /proc/$pid ]] || return 1
	done
	return 1
}

came_and_went()
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
result "bpftrace knows the tracepoints" ready
result "a plugin comes and goes" came_and_went
kill "$pid"
wait "$pid"
result "bpftrace has seen the events" output_is "symbols 4
state 1
state 0
state 2
gone" grep -xE 'symbols .*|state .*|gone' "$seen"
result "and whose they are" output_is "register sample_c
sample_c is 1
sample_c is 0
sample_c is 2
unregister sample_c" grep sample_c "$seen"
result "nothing is left" unload_all

ktap_finished
