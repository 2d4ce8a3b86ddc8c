#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The sample plugins in C and in Rust: each does what it is a sample of.

. "$(dirname "$0")/functions.sh"

# address SYMBOL SAMPLE: prints the address that /proc/kallsyms has for the sample module's symbol
address()
{
	awk -v name="$1" -v module="[modreg_$2]" '$3 == name && $4 == module { print $1 }' /proc/kallsyms
}

# call_returns FUNCTION POINTER VALUE: calls a plugin's function; returns 0 if it returns the value
#	POINTER - good or bad
call_returns()
{
	log_mark
	echo "$1 $2" > "$test_modreg/call" && output_has_line "test_modreg: $1: $3" log
}

# check_loaded SAMPLE ARGUMENT: loads the sample and reports 14 results
check_loaded()
{
	local sample=$1 argument=$2 name number="0x[0-9a-f]+"
	local add=${1}_add peek=${1}_peek step=${1}_step start=${1}_start
	local tab=$'\t' at

	log_mark
	result "$sample: module loads" load "modreg_$sample" "$argument"
	result "$sample: init callback runs after its parameter is set" output_has_line "modreg_$sample: init, step 3" log
	result "$sample: plugins has it with its address" output_has_line "$sample [0-9]+ 0 - Live 0x$(address "$add" "$sample") \($external\)" plugins
	result "$sample: kallsyms has its exported function in upper case" \
		output_has_line "$(address "$add" "$sample") T $add$tab\[$sample\]" kallsyms
	result "$sample: kallsyms has its other function" \
		output_has_line "$(address "$peek" "$sample") t $peek$tab\[$sample\]" kallsyms
	result "$sample: kallsyms has its data" \
		output_has_line "$(address "$step" "$sample") d $step$tab\[$sample\]" kallsyms
	result "$sample: kallsyms lacks its start-up code" output_lacks ".* $start$tab.*" kallsyms
	at=$(address "$peek" "$sample")
	for name in "$peek" "$sample:$peek" "0x$at"; do
		result "$sample: resolve answers to $([[ $name = 0x* ]] && echo "its address" || echo "$name")" \
			output_has_line "0x$at $peek\+0x0/$number \[$sample\]" resolve "$name"
	done
	# The good pointer points to 40, and the step is 3.
	result "$sample: its code runs with its parameter" call_returns "$add" good 43
	result "$sample: its code with an exception entry runs" call_returns "$peek" good 40
	result "$sample: a fault goes on at its fixup" call_returns "$peek" bad -1
	result "$sample: modreg cannot be unloaded while it is loaded" eval '! rmmod modreg 2> /dev/null'
}

# check_unloaded SAMPLE: unloads the sample and reports 3 results
check_unloaded()
{
	log_mark
	result "$1: module unloads" rmmod "modreg_$1"
	result "$1: exit callback runs" output_has_line "modreg_$1: exit" log
	result "$1: plugins and kallsyms lack it" eval "output_lacks '$1 .*' plugins && output_lacks '.*\[$1\]' kallsyms"
}

# names: prints the plugins' names in the order of the file
names()
{
	plugins | cut -d ' ' -f 1
}

load modreg && load test_modreg || ktap_exit_fail_msg "cannot load the modules"
ktap_print_header
ktap_set_plan 40

check_loaded sample_c args=step=3
check_loaded sample_rust step=3
result "two samples: plugins lists the newest first" output_is "sample_rust"$'\n'"sample_c" names
check_unloaded sample_c
check_unloaded sample_rust
result "sample_c, unknown argument: module does not load" load_fails modreg_sample_c args=stride=3
result "sample_c, bad argument: module does not load" load_fails modreg_sample_c args=step=three
result "sample_c, no argument: its code runs with the default" \
	eval 'load modreg_sample_c && call_returns sample_c_add good 41 && rmmod modreg_sample_c'
result "sample_rust: loads and unloads three times" \
	eval 'for i in 1 2 3; do load modreg_sample_rust && rmmod modreg_sample_rust || break; done; ((i == 3))'
result "registry is empty, modules unload" eval 'empty plugins && empty kallsyms && unload_all'

ktap_finished
