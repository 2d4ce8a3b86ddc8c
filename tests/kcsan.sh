#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# KCSAN watches Rust: a race that is planted in a Rust module is reported, and the same accesses are
# not where they are atomic. Without that it would mean nothing that it does not report modreg.
#
# on: kcsan
# expects: BUG: KCSAN: data-race in .*plain_(read|write).* / .*plain_(read|write)

. "$(dirname "$0")/functions.sh"

ktap_print_header
[[ -e /sys/kernel/debug/kcsan ]] || { ktap_skip_all "this kernel has no KCSAN"; exit 4; }
ktap_set_plan 4

plant()
{
	log_mark
	load modreg_planted "fault=$1" && rmmod modreg_planted
}

result "two threads with atomic accesses" plant 0
result "no report" output_lacks '.*KCSAN: .*modreg_planted.*' log
result "two threads with plain accesses" plant 1
result "a report" output_has_line 'BUG: KCSAN: data-race in .*plain_.* / .*plain_.*' log

ktap_finished
