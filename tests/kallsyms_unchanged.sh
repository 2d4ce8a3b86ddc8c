#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The kernel's own answers do not change: about vmlinux and about modules it says the same, to the last
# byte, before modreg_kallsyms is loaded, with its hooks in, with a plugin that is made at run time, and
# with the hooks taken out. Once with samples whose code lies inside modules, once with all modules
# registered with modreg. The short form: a few modules, one symbol in so many. kallsyms_unchanged_full.sh
# is the full form.

. "$(dirname "$0")/functions.sh"

modules=${modules-kvm bch ts_bm nls_utf8 crc8}
every=${every-256}

tab=$'\t'
mirror=/sys/kernel/debug/modreg_mirror
before=$(mktemp -d)

# answers: prints how many answers the kernel gives to each kind of question, and a hash of them
#
# What comes behind the modules is counted in the last line, which is left in last.
answers()
{
	tee "$before/last" < "$mirror/answers" | sed '$d'
}

# listing: prints /proc/kallsyms without what is there because modreg_kallsyms or the sample is
listing()
{
	grep -vE "$tab\[(modreg_kallsyms|modreg_sample_jit|sample_jit|__builtin__ftrace)\]\$" /proc/kallsyms
}

# is_unchanged COMMAND: returns 0 if the command prints what it printed before, to the last byte
is_unchanged()
{
	"$1" | cmp "$before/$1" - 2>&1 | sed 's/^/# /'
	[[ ${PIPESTATUS[*]} = '0 0 0' && -s $before/$1 ]]
}

# check STATE: reports 2 results
check()
{
	result "$plugins, $1: answers are the same" is_unchanged answers
	result "$plugins, $1: the rest of /proc/kallsyms is the same" is_unchanged listing
}

# check_all PLUGINS: reports 10 results
#	PLUGINS - which the mirror has registered
check_all()
{
	plugins=$1
	answers > "$before/answers"
	listing > "$before/listing"
	sed "s/^/# $plugins: /" "$before/answers"
	result "$plugins: modreg_kallsyms loads" load modreg_kallsyms
	check "hooks in"
	result "$plugins: sample loads" load modreg_sample_jit
	check "hooks in, sample"
	result "$plugins, hooks in: n-th symbols behind the modules are the sample's" \
		output_has_line '.*behind.* 3 [0-9a-f]+' cat "$before/last"
	result "$plugins: hooks go" eval 'rmmod modreg_sample_jit && enable_kallsyms 0'
	check "hooks out"
	rmmod modreg_kallsyms
}

skip_without modreg_kallsyms modreg_sample_jit modreg_mirror
ktap_print_header
ktap_set_plan 23
# shellcheck disable=SC2086 # words
result "modules load" eval 'modprobe -a $modules && load modreg'
result "samples and the mirror load" \
	eval 'load modreg_sample_c && load modreg_sample_rust && load modreg_mirror "every=$every" register_all=0'
check_all "plugins in modules"
rmmod modreg_mirror
rmmod modreg_sample_c
rmmod modreg_sample_rust
load modreg_mirror "every=$every"
check_all "all modules"
result "mirror, samples and modreg unload" eval 'rmmod modreg_mirror && empty plugins && unload_all'
# Some use others.
# shellcheck disable=SC2086 # words
modprobe -rqa $modules

ktap_finished
