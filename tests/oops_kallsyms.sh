#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# An oops in run-time code, without and with modreg_kallsyms: what the kernel's own report says, and
# what modreg adds to it.
#
# expects: BUG: unable to handle page fault for address: fffffffffffff000
# expects: Oops: Oops: 0000 \[#[0-9]+\]

. "$(dirname "$0")/functions.sh"

jit=modreg_sample_jit
number='0x[0-9a-f]+'
report=

# take_report: waits for the end of the oops and keeps the kernel log since the mark in $report
take_report()
{
	try output_has_line '.* end trace .*' log && report=$(log)
}

# report_has REGEX: returns 0 if a whole line of the report matches
report_has()
{
	output_has_line "$1" printf '%s\n' "$report"
}

# report_lacks REGEX: returns 0 if no whole line of the report matches
report_lacks()
{
	output_lacks "$1" printf '%s\n' "$report"
}

# call_trace: prints the lines of the oops' Call Trace
call_trace()
{
	sed '1,/^RIP: /d' <<< "$report" | sed -n '/^Call Trace:/,/^ <\/TASK>/ p'
}

# frames: prints the functions of the Call Trace, without those marked '?'
frames()
{
	call_trace | sed -n 's/^ *\([a-z_]*\)+0x.*/\1/p' | paste -s -d ' '
}

load modreg || ktap_exit_fail_msg "cannot load the modules"
if ! [[ -e ./$jit.ko ]]; then
	ktap_print_header
	ktap_skip_all "there is no code for this architecture"
	exit "$KSFT_SKIP"
fi
ktap_print_header
ktap_set_plan 13

log_mark
load "$jit"
result "without modreg_kallsyms: the fault kills the thread despite its fixup" take_report
result "without modreg_kallsyms: RIP is a bare number" report_has 'RIP: 0010:0x[0-9a-f]{16}'
result "without modreg_kallsyms: the Call Trace lacks the function" output_lacks '.*\[sample_jit\]' call_trace
result "without modreg_kallsyms: modreg's own line names the function" \
	report_has "modreg: IP: sample_jit_peek\+$number/$number \[sample_jit\]"
rmmod "$jit"

load modreg_kallsyms
log_mark
load "$jit" oops=1
result "with modreg_kallsyms: the thread goes on at the fixup and dies of the next fault" \
	eval 'take_report && report_has "$jit: peek at a bad address: -1"'
result "with modreg_kallsyms: RIP is the function" report_has "RIP: 0010:sample_jit_load\+$number/$number \[sample_jit\]"
result "with modreg_kallsyms: the Call Trace goes from the plugin's code to the thread's beginning" \
	output_is "sample_jit_call run kthread ret_from_fork ret_from_fork_asm" frames
result "with modreg_kallsyms: the Code line shows the instruction" report_has 'Code: .*<48> 8b 07 .*'
result "with modreg_kallsyms: the log lists the plugins" \
	report_has "modreg: Plugins linked in: sample_jit\($external\) .*"
result "with modreg_kallsyms: modreg does not repeat the address" report_lacks "modreg: (IP|stack): .*"

rmmod "$jit"
enable_kallsyms 0
log_mark
load "$jit"
result "switched off: RIP is a bare number again" eval 'take_report && report_has "RIP: 0010:0x[0-9a-f]{16}"'
result "switched off: modreg's own line names the function" \
	report_has "modreg: IP: sample_jit_peek\+$number/$number \[sample_jit\]"
rmmod "$jit"
result "after three oopses: the modules unload" unload_all
ktap_finished
