#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Repeated loads and unloads of modreg, the samples and an owner that registers itself leave as much
# memory in use as before. The short form; loads_full.sh loads a thousand times.
#
# The script compares what the allocators count after they were told to give back free memory: objects
# in each slab cache, areas of vmalloc(), kB of per-CPU memory. The rest of the system allocates too, but
# not at each load. So there are three rounds, and a count that grows by more than half an object for
# each load in all of them is a loss.
#
# on: umkasan

. "$(dirname "$0")/functions.sh"

# In each of three rounds.
times=${times-10}

# load_repeatedly MODULE[=PARAMETERS]...: loads and unloads the modules $times times in each round;
# returns 0 if no memory is lost, 3 if some is
load_repeatedly()
{
	dmesg --clear
	python3 - "$times" "$@" <<- 'END'
		import ctypes, glob, os, re, sys, time

		libc = ctypes.CDLL(None, use_errno=True)
		finit_module, delete_module = (273, 106) if os.uname().machine == "aarch64" else (313, 176)
		times = int(sys.argv[1])
		modules = [m.partition("=") for m in sys.argv[2:]]
		files = [os.open(f"/tmp/{m[0]}.ko", os.O_RDONLY) for m in modules]

		def call(name, *args):
		    if libc.syscall(*args) < 0:
		        sys.exit(f"# {name}: {os.strerror(ctypes.get_errno())}")

		def turn():
		    for (name, _, parameters), file in zip(modules, files):
		        call(name, finit_module, file, parameters.encode(), 0)
		    for name, _, _ in reversed(modules):
		        call(name, delete_module, name.encode(), os.O_NONBLOCK)

		def read(path):
		    with open(path) as file:
		        return file.read()

		def in_use():
		    for _ in range(2):
		        # Wait for grace periods and for work that frees memory.
		        time.sleep(1)
		        with open("/proc/sys/vm/drop_caches", "w") as file:
		            file.write("3")
		        for path in glob.glob("/sys/kernel/slab/*/shrink"):
		            with open(path, "w") as file:
		                file.write("1")
		    counts = dict(re.findall(r"^(\S+) +(\d+) ", read("/proc/slabinfo"), re.M))
		    counts["vmalloc"] = read("/proc/vmallocinfo").count("\n")
		    counts["per-CPU"] = re.search(r"^Percpu: +(\d+)", read("/proc/meminfo"), re.M)[1]
		    return {what: int(count) for what, count in counts.items()}

		for _ in range(3):
		    turn()
		counts = [in_use()]
		for _ in range(3):
		    for _ in range(times):
		        turn()
		    counts.append(in_use())
		lost = 0
		for what in counts[0]:
		    grown = [after.get(what, 0) - before.get(what, 0) for before, after in zip(counts, counts[1:])]
		    if min(grown) > times / 2:
		        lost += 1
		        print(f"# {what}: {counts[0][what]}, then {grown} more after {times} turns each")
		print(f"# {len(counts[0])} counts, {lost} of them have grown with each turn")
		sys.exit(3 if lost else 0)
	END
}

ktap_print_header
ktap_set_plan 4
# BTF takes most of the time of a load, and plays no part here. The console is slow.
for module in modreg modreg_sample_{c,rust} test_modreg_owner; do
	objcopy --remove-section .BTF "$module.ko" "/tmp/$module.ko"
done
echo N > /sys/module/printk/parameters/ignore_loglevel
dmesg --console-level err

[[ ! -e $kmemleak ]] || echo clear > "$kmemleak"
result "$((3 * times)) loads and unloads: no count of memory grows" load_repeatedly modreg modreg_sample_c modreg_sample_rust test_modreg_owner
if [[ -e $kmemleak ]]; then
	result "$((3 * times)) loads and unloads: kmemleak finds nothing" eval '! leaks'
else
	ktap_test_skip "$((3 * times)) loads and unloads: this kernel has no kmemleak"
fi
result "40 bytes lost at each load: a count of memory grows" eval 'load_repeatedly modreg test_modreg_owner=mode=lose; (($? == 3))'
echo Y > /sys/module/printk/parameters/ignore_loglevel
result "modreg is unloaded, its files are gone" eval '! loaded modreg && [[ ! -e $modreg ]]'

ktap_finished
