#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Every answer of modreg about the kernel's own modules equals the kernel's answer. The modules are
# those that the guest has loaded, and kvm.
#
# boot: --memory 2G

. "$(dirname "$0")/functions.sh"

tab=$'\t'

# Without what is listed there but is no module's: BPF, ftrace and the like.
proc_kallsyms()
{
	local modules
	modules=$(cut -d ' ' -f 1 /proc/modules | paste -s -d '|')
	grep -E "$tab\[($modules)\]$" /proc/kallsyms
}

# The references and the users are counts of other things, so they are left out.
columns()
{
	awk '{ print $1, $2, $5, $6, $7 }' "$1"
}

same_lines()
{
	diff <($1) <($2) | head -n 10 | sed 's/^/# /'
	return "${PIPESTATUS[0]}"
}

trap - EXIT
modprobe kvm
load modreg && load modreg_mirror || ktap_exit_fail_msg "cannot load the modules"
table=$(cat /sys/kernel/debug/modreg_mirror/conformance)
mapfile -t kinds < <(sed '1d; $d' <<< "$table")

ktap_print_header
printf '%s\n' "$table" | sed 's/^/# /'
ktap_set_plan $((${#kinds[@]} + 4))
for kind in "${kinds[@]}"; do
	read -r asked equal different < <(grep -oE '[0-9]+ +[0-9]+ +[0-9]+$' <<< "$kind")
	result "${kind%%  *}: $asked asked, $equal equal" \
		test "$asked" -gt 0 -a "$different" -eq 0
done
result "kallsyms is the modules' part of /proc/kallsyms" same_lines proc_kallsyms kallsyms
result "plugins is /proc/modules" same_lines "columns /proc/modules" "columns $modreg/plugins"
result "the mirror unloads" rmmod modreg_mirror
result "nothing is left" eval 'empty plugins && empty kallsyms && rmmod modreg'

ktap_finished
