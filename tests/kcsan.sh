#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Negative control for KCSAN on Rust: a race planted in a Rust module is reported, and the same
# accesses are not reported if they are atomic. So KCSAN's silence about modreg means something.
#
# on: kcsan
# expects: BUG: KCSAN: data-race in .*plain_(read|write).* / .*plain_(read|write)

. "$(dirname "$0")/functions.sh"

ktap_print_header
[[ -e /sys/kernel/debug/kcsan ]] || { ktap_skip_all "this kernel has no KCSAN"; exit 4; }
ktap_set_plan 4

# plant FAULT: loads a module that makes the fault
plant()
{
	log_mark
	load modreg_planted "fault=$1" && rmmod modreg_planted
}

result "two threads with atomic accesses: module runs" plant 0
result "two threads with atomic accesses: KCSAN is silent" output_lacks '.*KCSAN: .*modreg_planted.*' log
result "two threads with plain accesses: module runs" plant 1
result "two threads with plain accesses: KCSAN reports the race" output_has_line 'BUG: KCSAN: data-race in .*plain_.* / .*plain_.*' log

ktap_finished
