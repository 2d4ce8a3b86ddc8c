#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The registry, rebuilt from the tracepoints alone while plugins come and go, equals plugins and kallsyms.

. "$(dirname "$0")/functions.sh"

rounds=12

# follow ROUNDS: for each round lets two workers load and unload modules, and compares; prints a line a round
follow()
{
	python3 - "$1" <<- 'END'
		import os, random, re, subprocess, sys, threading, time

		tracing, modreg = "/sys/kernel/tracing", "/sys/kernel/debug/modreg"
		instance = f"{tracing}/instances/registry"
		states = {"COMING": "Loading", "LIVE": "Live", "GOING": "Unloading"}

		class Plugin:
		    def __init__(self):
		        self.name, self.state, self.order = None, None, 0
		        self.regions, self.symbols, self.coming = [], [], []

		class Registry:
		    """What a follower knows, by generation."""
		    def __init__(self):
		        self.plugins, self.seen, self.replaced, self.lost = {}, 0, 0, 0

		    def event(self, line):
		        if "LOST" in line:
		            self.lost += 1
		        match = re.match(r".*?: (plugin_\w+): (\S+) generation=(\d+)(.*)", line)
		        if not match:
		            return
		        kind, name, generation, rest = match[1], match[2], int(match[3]), match[4]
		        plugin = self.plugins.setdefault(generation, Plugin())
		        if kind == "plugin_region":
		            base, size, flags = (int(n, 16) for n in re.findall(r"=0x([0-9a-f]+)", rest))
		            plugin.regions.append((base, size, flags))
		        elif kind == "plugin_symbol":
		            value, letter, flags, symbol = re.match(
		                r" value=0x(\w+) size=\w+ type=(.) flags=0x(\w+) symbol=(.*)", rest).groups()
		            plugin.coming.append((int(value, 16), letter, symbol, int(flags, 16)))
		        elif kind == "plugin_register":
		            self.seen += 1
		            regions, symbols = (int(n) for n in re.findall(r"=(\d+)", rest))
		            plugin.symbols, plugin.coming = plugin.coming, []
		            assert (regions, symbols) == (len(plugin.regions), len(plugin.symbols)), line
		            plugin.name, plugin.order = name, self.seen
		        elif kind == "plugin_replace":
		            plugin.symbols, plugin.coming = plugin.coming, []
		            assert int(rest.split("=")[1]) == len(plugin.symbols), line
		            self.replaced += 1
		        elif kind == "plugin_state":
		            plugin.state = rest.strip()
		            if plugin.state == "LIVE":
		                plugin.regions = [r for r in plugin.regions if not r[2] & 2]
		                plugin.symbols = [s for s in plugin.symbols if not s[3] & 2]
		        elif kind == "plugin_unregister":
		            del self.plugins[generation]

		    def listed(self):
		        there = [p for p in self.plugins.values() if p.name]
		        return sorted(there, key=lambda p: -p.order)

		    def files(self):
		        """The lines that plugins and kallsyms have, without what a tracepoint does not say."""
		        lines, symbols = [], []
		        for p in self.listed():
		            text = [r[0] for r in p.regions if r[2] & 1] or [r[0] for r in p.regions]
		            size = sum(r[1] for r in p.regions)
		            lines.append(f"{p.name} {size} {states[p.state]} 0x{text[0]:016x}")
		            symbols += [f"{v:016x} {l} {s}\t[{p.name}]" for v, l, s, _ in p.symbols if s]
		        return lines, symbols

		def files():
		    lines = []
		    for line in open(f"{modreg}/plugins").read().splitlines():
		        name, size, _, _, state, base = line.split()[:6]
		        lines.append(f"{name} {size} {state} {base}")
		    return lines, open(f"{modreg}/kallsyms").read().splitlines()

		os.mkdir(instance)
		open(f"{instance}/buffer_size_kb", "w").write("16384")
		open(f"{instance}/events/modreg/enable", "w").write("1")
		pipe = os.open(f"{instance}/trace_pipe", os.O_RDONLY | os.O_NONBLOCK)
		registry, rest = Registry(), b""

		def drain():
		    global rest
		    while True:
		        try:
		            data = os.read(pipe, 1 << 16)
		        except BlockingIOError:
		            return
		        *lines, rest = (rest + data).split(b"\n")
		        for line in lines:
		            registry.event(line.decode())

		def run(*words):
		    return subprocess.run(["busybox", *words], stderr=subprocess.DEVNULL).returncode

		def churn(modules, until, seed):
		    chance = random.Random(seed)
		    while time.monotonic() < until:
		        module = chance.choice(modules)
		        if os.path.exists(f"/sys/module/{module}"):
		            run("rmmod", module)
		        else:
		            run("insmod", f"./{module}.ko")

		def replace(until):
		    while time.monotonic() < until:
		        with open("/sys/kernel/debug/test_modreg/run", "w") as file:
		            file.write("replace.there_and_back")

		for n in range(int(sys.argv[1])):
		    until = time.monotonic() + 1
		    symbols = threading.Thread(target=replace, args=(until,))
		    workers = [symbols] + [threading.Thread(target=churn, args=(modules, until, 2 * n + i)) for i, modules in
		               enumerate([["modreg_sample_c", "modreg_mirror"], ["modreg_sample_rust", "test_modreg_owner"]])]
		    for worker in workers:
		        worker.start()
		    while any(worker.is_alive() for worker in workers):
		        drain()
		        time.sleep(0.01)
		    drain()
		    ours, theirs = registry.files(), files()
		    same = ours == theirs and not registry.lost
		    print(f"round {n + 1}: {'same' if same else 'different'}, {len(theirs[0])} plugins, "
		          f"{len(theirs[1])} symbols, {registry.replaced} replaced, {registry.seen} registered so far")
		    if not same:
		        for a, b in zip(ours, theirs):
		            for line in sorted(set(a) ^ set(b))[:10]:
		                print("  follower:" if line in a else "  file:", line)
		        print("  lost:", registry.lost)
		open(f"{instance}/events/modreg/enable", "w").write("0")
		os.close(pipe)
		os.rmdir(instance)
	END
}

load modreg && load test_modreg || ktap_exit_fail_msg "cannot load the modules"
ktap_print_header
ktap_set_plan 4

output=$(follow $rounds 2>&1)
printf '%s\n' "$output" | sed 's/^/# /'
result "plugins come and go: the tracepoints tell of more than 20" \
	test "$(sed -n 's/.* \([0-9]*\) registered so far/\1/p' <<< "$output" | tail -n 1)" -gt 20
result "plugins come and go: what the tracepoints tell is in plugins and kallsyms, each time" \
	test "$(grep -c '^round [0-9]*: same' <<< "$output")" = $rounds
result "plugins come and go: some are there when they are compared" \
	eval 'grep -qE "^round .* [1-9][0-9]* plugins" <<< "$output"'
! loaded modreg_mirror || rmmod modreg_mirror
result "modules unload" unload_all

ktap_finished
