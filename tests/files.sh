#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The files in debugfs: who may open them, who sees addresses, and that they hold while plugins come
# and go.
#
# on: first umkasan

. "$(dirname "$0")/functions.sh"

tab=$'\t'
zero=0000000000000000
kptr_restrict=/proc/sys/kernel/kptr_restrict
paranoid=/proc/sys/kernel/perf_event_paranoid
before="$(< $kptr_restrict) $(< $paranoid)"

# sysctls KPTR_RESTRICT PERF_EVENT_PARANOID
sysctls()
{
	echo "$1" > $kptr_restrict && echo "$2" > $paranoid
}

restore()
{
	# shellcheck disable=SC2086 # two words
	sysctls $before
	chmod 700 /sys/kernel/debug
	unload_all
}
trap restore EXIT

# unprivileged COMMAND: as root still, but without CAP_SYSLOG.
unprivileged()
{
	setpriv --bounding-set -syslog --inh-caps -syslog bash -c "$1"
}

# shown COMMAND...: whether a file shows addresses, 'shown', 'hidden' or both.
shown()
{
	awk '$1 ~ /^0+$/ { print "hidden"; next } { print "shown" }' | sort -u | paste -s
}

# like_proc RUNNER: whether who runs RUNNER sees addresses in kallsyms just where /proc/kallsyms
# shows them.
like_proc()
{
	local proc ours
	# All of it takes long.
	proc=$($1 "grep -m 9 ' [tT] ' /proc/kallsyms" | shown)
	ours=$($1 "cat $modreg/kallsyms" | shown)
	echo "# /proc/kallsyms: $proc, kallsyms: $ours"
	[[ -n $proc && $proc = "$ours" ]]
}

# Whoever opened the file counts, not who reads it.
opened_by_root()
{
	local file out
	exec {file}< "$modreg/kallsyms"
	out=$(unprivileged "cat <&$file" | shown)
	exec {file}<&-
	[[ $out = shown ]]
}

# opened_by_others FILE: what root reads from a file that was opened without CAP_SYSLOG.
opened_by_others()
{
	python3 - "$1" <<- 'END'
		import os, socket, subprocess, sys

		path, asks = sys.argv[1], "resolve" in sys.argv[1]
		open_it = """
		import os, socket, sys
		path, mode, to = sys.argv[1], *map(int, sys.argv[2:])
		socket.send_fds(socket.socket(fileno=to), [b"."], [os.open(path, mode)])
		"""
		ours, theirs = socket.socketpair()
		subprocess.run(["setpriv", "--bounding-set", "-syslog", "--inh-caps", "-syslog",
		                "python3", "-c", open_it, path, str(os.O_RDWR if asks else os.O_RDONLY),
		                str(theirs.fileno())], pass_fds=[theirs.fileno()], check=True)
		file = socket.recv_fds(ours, 1, 1)[1][0]
		if asks:
		    os.write(file, b"sample_c_add")
		while piece := os.read(file, 65536):
		    sys.stdout.write(piece.decode())
	END
}

# two_questions: the second on one open file is refused.
two_questions()
{
	local file status
	exec {file}<> "$modreg/resolve"
	printf sample_c_add >&"$file" && ! { printf sample_c_peek >&"$file"; } 2> /dev/null
	status=$?
	exec {file}>&-
	return "$status"
}

# refused QUESTION
refused()
{
	! resolve "$1" 2> /dev/null
}

# Reads all files over and over while a sample comes and goes: each line must be whole.
busy_reading()
{
	local i reader
	(
		while [[ ! -e /tmp/stop ]]; do
			cat "$modreg/plugins" "$modreg/kallsyms"
		done
	) > /tmp/lines &
	reader=$!
	for ((i = 0; i < 20; i++)); do
		load modreg_sample_rust && rmmod modreg_sample_rust || break
	done
	: > /tmp/stop
	wait "$reader"
	rm /tmp/stop
	((i == 20)) && [[ -s /tmp/lines ]] &&
		! grep -vE "^([0-9a-f]{16} [A-Za-z] [a-z_]+$tab\[[a-z_]+\]|[a-z_]+ [0-9]+ [0-9]+ - [A-Z][a-z]+ 0x[0-9a-f]{16} \([OE+-]+\))$" /tmp/lines
}

# A plugin with 100,000 symbols, each a byte behind the other: all lines are there, in their order.
large()
{
	local holder
	load test_modreg || return 1
	echo hold.large > "$test_modreg/run" &
	holder=$!
	try grep -q "^test_a .* Live " "$modreg/plugins" &&
		output_is "100000 large_00000 large_99999" eval '
			grep "$tab\[test_a\]$" "$modreg/kallsyms" |
			awk "NR == 1 { first = \$3 } { last = \$3 } END { print NR, first, last }"' &&
		output_is "100000" eval 'grep "$tab\[test_a\]$" "$modreg/kallsyms" | sort -u | wc -l' &&
		output_has_line "0x[0-9a-f]{16} large_54321\+0x0/0x1 \[test_a\]" resolve large_54321 &&
		output_has_line "0x[0-9a-f]{16} large_99999\+0x0/0x[0-9a-f]+ \[test_a\]" resolve test_a:large_99999
	local status=$?
	echo > "$test_modreg/release"
	wait "$holder" && rmmod test_modreg && return "$status"
}

load modreg && load modreg_sample_c || ktap_exit_fail_msg "cannot load the modules"
ktap_print_header
ktap_set_plan 36

for file in plugins kallsyms; do
	result "$file is root's to read" output_is "400 root" stat -c '%a %U' "$modreg/$file"
done
result "resolve is root's to read and write" output_is "600 root" stat -c '%a %U' "$modreg/resolve"
# With the way there open, the files themselves are what keeps others out.
chmod 755 /sys/kernel/debug
for file in plugins kallsyms resolve; do
	result "nobody cannot read $file" \
		eval "! setpriv --reuid 65534 --regid 65534 --clear-groups cat $modreg/$file 2> /dev/null"
done
result "nobody cannot ask" \
	eval "! setpriv --reuid 65534 --regid 65534 --clear-groups bash -c 'echo sample_c_add > $modreg/resolve' 2> /dev/null"

for restrict in 0 1 2; do
	for perf in 1 2; do
		sysctls $restrict $perf
		what="kptr_restrict $restrict, perf_event_paranoid $perf"
		result "$what: root" like_proc "bash -c"
		result "$what: without CAP_SYSLOG" like_proc unprivileged
	done
done
sysctls 2 2
result "hidden: plugins" output_has_line "sample_c [0-9]+ 0 - Live 0x$zero \($external\)" plugins
result "hidden: a name resolves without its address" \
	output_has_line "0x$zero sample_c_add\+0x0/0x[0-9a-f]+ \[sample_c\]" resolve sample_c_add
result "hidden: an address does not resolve" refused "0x$zero"
sysctls 1 2
result "who opened the file counts" opened_by_root
for file in $modreg/kallsyms /proc/kallsyms; do
	result "and not who reads it: $file" \
		output_is hidden eval "opened_by_others $file | grep sample_c_add | shown"
done
result "and not who reads it: plugins" \
	output_has_line "sample_c [0-9]+ 0 - Live 0x$zero .*" opened_by_others "$modreg/plugins"
result "and not who asks" output_has_line "0x$zero sample_c_add.*" opened_by_others "$modreg/resolve"

result "an unknown name" refused no_such_symbol
result "an address in no plugin" refused 0xffffffff00000000
result "not an address" refused 0xnonsense
result "an overlong question" refused "$(printf '%600s' x)"
result "one question for each open file" two_questions
result "blanks around a question" output_has_line "0x.* sample_c_add\+.*" resolve $'  sample_c_add \n'
result "100,000 symbols" large
result "reading while plugins come and go" busy_reading
result "nothing is left" eval 'unload_all && [[ ! -e $modreg ]]'

ktap_finished
