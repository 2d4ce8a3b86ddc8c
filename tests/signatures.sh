#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# On a kernel that enforces signatures, modules load that are signed with a key that it knows, and no others.
#
# on: modversions
# limit: 600
# boot: --append module.sig_enforce=1

. "$(dirname "$0")/functions.sh"

work=$(mktemp -d)
trap 'rmmod modreg_sample_c modreg_kallsyms modreg 2> /dev/null; rm -r "$work"' EXIT

# sign KEY NAME: makes a copy of the module that is signed with KEY.pem and KEY.x509.
sign()
{
	"$KDIR/scripts/sign-file" sha256 "$1.pem" "$1.x509" "./$2.ko" "$work/$2.ko"
}

# load_is_refused FILE REASON: whether the kernel refuses the module and says why.
load_is_refused()
{
	local output
	log_mark
	output=$(command insmod "$1" 2>&1) && return 1
	printf '# %s\n' "$output"
	grep -q 'Key was rejected by service' <<< "$output" && log | grep -q "$2"
}

if [[ $(cat /sys/module/module/parameters/sig_enforce 2> /dev/null) != Y ]]; then
	ktap_print_header
	ktap_set_plan 1
	ktap_test_skip "signatures: this kernel does not enforce them"
	ktap_finished
	exit
fi

openssl req -new -x509 -newkey rsa:2048 -nodes -batch -days 2 -subj /CN=other -outform DER \
	-keyout "$work/other.pem" -out "$work/other.x509" 2> /dev/null
# shellcheck disable=SC2034 # in the commands below
kernel=$KDIR/certs/signing_key

ktap_print_header
ktap_set_plan 8
result "unsigned modreg: refused" load_is_refused ./modreg.ko 'Loading of unsigned module is rejected'
result "modreg signed with another key: signing" sign "$work/other" modreg
result "modreg signed with another key: refused" \
	load_is_refused "$work/modreg.ko" 'Loading of module with unavailable key is rejected'
result "modreg signed with the kernel's key: loads" eval 'sign "$kernel" modreg && insmod "$work/modreg.ko"'
result "unsigned modreg_kallsyms: refused" \
	load_is_refused ./modreg_kallsyms.ko 'Loading of unsigned module is rejected'
result "modreg_kallsyms signed with the kernel's key: loads" \
	eval 'sign "$kernel" modreg_kallsyms && insmod "$work/modreg_kallsyms.ko"'
result "a signed sample: loads" eval 'sign "$kernel" modreg_sample_c && insmod "$work/modreg_sample_c.ko"'
result "signed modules: unload" eval 'rmmod modreg_sample_c && echo N > /sys/module/modreg_kallsyms/parameters/enabled &&
	rmmod modreg_kallsyms && rmmod modreg'
ktap_finished
