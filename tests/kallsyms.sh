#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The kernel asks modreg about code that was made at run time: names, traces, fixups, the listing.

. "$(dirname "$0")/functions.sh"

jit=modreg_sample_jit

# sleeper_is_named: returns 0 if wait channel and stack of the sleeping task name the plugin's function
sleeper_is_named()
{
	local pid
	pid=$(pgrep -x sleep_in_jit) && [[ $(cat "/proc/$pid/wchan") = jit_call ]] &&
		output_has_line '\[<0>\] jit_call\+0x[0-9a-f]+/0x[0-9a-f]+ \[test_jit\]' cat "/proc/$pid/stack"
}

# check_sleeper: runs the case whose task sleeps in a plugin's code, and looks at the task
check_sleeper()
{
	local status
	run_case sleeper.kallsyms &
	try pgrep -x sleep_in_jit > /dev/null
	sleep 0.5
	sleeper_is_named
	status=$?
	echo > "$test_modreg/release"
	wait $! && return "$status"
}

# listed: prints the sample's lines of /proc/kallsyms
listed()
{
	grep -F '[sample_jit]' /proc/kallsyms
}

# behind: prints what /proc/kallsyms lists behind the sample, except functions that ftrace remembers from
# init
behind()
{
	sed -E '1,/\[sample_jit\]/d; /\[(sample_jit|bpf|__builtin__[a-z]+)\]$| T [a-z_]+_init	/d' /proc/kallsyms
}

# listed_as_modules: returns 0 if /proc/kallsyms lists the sample as modreg does, behind every module
listed_as_modules()
{
	output_is "$(grep -F '[sample_jit]' "$modreg/kallsyms")" listed && empty behind
}

# others_see ADDRESS NAME: returns 0 if /proc/kallsyms shows an ordinary user the name with the address
others_see()
{
	output_is "$1 t $2	[sample_jit]" setpriv --reuid 65534 --clear-groups --inh-caps=-all \
		grep -wF "$2" /proc/kallsyms
}

load modreg && load test_modreg || ktap_exit_fail_msg "cannot load the modules"
if ! grep -qx kallsyms.names.process "$test_modreg/cases"; then
	ktap_print_header
	ktap_skip_all "there is no code for this architecture"
	exit "$KSFT_SKIP"
fi
mapfile -t names < <(cases kallsyms)
ktap_print_header
ktap_set_plan $((${#names[@]} + 18))

log_mark
result "module loads switched off" load modreg_kallsyms enabled=0
result "without hooks: the kernel knows nothing of run-time code" run_case off.kallsyms
result "switch puts the hooks in" enable_kallsyms 1
result "log tells how many functions are hooked" output_has_line 'modreg_kallsyms: enabled, functions=[56]' log
result "ftrace shows each hooked function" output_is "$(log | sed -n 's/.*functions=//p')" \
	eval "grep -c 'rust_modreg_kallsyms' $tracing/enabled_functions"
for name in "${names[@]}"; do
	result "$name" run_case "$name"
done
result "sleeping task: wait channel and stack name the plugin's function" check_sleeper

log_mark
result "sample is made, runs, and its fault goes on at its fixup" load "$jit"
result "sample's thread has run" try output_has_line "$jit: peek at a bad address: -1" log
result "trace goes through the sample's code" \
	output_has_line ' *sample_jit_call\+0x[0-9a-f]+/0x[0-9a-f]+ \[sample_jit\]' log
result "/proc/kallsyms lists the sample behind the modules, as modreg does" listed_as_modules
result "address is shown to root" test -n "$(listed | grep -v ^0000000000000000)"
sysctl=$(cat /proc/sys/kernel/kptr_restrict)
echo 1 > /proc/sys/kernel/kptr_restrict
result "address is hidden from others" others_see 0000000000000000 sample_jit_load
echo "$sysctl" > /proc/sys/kernel/kptr_restrict
log_mark
result "disabling is refused while a plugin's fixups need the hooks" eval '! enable_kallsyms 0'
result "refusal is logged" output_has_line \
	'modreg_kallsyms: refused: .* exception entries .*\(-EBUSY\)' log
result "module cannot be unloaded while the hooks are in" eval '! rmmod modreg_kallsyms 2> /dev/null'
rmmod "$jit"
result "without the plugin the switch takes the hooks out" enable_kallsyms 0
result "ftrace shows no hooked function any more" output_is 0 \
	eval "grep -c 'rust_modreg_kallsyms' $tracing/enabled_functions"
result "registry is empty, modules unload" eval 'empty plugins && empty kallsyms && unload_all'
ktap_finished
