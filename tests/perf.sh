#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# modreg-perf, with the distribution's perf: names, shares and callers of run-time code, after its plugins
# have gone, without and with modreg_kallsyms.
#
# limit: 900

. "$(dirname "$0")/functions.sh"

data=/tmp/perf.data
errors=/tmp/perf.errors
jit=modreg_sample_jit

# record COMMAND: records the whole machine while the command runs
record()
{
	./modreg-perf record -o "$data" -F 250 -e cpu-clock -a -g -- bash -c "$1" 2>&1 | sed 's/^/# /'
	return "${PIPESTATUS[0]}"
}

# busy [PARAMETER...]: the command that makes a thread busy in run-time code
#
# The module stays, for perf names its functions when it reports. The thread bears its parent's name in a
# profile, kthreadd: the kernel tells perf of no other.
busy()
{
	echo "busybox insmod ./modreg_busy.ko $*"
}

# shares: prints '12.34 symbol' for each symbol with its share of the thread's samples, the largest first
shares()
{
	./modreg-perf report -i "$data" --stdio --no-children --comms kthreadd -g none --percentage relative \
		--sort symbol -F overhead,symbol 2>> "$errors" | sed -nE 's/^ +([0-9.]+)% +\[[k.]\] +([^ ].*[^ ]) *$/\1 \2/p'
}

# share_of SYMBOL: prints the share in whole percent
share_of()
{
	shares | awk -v name="$1" '$2 == name { share = $1 } END { print int(share) }'
}

# chains SYMBOL: prints the call chains of the samples in the symbol, a line each
chains()
{
	./modreg-perf script -i "$data" --comms kthreadd -F ip,sym 2>> "$errors" |
		awk -v name="$1" 'BEGIN { RS = "" } $2 == name { line = ""; for (i = 2; i <= NF; i += 2) line = line " " $i; print substr(line, 2) }'
}

# times SYMBOL: prints the first and the last time of a sample in the symbol, and an address of it
times()
{
	./modreg-perf script -i "$data" --comms kthreadd -G -F time,ip,sym 2>> "$errors" | tr -d : |
		awk -v name="$1" '$3 == name { last = $1; if (!first) first = $1; page = substr($2, 1, length($2) - 3) } END { print first + 0, last + 0, page }'
}

# told_apart: returns 0 if all samples of the first plugin are earlier than those of the second, in one page
told_apart()
{
	local first second
	read -r -a first < <(times first_load)
	read -r -a second < <(times second_load)
	echo "# first_load ${first[*]}, second_load ${second[*]}"
	[[ ${first[2]} = "${second[2]}" ]] && awk "BEGIN { exit !(0 < ${first[0]} && ${first[1]} < ${second[0]}) }"
}

ktap_print_header
command -v perf > /dev/null || { ktap_skip_all "there is no perf"; exit "$KSFT_SKIP"; }
[[ -e modreg_busy.ko ]] || { ktap_skip_all "there is no code for this architecture"; exit "$KSFT_SKIP"; }
load modreg || ktap_exit_fail_msg "cannot load modreg"
ktap_set_plan 13

result "two plugins one after another, without modreg_kallsyms: modreg-perf records" record "$(busy ms=1500)"
shares | head -n 8 | sed 's/^/# /'
sed 's/^/# /' "$errors" | head -n 10
result "the first plugin, gone before the report: its function has a share" test "$(share_of first_load)" -ge 5
result "the second plugin: its function has a share" test "$(share_of second_load)" -ge 5
result "two plugins at the same address: perf tells them apart by time" told_apart
rmmod modreg_busy

load modreg_kallsyms || ktap_exit_fail_msg "cannot load modreg_kallsyms"
load $jit
result "the run-time sample, with modreg_kallsyms: modreg-perf records" record "$(busy sample=1 ms=3000)"
result "the run-time sample goes before the report" rmmod $jit
shares | head -n 8 | sed 's/^/# /'
result "its function has a share" test "$(share_of sample_jit_load)" -ge 5
callers='busy_for(\.[a-z0-9.]*)? busy kthread ret_from_fork ret_from_fork_asm'
chains sample_jit_call | sort | uniq -c | sort -rn | head -n 3 | sed 's/^/# /'
result "a function of it: its callers, up to ret_from_fork, are in the call chain" output_has_line \
	"sample_jit_call $callers" chains sample_jit_call
result "a function that it calls: the call chain goes through it" output_has_line \
	"busy_step sample_jit_call $callers" chains busy_step
result "modreg-perf script is perf's own" output_has_line '.* sample_jit_load\+0x[0-9a-f]+' \
	./modreg-perf script -i "$data" --comms kthreadd -F ip,sym,symoff
# Of memory that perf has a map of it prints the offset there, of any other the address.
result "no sample of the thread outside of modules is without a name" output_lacks '[0-9.]+ (\[unknown\]|0xffff[0-9a-f]{12}).*' shares
rmmod modreg_busy
result "record without modreg: says that there are no tracepoints" eval \
	'unload_all && output_has_line "modreg-perf: no tracepoints, is modreg loaded?.*" ./modreg-perf record -o "$data" true'
result "modules unload" unload_all

ktap_finished
