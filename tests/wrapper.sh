#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The Rust wrapper, include/modreg/. The cases are in modules/test_modreg_rust.rs.
#
# on: first umkasan

. "$(dirname "$0")/functions.sh"

dir=/sys/kernel/debug/test_modreg_rust

# run_rust_case NAME: runs one case of test_modreg_rust; shows what it logs if it fails
run_rust_case()
{
	log_mark
	echo 1 2> /dev/null > "$dir/$1" && return 0
	log | grep '^test_modreg_rust: ' | sed 's/^/# /'
	return 1
}

load modreg && load test_modreg_rust || ktap_exit_fail_msg "cannot load the modules"
ktap_print_header
ktap_set_plan 6

result "dropped registration: plugin is removed, data is freed" run_rust_case dropped
result "refused registration: no plugin is left, data is freed" run_rust_case refused
result "refused unregistration: registration stays usable" run_rust_case busy
result "drop of a referenced plugin: waits for the last reference" run_rust_case waits
result "drop of a referenced plugin: the log says that it waits" output_has_line "test_modreg_rust: waiting for the last reference to a plugin" log
result "registry is empty, modules unload" eval 'empty plugins && empty kallsyms && unload_all'

ktap_finished
