#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The switch of modreg_kallsyms is thrown, and the module unloaded and loaded, while tasks and interrupts
# stand in its replacements: kprobes on what these call make them stay there for long.

. "$(dirname "$0")/functions.sh"

company=/sys/kernel/debug/modreg_company
times=3

# throw_all: throws the switch, and unloads and loads the module
#
# For a moment busy tasks keep the asking ones from the processor. Preempted where a replacement ends its
# section without preemption, these stand in its text: the hooks must not go. Before the module is loaded,
# to the same place, who stood in it goes on.
throw_all()
{
	local i busy=() status=0
	renice --priority -10 --pid "$BASHPID" > /dev/null
	for i in $(seq "$(nproc)"); do
		while loaded modreg_company; do :; done &
		disown
		busy+=($!)
		kill -STOP $!
	done
	for i in $(pgrep modreg_asker); do
		chrt --idle --pid 0 "$i"
	done
	for ((i = 0; i < times && !status; i++)); do
		kill -CONT "${busy[@]}"
		{ sleep 3; kill -STOP "${busy[@]}"; } &
		sleep 0.1
		enable_kallsyms 0 && rmmod modreg_kallsyms || status=1
		wait $!
		sleep 0.2
		load modreg_kallsyms enabled=0 && enable_kallsyms 1 || status=1
	done
	kill -KILL "${busy[@]}"
	return "$status"
}

skip_without modreg_company
load modreg && load modreg_company && load modreg_kallsyms || ktap_exit_fail_msg "cannot load the modules"
ktap_print_header
ktap_set_plan 7

result "plugin made at run time: is registered" eval 'echo 1 > "$company/plugin"'
result "replacements are delayed" eval 'echo 1000 modreg_address modreg_address_lookup modreg_text_address \
	modreg_search_extables modreg_lookup_symbol_name modreg_get_kallsym > "$company/delay"'
result "process, softirq and hard interrupt ask all the time" eval 'echo 1 > "$company/askers"'
result "hooks go and come $times times, the module unloads in between" eval "(throw_all)"
log_mark
result "each context: answers are right, with the hooks and without" eval 'echo 0 > "$company/askers"'
log | sed -n 's/^modreg_company: /# /p'
echo "# $(cat "$company/delay") delays"
result "replacements were delayed" eval '[[ $(cat "$company/delay") -gt 100 ]]'
echo > "$company/delay"
result "modules unload" eval 'rmmod modreg_company && empty plugins && unload_all'

ktap_finished
