#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The states of a plugin, from inside and from outside: one is caught COMING, LIVE and GOING.
#
# on: first umkasan

. "$(dirname "$0")/functions.sh"

tab=$'\t'
address='0x[0-9a-f]{16}'

# holds STATE: catches test_a in it.
holds()
{
	log_mark
	echo "hold.$1" > "$test_modreg/run" &
	held=$!
	try grep -q "^test_a .* $2 " "$modreg/plugins"
}

# lets go of it.
release_plugin()
{
	echo > "$test_modreg/release"
	wait "$held" && empty plugins && empty kallsyms
}

load modreg && load test_modreg || ktap_exit_fail_msg "cannot load the modules"
mapfile -t names < <(cases states)
ktap_print_header
ktap_set_plan $((${#names[@]} + 19))

result "there are cases" test "${#names[@]}" -gt 0
for name in "${names[@]}"; do
	result "$name" run_case "$name"
done

result "COMING: it is caught" holds coming Loading
result "COMING: in plugins" output_has_line "test_a 6144 0 - Loading $address \($external\+\)" plugins
result "COMING: its init region resolves" output_has_line "$address startup\+0x0/0x800 \[test_a\]" resolve test_a:startup
result "COMING: its init symbol is in kallsyms" output_has_line ".* T startup$tab\[test_a\]" kallsyms
result "COMING: the log" output_is "test_a: coming, 3 regions, 6 symbols" modreg_log
result "COMING: goes on" release_plugin

result "LIVE: it is caught, with a reference" holds live Live
result "LIVE: in plugins" output_has_line "test_a 4096 1 - Live $address \($external\)" plugins
result "LIVE: its init symbol does not resolve" eval '! resolve test_a:startup 2> /dev/null'
result "LIVE: nor is it in kallsyms" output_lacks ".* startup$tab.*" kallsyms
result "LIVE: the log" output_is "test_a: coming, 3 regions, 6 symbols
test_a: live" modreg_log
result "LIVE: its module cannot be unloaded" eval '! rmmod test_modreg 2> /dev/null'
result "LIVE: goes on" release_plugin

result "GOING: it is caught" holds going Unloading
result "GOING: in plugins" output_has_line "test_a 4096 0 - Unloading $address \($external-\)" plugins
result "GOING: it resolves" output_has_line "$address alpha\+0x0/0x30 \[test_a\]" resolve test_a:alpha
result "GOING: goes on" release_plugin

result "nothing is left" eval 'empty plugins && empty kallsyms && unload_all'

ktap_finished
