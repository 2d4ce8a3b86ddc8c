#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Torture: writers, and readers in every context (modreg_torture), while processors go off and on, plugin
# modules come and go, the files are read, and a plugin faults now and then. With modreg_kallsyms the
# kernel itself asks too: three quarters of the time about plugins with exception entries, the rest about
# plugins without, while the switch is thrown.
#
# In a run of ten minutes or more 100,000 plugins stand meanwhile, and perf records call chains, and branches
# where the processor can. With a sanitizer 10,000 stand, and perf does not record.
#
# on: kasan kcsan
# minutes: 1
# boot: --cpus 4 --nmi 100
# expects: BUG: unable to handle page fault for address: fffffffffffff544
# expects: Oops: Oops: 0000 \[#[0-9]+\] SMP

. "$(dirname "$0")/functions.sh"

seconds=$((60 * ${MINUTES:-1}))
torture=/sys/module/modreg_torture/parameters
nmi=/dev/ttyS1
nmi_longest=/sys/kernel/debug/x86/nmi_longest_ns
number='0x[0-9a-f]+'
# One file for each activity, with the number of times it was done.
counts=$(mktemp -d)

# again COMMAND: repeats the command until the time is over, and counts
again()
{
	local n=0
	while [[ ! -e $counts/stop ]]; do
		if "$1"; then
			echo $((++n)) > "$counts/$1"
		else
			echo "# $1 failed" | tee -a "$counts/failed"
			sleep 1
		fi
	done
}

# was_done COMMAND: returns 0 if the command was done, and prints how often
was_done()
{
	[[ -s $counts/$1 ]] && echo "# $1: $(< "$counts/$1") times"
}

# hotplug: takes a processor other than the first off and back on
hotplug()
{
	local cpus=(/sys/devices/system/cpu/cpu[1-9]*/online) cpu
	cpu=${cpus[RANDOM % ${#cpus[@]}]}
	echo 0 > "$cpu" || return 1
	sleep 0.$((RANDOM % 10))
	echo 1 > "$cpu" || return 1
	sleep 0.$((RANDOM % 10))
}

# samples: loads and unloads one of the samples
samples()
{
	local languages=(c rust)
	local sample=modreg_sample_${languages[RANDOM % 2]}
	# Readers hold references to its plugin now and then.
	load "$sample" && sleep 0.1 && try eval "rmmod $sample 2> /dev/null"
}

# files: returns 0 if each line of plugins has its form, and each torture symbol names its plugin
files()
{
	! grep -vE '^[A-Za-z_0-9]+ [0-9]+ [0-9]+ - (Loading|Live|Unloading) 0x[0-9a-f]{16}( \([A-Z+-]+\))?$' \
		"$modreg/plugins" | sed 's/^/# plugins: /' | grep . &&
	! awk -F '[ \t]' '$3 ~ /^torture_[0-9a-f]+$/ && length($3) == 19 && $4 != "[" substr($3, 1, 18) "]"' "$modreg/kallsyms" |
		sed 's/^/# kallsyms: /' | grep . &&
	output_has_line "$number torture_fault\+0x0/$number \[torture_oops\]" resolve torture_oops:torture_fault
}

# quiet, loud: keep modreg's lines off the console, which is slow; back to normal
quiet()
{
	echo N > /sys/module/printk/parameters/ignore_loglevel
	dmesg --console-level warn
}

# oops: makes a plugin fault; returns 0 if the instruction is named, by the kernel where it asks modreg
#
# The kernel's report of an oops makes the console loud again.
oops()
{
	log_mark
	echo 1 > "$torture/oops"
	quiet
	if loaded modreg_kallsyms; then
		output_has_line "RIP: [0-9a-f]+:torture_fault\+$number/$number \[modreg_torture\]" eval 'log | grep ^RIP'
	else
		output_has_line "IP: torture_fault\+$number/$number \[torture_oops\]" eval 'modreg_log | grep ^IP'
	fi
}

# refused_switch: returns 0 if the hooks cannot be taken out, since fixups need them
refused_switch()
{
	sleep 0.5
	! enable_kallsyms 0
}

# switch: takes the hooks out and puts them back, and unloads modreg_kallsyms meanwhile now and then
switch()
{
	local switched
	switched=$(< "$torture/switched")
	echo $((switched + 1)) > "$torture/switched"
	enable_kallsyms 0 || return 1
	if ((RANDOM % 4)); then
		enable_kallsyms 1 || return 1
	else
		rmmod modreg_kallsyms && load modreg_kallsyms || return 1
	fi
	echo $((switched + 2)) > "$torture/switched"
	sleep 0.$((RANDOM % 10))
}

# profile: records all processors, and returns 0 if perf can read what it has recorded
#
# perf reads /proc/kallsyms first, for which it needs more than its share beside the readers.
profile()
{
	local data=$counts/perf.data errors=$counts/perf.errors
	until nice -n -20 perf record -q -B -o "$data" -a -g ${branches:+-b} -e "${branches:-cpu-clock}" -F 97 sleep 2 2> "$errors"; do
		# A processor goes off before perf is on it.
		grep -q 'No such device' "$errors" || break
		[[ ! -e $counts/stop ]] || return 0
	done
	[[ $(perf script -i "$data" -F ip 2>> "$errors" | grep -c .) -gt 0 ]] && return
	sed 's/^/# perf: /' "$errors"
	return 1
}

# show_status: prints torture's counts, then waits 10 seconds
show_status()
{
	local i
	sed 's/^/# /' "$torture/status"
	for ((i = 0; i < 10; i++)); do
		[[ -e $counts/stop ]] || sleep 1
	done
}

loud()
{
	echo Y > /sys/module/printk/parameters/ignore_loglevel
}

# allow_long_nmis: keeps the kernel from warning of NMIs that take long on shared processors
allow_long_nmis()
{
	[[ ! -w $nmi_longest ]] || echo 1000000000 > "$nmi_longest"
}

# verdict N: prints the last N lines of modreg_torture in the log
verdict()
{
	dmesg --notime | sed -n 's/^modreg_torture: //p' | tail -n "$1"
}

load modreg && load modreg_torture || ktap_exit_fail_msg "cannot load the modules"
hooks=
if [[ -e ./modreg_kallsyms.ko ]]; then
	load modreg_kallsyms || ktap_exit_fail_msg "cannot load modreg_kallsyms"
	hooks=1
fi
allow_long_nmis
perf=
branches=
if [[ ${MINUTES:-1} -ge 10 ]]; then
	standing=100000
	if [[ -e /sys/kernel/debug/kcsan || -e /sys/kernel/debug/kmemleak ]]; then
		# Registering these, or reading /proc/kallsyms, would take longer than the run.
		standing=10000
	elif command -v perf > /dev/null; then
		perf=profile
		! perf record -q -o /dev/null -b -e cycles true 2> /dev/null || branches=cycles
	fi
	echo $standing > "$torture/standing"
fi
ktap_print_header
ktap_set_plan $((11 + (hooks ? 5 : 0)))

# run SECONDS ACTIVITY...: tortures for that time, with the activities beside
run()
{
	local end=$((SECONDS + $1)) seconds=$1 left what
	shift
	rm -f "$counts/stop"
	quiet
	result "torture begins" eval 'echo 1 > "$torture/run"'
	echo 1 > "$nmi"
	for what in "$@" show_status; do
		again "$what" &
	done
	if [[ " $* " != *' switch '* ]]; then
		# An oops switches lockdep off, so the first comes late.
		sleep $((seconds * 3 / 4))
		while :; do
			oops && echo oops >> "$counts/oops" || echo oops >> "$counts/failed"
			left=$((end - SECONDS))
			# On a busy machine a sleep may last longer than the time that is left.
			((left > 0)) || break
			sleep $((left < seconds / 8 ? left : seconds / 8))
		done
	fi
	left=$((end - SECONDS))
	((left <= 0)) || sleep "$left"
	touch "$counts/stop"
	wait
	echo 0 > "$nmi"
	result "torture ends" eval 'echo 0 > "$torture/run"'
	loud
	verdict 20 | sed 's/^/# /'
	result "torture: the verdict is SUCCESS" output_has_line "end: SUCCESS" verdict 1
}

if [[ $hooks ]]; then
	# While the switch is thrown first, for what comes then switches lockdep off.
	echo N > "$torture/entries"
	run $((seconds / 4)) switch hotplug files $perf
	result "torture: the switch was thrown" was_done switch
	echo Y > "$torture/entries"
	seconds=$((seconds - seconds / 4))
fi
run "$seconds" hotplug samples files ${hooks:+refused_switch} $perf
[[ ! $hooks ]] || result "torture: the switch was refused" was_done refused_switch
result "torture: no owner was refused its own unregistration" \
	eval "! dmesg | grep -E 'modreg: sample_(c|rust): (refused|owner)'"
result "torture: processors went off and on" was_done hotplug
result "torture: modules came and went" was_done samples
result "torture: the files were read" was_done files
if [[ $perf ]]; then
	result "torture: perf recorded ${branches:+branches and }call chains" was_done profile
else
	ktap_test_skip "torture: perf recorded call chains: in a run of ten minutes, without a sanitizer"
fi
result "torture: oopses named the instruction" test -s "$counts/oops"
result "torture: no activity failed" eval '! cat "$counts/failed" 2> /dev/null'
result "registry is empty, modules unload" eval 'empty plugins && rmmod modreg_torture && unload_all'
ktap_finished
