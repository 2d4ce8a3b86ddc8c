#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Every answer of modreg about the kernel's own modules equals the kernel's answer, the kernel's own
# tests of such answers pass with modreg in the place of kallsyms, and answers are right while
# modules come and go. The short form, with the modules that the guest has loaded, kvm and some
# small ones; conformance_full.sh is the full one.
#
# boot: --memory 2G

. "$(dirname "$0")/functions.sh"

# Which modules are there before the mirror is, and which are loaded before its eyes.
before=${before-kvm}
after=${after-bch ts_bm nls_utf8 crc8}
churners=(lru_cache notifier_error_inject ts_kmp)
# Kernels that were built for these tests have a few of the smallest.
if ! modinfo kvm > /dev/null 2>&1; then
	before=nls_cp437
	after=nls_ascii
	churners=(nls_utf8 nls_koi8_r)
fi
# Each how-manyth symbol is asked about.
every=${every-4}
random=${random-4000}
loads=${loads-240}

tab=$'\t'
mirror=/sys/kernel/debug/modreg_mirror

# Without what is listed there but is no module's own: BPF's programs and ftrace's trampolines have
# no module, or one that is not loaded.
proc_kallsyms()
{
	local modules
	modules=$(cut -d ' ' -f 1 /proc/modules | paste -s -d '|')
	grep -E "$tab\[($modules)\]$" /proc/kallsyms
}

# Without references and users: /proc/modules counts those of the module, plugins those of the plugin.
columns()
{
	awk '{ print $1, $2, $5, $6, $7 }' "$1"
}

same_lines()
{
	diff <($1) <($2) | head -n 10 | sed 's/^/# /'
	return "${PIPESTATUS[0]}"
}

# What a test module has logged, where it fails.
run_module()
{
	load "$1" || return 1
	log_mark
	local status=0
	echo 1 2> /dev/null > "/sys/module/$1/parameters/run" || status=1
	log | grep -E "selftest|longest" | sed 's/^/# /'
	rmmod "$1" && return "$status"
}

# The stress of the kernel's find_symbol(), by the script in the kernel's source as it stands. It
# wants modprobe to know the modules, and perf only to measure.
find_symbol()
{
	local dir=/tmp/find_symbol modprobe
	mkdir -p "$dir"/{bin,lib/modules/"$(uname -r)"}
	cp test_kallsyms_[a-d].ko "$dir/lib/modules/$(uname -r)"
	depmod --basedir "$dir" 2> /dev/null
	printf '#!/bin/sh\nexec modprobe -d %s "$@"\n' "$dir" > "$dir/bin/test_modprobe"
	# shellcheck disable=SC2016 # that script's own
	printf '#!/bin/sh\nshift\nwhile [ "$1" = -e ]; do shift 2; done\nexec "$@"\n' > "$dir/bin/perf"
	chmod +x "$dir"/bin/*
	modprobe=$(< /proc/sys/kernel/modprobe)
	echo "$dir/bin/test_modprobe" > /proc/sys/kernel/modprobe
	PATH=$dir/bin:$PATH bash ../kselftest/find_symbol.sh 2>&1 | sed 's/^/# /'
	local status=${PIPESTATUS[0]}
	echo "$modprobe" > /proc/sys/kernel/modprobe
	return "$status"
}

exports()
{
	echo "# $(grep -c "$tab\[test_kallsyms_" /proc/kallsyms) symbols of generated modules"
	echo exports > "$mirror/ask" && same_lines proc_kallsyms kallsyms
}

# churn NAME TIMES: loads and unloads a module of the distribution in a loop, without a process for
# each, and without its BTF, which takes the kernel four fifths of the time.
churn()
{
	xz -dcf "$(modinfo -n "$1")" > "/tmp/$1.ko" && objcopy --remove-section .BTF "/tmp/$1.ko" &&
	taskset -c 0 python3 - "$@" <<- 'END'
		import ctypes, os, sys

		name, times = sys.argv[1], int(sys.argv[2])
		libc = ctypes.CDLL(None, use_errno=True)
		finit_module, delete_module = 313, 176

		def call(*args):
		    if libc.syscall(*args) < 0:
		        sys.exit(f"{name}: {os.strerror(ctypes.get_errno())}")

		file = os.open(f"/tmp/{name}.ko", os.O_RDONLY)
		for _ in range(times):
		    call(finit_module, file, b"", 0)
		    call(delete_module, name.encode(), os.O_NONBLOCK)
	END
}

churn_all()
{
	local module pids=() status=0
	# The console is slow: what is no warning need not be on it.
	echo N > /sys/module/printk/parameters/ignore_loglevel
	dmesg --console-level warn
	echo "${churners[*]}" > "$mirror/churn" || return 1
	for module in "${churners[@]}"; do
		churn "$module" $(((loads + ${#churners[@]} - 1) / ${#churners[@]})) &
		pids+=($!)
	done
	for module in "${pids[@]}"; do
		wait "$module" || status=1
	done
	echo > "$mirror/churn"
	echo Y > /sys/module/printk/parameters/ignore_loglevel
	return "$status"
}

have()
{
	local module status=0
	for module in "$@"; do
		grep -q "^$module " "$modreg/plugins" || { echo "# $module is not there"; status=1; }
	done
	return "$status"
}

trap - EXIT
load modreg || ktap_exit_fail_msg "cannot load modreg"
# shellcheck disable=SC2086 # words
modprobe -a $before
load modreg_mirror "every=$every" "random=$random" || ktap_exit_fail_msg "cannot load the mirror"
# shellcheck disable=SC2086 # words
modprobe -a $after

ktap_print_header
echo "# $(wc -l < /proc/modules) modules, $(proc_kallsyms | wc -l) symbols; one in $every is asked about"
mapfile -t kinds < <(sed -n '2,/^all /{/^all /!p}' "$mirror/table" | sed 's/  .*//')
ktap_set_plan $((${#kinds[@]} + 12))

# shellcheck disable=SC2086 # words
result "the modules are registered" have $before $after
result "kallsyms is the modules' part of /proc/kallsyms" same_lines proc_kallsyms kallsyms
result "plugins is /proc/modules" same_lines "columns /proc/modules" "columns $modreg/plugins"
result "the questions are asked" eval 'echo all > $mirror/ask'
result "the kernel's kallsyms_selftest" run_module modreg_kallsyms_selftest
result "the kernel's longest symbol" run_module modreg_longest_symbol
result "the kernel's stress of find_symbol" find_symbol
result "and each export asked for" exports
result "its modules unload" rmmod test_kallsyms_{b,a,c,d}
result "$loads loads and unloads" churn_all
result "the files are the same still" eval 'same_lines proc_kallsyms kallsyms &&
	same_lines "columns /proc/modules" "columns $modreg/plugins"'

table=$(< "$mirror/table")
printf '# %s\n' "${table//$'\n'/$'\n# '}"
for kind in "${kinds[@]}"; do
	read -r asked equal different < <(grep "^$kind  " <<< "$table" | grep -oE '[0-9]+ +[0-9]+ +[0-9]+$')
	if [[ $kind = exception* && $asked = 0 ]] && ! compgen -G '/sys/module/*/sections/__ex_table' > /dev/null; then
		ktap_test_skip "$kind: no module has any"
		continue
	fi
	result "$kind: $asked asked, $equal equal" test "$asked" -gt 0 -a "$different" -eq 0
done
result "nothing is left" eval 'rmmod modreg_mirror && empty plugins && empty kallsyms && rmmod modreg'

ktap_finished
