# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Helpers for the test scripts. The scripts run in the guest, in the folder that also has the modules.

cd "$(dirname "$0")" || exit 1
. ../kselftest/ktap_helpers.sh
export LC_ALL=C

modreg=/sys/kernel/debug/modreg
test_modreg=/sys/kernel/debug/test_modreg
tracing=/sys/kernel/tracing
livepatch=/sys/kernel/livepatch/modreg_livepatch
enabled=/sys/module/modreg_kallsyms/parameters/enabled
kmemleak=/sys/kernel/debug/kmemleak
# The kernel's taint letters for an out-of-tree module; unsigned too, if the kernel checks signatures.
external=O
[[ ! -e /sys/module/module/parameters/sig_enforce ]] || external+=E
mark=

# insmod FILE [PARAMETER...], rmmod MODULE
#
# Busybox' programs: kmod's take an emulated processor a second to start.
insmod()
{
	busybox insmod "$@"
}

rmmod()
{
	busybox rmmod "$@"
}

# load MODULE [PARAMETER...]
#	MODULE - without folder and .ko
load()
{
	insmod "./$1.ko" "${@:2}"
}

# skip_without MODULE...: ends the script as skipped unless each of the modules was built
skip_without()
{
	local module
	for module; do
		[[ ! -e $module.ko ]] || continue
		ktap_print_header
		ktap_skip_all "there is no $module for this kernel"
		exit "$KSFT_SKIP"
	done
}

# load_fails MODULE [PARAMETER...]: returns 0 if the kernel refuses the module
#
# The reason is in the kernel log only. Busybox' insmod would try a second time, so this one is kmod's.
load_fails()
{
	! command insmod "./$1.ko" "${@:2}" 2> /dev/null
}

# loaded MODULE: returns 0 if it is loaded
loaded()
{
	[[ -e /sys/module/$1 ]]
}

# try COMMAND...: repeats the command until it succeeds, for 30 seconds at most
try()
{
	local i
	for ((i = 0; i < 300; i++)); do
		! "$@" || return 0
		sleep 0.1
	done
	return 1
}

# remove_livepatch: returns 0 if modreg_livepatch is unloaded; first switches it off
remove_livepatch()
{
	[[ ! -e $livepatch ]] || echo 0 > "$livepatch/enabled"
	try test ! -e "$livepatch" && rmmod modreg_livepatch
}

# unload_all: unloads every module that a test can have left, and ends a tracer
unload_all()
{
	local module
	# Lockdown refuses it.
	[[ ! -e $tracing/current_tracer ]] || echo nop 2> /dev/null > "$tracing/current_tracer"
	! loaded modreg_livepatch || remove_livepatch || return 1
	[[ ! -e $test_modreg/release ]] || echo > "$test_modreg/release"
	for module in modreg_company modreg_examples test_modreg_owner test_modreg_odd test_modreg_rust test_modreg \
		modreg_sample_{jit,rust,c}; do
		! loaded "$module" || rmmod "$module" || return 1
	done
	# The switch alone lets the hooks go.
	! loaded modreg_kallsyms || { enable_kallsyms 0 && rmmod modreg_kallsyms; } || return 1
	! loaded modreg || rmmod modreg
}

# enable_kallsyms 0|1: throws the switch of modreg_kallsyms
enable_kallsyms()
{
	echo "$1" 2> /dev/null > "$enabled"
}
trap unload_all EXIT
# A script that was killed at its time limit leaves its modules loaded.
unload_all

# log_mark: log and modreg_log begin here from now on
log_mark()
{
	mark="${0##*/} $$ $RANDOM$RANDOM"
	echo "$mark" > /dev/kmsg
}

# log: prints the kernel log since the last log_mark, without times
log()
{
	dmesg --notime | sed "1,/^$mark\$/d"
}

# modreg_log: prints modreg's lines since the last log_mark, without 'modreg: '
modreg_log()
{
	log | sed -n 's/^modreg: //p'
}

# output_is TEXT COMMAND...: returns 0 if the command prints exactly the text; shows the difference
output_is()
{
	local want=$1
	shift
	diff -u --label wanted --label found <(printf '%s\n' "$want") <("$@" 2>&1) | sed 's/^/# /'
	return "${PIPESTATUS[0]}"
}

# output_has_line REGEX COMMAND...: returns 0 if a whole line that the command prints matches; shows
# the output otherwise
output_has_line()
{
	local regex=$1 output
	shift
	output=$("$@" 2>&1)
	grep -qxE "$regex" <<< "$output" && return 0
	printf '%s\n' "no line is '$regex' in:" "$output" | sed 's/^/# /'
	return 1
}

# output_lacks REGEX COMMAND...: returns 0 if the command succeeds and no whole line that it prints matches; shows
# those that do
output_lacks()
{
	local regex=$1 output
	shift
	output=$("$@" 2>&1) || { printf '%s\n' "it fails:" "$output" | sed 's/^/# /'; return 1; }
	! grep -xE "$regex" <<< "$output" | sed 's/^/# unwanted: /' | grep .
}

# fails_with ERROR COMMAND...: returns 0 if the command fails and prints this error; shows what it prints
# otherwise
fails_with()
{
	local error=$1 output
	shift
	output=$("$@" 2>&1) && { echo "# it does not fail"; return 1; }
	[[ $output = *": $error"* ]] || { printf '%s\n' "$output" | sed 's/^/# /'; return 1; }
}

# resolve QUESTION: writes the question to modreg's file and prints the answer from the same open file
#	QUESTION - 0xADDRESS, SYMBOL or PLUGIN:SYMBOL
resolve()
{
	local file
	exec {file}<> "$modreg/resolve" || return 1
	printf '%s' "$1" >&"$file" && cat <&"$file"
	local status=$?
	exec {file}>&-
	return "$status"
}

# plugins, kallsyms: print modreg's files
plugins()
{
	cat "$modreg/plugins"
}

kallsyms()
{
	cat "$modreg/kallsyms"
}

# empty COMMAND...: returns 0 if the command succeeds and prints nothing
empty()
{
	local output
	output=$("$@") && [[ -z $output ]]
}

# leaks: returns 0 if kmemleak finds memory that this process or a later one has lost, and shows it
#
# kmemleak does not report objects that are younger than five seconds or have changed since its last
# scan, so it scans twice.
leaks()
{
	# Leaks of the boot are not the tests'. In a shell that init has forked, $$ is init's.
	local first=$BASHPID
	sleep 6
	echo scan > "$kmemleak"
	echo scan > "$kmemleak"
	awk -v first="$first" '
		/^unreferenced object/ { head = "# " $0; next }
		/^  comm / {
			match($0, /pid [0-9]+/)
			pid = substr($0, RSTART + 4, RLENGTH - 4) + 0
			ours = pid >= first
			if (ours) print head
		}
		ours { print "# " $0 }' "$kmemleak" | grep .
}

# run_case NAME: runs one case of test_modreg; shows what it logs if it fails
run_case()
{
	log_mark
	echo "$1" 2> /dev/null > "$test_modreg/run" && return 0
	log | grep '^test_modreg: ' | sed 's/^/# /'
	return 1
}

# cases TOPIC: prints the names of the topic's cases
cases()
{
	grep "^$1\\." "$test_modreg/cases"
}

# result DESCRIPTION COMMAND...: reports one result
#	DESCRIPTION - object, condition and outcome
#
# Unlike ktap_test_result(), it keeps the command's arguments apart.
result()
{
	local description=$1
	shift
	if "$@"; then
		ktap_test_pass "$description"
	else
		ktap_test_fail "$description"
	fi
}

# run_topic TOPIC MORE: loads the modules and runs each case of the topic as one result
#	MORE - number of results that the script reports after these
run_topic()
{
	local name names
	load modreg && load test_modreg || ktap_exit_fail_msg "cannot load the modules"
	mapfile -t names < <(cases "$1")
	ktap_print_header
	ktap_set_plan $((${#names[@]} + 1 + $2))
	result "test_modreg has cases for $1" test "${#names[@]}" -gt 0
	for name in "${names[@]}"; do
		result "$name" run_case "$name"
	done
}

# test_topic TOPIC: the body of a script that runs each case of the topic as one result
test_topic()
{
	run_topic "$1" 1
	result "registry is empty, modules unload" eval 'empty plugins && empty kallsyms && unload_all'
	ktap_finished
}
