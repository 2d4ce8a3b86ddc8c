#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Makes the table and the plots of the samples in a directory: report.py DIRECTORY

samples-KIND-CPUS there is what tests/bench/guest.py printed: KIND is stock or um, CPUS how many
CPUs that guest had. Writes table.md, which it prints too, lookup.png, region.png and scaling.png, and what
these are drawn from.

A ratio is taken of each repetition where both sides stand side by side, and of each pair where
they do not; the table has its median and, in brackets, its quartiles.
"""

import collections
import itertools
import os
import statistics
import subprocess
import sys

DIR = sys.argv[1]
STOCK, UM = ("stock", 2), ("um", 1)

# samples[kind, CPUs][what] is a list of repetitions: the parameter, and {side: value}.
samples = {}
# What the guests ran under, and which kernel that was.
under = {}
kernels = {}

rows = []


def read():
    for name in sorted(os.listdir(DIR)):
        if not name.startswith("samples-"):
            continue
        _, kind, cpus = name.split("-")
        series = samples.setdefault((kind, int(cpus)), collections.defaultdict(list))
        with open(f"{DIR}/{name}") as file:
            for line in file:
                if line.startswith("# under "):
                    kernels[kind], under[kind] = line[len("# under "):].strip().split(": ")
                if line.startswith("#") or "\t" not in line:
                    continue
                what, param, *sides = line.rstrip().split("\t")
                values = {k: float(v) for k, v in (side.split("=") for side in sides)}
                series[what].append((int(param), values))


def column(guest, what, side):
    return [values[side] for _, values in samples.get(guest, {}).get(what, [])]


def at(guest, what, plugins, side):
    """The same, of the repetitions with so many plugins."""
    repetitions = samples.get(guest, {}).get(what, [])
    return [values[side] for param, values in repetitions if param == plugins]


def param(guest, what):
    repetitions = samples.get(guest, {}).get(what)
    return f"{repetitions[0][0]:,}" if repetitions else "?"


def step(guest, plugins):
    """The step under the lock of one registration, without what ftrace adds to each section."""
    what = f"step:{plugins}"
    seen, bare = column(guest, what, "seen"), column(guest, what, "bare")
    if not seen:
        return []
    extra = statistics.median(seen) - statistics.median(bare)
    columns = (column(guest, what, side) for side in ("step", "sections", "steps"))
    return [max(s - n * extra, 1) / number for s, n, number in zip(*columns)]


def quartiles(values):
    if len(values) < 2:
        return values[0], values[0], values[0]
    return tuple(statistics.quantiles(values, n=4, method="inclusive"))


def number(value):
    """Three digits."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def duration(ns):
    for unit, size in ("s", 1e9), ("ms", 1e6), ("µs", 1e3):
        if ns >= size:
            return f"{number(ns / size)} {unit}"
    return f"{number(ns)} ns"


def rate(per_second):
    return f"{number(per_second / 1e6)} M/s"


def size(count):
    return f"{number(count)} B"


def slower(peer, ours):
    return ours / peer


def faster(peer, ours):
    return peer / ours


def row(what, where, peer, peers, ours, most=None, least=None, ratio=slower, show=duration,
        apart=False):
    """Two series, side by side or apart: their ratio is to be at most, or at least, that."""
    target = f"≤ {most:,g}" if most else f"≥ {least:,g}" if least else ""
    if not peers or not ours:
        rows.append((what, where, peer, "", "", "not measured", target, ""))
        return
    pairs = itertools.product(peers, ours) if apart else zip(peers, ours)
    low, middle, high = quartiles([ratio(p, o) for p, o in pairs])
    verdict = ""
    if target:
        verdict = "met" if (middle <= most if most else middle >= least) else "missed"
    rows.append((what, where, peer, show(statistics.median(peers)), show(statistics.median(ours)),
                 f"{number(middle)} [{number(low)} – {number(high)}]", target, verdict))


def lookup_rows(guest, tables):
    where = under.get(guest[0], "User-mode Linux")

    def pair(what, peer, ours="modreg"):
        return column(guest, what, peer), column(guest, what, ours)

    for (name, table), least in zip(tables, (80, None, 500)):
        row(f"address to symbol, {name} ({param(guest, f'address:{table}')} symbols)", where,
            "`module_address_lookup`", *pair(f"address:{table}", "kernel"), least=least,
            ratio=faster)
    for name, table in tables:
        row(f"the same, {name}", where, "the floor: a flat array, in C",
            *pair(f"floor:{table}", "floor"), most=1.2 if guest == UM else 1.4)
    row("growth from 1,000 to 54,593 symbols in a plugin", where, "itself, 1,000",
        *pair("growth:small0:large0", "small", "large"), most=1.5)
    row("... as the floor grows", where, "the floor, 1,000",
        column(guest, "floor:modreg_symbols_1000", "floor"),
        column(guest, "floor:modreg_symbols_54593", "floor"), apart=True)
    row("growth from 1 to 1,000 plugins, one of them asked", where, "itself, 1",
        column(guest, "floor:one0", "modreg"), column(guest, "floor:one*", "modreg"), most=2,
        apart=True)
    row("... all of them asked, 64 symbols in each", where, "itself, 1",
        column(guest, "floor:one0", "modreg"), column(guest, "floor:*", "modreg"), apart=True)
    row("... as the floor grows, with all of their symbols in its array", where, "the floor, 1",
        column(guest, "floor:one0", "floor"), column(guest, "floor:*", "floor"), apart=True)
    row("address to symbol among 1,000 plugins", where, "a list without an index, as in 2008",
        *pair("list:*", "list"), ratio=faster)
    for what, name in ("qualified", "`plugin:name` to address"), ("plain", "plain name to address"):
        row(f"{name}, {param(guest, what)} symbols registered", where,
            "`module_kallsyms_lookup_name`", *pair(what, "kernel"), least=1000, ratio=faster)
    row("exported symbol among 500 plugins", where, "`find_symbol` over 500 modules",
        *pair("export", "kernel"), least=5, ratio=faster)
    row("listing all symbols, per line", where, "`/proc/kallsyms`, module part",
        *pair("listing:all", "kernel"), most=1)
    row("the same, from 1 to 1,000 plugins", where, "itself, 1",
        column(guest, "listing:one", "modreg"), column(guest, "listing:many", "modreg"), most=1.2,
        apart=True)
    row("the n-th symbol among 500 plugins", where, "`module_get_kallsym` over 500 modules",
        *pair("nth:modreg_exports_*", "kernel"), ratio=faster)
    row("... from 1 to 1,000 plugins", where, "itself, 1", column(guest, "nth:one*", "modreg"),
        column(guest, "nth:many*", "modreg"), apart=True)
    memory = column(guest, "memory", "bytes")
    row("memory beyond the owner's tables, a symbol", where, "12 bytes",
        [12.0] * len(memory), memory, most=1, show=size)


def writer_rows():
    def where(cpus):
        return f"{under.get('stock', '')}, {cpus} CPUs"

    for cpus, least in (2, 30), (8, 1000):
        row("register, the step under the lock (1,000 registered)", where(cpus),
            "insertion under `stop_machine()`", column(("stock", cpus), "step:1000", "stop"),
            step(("stock", cpus), 1000), least=least, ratio=faster)
    row("... from 0 to 1,000 plugins registered", where(2), "itself, 0",
        step(STOCK, 0), step(STOCK, 1000), apart=True)
    row("... beside a bare list", where(2), "mutex, `list_add_rcu()`, one pointer",
        column(STOCK, "step:1000", "rcu"), step(STOCK, 1000))
    row("... beside the whole call", where(2), "`modreg_register_plugin()`",
        column(STOCK, "step:1000", "whole"), step(STOCK, 1000))
    steps = {cpus: step(("stock", cpus), 1000) for kind, cpus in samples if kind == "stock"}
    longest = max(steps, key=lambda cpus: statistics.median(steps[cpus] or [0]), default=0)
    row(f"the same, 1 to 32 CPUs: longest with {longest}", where(longest), "itself, 1 CPU",
        steps.get(1, []), steps.get(longest, []) if len(steps) == 6 else [], most=1.2,
        apart=True)

    for cpus in 2, 8:
        stall = {side: column(("stock", cpus), "stall:1000", side)
                 for side in ("idle", "register", "stop")}
        row("longest stall of a CPU that only computes, while 1,000 plugins register", where(cpus),
            "nobody registers", stall["idle"], stall["register"], most=1)
        row("... for as long, insertions under `stop_machine()`", where(cpus), "nobody registers",
            stall["idle"], stall["stop"])
    for cpus in 2, 8:
        one = column(("stock", cpus), "step:1000", "one")
        row("unregister one plugin", where(cpus), "a `stop_machine()` that does nothing",
            column(("stock", cpus), "step:1000", "noop"), one, most=1.2)
        row("unregister 100 in one call", where(cpus), "unregister one",
            one, column(("stock", cpus), "step:1000", "hundred"), most=2)
    what = "parallel:amdgpu"
    row("lookups on 2 CPUs at once", where(2), "on 1", column(STOCK, what, "modreg1"),
        column(STOCK, what, "modreg2"), least=1.9, show=rate)
    row("... what the floor reaches there", where(2), "on 1", column(STOCK, what, "floor1"),
        column(STOCK, what, "floor2"), show=rate)


def hook_rows():
    """What modreg_kallsyms costs."""
    guest = ("icount", 1)
    where = f"{under.get('icount', '')}, an instruction is 1 ns"
    questions = (("kvm", "`module_address_lookup`, kvm", 1.02),
                 ("amdgpu", "the same, amdgpu", 1.02),
                 ("vmlinux", "`sprint_symbol` of vmlinux", 1.02),
                 ("listing", "reading `/proc/kallsyms`", 1.02),
                 ("oops", "an oops", 1.02),
                 ("trace", "a stack trace of 20 frames, saved and printed", 1.1),
                 ("extable", "`search_module_extables`", None),
                 ("text", "`kernel_text_address` of a module's code", None),
                 ("stack", "`kernel_text_address` of a word on the stack", None))
    for side, name, most in questions:
        for plugins in 0, 10, 10000:
            what = f"hooks:{side}:{plugins}"
            row(f"{name}, {plugins:,} plugins", where, "without the hooks",
                column(guest, what, "out"), column(guest, what, "in"), most=most)
    for side in "extable", "text":
        few, many = (column(guest, f"hooks:{side}:{plugins}", "in") for plugins in (10, 10000))
        row(f"... `{dict(extable='search_module_extables', text='kernel_text_address')[side]}` "
            "with 10,000 plugins", where, "itself, with 10", few, many, most=1.1, apart=True)
    out, hooked = column(("native", 1), "trampoline", "out"), column(("native", 1), "trampoline", "in")
    row("a call that a hook leaves alone, less an empty call", under.get("native", ""),
        "25 ns", [25.0] * len(out), [i - o for o, i in zip(out, hooked)], most=1)
    row("a fixup in a plugin", where, "the same fault in a module",
        column(guest, "fixup", "module"), column(guest, "fixup", "plugin"), most=1.1)


PLUGINS = 1, 10, 100, 1000, 10000, 100000


def fastest(guest, plugins):
    """The faster of the kernel's structures, and its name."""
    peers = {"latched rbtree": at(guest, "scale:region", plugins, "latch"),
             "maple tree": at(guest, "scale:region", plugins, "maple")}
    return min(peers.items(), key=lambda peer: statistics.median(peer[1] or [0]))


def scale_rows(guest):
    """Many small plugins."""
    where = under.get(guest[0], "User-mode Linux")
    native = guest == UM
    many = PLUGINS[-1]
    for plugins in PLUGINS:
        name, peer = fastest(guest, plugins)
        row(f"region of an address, {plugins:,} plugins", where, name, peer,
            at(guest, "scale:region", plugins, "modreg"), most=1 if native else 1.5)
    for side in "oldest", "newest":
        row(f"`plugin:name` of the {side} of 20,000 plugins with the same names", where,
            "a name that one plugin alone has", column(guest, "scale:names", "unique"),
            column(guest, "scale:names", side), most=2)
    for plugins in 0, 1000, 10000, many:
        row(f"register a plugin of one region and one symbol, {plugins:,} registered", where,
            "`kmalloc`, list, latched rbtree under a mutex",
            *(at(guest, "scale:register", plugins, side) for side in ("peer", "modreg")), most=5)
    row(f"... from 0 to {many:,} registered", where, "itself, 0",
        at(guest, "scale:register", 0, "modreg"), at(guest, "scale:register", many, "modreg"),
        most=1.2, apart=True)
    for num, most in (1, 1.2), (1000, 1.5):
        for which in "oldest", "newest", "any":
            what = f"remove {num:,} of {many:,} plugins in one call, {which}"
            if not native:
                row(f"{what}: the machine is stopped", where, "a `stop_machine()` that does nothing",
                    *(at(guest, f"scale:stopped:{num}", many, side) for side in ("noop", which)),
                    most=most)
            row(f"{what}: the call", where, f"of {1000:,}",
                *(at(guest, f"scale:remove:{num}", plugins, which) for plugins in (1000, many)),
                most=3, apart=True)
    row("remove the oldest of 20,000 plugins with the same names", where, "the newest",
        *(at(guest, "scale:remove:1", 20000, side) for side in ("newest", "oldest")), most=2)
    for side, what in ("gone", "10,000 regions that are gone"), ("init", "10,000 plugins"):
        row(f"a miss above {what}", where, "a miss in an empty registry",
            column(guest, "scale:miss:empty", "modreg"),
            column(guest, f"scale:miss:{side}", "modreg"), most=1.2 if side == "gone" else None,
            apart=True)
    memory = column(guest, "scale:memory", "bytes")
    row("memory of a plugin of one region and one symbol", where, "512 bytes",
        [512.0] * len(memory), memory, most=1, show=size)


def longest_rows():
    """What keeps other writers, or a processor, waiting. The shortest of three: what else the kernel
    does meanwhile makes one longer."""
    guest = ("longest", 1)
    where = f"{under.get('longest', '')}, an instruction is 1 ns"

    def shortest(what, plugins, side):
        values = at(guest, f"longest:{what}", plugins, side)
        return [min(values)] if values else []

    for side, name in (("lock", "the lock held"), ("preempt", "preemption disabled"),
                       ("stop", "the machine stopped, in the callback")):
        for what in ("register", "replace_symbols", "unregister 1", "unregister 1000",
                     "debugfs plugins", "debugfs kallsyms", "/proc/kallsyms"):
            few, many = (shortest(what.replace(" ", "_"), plugins, side)
                         for plugins in (1000, 100000))
            if few == many == [0]:
                # It takes no lock, or does not stop the machine.
                continue
            row(f"longest stretch with {name}: {what}, 100,000 plugins", where, "1,000 plugins",
                few, many, most=2)


def text():
    lines = [f"- {under[kind]}: Linux {kernels[kind]}" for kind in under]
    lines.append(f"- CPUs: the guests' share the {os.cpu_count()} real ones; with more than those, "
                 "the shape of a curve means something, its height does not")
    with open(f"{DIR}/load") as file:
        lines.append(f"- load of this machine before each guest and at the end: "
                     f"{', '.join(file.read().split())}")
    heads = "what", "under", "peer", "peer's median", "modreg's", "ratio", "target", ""
    lines.append("")
    lines += ["| " + " | ".join(line) + " |" for line in (heads, ["---"] * len(heads), *rows)]
    return "\n".join(lines) + "\n"


def write_dat(name, head, lines):
    with open(f"{DIR}/{name}", "w") as file:
        print("#", *head, file=file)
        for line in lines:
            print(*(x if isinstance(x, str) else f"{x:.1f}" for x in line), file=file)


def curve(dat, series, title, color, dash=1):
    """For gnuplot; the .dat file has nanoseconds."""
    return (f"'< grep \"^{series} \" {dat}' using 2:($4*1e-9):($3*1e-9):($5*1e-9) "
            f"with yerrorlines lw 2 pt 7 ps 0.7 dt {dash} lc rgb '{color}' "
            f"title '{title}' noenhanced")


def gnuplot(script):
    common = """
set logscale xy
set format y '%.0s %cs'
set grid
set key bmargin left Left reverse
"""
    subprocess.run(["gnuplot"], input=common + script, text=True, check=True, cwd=DIR)


def plot_lookup():
    sides = (("kernel", "module_address_lookup()", "#c0392b"),
             ("modreg", "modreg_address_lookup()", "#2060b0"),
             ("floor", "the floor: a flat array", "#808080"))
    curves = []
    for guest, dash in (STOCK, 1), (UM, 2):
        dat, lines = f"lookup-{guest[0]}.dat", []
        for side, title, color in sides:
            tables = [what for what in samples.get(guest, {})
                      if what.startswith(("address" if side == "kernel" else "floor")
                                         + ":modreg_symbols_")]
            lines += sorted((side, samples[guest][what][0][0],
                             *quartiles(column(guest, what, side))) for what in tables)
            if tables:
                curves.append(curve(dat, side, f"{title}, {under[guest[0]]}", color, dash))
        write_dat(dat, ("side", "symbols", "low", "median", "high"), lines)
    kernel = ", ".join(f"Linux {kernels[kind]} under {under[kind]}" for kind in ("stock", "um"))
    gnuplot(f"""
set terminal pngcairo size 1000,750 font 'sans,12'
set output 'lookup.png'
set title "Address to symbol, by the number of symbols in the module\\n\
{{/*0.8 {kernel}; median and quartiles}}"
set bmargin 10
set xlabel 'symbols in the module'
set ylabel 'one lookup'
set format x '%.0f'
set xrange [80:80000]
plot {', '.join(curves)}
""")


def plot_region():
    sides = (("latch", "latched rbtree", "#c0392b"), ("maple", "maple tree", "#d09020"),
             ("modreg", "modreg_is_address()", "#2060b0"))
    curves = []
    for guest, dash in (STOCK, 1), (UM, 2):
        dat, lines = f"region-{guest[0]}.dat", []
        for side, title, color in sides:
            series = [(side, plugins, *quartiles(values)) for plugins in PLUGINS
                      if (values := at(guest, "scale:region", plugins, side))]
            lines += series
            if series:
                curves.append(curve(dat, side, f"{title}, {under[guest[0]]}", color, dash))
        write_dat(dat, ("side", "plugins", "low", "median", "high"), lines)
    kernel = ", ".join(f"Linux {kernels[kind]} under {under[kind]}" for kind in ("stock", "um"))
    gnuplot(f"""
set terminal pngcairo size 1000,750 font 'sans,12'
set output 'region.png'
set title "The region of an address, by the number of plugins\\n\
{{/*0.8 {kernel}; median and quartiles}}"
set bmargin 10
set xlabel 'plugins'
set ylabel 'one search'
set format x '%.0f'
set xrange [0.8:130000]
plot {', '.join(curves)}
""")


def plot_scaling():
    lines = []
    for kind, cpus in sorted(samples):
        guest = (kind, cpus)
        if kind != "stock" or not step(guest, 1000):
            continue
        series = {"step": step(guest, 1000), "rcu": column(guest, "step:1000", "rcu"),
                  "stop": column(guest, "step:1000", "stop")}
        for side in "idle", "register", "stop":
            series["stall_" + side] = column(guest, "stall:1000", side)
        lines += [(name, cpus, *quartiles(values)) for name, values in series.items() if values]
    dat = "scaling.dat"
    write_dat(dat, ("series", "cpus", "low", "median", "high"), lines)
    left = (curve(dat, "stop", "insertion under stop_machine()", "#c0392b"),
            curve(dat, "step", "modreg_register_plugin(), all that is under the lock", "#2060b0"),
            curve(dat, "rcu", "list_add_rcu() and one pointer", "#808080"))
    right = (curve(dat, "stall_stop", "while others insert under stop_machine()", "#c0392b"),
             curve(dat, "stall_register", "while 1,000 plugins register", "#2060b0"),
             curve(dat, "stall_idle", "while nobody registers", "#808080"))
    gnuplot(f"""
set terminal pngcairo size 1300,700 font 'sans,12'
set output 'scaling.png'
set multiplot layout 1,2 title "Registering, and what it is for the other CPUs\\n\
{{/*0.8 Linux {kernels.get('stock')} under {under.get('stock')}, whose CPUs share \
{os.cpu_count()} real ones; 1,000 plugins registered; median and quartiles}}"
set logscale x 2
set bmargin 7
set xlabel 'CPUs'
set xrange [0.9:36]
set ylabel 'one registration: the step under the lock'
plot {', '.join(left)}
set ylabel 'longest stall of a CPU that only computes'
plot {', '.join(right)}
unset multiplot
""")


read()
lookup_rows(STOCK, [(name, name) for name in ("kvm", "xfs", "amdgpu")])
lookup_rows(UM, [(f"as large as {name}", f"modreg_symbols_{symbols}")
                 for name, symbols in (("kvm", 8050), ("xfs", 23712), ("amdgpu", 54593))])
writer_rows()
scale_rows(STOCK)
scale_rows(UM)
longest_rows()
hook_rows()
with open(f"{DIR}/table.md", "w") as table:
    table.write(text())
print(text(), end="")
plot_lookup()
plot_region()
plot_scaling()
