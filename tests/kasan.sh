#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The debug kernel's checkers see Rust: each fault that is planted in a Rust module is reported.
# Without that it would mean nothing that they say nothing of modreg.
#
# on: umkasan
# expects: BUG: KASAN: slab-use-after-free in .*use_after_free
# expects: BUG: (sleeping function called from invalid context|scheduling while atomic)

. "$(dirname "$0")/functions.sh"

ktap_print_header
grep -q ' kasan_report$' /proc/kallsyms && [[ -e $kmemleak ]] ||
	{ ktap_skip_all "this kernel has no KASAN or no kmemleak"; exit 4; }
ktap_set_plan 6

plant()
{
	log_mark
	load modreg_planted "fault=$1" && rmmod modreg_planted
}

result "use after free" plant 2
result "KASAN reports it" output_has_line '.*BUG: KASAN: slab-use-after-free in .*use_after_free.*' log
result "memory leak" eval 'plant 3 && leaks'
result "kmemleak reports it" output_has_line '.*kmemleak: [0-9]+ new suspected memory leaks.*' log
result "sleeping under a spinlock" plant 4
result "the scheduler reports it" \
	output_has_line '.*BUG: (sleeping function called from invalid context|scheduling while atomic).*' log

ktap_finished
