#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The files in debugfs: their permissions, to whom they show addresses, and their lines while plugins
# come and go.
#
# on: first umkasan

. "$(dirname "$0")/functions.sh"

tab=$'\t'
zero=0000000000000000
kptr_restrict=/proc/sys/kernel/kptr_restrict
paranoid=/proc/sys/kernel/perf_event_paranoid
before="$(< $kptr_restrict) $(< $paranoid)"

# sysctls KPTR_RESTRICT PERF_EVENT_PARANOID: sets both
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

# unprivileged COMMAND: runs the command as root without CAP_SYSLOG
unprivileged()
{
	setpriv --bounding-set -syslog --inh-caps -syslog bash -c "$1"
}

# shown: reads lines that begin with an address; prints 'shown', 'hidden' or both
shown()
{
	awk '$1 ~ /^0+$/ { print "hidden"; next } { print "shown" }' | sort -u | paste -s
}

# same_as_proc RUNNER: returns 0 if kallsyms shows addresses exactly if /proc/kallsyms does
#	RUNNER - runs the command that reads: 'bash -c' or unprivileged
same_as_proc()
{
	local proc ours
	# Reading all of it takes long.
	proc=$($1 "grep -m 9 ' [tT] ' /proc/kallsyms" | shown)
	ours=$($1 "cat $modreg/kallsyms" | shown)
	echo "# /proc/kallsyms: $proc, kallsyms: $ours"
	[[ -n $proc && $proc = "$ours" ]]
}

# opened_by_root: returns 0 if a reader without CAP_SYSLOG sees addresses in a file that root opened
opened_by_root()
{
	local file out
	exec {file}< "$modreg/kallsyms"
	out=$(unprivileged "cat <&$file" | shown)
	exec {file}<&-
	[[ $out = shown ]]
}

# opened_unprivileged FILE: prints what root reads from a file that was opened without CAP_SYSLOG
opened_unprivileged()
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

# in_own_root FILE: prints 'shown' or 'hidden', read below a root directory with other sysctls, without
# CAP_SYSLOG
in_own_root()
{
	setpriv --bounding-set -syslog --inh-caps -syslog python3 - "$1" <<- 'END' | shown
		import os, re, sys, tempfile

		name = sys.argv[1]
		with tempfile.TemporaryDirectory() as root:
		    os.makedirs(root + "/proc/sys/kernel")
		    for sysctl, value in ("kptr_restrict", "0"), ("perf_event_paranoid", "-1"):
		        with open(f"{root}/proc/sys/kernel/{sysctl}", "w") as file:
		            file.write(value + "\n")
		    files = os.open("/sys/kernel/debug/modreg", os.O_RDONLY)
		    if not os.fork():
		        os.chroot(root)
		        file = os.open(name, os.O_RDWR if name == "resolve" else os.O_RDONLY, dir_fd=files)
		        if name == "resolve":
		            os.write(file, b"sample_c_add")
		        text = b""
		        while piece := os.read(file, 65536):
		            text += piece
		        # The line of the sample, its address first.
		        line = re.search(rb".*sample_c.*", text).group(0).decode()
		        print(re.search("(0x)?([0-9a-f]{16})", line).group(2), flush=True)
		        os._exit(0)
		    os.wait()
	END
}

# opened_before: returns 0 if what counts is when the file was opened
opened_before()
{
	local file out
	sysctls 2 2
	exec {file}<> "$modreg/resolve"
	sysctls 0 -1
	printf sample_c_add >&"$file"
	out=$(cat <&"$file" | sed 's/^0x//' | shown)
	exec {file}>&-
	[[ $out = hidden ]]
}

# two_questions: returns 0 if the second question on one open file is refused
two_questions()
{
	local file status
	exec {file}<> "$modreg/resolve"
	printf sample_c_add >&"$file" && ! { printf sample_c_peek >&"$file"; } 2> /dev/null
	status=$?
	exec {file}>&-
	return "$status"
}

# unresolved QUESTION: returns 0 if the question is refused
unresolved()
{
	! resolve "$1" 2> /dev/null
}

# read_under_churn: reads the files while a sample comes and goes; returns 0 if each line is whole
read_under_churn()
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

# large_plugin: returns 0 if kallsyms has the 100,000 symbols of a plugin, a byte apart, in order
large_plugin()
{
	local holder
	load test_modreg || return 1
	echo hold.large > "$test_modreg/run" &
	holder=$!
	try grep -q "^test_a .* Live " "$modreg/plugins" &&
		grep "$tab\[test_a\]$" "$modreg/kallsyms" > /tmp/lines &&
		output_is "100000 large_00000 large_99999" \
			awk 'NR == 1 { first = $3 } { last = $3 } END { print NR, first, last }' /tmp/lines &&
		output_is "100000" eval 'sort -u /tmp/lines | wc -l' &&
		output_has_line "0x[0-9a-f]{16} large_54321\+0x0/0x1 \[test_a\]" resolve large_54321 &&
		output_has_line "0x[0-9a-f]{16} large_99999\+0x0/0x[0-9a-f]+ \[test_a\]" resolve test_a:large_99999
	local status=$?
	echo > "$test_modreg/release"
	wait "$holder" && rmmod test_modreg && return "$status"
}

load modreg && load modreg_sample_c || ktap_exit_fail_msg "cannot load the modules"
ktap_print_header
ktap_set_plan 40

for file in plugins kallsyms; do
	result "$file: mode 400, owned by root" output_is "400 root" stat -c '%a %U' "$modreg/$file"
done
result "resolve: mode 600, owned by root" output_is "600 root" stat -c '%a %U' "$modreg/resolve"
# With the folder open to all, the files' own modes keep other users out.
chmod 755 /sys/kernel/debug
for file in plugins kallsyms resolve; do
	result "$file, ordinary user: does not open" \
		eval "! setpriv --reuid 65534 --regid 65534 --clear-groups cat $modreg/$file 2> /dev/null"
done
result "resolve, ordinary user: cannot be written" \
	eval "! setpriv --reuid 65534 --regid 65534 --clear-groups bash -c 'echo sample_c_add > $modreg/resolve' 2> /dev/null"

for restrict in 0 1 2; do
	for perf in 1 2; do
		sysctls $restrict $perf
		what="kptr_restrict $restrict, perf_event_paranoid $perf"
		result "$what, root: kallsyms shows what /proc/kallsyms shows" same_as_proc "bash -c"
		result "$what, without CAP_SYSLOG: kallsyms shows what /proc/kallsyms shows" same_as_proc unprivileged
	done
done
sysctls 2 2
result "addresses hidden: plugins shows zeros" output_has_line "sample_c [0-9]+ 0 - Live 0x$zero \($external\)" plugins
result "addresses hidden: a name resolves to zeros" \
	output_has_line "0x$zero sample_c_add\+0x0/0x[0-9a-f]+ \[sample_c\]" resolve sample_c_add
result "addresses hidden: an address does not resolve" unresolved "0x$zero"
sysctls 1 2
result "kallsyms opened by root, read without CAP_SYSLOG: addresses are shown" opened_by_root
for file in $modreg/kallsyms /proc/kallsyms; do
	result "$file opened without CAP_SYSLOG, read by root: addresses are hidden" \
		output_is hidden eval "opened_unprivileged $file | grep sample_c_add | shown"
done
result "plugins opened without CAP_SYSLOG, read by root: addresses are hidden" \
	output_has_line "sample_c [0-9]+ 0 - Live 0x$zero .*" opened_unprivileged "$modreg/plugins"
result "resolve opened without CAP_SYSLOG, asked by root: address is hidden" \
	output_has_line "0x$zero sample_c_add.*" opened_unprivileged "$modreg/resolve"

sysctls 2 2
for file in plugins kallsyms resolve; do
	result "$file opened in a root directory with sysctls of one's own: addresses are hidden" \
		output_is hidden in_own_root "$file"
done
result "resolve opened while addresses are hidden, asked while they are not: address is hidden" opened_before
result "resolve, unknown name: refused" unresolved no_such_symbol
result "resolve, address in no plugin: refused" unresolved 0xffffffff00000000
result "resolve, malformed address: refused" unresolved 0xnonsense
result "resolve, overlong question: refused" unresolved "$(printf '%600s' x)"
result "resolve, second question on one open file: refused" two_questions
result "resolve, blanks around a question: answered" output_has_line "0x.* sample_c_add\+.*" resolve $'  sample_c_add \n'
result "plugin with 100,000 symbols: kallsyms has each, in order" large_plugin
result "plugins and kallsyms read while plugins come and go: each line is whole" read_under_churn
result "modules unload, modreg's files are gone" eval 'unload_all && [[ ! -e $modreg ]]'

ktap_finished
