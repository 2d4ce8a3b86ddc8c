#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Negative control for the debug kernel's checkers on Rust: each fault planted in a Rust module is
# reported. So their silence about modreg means something.
#
# on: umkasan
# expects: BUG: KASAN: slab-use-after-free in .*use_after_free
# expects: BUG: (sleeping function called from invalid context|scheduling while atomic)

. "$(dirname "$0")/functions.sh"

ktap_print_header
grep -q ' kasan_report$' /proc/kallsyms && [[ -e $kmemleak ]] ||
	{ ktap_skip_all "this kernel has no KASAN or no kmemleak"; exit 4; }
ktap_set_plan 6

# plant FAULT: loads a module that makes the fault
plant()
{
	log_mark
	load modreg_planted "fault=$1" && rmmod modreg_planted
}

result "use after free in Rust: module runs" plant 2
result "use after free in Rust: KASAN reports it" output_has_line '.*BUG: KASAN: slab-use-after-free in .*use_after_free.*' log
result "memory leak in Rust: kmemleak finds the object" eval 'plant 3 && leaks'
result "memory leak in Rust: kmemleak logs it" output_has_line '.*kmemleak: [0-9]+ new suspected memory leaks.*' log
result "sleep under a spinlock in Rust: module runs" plant 4
result "sleep under a spinlock in Rust: the scheduler reports it" \
	output_has_line '.*BUG: (sleeping function called from invalid context|scheduling while atomic).*' log

ktap_finished
