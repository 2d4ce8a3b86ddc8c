#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Under kernel lockdown, nothing more can be read from modreg's files than from the kernel's own. What
# is locked stays so until the next boot, so this has a guest of its own.
#
# boot: --append lsm=lockdown,capability

. "$(dirname "$0")/functions.sh"

lockdown=/sys/kernel/security/lockdown
kptr_restrict=/proc/sys/kernel/kptr_restrict

# nobody COMMAND, unprivileged COMMAND: as an ordinary user; as root without CAP_SYSLOG.
nobody()
{
	setpriv --reuid 65534 --regid 65534 --clear-groups bash -c "$1" 2> /dev/null
}

unprivileged()
{
	setpriv --bounding-set -syslog --inh-caps -syslog bash -c "$1"
}

# same RUNNER: whether who runs RUNNER reads in modreg's files about the module that registered itself
# what the kernel's own say, and no more.
same()
{
	local proc=$symbols
	# Who sees no addresses sees zeros in each line. To read all of it again takes long.
	case $($1 "grep -m 1 ' [tT] ' /proc/kallsyms") in
	0000000000000000*) proc=$(sed -E 's/^[0-9a-f]{16}/0000000000000000/' <<< "$symbols") ;;
	esac
	output_is "$proc" eval "$1 'cat $modreg/kallsyms'" &&
		output_is "$($1 "cat /proc/modules" | awk '$1 == "test_modreg_owner" { print $1, $2, $6 }')" \
			eval "$1 'cat $modreg/plugins' | awk '{ print \$1, \$2, \$6 }'"
}

# refused COMMAND...: whether the kernel's lockdown forbids it.
refused()
{
	log_mark
	! "$@" 2> /dev/null && output_has_line 'Lockdown: .*' log
}

ask()
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

result "not locked yet" output_is "[none] integrity confidentiality" cat $lockdown
result "questions can be asked" ask
for level in integrity confidentiality; do
	result "locked: $level" eval "echo $level > $lockdown"
	for restrict in 0 1 2; do
		echo $restrict > $kptr_restrict
		result "$level, kptr_restrict $restrict: root" same "bash -c"
		result "$level, kptr_restrict $restrict: without CAP_SYSLOG" same unprivileged
	done
	result "$level: nobody reads plugins" eval "! nobody 'cat $modreg/plugins'"
	result "$level: nobody reads kallsyms" eval "! nobody 'cat $modreg/kallsyms'"
	result "$level: no questions" refused ask
	result "$level: nor by nobody" eval "! nobody ': <> $modreg/resolve'"
done
result "nothing is left" unload_all

ktap_finished
