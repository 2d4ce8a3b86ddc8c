#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The examples in the documentation of primitives/ and include/modreg/, each of them one result.
#
# on: first umkasan

. "$(dirname "$0")/functions.sh"

log_mark
load modreg && load modreg_examples || ktap_exit_fail_msg "cannot load the modules"
mapfile -t lines < <(log | sed -nE 's/^modreg_examples: (.*): (ok|built|failed.*)$/\2 \1/p')

ktap_print_header
ktap_set_plan $((${#lines[@]} + 2))
result "module modreg_examples has examples" test "${#lines[@]}" -gt 0
for line in "${lines[@]}"; do
	case $line in
	'ok '*) ktap_test_pass "example ${line#ok } runs" ;;
	'built '*) ktap_test_pass "example ${line#built } builds" ;;
	*)
		log | sed -n '/^modreg_examples: /s/^/# /p'
		ktap_test_fail "example ${line##* } runs"
		;;
	esac
done
result "registry is empty, modules unload" eval 'empty plugins && empty kallsyms && unload_all'

ktap_finished
