# SPDX-License-Identifier: GPL-2.0
"""drgn: modreg's plugins, in the running kernel or in a dump.

    >>> import modreg_drgn
    >>> modreg_drgn.install(prog)       # prog.symbol() and stack traces know the plugins from now on
    >>> for plugin in modreg_drgn.plugins(prog): print(plugin.name, plugin.state)
    >>> print(modreg_drgn.find_symbol(prog, 0xffffc900001a5036))
    sample_jit_load+0x6/0x10 [sample_jit]

As a script: drgn -c DUMP -s VMLINUX modreg_drgn.py [TASK...] lists the plugins, and shows the stacks of
the tasks that have these names; 'crashed' is that of the task that crashed.
"""

import os
import sys
import time

import drgn
from drgn.helpers.linux.list import list_for_each_entry
from drgn.helpers.linux.pid import for_each_task

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
import modreg_debug  # noqa: E402


def info_address(prog):
    """The address of modreg_debug_info; raises modreg_debug.NoRegistry where there is none."""
    for module in list_for_each_entry("struct module", prog["modules"].address_of_(), "list"):
        if module.name.string_() == b"modreg":
            table = module.kallsyms
            address = modreg_debug.symbol_in(prog.read, int(table.symtab), int(table.num_symtab),
                                             int(table.strtab), "modreg_debug_info")
            if address:
                return address
            raise modreg_debug.NoRegistry("the kernel keeps no data symbols (KALLSYMS_ALL)")
    raise modreg_debug.NoRegistry("modreg is not loaded")


def registry(prog):
    """The registry; raises modreg_debug.NoRegistry where there is none."""
    return modreg_debug.Registry(prog.read, info_address(prog))


def plugins(prog):
    """The plugins, newest first, as modreg_debug.Plugin has them."""
    return list(registry(prog).plugins())


def find_symbol(prog, address):
    """What an address is in, as modreg_debug.Found; None where it is in no plugin."""
    return registry(prog).find(address)


def install(prog):
    """Makes drgn find plugins' symbols by itself, as of now in a dump, at most a second old live."""
    live = prog.flags & drgn.ProgramFlags.IS_LIVE
    kept, until = plugins(prog), time.monotonic() + 1

    def finder(prog, name, address, one):
        nonlocal kept, until
        if live and time.monotonic() > until:
            try:
                kept = plugins(prog)
            except (modreg_debug.NoRegistry, drgn.FaultError):
                kept = []
            until = time.monotonic() + 1
        found = []
        for plugin in kept:
            for symbol in plugin.symbols:
                if (name is None or symbol.name == name) and (
                        address is None or symbol.value <= address < symbol.value + symbol.size):
                    kind = drgn.SymbolKind.FUNC if symbol.letter in "tT" else drgn.SymbolKind.OBJECT
                    found.append(drgn.Symbol(symbol.name, symbol.value, symbol.size,
                                             drgn.SymbolBinding.GLOBAL, kind))
                    if one:
                        return found
        return found

    prog.register_symbol_finder("modreg", finder, enable_index=0)


def main(prog, names):
    try:
        there = registry(prog)
    except modreg_debug.NoRegistry as error:
        sys.exit(f"modreg_drgn.py: {error}")
    for line in modreg_debug.listing(list(there.plugins())):
        print(line)
    for problem in there.problems:
        print(f"modreg: {problem}", file=sys.stderr)
    install(prog)
    for name in names:
        if name == "crashed":
            tasks = [prog.crashed_thread().object]
        else:
            tasks = [task for task in for_each_task(prog) if task.comm.string_().decode() == name]
        for task in tasks:
            print(f"\n{task.comm.string_().decode()}:")
            try:
                print(prog.stack_trace(task))
            except drgn.UnsupportedOperation as error:
                # It runs: of a live kernel only the stacks of sleeping tasks can be read.
                print(f"modreg: {error}", file=sys.stderr)


if __name__ == "__main__":
    main(prog, sys.argv[1:])  # noqa: F821
