#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The tools for users on made-up input, without a guest: what modreg-perf makes of tracepoints.

# shellcheck source=/dev/null # of the kernel source
. "$KSFT/kselftest/ktap_helpers.sh"

checkout=$(cd "$(dirname "$0")/../.." && pwd -P)

# result DESCRIPTION COMMAND...
result()
{
	local description=$1 output
	shift
	if output=$("$@" 2>&1); then
		ktap_test_pass "$description"
	else
		ktap_test_fail "$description"
		printf '%s\n' "$output" | sed 's/^/# /'
	fi
}

# follows WANTED [BEFORE]: returns 0 if modreg-perf makes WANTED of the events on its input
#	WANTED - for each change a word: TIME+NAME if a symbol comes, TIME-NAME if it goes
#	BEFORE - the names of a plugin's symbols that are there before the events
#
# A line of input has a time, a generation, an event and its word: a symbol's name, 'NAME/init', or a state. The name's
# last digit is the symbol's place.
follows()
{
	python3 -B - "$checkout/tools/modreg-perf" "$@" 3<&0 <<- 'END'
		import importlib.machinery, importlib.util, os, sys

		loader = importlib.machinery.SourceFileLoader("modreg_perf", sys.argv[1])
		perf = importlib.util.module_from_spec(importlib.util.spec_from_loader("modreg_perf", loader))
		loader.exec_module(perf)

		def place(name):
		    return 0xffffffffc0000000 + 16 * int(name[-1])

		lines = ["CPU:0 [EVENTS START]"]
		for line in os.fdopen(3).read().splitlines():
		    time, generation, event, *word = line.split()
		    rest = ""
		    if event == "symbol":
		        name, _, init = word[0].partition("/")
		        flags = 2 if init else 0
		        rest = f" value={place(name):#x} size=0x10 type=t flags={flags:#x} symbol={name}"
		    elif event == "region":
		        rest = f" base={place('0'):#x} size=0x100 flags=0x1"
		    elif event == "register":
		        rest = " regions=1 symbols=1"
		    elif event == "replace":
		        rest = " symbols=1"
		    elif event == "state":
		        rest = f" {word[0]}"
		    lines.append(f"     a thread-77      [001] .....     0.{int(time):06}: plugin_{event}: "
		                 f"jit generation={generation}{rest}")
		before = [("jit", place(name), 16, name) for name in " ".join(sys.argv[3:]).split()]
		events, lost = perf.ksymbols(before, lines)
		assert not lost and all((value, size) == (place(name), 16) for _, value, size, name, _ in events), events
		made = " ".join(f"{time // 1000}{'-' if went else '+'}{name}" for time, _, _, name, went in events)
		print("wanted:", sys.argv[2], "\nmade:  ", made)
		sys.exit(made != sys.argv[2])
	END
}

ktap_print_header
ktap_set_plan 7

registered='10 5 region
11 5 symbol load_1
12 5 symbol call_2
13 5 symbol setup_3/init
20 5 register
21 5 state COMING
30 5 state LIVE'
result "modreg-perf, a plugin comes and goes: so do its symbols, those of init at LIVE" \
	follows '20+load_1 20+call_2 20+setup_3 30-setup_3 60-load_1 60-call_2' <<< "$registered
50 5 state GOING
60 5 unregister"
result "modreg-perf, symbols are replaced: old names go, new ones come, those that stay do neither" \
	follows '20+load_1 20+call_2 20+setup_3 30-setup_3 40-load_1 40+other_1 40+more_4 60-other_1 60-call_2 60-more_4' <<< "$registered
38 5 symbol other_1
38 5 symbol call_2
38 5 symbol more_4
40 5 replace
60 5 unregister"
result "modreg-perf, symbols are replaced twice: each name has its time" \
	follows '20+load_1 20+call_2 20+setup_3 30-setup_3 40-load_1 40-call_2 40+other_1 50-other_1 50+load_1' <<< "$registered
38 5 symbol other_1
40 5 replace
48 5 symbol load_1
50 5 replace"
result "modreg-perf, symbols of a plugin that was there before are replaced: the same" \
	follows '0+load_1 0+call_2 40-load_1 40+other_1 60-other_1 60-call_2' 'load_1 call_2' <<< '38 5 symbol other_1
38 5 symbol call_2
40 5 replace
60 5 unregister'
result "modreg-perf, a plugin that was there before is refused its removal: its symbols stay" \
	follows '0+load_1' 'load_1' <<< '38 5 state GOING
40 5 state LIVE'
result "modreg-perf, a registration is refused, for the name is taken: nothing changes" \
	follows '0+load_1 60-load_1' 'load_1' <<< '38 6 region
39 6 symbol other_1
60 5 unregister'
result "modreg-perf, a symbol has an alias: the first name counts" \
	follows '0+load_1 60-load_1' 'load_1 alias_1' <<< '60 5 unregister'

ktap_finished
