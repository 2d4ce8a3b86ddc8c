# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# What the test scripts share. They are run where they and the modules are, in the guest.

cd "$(dirname "$0")" || exit 1
. ../kselftest/ktap_helpers.sh
export LC_ALL=C

modreg=/sys/kernel/debug/modreg
test_modreg=/sys/kernel/debug/test_modreg
kmemleak=/sys/kernel/debug/kmemleak
# How the kernel marks modules from elsewhere: unsigned too, where it looks for signatures.
external=O
[[ ! -e /sys/module/module/parameters/sig_enforce ]] || external+=E
mark=

# kmod's own take an emulated processor a second to start.
insmod()
{
	busybox insmod "$@"
}

rmmod()
{
	busybox rmmod "$@"
}

load()
{
	insmod "./$1.ko" "${@:2}"
}

# Like load(), for what is to be refused; the reason goes to the kernel log only. That of busybox would
# try a second time.
refuses()
{
	! command insmod "./$1.ko" "${@:2}" 2> /dev/null
}

loaded()
{
	[[ -e /sys/module/$1 ]]
}

# Unloads everything that a test can have left, for the next one.
unload_all()
{
	local module
	[[ ! -e $test_modreg/release ]] || echo > "$test_modreg/release"
	for module in test_modreg_owner test_modreg_rust test_modreg modreg_sample_{rust,c} modreg; do
		! loaded "$module" || rmmod "$module" || return 1
	done
}
trap unload_all EXIT
# One that was killed for its time has left all.
unload_all

# try COMMAND...: as often as it takes, for 10 seconds at most.
try()
{
	local i
	for ((i = 0; i < 100; i++)); do
		! "$@" || return 0
		sleep 0.1
	done
	return 1
}

# Where log() begins from here on.
log_mark()
{
	mark="${0##*/} $$ $RANDOM$RANDOM"
	echo "$mark" > /dev/kmsg
}

# The kernel log since then, without times.
log()
{
	dmesg --notime | sed "1,/^$mark\$/d"
}

# What modreg said since then.
modreg_log()
{
	log | sed -n 's/^modreg: //p'
}

# says WANT COMMAND...: whether the command prints just that; if not, shows how it differs.
says()
{
	local want=$1
	shift
	diff -u --label wanted --label found <(printf '%s\n' "$want") <("$@" 2>&1) | sed 's/^/# /'
	return "${PIPESTATUS[0]}"
}

# matches REGEX COMMAND...: whether the command prints a line that is the regular expression; if not,
# shows what it does print.
matches()
{
	local regex=$1 output
	shift
	output=$("$@" 2>&1)
	grep -qxE "$regex" <<< "$output" && return 0
	printf '%s\n' "no line is '$regex' in:" "$output" | sed 's/^/# /'
	return 1
}

# Whether the command prints no line that is the regular expression.
lacks()
{
	local regex=$1
	shift
	! "$@" 2>&1 | grep -xE "$regex" | sed 's/^/# unwanted: /' | grep .
}

# resolve QUESTION: writes it to a file and reads the answer from that same open file.
resolve()
{
	local file
	exec {file}<> "$modreg/resolve" || return 1
	printf '%s' "$1" >&"$file" && cat <&"$file"
	local status=$?
	exec {file}>&-
	return "$status"
}

plugins()
{
	cat "$modreg/plugins"
}

kallsyms()
{
	cat "$modreg/kallsyms"
}

empty()
{
	[[ -z $("$@") ]]
}

# Whether kmemleak finds what this process has lost, or one that came after it, and shows it. It leaves
# alone what is younger than five seconds, or has changed since the last scan; so it looks twice.
leaks()
{
	# What the boot has lost is not the tests'. In a shell that init has forked for them, $$ is init's.
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

# Runs one case of test_modreg; shows what differed.
run_case()
{
	log_mark
	echo "$1" 2> /dev/null > "$test_modreg/run" && return 0
	log | grep '^test_modreg: ' | sed 's/^/# /'
	return 1
}

# The cases of a topic.
cases()
{
	grep "^$1\\." "$test_modreg/cases"
}

# result DESCRIPTION COMMAND...: as ktap_test_result(), but each argument stays one.
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

# Runs the cases of a topic, each of them one result, in between a start and an end that count too.
test_topic()
{
	local name names
	load modreg && load test_modreg || ktap_exit_fail_msg "cannot load the modules"
	mapfile -t names < <(cases "$1")
	ktap_print_header
	ktap_set_plan $((${#names[@]} + 2))
	result "there are cases" test "${#names[@]}" -gt 0
	for name in "${names[@]}"; do
		result "$name" run_case "$name"
	done
	result "nothing is left" eval 'empty plugins && empty kallsyms && unload_all'
	ktap_finished
}
