#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Tracers name run-time code, with modreg_kallsyms: ftrace itself, trace-cmd, bpftrace.
#
# limit: 900

. "$(dirname "$0")/functions.sh"

jit=modreg_sample_jit
seen=/tmp/tracer

# busy MILLISECONDS: makes a thread busy in the run-time sample's functions; its module stays
busy()
{
	load modreg_busy sample=1 "ms=$1"
}

# bpftrace_while_busy PROGRAM: runs a program until it has printed what it sees of the busy thread
bpftrace_while_busy()
{
	local i
	# shellcheck disable=SC2016 # bpftrace's variables
	bpftrace -B line -e "BEGIN { printf(\"ready\\n\"); } $1" > "$seen" 2>&1 &
	for ((i = 0; i < 20; i++)); do
		! try grep -qx ready "$seen" || break
		[[ -e /proc/$! ]] || break
	done
	busy 1500
	# It names what is there when it prints.
	kill -INT $! 2> /dev/null
	wait $!
	rmmod modreg_busy
	sed 's/^/# /' "$seen"
	grep -qx ready "$seen"
}

# ftrace EVENT FILTER: prints what ftrace shows of the events with their stacks while the thread is busy
ftrace()
{
	echo > $tracing/trace
	echo "$2" > "$tracing/events/$1/filter"
	echo "stacktrace if $2" > "$tracing/events/$1/trigger"
	echo 1 > "$tracing/events/$1/enable"
	busy 500
	echo 0 > "$tracing/events/$1/enable"
	echo '!stacktrace' > "$tracing/events/$1/trigger"
	echo 0 > "$tracing/events/$1/filter"
	cat $tracing/trace
	rmmod modreg_busy
}

ktap_print_header
[[ -e modreg_busy.ko ]] || { ktap_skip_all "there is no code for this architecture"; exit "$KSFT_SKIP"; }
load modreg && load modreg_kallsyms && load $jit || ktap_exit_fail_msg "cannot load the modules"
[[ -e $tracing/trace ]] || mount -t tracefs tracefs $tracing
ktap_set_plan 10

ftrace workqueue/workqueue_queue_work 'workqueue == "events"' > "$seen.ftrace"
result "ftrace: an event's %ps names the function" output_has_line \
	'.*workqueue_queue_work: .* function=sample_jit_load .*' cat "$seen.ftrace"
ftrace irq_vectors/local_timer_entry 'comm == "modreg_busy"' > "$seen.ftrace"
grep -B 3 -A 6 -m 1 sample_jit_call "$seen.ftrace" | sed 's/^/# /'
result "ftrace: a stack trace names the function" output_has_line ' *=> sample_jit_call' cat "$seen.ftrace"

# trace-cmd runs a program.
if command -v trace-cmd > /dev/null; then
	result "trace-cmd: records" trace-cmd record -o "$seen.dat" -e workqueue:workqueue_queue_work -e irq_vectors:local_timer_entry \
		-R stacktrace busybox insmod ./modreg_busy.ko sample=1 ms=1000
	rmmod modreg_busy $jit
	result "trace-cmd, the plugin has gone: an event's function is named" output_has_line \
		'.* workqueue_queue_work: .* function=sample_jit_load .*' trace-cmd report -i "$seen.dat"
	result "trace-cmd, the plugin has gone: a stack trace names the function" output_has_line '=> sample_jit_call \([0-9a-f]+\)' \
		trace-cmd report -i "$seen.dat"
	load $jit
else
	for i in 1 2 3; do
		ktap_test_skip "trace-cmd: there is none"
	done
fi

if command -v bpftrace > /dev/null; then
	# shellcheck disable=SC2016 # bpftrace's variables
	result "bpftrace: profiles" bpftrace_while_busy 'profile:hz:99 /comm == "modreg_busy"/ { @[kstack(6)] = count(); }'
	result "bpftrace: kstack goes through the plugin" output_has_line ' *sample_jit_call\+[0-9]+' cat "$seen"
	at=0x$(awk '$3 == "sample_jit_load" { print $1; exit }' /proc/kallsyms)
	result "bpftrace: ksym() names an address" output_has_line 'sample_jit_load' \
		bpftrace -e "BEGIN { printf(\"%s\\n\", ksym($at)); exit(); }"
	result "bpftrace: kaddr() knows no name behind the modules'" output_has_line '.*Failed to resolve kernel symbol: sample_jit_load.*' \
		bpftrace -e 'BEGIN { printf("%p\n", kaddr("sample_jit_load")); exit(); }'
else
	for i in 1 2 3 4; do
		ktap_test_skip "bpftrace: there is none"
	done
fi
result "modules unload" unload_all

ktap_finished
