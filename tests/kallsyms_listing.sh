#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# /proc/kallsyms and BPF's iterator of kernel symbols, read a few bytes at a time while plugins and modules
# come and go: the reading ends, each line is whole, and plugins alone leave the modules' lines untouched.

. "$(dirname "$0")/functions.sh"

tab=$'\t'
company=/sys/kernel/debug/modreg_company
files=$(mktemp -d)
# A line has more.
bytes=24

# proc: prints the modules' part of /proc/kallsyms, and passes over that of vmlinux
proc()
{
	timeout 60 dd if=/proc/kallsyms bs="$bytes" skip=$((begin / bytes)) status=none | sed 1d
	return "${PIPESTATUS[0]}"
}

# iterator: prints the same from BPF's iterator, which passes on symbols without a name too
iterator()
{
	timeout 60 python3 bpf.py ksym "$bytes" | sed "/ $tab/d"
	return "${PIPESTATUS[0]}"
}

# lines_are_whole FILE...: returns 0 if each line has the form of the listing; shows others
#
# A symbol of a module that is being loaded is of type '?'.
lines_are_whole()
{
	! grep -hvE "^[0-9a-f]{16} [A-Za-z?] [^ $tab]+($tab\[[^] $tab]+\])?\$" "$@" | head -n 5 |
		sed 's/^/# broken: /' | grep .
}

# modules_that_stay FILE: prints their lines
modules_that_stay()
{
	grep -vE "$tab\[(churn|sample_jit|modreg_sample_[a-z]+|__builtin__[a-z]+|bpf)\]\$" "$1"
}

# modules_are_untouched READER: returns 0 if modules have the lines of before in each listing
modules_are_untouched()
{
	local file
	for file in "$files/$1".during.*; do
		diff <(modules_that_stay "$files/$1.before") <(modules_that_stay "$file") > "$files/diff" && continue
		head -n 5 "$files/diff" | sed 's/^/# /'
		return 1
	done
}

# plugin_is_seen READER: returns 0 if a listing has the plugin that comes and goes
plugin_is_seen()
{
	grep -q "$tab\[churn\]\$" "$files/$1".during.*
}

# read_all READER COMMAND...: reads twice, and on until the command succeeds, 20 times at most; returns 0
# if each reading ended
read_all()
{
	local i
	rm -f "$files/$1".during.*
	for ((i = 1; i <= 20; i++)); do
		"$1" > "$files/$1.during.$i" || { echo "# reading $i: status $?"; return 1; }
		((i == 1)) || ! "${@:2}" || break
	done
}

# come_and_go: loads and unloads modules with plugins, of both kinds, until stopped
come_and_go()
{
	while [[ ! -e $files/stop ]]; do
		load modreg_sample_jit && load modreg_sample_c && rmmod modreg_sample_jit && rmmod modreg_sample_c ||
			return 1
		echo >> "$files/loads"
	done
}

# check READER: reports 8 results
check()
{
	local reader=$1 status
	"$reader" > "$files/$reader.before"
	echo 1 > "$company/churn"
	result "$reader, plugins come and go: reading ends" read_all "$reader" plugin_is_seen "$reader"
	echo "# $(cat "$company/churn") plugins"
	result "$reader, plugins come and go: they went" test "$(cat "$company/churn")" -gt 10
	echo 0 > "$company/churn"
	result "$reader, plugins come and go: each line is whole" lines_are_whole "$files/$reader".during.*
	result "$reader, plugins come and go: the plugin is seen" plugin_is_seen "$reader"
	result "$reader, plugins come and go: modules' lines are untouched" modules_are_untouched "$reader"

	rm -f "$files"/{stop,loads}
	come_and_go &
	result "$reader, modules come and go: reading ends" read_all "$reader" true
	touch "$files/stop"
	wait $!
	status=$?
	result "$reader, modules come and go: they went" test "$status" -eq 0 -a -s "$files/loads"
	result "$reader, modules come and go: each line is whole" lines_are_whole "$files/$reader".during.*
}

skip_without modreg_company modreg_sample_jit
load modreg && load modreg_kallsyms && load modreg_company || ktap_exit_fail_msg "cannot load the modules"
begin=$(grep -b -m 1 "$tab\[" /proc/kallsyms | cut -d : -f 1)
ktap_print_header
ktap_set_plan 17
check proc
if [[ -e /sys/kernel/btf/vmlinux ]]; then
	check iterator
else
	for ((i = 0; i < 8; i++)); do
		ktap_test_skip "iterator: the kernel has no BTF"
	done
fi
result "modules unload" eval 'rmmod modreg_company && unload_all'

ktap_finished
