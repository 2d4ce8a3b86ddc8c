#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# modreg follows the life of the modules that own plugins, and those that are plugins themselves.
#
# on: first umkasan

. "$(dirname "$0")/functions.sh"

owner=test_modreg_owner

same_symbols()
{
	output_is "$(grep "\[$owner\]\$" /proc/kallsyms)" kallsyms
}

# The name, the size, the state and the address; the counts and the users are of different things.
same_module()
{
	output_is "$(awk -v name="$owner" '$1 == name { print $1, $2, $5, $6, $7 }' /proc/modules)" \
		awk '{ print $1, $2, $5, $6, $7 }' "$modreg/plugins"
}

leaves()
{
	log_mark
	load "$owner" mode=leave && output_has_line 'left [0-9]+ 0 - Live .*' plugins && rmmod "$owner"
}

load modreg || ktap_exit_fail_msg "cannot load modreg"
ktap_print_header
ktap_set_plan 18

log_mark
result "a module registers itself" load "$owner" mode=module
result "and is COMING until its init is over" output_is "$owner: coming
Plugins linked in: $owner($external+)
$owner: live" eval 'modreg_log | sed "s/coming, .*/coming/"'
result "with its init memory, each answer was the kernel's" \
	output_has_line "$owner: [0-9]+ addresses compared" log
result "each is so after" eval "echo > /sys/module/$owner/parameters/compare"
result "kallsyms is as /proc/kallsyms" same_symbols
result "plugins is as /proc/modules" same_module
result "it unloads" rmmod "$owner"
result "and is gone" eval 'empty plugins && empty kallsyms'

log_mark
result "a module whose init fails cleans up itself" load_fails $owner mode=fail
result "without a warning" output_lacks '.*without.*' log
log_mark
result "one that does not is removed" load_fails $owner mode=abandon
result "with a warning" output_has_line "modreg: $owner: its owner goes without unregistering it" log
result "both are gone" eval 'empty plugins && empty kallsyms'

result "an owner unloads with its plugin registered" leaves
result "there is a warning" output_is "left: coming, 1 regions, 0 symbols
left: live
left: its owner goes without unregistering it
left: gone" modreg_log
result "nothing dangles" eval 'empty plugins && empty kallsyms && ! resolve left:page 2> /dev/null'

log_mark
result "none can be registered by one that goes" eval "load $owner mode=late && rmmod $owner &&
	[[ \$(log | grep -c '^$owner: late: -19\$') -eq 2 ]]"
result "nothing is left" eval 'empty plugins && empty kallsyms && unload_all'

ktap_finished
