#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Lifetimes: plugins, their handles and their tables, while owners come, go, and fail to come.
#
# on: first umkasan kasan

. "$(dirname "$0")/functions.sh"

owner=test_modreg_owner

# within SECONDS COMMAND...: returns 0 if the command does, in that time; it may be stuck after
within()
{
	local limit=$1 child i
	shift
	"$@" &
	child=$!
	for ((i = 0; i < 10 * limit; i++)); do
		[[ -e /proc/$child ]] || { wait "$child"; return; }
		sleep 0.1
	done
	echo "# takes longer than $limit s: $*"
	return 1
}

# init_while_going: registers a plugin whose init callback returns when the owner is being unloaded
init_while_going()
{
	local runner
	run_case owners.init_while_going &
	runner=$!
	try grep -q '^other_c .* Loading ' "$modreg/plugins" && rmmod "$owner" && wait "$runner"
}

# unload: unloads the owner, which references may keep for a moment
unload()
{
	rmmod "$owner" 2> /dev/null
}

# own_unregistrations SECONDS: loads and unloads an owner for that time while references come and go
own_unregistrations()
{
	local end=$((SECONDS + $1)) n=0 failed='' runner
	log_mark
	run_case hold.references &
	runner=$!
	while ((SECONDS < end)); do
		load "$owner" mode=own && try unload || { failed=1; break; }
		((n += 1))
	done
	echo > "$test_modreg/release"
	echo "# unregistered $n times"
	wait "$runner" && [[ ! $failed ]] && output_is "$n" eval "log | grep -c '^$owner: own: 0\$'"
}

# stops_once COMMAND...: returns 0 if the command succeeds and stops the machine once
stops_once()
{
	local stops status
	echo stop_machine > "$tracing/set_ftrace_filter" && echo function > "$tracing/current_tracer" || return
	"$@"
	status=$?
	stops=$(grep -c 'stop_machine <-' "$tracing/trace")
	echo nop > "$tracing/current_tracer"
	echo > "$tracing/set_ftrace_filter"
	[[ $stops -eq 1 ]] || { echo "# stopped $stops times"; return 1; }
	return "$status"
}

load modreg && load test_modreg || ktap_exit_fail_msg "cannot load the modules"
ktap_print_header
ktap_set_plan 29

result "owner that is unloaded: plugins of another registrant are registered" \
	eval "load $owner mode=idle && run_case owners.register"
log_mark
once="owner that is unloaded: machine is stopped once for its plugins"
if grep -qsw function "$tracing/available_tracers"; then
	result "$once" stops_once rmmod $owner
else
	rmmod $owner
	ktap_test_skip "$once: there is no tracer of functions"
fi
result "owner that is unloaded: takes the plugins along" empty plugins
result "owner that is unloaded: each plugin is logged" output_is "other_a: owner unloaded with the plugin registered, removing it
other_b: owner unloaded with the plugin registered, removing it" eval 'modreg_log | grep owner | sort'
result "owner that is unloaded: handles are valid until released" run_case owners.orphans

for how in '' _left; do
	result "load refused behind a registration$how: is armed" run_case "owners.arm_refusal$how"
	log_mark
	result "load refused behind a registration$how: fails" load_fails $owner mode=idle
	result "load refused behind a registration$how: removes the plugin" eval 'empty plugins && empty kallsyms'
	result "load refused behind a registration$how: is logged" output_has_line \
		"$owner: owner failed to load, removing the plugin" modreg_log
	result "load refused behind a registration$how: releases the handle" run_case owners.refused
done

result "owner LIVE during an exit callback: is armed" run_case owners.arm_exit
result "owner LIVE during an exit callback: loads" load $owner mode=idle
result "owner LIVE during an exit callback: init regions are gone" run_case owners.init_is_gone
result "owner LIVE during an exit callback: unloads" rmmod $owner

log_mark
result "owner LIVE during an init callback: loads" load $owner mode=thread
result "owner LIVE during an init callback: init regions are gone" try output_is "found 1
found 0
0" eval "log | sed -n 's/^$owner: thread: //p'"
result "owner LIVE during an init callback: unloads" rmmod $owner

result "init failed during an exit callback: is armed" run_case owners.arm_notifier
result "init failed during an exit callback: waits for no callback" within 60 load_fails $owner mode=refuse
result "init failed during an exit callback: unregistration returns" run_case owners.notifier_done

result "init callback while the owner goes: exit callback is called" \
	eval "load $owner mode=slow && init_while_going"

result "references come and go: owner's own unregistration is never refused" own_unregistrations 20

log_mark
result "registrant unloaded: modreg is pinned by the owner's plugins" \
	eval "load $owner mode=idle && run_case owners.register && rmmod test_modreg && ! rmmod modreg 2> /dev/null"
result "registries are empty, modules unload" \
	eval "rmmod $owner && empty plugins && empty kallsyms && unload_all"

ktap_finished
