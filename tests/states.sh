#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The states of a plugin, from inside the kernel (modules/test_modreg/states.c) and from outside: a
# plugin is held in COMING, LIVE and GOING while its files and the log are read.
#
# on: first umkasan

. "$(dirname "$0")/functions.sh"

tab=$'\t'
address='0x[0-9a-f]{16}'

# hold_plugin CASE STATE: starts a case that stops with plugin test_a in the state
#	CASE  - coming, live or going
#	STATE - the state as plugins shows it
hold_plugin()
{
	log_mark
	echo "hold.$1" > "$test_modreg/run" &
	held=$!
	try grep -q "^test_a .* $2 " "$modreg/plugins"
}

# release_plugin: lets the held case go on to its end
release_plugin()
{
	echo > "$test_modreg/release"
	wait "$held" && empty plugins && empty kallsyms
}

run_topic states 18

result "COMING plugin is held" hold_plugin coming Loading
result "COMING plugin: plugins shows Loading and +" output_has_line "test_a 6144 0 - Loading $address \($external\+\)" plugins
result "COMING plugin: a symbol of its init region resolves" output_has_line "$address startup\+0x0/0x800 \[test_a\]" resolve test_a:startup
result "COMING plugin: kallsyms has its init symbol" output_has_line ".* T startup$tab\[test_a\]" kallsyms
result "COMING plugin: the log says coming" output_is "test_a: coming, regions=3 symbols=6" modreg_log
result "COMING plugin is released: registry is empty" release_plugin

result "LIVE plugin is held, with a reference" hold_plugin live Live
result "LIVE plugin: plugins shows Live and one reference" output_has_line "test_a 4096 1 - Live $address \($external\)" plugins
result "LIVE plugin: its init symbol does not resolve" eval '! resolve test_a:startup 2> /dev/null'
result "LIVE plugin: kallsyms lacks its init symbol" output_lacks ".* startup$tab.*" kallsyms
result "LIVE plugin: the log says coming, then live" output_is "test_a: coming, regions=3 symbols=6
test_a: live" modreg_log
result "LIVE plugin with a reference: its owner cannot be unloaded" eval '! rmmod test_modreg 2> /dev/null'
result "LIVE plugin is released: registry is empty" release_plugin

result "GOING plugin is held" hold_plugin going Unloading
result "GOING plugin: plugins shows Unloading and -" output_has_line "test_a 4096 0 - Unloading $address \($external-\)" plugins
result "GOING plugin: its symbol resolves" output_has_line "$address alpha\+0x0/0x30 \[test_a\]" resolve test_a:alpha
result "GOING plugin is released: registry is empty" release_plugin

result "registry is empty, modules unload" eval 'empty plugins && empty kallsyms && unload_all'

ktap_finished
