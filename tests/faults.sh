#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Every allocation on every path fails once: in the writers, one case for each (modules/test_modreg/
# faults.c); in opening, reading and writing the files; in loading modreg and the samples. The caller
# gets -ENOMEM, and no trace is left. The kernel warns once if an allocation of its module loader fails.
#
# on: umkasan
# expects: WARNING: kernel/trace/trace_events.c:[0-9]+ at event_define_fields

. "$(dirname "$0")/functions.sh"

knobs=/sys/kernel/debug

if [[ ! -e /proc/self/fail-nth || ! -d $knobs/failslab || ! -d $knobs/fail_page_alloc ]]; then
	ktap_print_header
	ktap_skip_all "this kernel has no fault injection"
	exit 4
fi

# Allocations that may wait for memory fail too, and no failure is reported.
for knob in failslab fail_page_alloc; do
	echo N > "$knobs/$knob/ignore-gfp-wait"
	echo 0 > "$knobs/$knob/verbose"
done
echo 0 > $knobs/fail_page_alloc/min-order

# fail_nth FILE [TEXT]: opens the file, writes the text to it and reads it whole, with the n-th allocation
# failing, for each n until there are no more
#
# fail_nth MODULE.ko: loads and unloads the module in the same way, from /tmp, because not every
# filesystem bears failed allocations
fail_nth()
{
	python3 - "$@" <<- 'END'
		import ctypes, errno, os, sys

		libc = ctypes.CDLL(None, use_errno=True)
		finit_module, delete_module = (273, 106) if os.uname().machine == "aarch64" else (313, 176)
		nth = os.open("/proc/thread-self/fail-nth", os.O_RDWR)

		def call(*args):
		    if libc.syscall(*args) < 0:
		        raise OSError(ctypes.get_errno(), "")

		def ask(path, text=""):
		    file = os.open(path, os.O_RDWR if text else os.O_RDONLY)
		    try:
		        if text:
		            os.write(file, text.encode())
		        whole = b""
		        while piece := os.read(file, 4096):
		            whole += piece
		        return whole
		    finally:
		        os.close(file)

		module = sys.argv[1].endswith(".ko")
		if module:
		    name = sys.argv[1][:-3].encode()
		    file = os.open(f"/tmp/{sys.argv[1]}", os.O_RDONLY)
		want = None if module else ask(*sys.argv[1:])
		refused = 0
		for n in range(1, 5000):
		    have, err = want, 0
		    os.pwrite(nth, b"%d" % n, 0)
		    try:
		        if module:
		            call(finit_module, file, b"", 0)
		        else:
		            have = ask(*sys.argv[1:])
		    except OSError as e:
		        err = e.errno
		    left = int(os.pread(nth, 16, 0))
		    os.pwrite(nth, b"0", 0)
		    if err not in (0, errno.ENOMEM) or have != want:
		        sys.exit(f"# allocation {n}: {os.strerror(err)}, {have}")
		    refused += err != 0
		    if module and not err:
		        call(delete_module, name, os.O_NONBLOCK)
		    if left:
		        break
		print(f"# {n - 1} allocations, {refused} of them refused")
		sys.exit(refused == 0)
	END
}

# find_leak: returns 0 if kmemleak finds what a case loses on purpose
find_leak()
{
	run_case broken.leaks && leaks && echo clear > "$kmemleak"
}

load modreg && load test_modreg || ktap_exit_fail_msg "cannot load the modules"
[[ ! -e $kmemleak ]] || echo clear > "$kmemleak"
mapfile -t names < <(cases faults)
ktap_print_header
ktap_set_plan $((${#names[@]} + 14))

result "test_modreg has cases for faults" test "${#names[@]}" -gt 0
for name in "${names[@]}"; do
	result "$name" run_case "$name"
	log | sed -n 's/^test_modreg: \([0-9]* .*\)/# \1/p'
done
for name in broken.forgets broken.confuses; do
	result "$name: the test notices" eval "! run_case $name > /dev/null"
done

cp modreg.ko modreg_sample_{c,rust}.ko /tmp
result "each failed allocation: modreg_sample_c loads or is refused with -ENOMEM" fail_nth modreg_sample_c.ko
result "each failed allocation: modreg_sample_rust loads or is refused with -ENOMEM" fail_nth modreg_sample_rust.ko
load modreg_sample_c
result "each failed allocation: plugins is read whole or fails with -ENOMEM" fail_nth "$modreg/plugins"
result "each failed allocation: kallsyms is read whole or fails with -ENOMEM" fail_nth "$modreg/kallsyms"
result "each failed allocation: resolve answers or fails with -ENOMEM" fail_nth "$modreg/resolve" sample_c_add
result "after failed allocations: the sample's symbol resolves" output_has_line "0x[0-9a-f]+ sample_c_add\+0x0/.*" resolve sample_c_add
result "after failed allocations: modules unload" unload_all
result "each failed allocation: modreg loads or is refused with -ENOMEM" fail_nth modreg.ko
result "modreg is unloaded, its files are gone" eval '! loaded modreg && [[ ! -e $modreg ]]'

if [[ -e $kmemleak ]]; then
	load modreg && load test_modreg
	result "failed allocations: kmemleak finds nothing" eval '! leaks'
	result "broken.leaks: kmemleak finds the object" find_leak
else
	ktap_test_skip "failed allocations: this kernel has no kmemleak"
	ktap_test_skip "broken.leaks: this kernel has no kmemleak"
fi

ktap_finished
