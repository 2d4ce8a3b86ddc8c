#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Conformance: every answer of modreg about the kernel's own modules equals the kernel's answer; the
# kernel's own tests of such answers pass with modreg in the place of kallsyms; answers are right while
# modules come and go. The short form: the modules that the guest has loaded, kvm and some small ones.
# conformance_full.sh is the full form.
#
# boot: --memory 2G

. "$(dirname "$0")/functions.sh"

# Modules loaded before the mirror, modules loaded after it, and modules that come and go.
before=${before-kvm}
after=${after-reed_solomon ts_bm nls_utf8 libarc4}
churners=(lru_cache notifier_error_inject ts_kmp)
# On arm64 kvm is built in. The debug kernels have only a few of the smallest modules.
if ! modinfo kvm &> /dev/null; then
	before=nfs
fi
if ! modinfo nfs &> /dev/null; then
	before=nls_cp437
	after=nls_ascii
	churners=(nls_utf8 nls_koi8_r)
fi
# One symbol in so many is asked about; so many random addresses; so many loads and unloads.
every=${every-4}
random=${random-4000}
loads=${loads-240}

tab=$'\t'
mirror=/sys/kernel/debug/modreg_mirror

# proc_kallsyms: prints the modules' part of /proc/kallsyms, with bytes escaped as modreg escapes them
#
# BPF's programs and ftrace's trampolines are listed there under names that are no loaded module's. On arm64 the
# compiler's local labels are symbols, with control characters in their names.
proc_kallsyms()
{
	local modules
	modules=$(cut -d ' ' -f 1 /proc/modules | paste -s -d '|')
	grep -aE "$tab\[($modules)\]$" /proc/kallsyms | perl -pe 's/([^\t\n -~])/sprintf "\\x%02x", ord $1/ge'
}

# columns FILE: prints name, size, state and address of each line of /proc/modules or plugins
#
# References and users are left out: one file counts a module's, the other a plugin's.
columns()
{
	awk '{ print $1, $2, $5, $6, $7 }' "$1"
}

# same_lines COMMAND COMMAND: returns 0 if both print the same; shows the first ten differences
same_lines()
{
	diff <($1) <($2) | head -n 10 | sed 's/^/# /'
	return "${PIPESTATUS[0]}"
}

# run_module MODULE: loads a test module, runs it, shows what it logs, unloads it
run_module()
{
	load "$1" || return 1
	log_mark
	local status=0
	echo 1 2> /dev/null > "/sys/module/$1/parameters/run" || status=1
	log | grep -E "selftest|longest" | sed 's/^/# /'
	rmmod "$1" && return "$status"
}

# find_symbol: runs the kernel's own stress test of find_symbol(), the script of its source as it stands
#
# The script loads the modules by modprobe, and uses perf only to measure. On machines other than x86-64 it
# measures without perf, and ends with an error behind the first of its modules.
find_symbol()
{
	local dir=/tmp/find_symbol modprobe
	mkdir -p "$dir"/{bin,lib/modules/"$(uname -r)"}
	cp test_kallsyms_[a-d].ko "$dir/lib/modules/$(uname -r)"
	depmod --basedir "$dir" 2> /dev/null
	printf '#!/bin/sh\nexec modprobe -d %s "$@"\n' "$dir" > "$dir/bin/test_modprobe"
	# shellcheck disable=SC2016 # for the script written here
	printf '#!/bin/sh\nshift\nwhile [ "$1" = -e ]; do shift 2; done\nexec "$@"\n' > "$dir/bin/perf"
	printf '#!/bin/sh\necho x86_64\n' > "$dir/bin/uname"
	command -v which > /dev/null || printf '#!/bin/sh\ncommand -v "$@"\n' > "$dir/bin/which"
	chmod +x "$dir"/bin/*
	modprobe=$(< /proc/sys/kernel/modprobe)
	echo "$dir/bin/test_modprobe" > /proc/sys/kernel/modprobe
	PATH=$dir/bin:$PATH bash ../kselftest/find_symbol.sh 2>&1 | sed 's/^/# /'
	local status=${PIPESTATUS[0]}
	echo "$modprobe" > /proc/sys/kernel/modprobe
	return "$status"
}

# exports: asks about each export of the generated modules
exports()
{
	echo "# $(grep -c "$tab\[test_kallsyms_" /proc/kallsyms) symbols of generated modules"
	echo exports > "$mirror/ask" && same_lines proc_kallsyms kallsyms
}

# churn MODULE TIMES: loads and unloads a module of the distribution
#
# One process does it all, and the module's BTF is removed, which takes four fifths of a load.
churn()
{
	xz -dcf "$(modinfo -n "$1")" > "/tmp/$1.ko" && objcopy --remove-section .BTF "/tmp/$1.ko" &&
	taskset -c 0 python3 - "$@" <<- 'END'
		import ctypes, os, sys

		name, times = sys.argv[1], int(sys.argv[2])
		libc = ctypes.CDLL(None, use_errno=True)
		finit_module, delete_module = (273, 106) if os.uname().machine == "aarch64" else (313, 176)

		def call(*args):
		    if libc.syscall(*args) < 0:
		        sys.exit(f"{name}: {os.strerror(ctypes.get_errno())}")

		file = os.open(f"/tmp/{name}.ko", os.O_RDONLY)
		for _ in range(times):
		    call(finit_module, file, b"", 0)
		    call(delete_module, name.encode(), os.O_NONBLOCK)
	END
}

# churn_all: loads and unloads all churners at once, while the mirror asks both sides
churn_all()
{
	local module pids=() status=0
	# The console is slow.
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

# have MODULE...: returns 0 if each module is registered as a plugin
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
result "loaded modules: each is registered" have $before $after
result "kallsyms equals the modules' part of /proc/kallsyms" same_lines proc_kallsyms kallsyms
result "plugins equals /proc/modules" same_lines "columns /proc/modules" "columns $modreg/plugins"
result "the mirror asks its questions" eval 'echo all > $mirror/ask'
result "the kernel's kallsyms_selftest on modreg passes" run_module modreg_kallsyms_selftest
if grep -qsx CONFIG_CFI=y "$KDIR/.config"; then
	ktap_test_skip "the kernel's longest symbol: it has no room for the prefix of kCFI"
else
	result "the kernel's longest_symbol test on modreg passes" run_module modreg_longest_symbol
fi
result "the kernel's stress test of find_symbol passes" find_symbol
result "exports of the generated modules: modreg finds each" exports
result "generated modules unload" rmmod test_kallsyms_{b,a,c,d}
result "$loads loads and unloads while both sides are asked" churn_all
result "after $loads loads and unloads: kallsyms and plugins equal the kernel's" eval 'same_lines proc_kallsyms kallsyms &&
	same_lines "columns /proc/modules" "columns $modreg/plugins"'

table=$(< "$mirror/table")
printf '# %s\n' "${table//$'\n'/$'\n# '}"
for kind in "${kinds[@]}"; do
	read -r asked equal different < <(grep "^$kind  " <<< "$table" | grep -oE '[0-9]+ +[0-9]+ +[0-9]+$')
	# Link-time optimisation leaves one name for one address.
	if [[ $kind = *alias && $asked = 0 ]] && grep -qsx CONFIG_LTO=y "$KDIR/.config"; then
		ktap_test_skip "$kind: no module has one"
		continue
	fi
	result "$kind: $asked asked, $equal equal" test "$asked" -gt 0 -a "$different" -eq 0
done
result "registry is empty, modules unload" eval 'rmmod modreg_mirror && empty plugins && empty kallsyms && rmmod modreg'

ktap_finished
