#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Runs in the guest, with the modules of the build directory OUT: guest.py OUT PART...

Each line that it prints is one repetition of one measurement: what, its parameter, and name=value
of each side, in nanoseconds where nothing else is said. tests/bench/report.py reads them. Lines
with a '#' in front are for the reader.
"""

import ctypes
import glob
import os
import subprocess
import sys
import time

OUT = sys.argv[1]
BENCH = f"{OUT}/tests/bench"
MODULES = f"{OUT}/bench/modules"
RUN = "/sys/kernel/debug/modreg_bench/run"
LISTING = "/sys/kernel/debug/modreg/kallsyms"
INIT_MODULE = 175
EEXIST = 17

libc = ctypes.CDLL(None, use_errno=True)
started = time.monotonic()


def say(text):
    print(f"# {time.monotonic() - started:6.1f} s  {text}", flush=True)


def init_module(image, args=""):
    """Loads a module; without modprobe, which would take a process for each."""
    if libc.syscall(INIT_MODULE, image, len(image), args.encode()) < 0:
        error = ctypes.get_errno()
        # Some of the distribution's are there from the boot.
        if error != EEXIST:
            raise OSError(error, os.strerror(error))


def insmod(path, args=""):
    with open(path, "rb") as file:
        init_module(file.read(), args)


def ask(command):
    """Gives the bench module a command, and returns its answer."""
    fd = os.open(RUN, os.O_RDWR)
    try:
        os.write(fd, command.encode())
        answer = b""
        while part := os.read(fd, 1 << 16):
            answer += part
        return answer.decode()
    finally:
        os.close(fd)


def measure(command):
    sys.stdout.write(ask(command))
    say(command)


def repeat(batches, microseconds):
    for name, value in ("batches", batches), ("batch_us", microseconds):
        with open(f"/sys/module/modreg_bench/parameters/{name}", "w") as file:
            file.write(str(value))


def prepare():
    # Each registration is two lines in the log, and the console is slow.
    with open("/sys/module/printk/parameters/ignore_loglevel", "w") as file:
        file.write("N")
    os.system("dmesg --console-level warn")
    insmod(f"{OUT}/modreg.ko")
    with open("/proc/kallsyms") as file:
        for line in file:
            if line.rstrip().endswith(" kallsyms_lookup_name"):
                address = line.split()[0]
                break
    insmod(f"{BENCH}/modreg_bench.ko", f"lookup=0x{address}")


def without_btf(path):
    """A module's image; its BTF takes the kernel longer than all else, and is not measured."""
    copy = "/tmp/without_btf.ko"
    subprocess.run(["objcopy", "--remove-section", ".BTF", path, copy], check=True)
    with open(copy, "rb") as file:
        return file.read()


def listing(path):
    """How many lines a module or plugin has in the file, and the nanoseconds that they take."""
    buffer = bytearray(1 << 16)
    lines = 0
    start = None
    fd = os.open(path, os.O_RDONLY)
    try:
        while True:
            before = time.monotonic_ns()
            size = os.readv(fd, [buffer])
            part = buffer[:size]
            # In /proc/kallsyms, vmlinux comes first and others than modules last.
            if start is None and b"\t[" in part:
                start = before
            if not size or b"\t[bpf]" in part or b"\t[__builtin__" in part:
                return lines, time.monotonic_ns() - (start or before)
            if start is not None:
                lines += part.count(b"\n")
    finally:
        os.close(fd)


def measure_listings(what, *paths):
    for _ in range(5):
        columns = []
        for path in paths:
            lines, took = listing(path)
            side = "modreg" if path == LISTING else "kernel"
            columns.append(f"{side}={took / lines:.1f}")
        print("\t".join([f"listing:{what}", str(lines), *columns]))
    say(f"listing {what}")


def allocated():
    """Bytes that the kernel has taken for itself."""
    # What was freed by RCU, and the slabs that are empty then, which would take what comes next; and
    # what each CPU has counted is added up once a second.
    time.sleep(2)
    with open("/proc/sys/vm/drop_caches", "w") as file:
        file.write("3")
    for shrink in glob.glob("/sys/kernel/slab/*/shrink"):
        with open(shrink, "w") as file:
            file.write("1")
    time.sleep(2)
    # No counter has the pages of alloc_pages_exact(), so this leaves out what is free or has others' data.
    total = 0
    with open("/proc/meminfo") as file:
        for line in file:
            name, value, *_ = line.split()
            if name == "MemTotal:":
                total += int(value) * 1024
            elif name in ("MemFree:", "Buffers:", "Cached:", "SwapCached:", "AnonPages:", "PageTables:",
                          "KernelStack:"):
                total -= int(value) * 1024
    with open("/proc/zoneinfo") as file:
        for line in file:
            # Free pages of one CPU.
            if line.startswith("              count:"):
                total -= int(line.split()[1]) * os.sysconf("SC_PAGESIZE")
    return total


def lines_of(path):
    with open(path) as file:
        return sum(1 for _ in file)


def measure_memory():
    most = 0
    for _ in range(3):
        ask("plugins drop *")
        before = allocated()
        ask("plugins modules")
        symbols = lines_of(LISTING)
        # The table of names keeps its buckets, so the first time takes most.
        most = max(most, (allocated() - before) / symbols)
    print(f"memory\t{symbols}\tbytes={most:.2f}")
    say("memory")


def growth():
    """In one plugin's symbols, and in plugins."""
    repeat(31, 1000)
    ask("plugins make small 1 1000")
    ask("plugins make large 1 54593")
    measure("lookup growth small0 large0")
    ask("plugins drop *")
    repeat(7, 1000)
    for _ in range(5):
        ask("plugins make one 1 64")
        measure("lookup floor one0")
        ask("plugins make many 999 64")
        # The same one, and all.
        measure("lookup floor one*")
        measure("lookup floor *")
        measure("lookup list *")
        ask("plugins drop *")
    for _ in range(2):
        ask("plugins make one 1 64000")
        measure_listings("one", LISTING)
        measure("lookup nth one*")
        ask("plugins drop *")
        ask("plugins make many 1000 64")
        measure_listings("many", LISTING)
        measure("lookup nth many*")
        ask("plugins drop *")


def lookups(module):
    repeat(31, 1000)
    measure(f"lookup address {module}")
    measure(f"lookup floor {module}")


def load_real():
    """The distribution's modules that scripts/bench has unpacked, in the order of their names."""
    for name in sorted(os.listdir(MODULES)):
        insmod(f"{MODULES}/{name}")
    say("modules loaded")


def real():
    load_real()
    ask("plugins modules")
    for module in "kvm", "xfs", "amdgpu":
        lookups(module)
    if os.cpu_count() > 1:
        repeat(21, 4000)
        measure("lookup parallel amdgpu")


def sizes():
    """The modules of nothing but symbols, by how many they have."""
    numbers = sorted(int(name[len("modreg_symbols_"):-len(".ko")]) for name in os.listdir(BENCH)
                     if name.startswith("modreg_symbols_") and name.endswith(".ko"))
    for number in numbers:
        insmod(f"{BENCH}/modreg_symbols_{number}.ko")
    ask("plugins modules")
    for number in numbers:
        lookups(f"modreg_symbols_{number}")


def everything():
    """All that is loaded: memory, names, listings."""
    measure_memory()
    repeat(21, 10000)
    measure("lookup qualified *")
    measure("lookup plain *")
    measure_listings("all", "/proc/kallsyms", LISTING)


def exports():
    image = without_btf(f"{BENCH}/modreg_exports_000.ko")
    for number in range(500):
        init_module(image.replace(b"exports_000", b"exports_%03d" % number))
    say("500 modules loaded")
    ask("plugins modules")
    repeat(21, 4000)
    measure("lookup export modreg_exports_*")
    measure("lookup nth modreg_exports_*")


def hooks():
    """The kernel's own answers, with modreg_kallsyms and without."""
    switch = "/sys/module/modreg_kallsyms/parameters/enabled"
    load_real()
    insmod(f"{OUT}/modreg_kallsyms.ko", "enabled=0")
    for plugins in 0, 10, 10000:
        ask(f"hooks plugins {plugins}")
        for i in range(5):
            answers = {}
            # There and back, so that neither has a place of its own.
            for on in (0, 1) if i % 2 else (1, 0):
                with open(switch, "w") as file:
                    file.write(str(on))
                answers[on] = dict(side.split("=") for side in ask("hooks ask").split())
                buffer = bytearray(1 << 16)
                before = time.monotonic_ns()
                with open("/proc/kallsyms", "rb", buffering=0) as file:
                    while file.readinto(buffer):
                        pass
                answers[on]["listing"] = time.monotonic_ns() - before
            for what in answers[0]:
                print(f"hooks:{what}:{plugins}\t{plugins}\tout={answers[0][what]}\tin={answers[1][what]}")
        say(f"hooks, {plugins} plugins")
    ask("hooks plugins 0")
    with open(switch, "w") as file:
        file.write("1")
    repeat(15, 500)
    measure("hooks fixup")
    with open(switch, "w") as file:
        file.write("0")


def scale():
    """Many small plugins, beside the kernel's own structures."""
    most = 100000
    ask(f"scale alloc {most}")
    before = allocated()
    ask(f"scale add {most}")
    print(f"scale:memory\t{most}\tbytes={(allocated() - before) / most:.1f}")
    ask(f"scale alloc {most}")
    repeat(31, 1000)
    measure("scale register")
    for plugins in 1, 10, 100, 1000, 10000, most:
        ask(f"scale add {plugins}")
        ask("scale peers")
        measure("scale region")
        if plugins >= 1000:
            measure("scale register")
            repeat(15, 1000)
            for number in 1, 1000:
                if number <= plugins:
                    measure(f"scale remove {number}")
                    if os.cpu_count() > 1:
                        measure(f"scale stopped {number}")
            repeat(31, 1000)
            # What was removed has come to other places.
            ask(f"scale alloc {most}")
    ask("scale alloc 20000")
    ask("scale add 20000 same")
    measure("scale names")
    measure("scale remove 1")
    ask("scale alloc 10000")
    measure("scale miss empty")
    ask("scale add 10000")
    measure("scale miss never")
    ask("scale alloc 10000")
    ask("scale add 10000 init")
    measure("scale miss init")
    ask("scale alloc 10000")
    measure("scale miss gone")
    ask("scale free")


def read_all(path):
    buffer = bytearray(1 << 16)
    with open(path, "rb", buffering=0) as file:
        while file.readinto(buffer):
            pass


def longest():
    """The longest stretches of each writer and file, with modreg as longest.patch makes it."""
    insmod(f"{OUT}/modreg_kallsyms.ko", "enabled=1")
    files = [f"/sys/kernel/debug/modreg/{name}" for name in ("plugins", "kallsyms")]
    for plugins in 1000, 100000:
        ask("scale alloc 102000")
        ask(f"scale add {plugins}")
        for _ in range(3):
            for what, work in {
                "register": lambda: ask(f"scale add {plugins + 1001}"),
                "replace_symbols": lambda: ask("scale replace 10"),
                "unregister 1": lambda: ask("scale drop 1"),
                "unregister 1000": lambda: ask("scale drop 1000"),
                "debugfs plugins": lambda: read_all(files[0]),
                "debugfs kallsyms": lambda: read_all(files[1]),
                "/proc/kallsyms": lambda: read_all("/proc/kallsyms"),
            }.items():
                ask("longest begin")
                work()
                measure(f"longest end {what.replace(' ', '_')} {plugins}")
    ask("scale free")
    with open("/sys/module/modreg_kallsyms/parameters/enabled", "w") as file:
        file.write("0")


def writers():
    repeat(21, 1000)
    for plugins in 0, 1000:
        measure(f"writers step {plugins}")
    if os.cpu_count() > 1:
        measure("writers stall 1000")


prepare()
for part in sys.argv[2:]:
    {"growth": growth, "real": real, "sizes": sizes, "everything": everything, "exports": exports,
     "hooks": hooks, "longest": longest, "scale": scale, "writers": writers}[part]()
