#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# That KCSAN says nothing of modreg means something only if it watches Rust: a race that is planted
# in a Rust module is reported, and the same accesses marked as atomic are not.
#
# on: kcsan
# expects: BUG: KCSAN: data-race in .*plain_(read|write).* \[modreg_race\] / .*plain_(read|write).* \[modreg_race\]

. "$(dirname "$0")/functions.sh"

ktap_print_header
[[ -e /sys/kernel/debug/kcsan ]] || { ktap_skip_all "this kernel has no KCSAN"; exit 4; }
ktap_set_plan 4

race()
{
	log_mark
	load modreg_race "$@" && rmmod modreg_race
}

result "two threads with atomic accesses" race marked=1
result "no report" lacks '.*KCSAN: .*modreg_race.*' log
result "two threads with plain accesses" race
result "a report" matches 'BUG: KCSAN: data-race in .*plain_.*\[modreg_race\].*' log

ktap_finished
