#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Kernel lockdown: modreg's files show no more than the kernel's own files. A lockdown lasts until the
# next boot, so this script has a guest of its own.
#
# boot: --append lsm=lockdown,capability

. "$(dirname "$0")/functions.sh"

lockdown=/sys/kernel/security/lockdown
kptr_restrict=/proc/sys/kernel/kptr_restrict

# nobody COMMAND: runs the command as an ordinary user
nobody()
{
	setpriv --reuid 65534 --regid 65534 --clear-groups bash -c "$1" 2> /dev/null
}

# unprivileged COMMAND: runs the command as root without CAP_SYSLOG
unprivileged()
{
	setpriv --bounding-set -syslog --inh-caps -syslog bash -c "$1"
}

# same_as_proc RUNNER: returns 0 if modreg's files say about the module that registered itself what the
# kernel's own files say
#	RUNNER - runs the command that reads: 'bash -c' or unprivileged
same_as_proc()
{
	local proc=$symbols
	# A reader without addresses sees zeros in each line. Reading all of it again takes long.
	case $($1 "grep -m 1 ' [tT] ' /proc/kallsyms") in
	0000000000000000*) proc=$(sed -E 's/^[0-9a-f]{16}/0000000000000000/' <<< "$symbols") ;;
	esac
	output_is "$proc" eval "$1 'cat $modreg/kallsyms'" &&
		output_is "$($1 "cat /proc/modules" | awk '$1 == "test_modreg_owner" { print $1, $2, $6 }')" \
			eval "$1 'cat $modreg/plugins' | awk '{ print \$1, \$2, \$6 }'"
}

# locked_down COMMAND...: returns 0 if the command fails and the kernel logs that lockdown forbids it
locked_down()
{
	log_mark
	! "$@" 2> /dev/null && output_has_line 'Lockdown: .*' log
}

# open_resolve: opens modreg's file for questions
open_resolve()
{
	: <> "$modreg/resolve"
}

mountpoint -q /sys/kernel/security || mount -t securityfs none /sys/kernel/security
if [[ ! -e $lockdown ]]; then
	ktap_print_header
	ktap_skip_all "this kernel has no lockdown"
	exit 4
fi
load modreg && load test_modreg_owner mode=module || ktap_exit_fail_msg "cannot load the modules"
chmod 755 /sys/kernel/debug
echo 0 > $kptr_restrict
symbols=$(grep '\[test_modreg_owner\]$' /proc/kallsyms)
ktap_print_header
ktap_set_plan 25

result "lockdown is off" output_is "[none] integrity confidentiality" cat $lockdown
result "no lockdown: resolve opens" open_resolve
for level in integrity confidentiality; do
	result "lockdown is $level" eval "echo $level > $lockdown"
	for restrict in 0 1 2; do
		echo $restrict > $kptr_restrict
		result "$level, kptr_restrict $restrict, root: files equal the kernel's" same_as_proc "bash -c"
		result "$level, kptr_restrict $restrict, without CAP_SYSLOG: files equal the kernel's" same_as_proc unprivileged
	done
	result "$level, ordinary user: plugins does not open" eval "! nobody 'cat $modreg/plugins'"
	result "$level, ordinary user: kallsyms does not open" eval "! nobody 'cat $modreg/kallsyms'"
	result "$level, root: resolve does not open, lockdown is logged" locked_down open_resolve
	result "$level, ordinary user: resolve does not open" eval "! nobody ': <> $modreg/resolve'"
done
result "modules unload" unload_all

ktap_finished
