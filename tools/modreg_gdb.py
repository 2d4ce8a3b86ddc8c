# SPDX-License-Identifier: GPL-2.0
"""gdb: the command lx-modreg, beside the kernel's own lx-symbols.

    (gdb) source tools/modreg_gdb.py
    (gdb) lx-modreg

The program is a vmlinux with debugging information; the target is a guest through QEMU's stub, or a
dump.
"""

import os
import sys
import tempfile

import gdb

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
import modreg_debug  # noqa: E402


def read(address, size):
    return bytes(gdb.selected_inferior().read_memory(address, size))


def find_info():
    """The address of modreg_debug_info: gdb's own symbol, or the one in the module's table."""
    try:
        return int(gdb.parse_and_eval("(unsigned long)&modreg_debug_info"))
    except gdb.error:
        pass
    modules = gdb.parse_and_eval("&modules")
    kind = gdb.lookup_type("struct module")
    offset = next(field.bitpos // 8 for field in kind.fields() if field.name == "list")
    node, seen = modules["next"], 0
    while node != modules and seen < 4096:
        seen += 1
        module = gdb.Value(int(node) - offset).cast(kind.pointer())
        if module["name"].string() == "modreg":
            table = module["kallsyms"].dereference()
            return modreg_debug.symbol_in(read, int(table["symtab"]), int(table["num_symtab"]),
                                          int(table["strtab"]), "modreg_debug_info")
        node = node["next"]
    return None


class LxModreg(gdb.Command):
    """List modreg's plugins and make their symbols known.

lx-modreg

Lists the plugins, and gives gdb their symbols as of now: bt, break, info symbol and x/i know them
from then on. Call it again when plugins have come or gone."""

    def __init__(self):
        super().__init__("lx-modreg", gdb.COMMAND_FILES)
        self.file = None

    def invoke(self, argument, from_tty):
        try:
            address = find_info()
        except gdb.error as error:
            raise gdb.GdbError(f"modreg is not found: {error}") from error
        if not address:
            raise gdb.GdbError("modreg is not loaded, or the kernel keeps no data symbols (KALLSYMS_ALL)")
        architecture = gdb.selected_inferior().architecture().name()
        machine = modreg_debug.MACHINES.get(architecture.split(":")[0])
        if not machine:
            raise gdb.GdbError(f"modreg does not run on {architecture}")
        try:
            registry = modreg_debug.Registry(read, address)
        except modreg_debug.NoRegistry as error:
            raise gdb.GdbError(str(error)) from error
        plugins = list(registry.plugins())
        for line in modreg_debug.listing(plugins):
            gdb.write(line + "\n")
        for problem in registry.problems:
            gdb.write(f"modreg: {problem}\n", gdb.STDERR)
        self.forget()
        if any(plugin.regions for plugin in plugins):
            handle, self.file = tempfile.mkstemp(prefix="modreg-", suffix=".elf")
            with os.fdopen(handle, "wb") as file:
                file.write(modreg_debug.symbol_file(plugins, machine))
            gdb.execute(f"add-symbol-file {self.file}", to_string=True)

    def forget(self):
        if self.file:
            try:
                gdb.execute(f"remove-symbol-file {self.file}", to_string=True)
            except gdb.error:
                pass
            os.unlink(self.file)
            self.file = None


command = LxModreg()
gdb.events.gdb_exiting.connect(lambda _: command.file and os.unlink(command.file))
