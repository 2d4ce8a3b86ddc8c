#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# modreg.ko loads and unloads, and leaves nothing behind.
#
# on: first umkasan

. "$(dirname "$0")/functions.sh"

gone()
{
	! loaded modreg && [[ ! -e $modreg ]] && ! grep -q ' modreg_' /proc/kallsyms
}

again()
{
	local i
	for ((i = 0; i < 10; i++)); do
		load modreg && rmmod modreg || return 1
	done
}

ktap_print_header
ktap_set_plan 8

result "insmod" load modreg
result "listed in /proc/modules" grep -q '^modreg ' /proc/modules
result "its files are there" test -f "$modreg/plugins" -a -f "$modreg/kallsyms" -a -f "$modreg/resolve"
result "there are no plugins and no symbols" eval 'empty plugins && empty kallsyms'
result "rmmod" rmmod modreg
result "nothing is left" gone
result "ten times more" again
result "still nothing is left" gone

ktap_finished
