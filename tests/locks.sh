#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Lockdep sees a registration inside cpus_read_lock(), which can deadlock but does not here.
#
# on: kasan
# expects: WARNING: possible recursive locking detected

. "$(dirname "$0")/functions.sh"

load modreg && load test_modreg || ktap_exit_fail_msg "cannot load the modules"
ktap_print_header
ktap_set_plan 3

log_mark
result "registration inside cpus_read_lock(): does not deadlock here" run_case locks.cpus
result "registration inside cpus_read_lock(): lockdep names the lock" \
	output_has_line '.*\(cpu_hotplug_lock\).*' log
result "registry is empty, modules unload" eval 'empty plugins && empty kallsyms && unload_all'

ktap_finished
