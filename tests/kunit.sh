#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The KUnit suites of tests/kunit/; each of their tests is one result.
#
# on: umkasan

. "$(dirname "$0")/functions.sh"

kunit=/sys/kernel/debug/kunit

ktap_print_header
[[ -d $kunit ]] || { ktap_skip_all "this kernel has no KUnit"; exit 4; }
load modreg || ktap_exit_fail_msg "cannot load modreg"

# results: runs the suites; prints what failed as comments, then 'ok NAME' or 'not ok NAME' for each test
results()
{
	local suite
	for suite in "$kunit"/modreg_*; do
		log_mark
		echo > "$suite/run"
		log | sed -n 's/^modreg: kunit: /# /p'
		sed -nE "s/^    ((not )?ok) [0-9]+ (.*)/\1 ${suite##*/}: \3/p" "$suite/results"
	done
}

mapfile -t lines < <(results)
ktap_set_plan $(($(printf '%s\n' "${lines[@]}" | grep -cE '^(not )?ok ') + 2))
result "modreg has KUnit suites" test "${#lines[@]}" -gt 0
for line in "${lines[@]}"; do
	case $line in
	'ok '*) ktap_test_pass "${line#ok }" ;;
	'not ok '*) ktap_test_fail "${line#not ok }" ;;
	*) echo "$line" ;;
	esac
done
result "modules unload" unload_all

ktap_finished
