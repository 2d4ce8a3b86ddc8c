#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The Rust wrapper of the C contract, include/modreg.rs.
#
# on: first umkasan

. "$(dirname "$0")/functions.sh"

dir=/sys/kernel/debug/test_modreg_rust

runs()
{
	log_mark
	echo 1 2> /dev/null > "$dir/$1" && return 0
	log | grep '^test_modreg_rust: ' | sed 's/^/# /'
	return 1
}

load modreg && load test_modreg_rust || ktap_exit_fail_msg "cannot load the modules"
ktap_print_header
ktap_set_plan 6

result "a drop unregisters, and frees the data" runs dropped
result "what is refused leaves nothing, the data neither" runs refused
result "who is refused to unregister keeps the registration" runs busy
result "a drop waits for the last reference" runs waits
result "and output_is so" output_has_line "test_modreg_rust: waiting for the last reference to a plugin" log
result "nothing is left" eval 'empty plugins && empty kallsyms && unload_all'

ktap_finished
