#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# modreg.ko loads and unloads, and leaves nothing behind.
#
# on: first umkasan

. "$(dirname "$0")/functions.sh"

# nothing_left: returns 0 if modreg is not loaded and neither files nor symbols of it remain
nothing_left()
{
	! loaded modreg && [[ ! -e $modreg ]] && ! grep -q ' modreg_' /proc/kallsyms
}

# load_ten_times: loads and unloads modreg ten times
load_ten_times()
{
	local i
	for ((i = 0; i < 10; i++)); do
		load modreg && rmmod modreg || return 1
	done
}

ktap_print_header
ktap_set_plan 8

result "modreg loads" load modreg
result "loaded modreg is in /proc/modules" grep -q '^modreg ' /proc/modules
result "loaded modreg has its debugfs files" test -f "$modreg/plugins" -a -f "$modreg/kallsyms" -a -f "$modreg/resolve"
result "plugins and kallsyms are empty" eval 'empty plugins && empty kallsyms'
result "modreg unloads" rmmod modreg
result "unloaded modreg leaves no file and no symbol" nothing_left
result "modreg loads and unloads ten times" load_ten_times
result "ten unloads leave no file and no symbol" nothing_left

ktap_finished
