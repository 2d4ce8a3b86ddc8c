#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Owners of plugins: modreg follows a module that registers itself, and removes what an owner leaves
# behind.
#
# on: first umkasan

. "$(dirname "$0")/functions.sh"

owner=test_modreg_owner

# same_symbols: returns 0 if modreg's kallsyms equals the owner's part of /proc/kallsyms
same_symbols()
{
	output_is "$(grep "\[$owner\]\$" /proc/kallsyms)" kallsyms
}

# same_module: returns 0 if modreg's plugins equals the owner's line in /proc/modules
#
# References and users are left out: they count different things.
same_module()
{
	output_is "$(awk -v name="$owner" '$1 == name { print $1, $2, $5, $6, $7 }' /proc/modules)" \
		awk '{ print $1, $2, $5, $6, $7 }' "$modreg/plugins"
}

# leave_plugin: loads an owner, checks that its plugin is LIVE, and unloads the owner
leave_plugin()
{
	log_mark
	load "$owner" mode=leave && output_has_line 'left [0-9]+ 0 - Live .*' plugins && rmmod "$owner"
}

load modreg || ktap_exit_fail_msg "cannot load modreg"
ktap_print_header
ktap_set_plan 23

log_mark
result "module that registers itself: loads" load "$owner" mode=module
result "module that registers itself: COMING during its init, then LIVE" output_is "$owner: coming
Plugins linked in: $owner($external+)
$owner: live" eval 'modreg_log | sed "s/coming, .*/coming/"'
result "module that registers itself, COMING: every answer equals the kernel's" \
	output_has_line "$owner: [0-9]+ addresses compared" log
result "module that registers itself, LIVE: every answer equals the kernel's" eval "echo > /sys/module/$owner/parameters/compare"
result "module that registers itself: kallsyms equals /proc/kallsyms" same_symbols
result "module that registers itself: plugins equals /proc/modules" same_module
result "module that registers itself: unloads" rmmod "$owner"
result "module that registers itself, unloaded: registry is empty" eval 'empty plugins && empty kallsyms'

log_mark
result "failed init, plugin unregistered: loading fails" load_fails $owner mode=fail
result "failed init, plugin unregistered: no warning" output_lacks '.*owner unloaded.*' log
log_mark
result "failed init, plugin left behind: loading fails" load_fails $owner mode=abandon
result "failed init, plugin left behind: plugin is removed with a warning" output_has_line "modreg: $owner: owner unloaded with the plugin registered, removing it" log
result "after both failed inits: registry is empty" eval 'empty plugins && empty kallsyms'

result "owner with a registered plugin: unloads" leave_plugin
result "owner with a registered plugin: plugin is removed with a warning" output_is "left: coming, regions=1 symbols=0
left: live
left: owner unloaded with the plugin registered, removing it
left: gone" modreg_log
result "owner with a registered plugin, unloaded: its symbol does not resolve" eval 'empty plugins && empty kallsyms && ! resolve left:page 2> /dev/null'

log_mark
result "owner in GOING: registration is refused with -ENODEV" eval "load $owner mode=late && rmmod $owner &&
	[[ \$(log | grep -c '^$owner: late: -19\$') -eq 2 ]]"
log_mark
result "module with odd names: registers itself" load test_modreg_odd
result "module with odd names: an unprintable one is escaped" \
	output_has_line ".* d odd\\\\x09sy\\\\x0abol.*" kallsyms
result "module with odd names: a long one is cut, as in /proc/kallsyms" \
	output_has_line "[0-9a-f]+ d long_x{506}	.test_modreg_odd." kallsyms
result "module with odd names: a long one is cut in an answer" \
	output_has_line "test_modreg_odd: long: 511, 511" log
result "module with odd names: unloads" rmmod test_modreg_odd
result "registry is empty, modules unload" eval 'empty plugins && empty kallsyms && unload_all'

ktap_finished
