#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What debuggers read, include/modreg_debug.h: read through /proc/kcore, the registry is that of plugins and
# kallsyms.

. "$(dirname "$0")/functions.sh"

# same_symbols: returns 0 if the memory has the symbols that kallsyms has, in the same order
same_symbols()
{
	./modreg_debug.py --symbols > /tmp/symbols || return 1
	echo "# $(wc -l < /tmp/symbols) symbols"
	# The letter's case says whether it is exported, which the memory says elsewhere.
	diff <(awk '{ $2 = tolower($2) } 1' /tmp/symbols) <(kallsyms | awk '{ $2 = tolower($2) } 1') | head -n 10 | sed 's/^/# /'
	return "$((PIPESTATUS[0] != 0))"
}

# states: prints the plugins and their states, as the memory says it
states()
{
	./modreg_debug.py | awk '{ print $1, $2 }'
}

ktap_print_header
[[ -e /proc/kcore ]] || { ktap_skip_all "there is no /proc/kcore"; exit "$KSFT_SKIP"; }
load modreg && load test_modreg || ktap_exit_fail_msg "cannot load the modules"
ktap_set_plan 11

result "empty registry: nothing is listed" output_is "" ./modreg_debug.py
load modreg_sample_c
echo hold.coming > "$test_modreg/run" &
result "plugin in COMING: is there" try grep -q "^test_a .* Loading " "$modreg/plugins"
result "plugin in COMING: its state is listed" output_is "test_a COMING"$'\n'"sample_c LIVE" states
result "plugin in COMING: its symbols, init symbols included, are those of kallsyms" same_symbols
echo > "$test_modreg/release"
wait
echo hold.going > "$test_modreg/run" &
result "plugin in GOING: is there" try grep -q "^test_a .* Unloading " "$modreg/plugins"
result "plugin in GOING: its state is listed" output_is "test_a GOING"$'\n'"sample_c LIVE" states
echo > "$test_modreg/release"
wait
echo hold.large > "$test_modreg/run" &
result "plugin with many symbols: they are those of kallsyms" \
	eval 'try grep -q "^test_a .* Live " "$modreg/plugins" && same_symbols'
echo > "$test_modreg/release"
wait
load modreg_mirror
result "plugins of all modules: their symbols are those of kallsyms" same_symbols
at=0x$(kallsyms | awk '$3 == "sample_c_add" { print $1 }')
result "an address in a plugin: its symbol is found" output_has_line "$at sample_c_add\+0x0/0x[0-9a-f]+ \[sample_c\]" ./modreg_debug.py "$at"
rmmod modreg_mirror
result "modules unload" unload_all
result "without modreg: says so" output_is "modreg_debug.py: modreg is not loaded, or addresses are hidden" ./modreg_debug.py

ktap_finished
