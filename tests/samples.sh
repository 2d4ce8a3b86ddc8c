#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The sample plugins in C and in Rust do what they show.

. "$(dirname "$0")/functions.sh"

# The module's own address of a symbol, as the kernel knows it.
address()
{
	awk -v name="$1" -v module="[modreg_$2]" '$3 == name && $4 == module { print $1 }' /proc/kallsyms
}

# calls FUNCTION POINTER RESULT
calls()
{
	log_mark
	echo "$1 $2" > "$test_modreg/call" && output_has_line "test_modreg: $1: $3" log
}

# checks SAMPLE ARGUMENT: 14 results.
checks()
{
	local sample=$1 argument=$2 name number="0x[0-9a-f]+"
	local add=${1}_add peek=${1}_peek step=${1}_step start=${1}_start
	local tab=$'\t' at

	log_mark
	result "$sample: loads" load "modreg_$sample" "$argument"
	result "$sample: it logged init with its parameter" output_has_line "modreg_$sample: init, step 3" log
	result "$sample: in plugins" output_has_line "$sample [0-9]+ 0 - Live 0x$(address "$add" "$sample") \($external\)" plugins
	result "$sample: exported function in kallsyms" \
		output_has_line "$(address "$add" "$sample") T $add$tab\[$sample\]" kallsyms
	result "$sample: other function in kallsyms" \
		output_has_line "$(address "$peek" "$sample") t $peek$tab\[$sample\]" kallsyms
	result "$sample: data in kallsyms" \
		output_has_line "$(address "$step" "$sample") d $step$tab\[$sample\]" kallsyms
	result "$sample: start-up code is gone from kallsyms" output_lacks ".* $start$tab.*" kallsyms
	at=$(address "$peek" "$sample")
	for name in "$peek" "$sample:$peek" "0x$at"; do
		result "$sample: resolve $([[ $name = 0x* ]] && echo "the address" || echo "$name")" \
			output_has_line "0x$at $peek\+0x0/$number \[$sample\]" resolve "$name"
	done
	# 40 is where the good pointer leads to, and the step is 3.
	result "$sample: its code runs with its parameter" calls "$add" good 43
	result "$sample: its other code too" calls "$peek" good 40
	result "$sample: a fault goes on at its fixup" calls "$peek" bad -1
	result "$sample: cannot be unloaded below modreg" eval '! rmmod modreg 2> /dev/null'
}

# goes SAMPLE: 3 results.
goes()
{
	log_mark
	result "$1: unloads" rmmod "modreg_$1"
	result "$1: it logged exit" output_has_line "modreg_$1: exit" log
	result "$1: gone from the files" eval "output_lacks '$1 .*' plugins && output_lacks '.*\[$1\]' kallsyms"
}

order()
{
	plugins | cut -d ' ' -f 1
}

load modreg && load test_modreg || ktap_exit_fail_msg "cannot load the modules"
ktap_print_header
ktap_set_plan 40

checks sample_c args=step=3
checks sample_rust step=3
result "newest first" output_is "sample_rust"$'\n'"sample_c" order
goes sample_c
goes sample_rust
result "an unknown argument is refused" load_fails modreg_sample_c args=stride=3
result "a bad argument is refused" load_fails modreg_sample_c args=step=three
result "without arguments there is a default" \
	eval 'load modreg_sample_c && calls sample_c_add good 41 && rmmod modreg_sample_c'
result "several times" \
	eval 'for i in 1 2 3; do load modreg_sample_rust && rmmod modreg_sample_rust || break; done; ((i == 3))'
result "nothing is left" eval 'empty plugins && empty kallsyms && unload_all'

ktap_finished
