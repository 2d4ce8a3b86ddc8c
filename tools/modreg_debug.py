#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""modreg's registry as debuggers see it, in a running kernel or in a dump.

As a program it reads the running kernel through /proc/kcore, as root, with nothing but Python:

    modreg_debug.py                 lists the plugins
    modreg_debug.py --symbols       lists their symbols
    modreg_debug.py ADDRESS...      tells what the addresses are in

modreg_gdb.py and modreg_drgn.py are built on this; include/modreg_debug.h describes what is read.
Nothing that is read is trusted: a dump may be of a broken machine. What makes no sense is left out,
and Registry.problems says so.
"""

import bisect
import struct
import sys
from typing import Callable, Iterator, NamedTuple, Optional

MAGIC = 0x72646F6D
VERSION = 5
STATES = {0: "LIVE", 1: "COMING", 2: "GOING"}
# The e_machine of ELF, by what gdb's names of architectures begin with, up to a colon.
MACHINES = {"i386": 62, "aarch64": 183}
# SHN_LORESERVE and SHN_XINDEX of ELF.
RESERVED, XINDEX = 0xff00, 0xffff
# Beyond these, a number is no number of ours.
MAX_OFFSET = 1 << 12
MAX_PLUGINS, MAX_REGIONS, MAX_SYMBOLS, MAX_STRINGS = 1 << 20, 1 << 10, 1 << 24, 1 << 30

FIELDS = (
    "plugin_name plugin_name_size plugin_generation plugin_state plugin_references plugin_tables "
    "plugin_regions plugin_num_regions tables_is_init tables_symbols "
    "tables_tail tables_num_tail tables_strings_size tables_orders "
    "orders_visible orders_num_visible "
    "region_size region_base region_length region_length_bits region_text region_init symbols_form"
).split()
FORM = "table num strings strings_size types symbol_size symbol_name symbol_value symbol_type".split()
FORMS = 2


class Region(NamedTuple):
    base: int
    size: int
    text: bool


class Symbol(NamedTuple):
    value: int
    size: int
    letter: str
    name: str


class Plugin(NamedTuple):
    address: int
    name: str
    generation: int
    state: str
    references: int
    regions: "list[Region]"
    symbols: "list[Symbol]"


class Found(NamedTuple):
    plugin: Plugin
    symbol: Optional[Symbol]
    offset: int

    def __str__(self) -> str:
        if not self.symbol:
            return f"[{self.plugin.name}]"
        return f"{self.symbol.name}+{self.offset:#x}/{self.symbol.size:#x} [{self.plugin.name}]"


class NoRegistry(Exception):
    """There is no modreg, or none that this file understands."""


class Registry:
    """The registry whose modreg_debug_info is at an address.

    read(address, size) returns bytes, or raises an exception where it cannot.
    """

    def __init__(self, read: "Callable[[int, int], bytes]", address: int):
        self._read = read
        self.problems: "list[str]" = []
        try:
            magic, version, size = struct.unpack("<3I", read(address, 12))
        except Exception as error:
            raise NoRegistry(f"modreg_debug_info at {address:#x} cannot be read: {error}") from error
        needed = 24 + 4 * (len(FIELDS) + FORMS * len(FORM))
        if magic != MAGIC:
            raise NoRegistry(f"modreg_debug_info at {address:#x} begins with {magic:#x}")
        if version != VERSION or size < needed:
            raise NoRegistry(f"modreg_debug_info is of version {version}, {size} bytes; known is {VERSION}")
        raw = read(address, needed)
        self._plugin_node, self._head = struct.unpack_from("<IQ", raw, 12)
        self._at = at = dict(zip(FIELDS, struct.unpack_from(f"<{len(FIELDS)}I", raw, 24)))
        form = f"<{len(FORM)}I"
        start = 24 + 4 * len(FIELDS)
        self._forms = [dict(zip(FORM, values)) for values in struct.iter_unpack(form, raw[start:])]
        inside = (at["region_base"] + 8 <= at["region_size"] >= at["region_length"] + 8
                  and at["region_length_bits"] < 64 > max(at["region_text"], at["region_init"])
                  and all(f["symbol_name"] + 4 <= f["symbol_size"] >= f["symbol_value"] + 8
                          and f["symbol_type"] < f["symbol_size"] for f in self._forms))
        most = max([self._plugin_node, *at.values(), *(max(f.values()) for f in self._forms)])
        if most > MAX_OFFSET or not inside:
            raise NoRegistry(f"modreg_debug_info at {address:#x} makes no sense: {at}")

    # Reading, with all that is doubted.

    def _problem(self, text: str) -> None:
        if text not in self.problems:
            self.problems.append(text)

    def _bytes(self, address: int, size: int, what: str) -> bytes:
        if size == 0:
            return b""
        # Pointers of the kernel: its half of the addresses, and no error number.
        if not 1 << 63 <= address <= (1 << 64) - 4096 - size:
            raise ValueError(f"{what} would be at {address:#x}")
        try:
            data = self._read(address, size)
        except Exception as error:
            raise ValueError(f"{what} at {address:#x} cannot be read: {error}") from error
        if len(data) != size:
            raise ValueError(f"{what} at {address:#x} is cut off")
        return bytes(data)

    def _number(self, address: int, form: str, what: str) -> int:
        return struct.unpack("<" + form, self._bytes(address, struct.calcsize(form), what))[0]

    def _count(self, address: int, most: int, what: str, form: str = "Q") -> int:
        count = self._number(address, form, what)
        if count > most:
            raise ValueError(f"{what} are {count}")
        return count

    # The registry.

    def _nodes(self) -> "Iterator[int]":
        """The nodes of the list; where it is broken, those that the other end leads to."""
        seen = {self._head}
        for offset, direction in ((0, "forward"), (8, "backward")):
            node = self._head
            while len(seen) <= MAX_PLUGINS:
                try:
                    node = self._number(node + offset, "Q", "the next plugin's node")
                    if node % 8:
                        raise ValueError(f"the next plugin's node would be at {node:#x}")
                except ValueError as error:
                    self._problem(f"the list is broken, read {direction}: {error}")
                    break
                if node == self._head:
                    return
                if node in seen:
                    if direction == "forward":
                        self._problem(f"the list is broken, read forward: {node:#x} is there twice")
                    break
                seen.add(node)
                yield node

    def plugins(self, symbols: bool = True) -> "Iterator[Plugin]":
        """The plugins, newest first."""
        for node in self._nodes():
            try:
                plugin = self._plugin(node, symbols)
                if plugin:
                    yield plugin
            except ValueError as error:
                self._problem(f"the plugin at node {node:#x}: {error}")

    def _plugin(self, node: int, with_symbols: bool) -> "Optional[Plugin]":
        """The plugin at a node; None if it was removed, and is there for the holder of its handle."""
        at = self._at
        address = node - self._plugin_node
        raw = self._bytes(address + at["plugin_name"], at["plugin_name_size"], "the name")
        name = raw.split(b"\0")[0].decode("ascii", "backslashreplace")
        if not name or not name.isprintable():
            raise ValueError(f"its name is {raw!r}")
        state = self._number(address + at["plugin_state"], "I", "the state")
        references = self._number(address + at["plugin_references"], "i", "the references")
        generation = self._number(address + at["plugin_generation"], "Q", "the generation")
        regions: "list[Region]" = []
        symbols: "list[Symbol]" = []
        tables = self._number(address + at["plugin_tables"], "Q", "the pointer to the tables") & ~7
        if not tables:
            return None
        try:
            regions = self._regions(address, tables)
            if with_symbols:
                symbols = self._symbols(tables, regions)
        except ValueError as error:
            self._problem(f"plugin {name}: {error}")
        return Plugin(address, name, generation, STATES.get(state, f"{state}?"),
                      max(references - 1, 0), regions, symbols)

    def _regions(self, plugin: int, tables: int) -> "list[Region]":
        at = self._at
        is_init = self._number(tables + at["tables_is_init"], "B", "whether there are init regions")
        count = self._count(plugin + at["plugin_num_regions"], MAX_REGIONS, "the regions", "I")
        raw = self._bytes(plugin + at["plugin_regions"], count * at["region_size"], "the regions")
        regions = []
        for i in range(0, len(raw), at["region_size"]):
            base, = struct.unpack_from("<Q", raw, i + at["region_base"])
            marked, = struct.unpack_from("<Q", raw, i + at["region_length"])
            size = marked & (1 << at["region_length_bits"]) - 1
            if size == 0 or base + size > 1 << 64:
                raise ValueError(f"a region is {base:#x}+{size:#x}")
            if is_init or not marked >> at["region_init"] & 1:
                regions.append(Region(base, size, bool(marked >> at["region_text"] & 1)))
        return regions

    def _symbols(self, tables: int, regions: "list[Region]") -> "list[Symbol]":
        at = self._at
        base = self._number(tables + at["tables_symbols"], "Q", "the pointer to the symbols")
        number = base and self._number(base + at["symbols_form"], "Q", "the form of the symbols")
        if number >= len(self._forms):
            raise ValueError(f"the form of its symbols is {number:#x}")
        form = self._forms[number]
        if base:
            count = self._count(base + form["num"], MAX_SYMBOLS, "the symbols")
            array = self._number(base + form["table"], "Q", "the pointer to the symbols")
            length = self._count(base + form["strings_size"], MAX_STRINGS, "the bytes of names")
            where = self._number(base + form["strings"], "Q", "the pointer to the names")
        else:
            count = self._count(tables + at["tables_num_tail"], MAX_SYMBOLS, "the symbols", "I")
            array = tables + at["tables_tail"]
            length = self._count(tables + at["tables_strings_size"], MAX_STRINGS, "the bytes of names", "I")
            where = array + count * form["symbol_size"]
        table = self._bytes(array, count * form["symbol_size"], "the symbols")
        strings = self._bytes(where, length, "the names")
        if form["types"]:
            where = self._number(base + form["types"], "Q", "the pointer to the letters")
            letters = self._bytes(where, count, "the letters")
        else:
            letters = table[form["symbol_type"]::form["symbol_size"]]

        numbers = range(count)
        orders = self._number(tables + at["tables_orders"], "Q", "the pointer to the orders")
        where = orders and self._number(orders + at["orders_visible"], "Q", "the pointer to the numbers")
        if where:
            many = self._count(orders + at["orders_num_visible"], MAX_SYMBOLS, "the numbers")
            raw = self._bytes(where, 4 * many, "the numbers")
            numbers = [n for n, in struct.iter_unpack("<I", raw) if n < count]

        found = []
        for n in numbers:
            offset, = struct.unpack_from("<I", table, n * form["symbol_size"] + form["symbol_name"])
            value, = struct.unpack_from("<Q", table, n * form["symbol_size"] + form["symbol_value"])
            end = strings.find(b"\0", offset)
            if offset < length and end > offset:
                name = strings[offset:end].decode("utf-8", "backslashreplace")
                found.append((value, chr(letters[n]), name))
        # A size runs to the next symbol or to the region's end; of aliases the first answers.
        values = sorted({value for value, _, _ in found})
        symbols = []
        for value, letter, name in found:
            size = 0
            for region in regions:
                if region.base <= value < region.base + region.size:
                    above = bisect.bisect_right(values, value)
                    size = region.base + region.size - value
                    if above < len(values):
                        size = min(size, values[above] - value)
            symbols.append(Symbol(value, size, letter, name))
        return symbols

    def find(self, address: int, plugins: "Optional[list[Plugin]]" = None) -> Optional[Found]:
        """What an address is in, as modreg_address_lookup() says it."""
        for plugin in self.plugins() if plugins is None else plugins:
            if any(r.base <= address < r.base + r.size for r in plugin.regions):
                for symbol in plugin.symbols:
                    if symbol.value <= address < symbol.value + symbol.size:
                        return Found(plugin, symbol, address - symbol.value)
                return Found(plugin, None, 0)
        return None


def symbol_in(read: "Callable[[int, int], bytes]", symtab: int, num_symtab: int, strtab: int,
              wanted: str) -> Optional[int]:
    """The value of a symbol in a module's own table, as struct mod_kallsyms has it."""
    if num_symtab > MAX_SYMBOLS:
        return None
    table = read(symtab, 24 * num_symtab)
    want = wanted.encode() + b"\0"
    for n in range(num_symtab):
        name, = struct.unpack_from("<I", table, 24 * n)
        try:
            if read(strtab + name, len(want)) == want:
                return struct.unpack_from("<Q", table, 24 * n + 8)[0]
        except Exception:
            continue
    return None


def listing(plugins: "list[Plugin]") -> "list[str]":
    """A line for each plugin."""
    lines = []
    for plugin in plugins:
        size = sum(region.size for region in plugin.regions)
        text = [region.base for region in plugin.regions if region.text]
        base = (text or [region.base for region in plugin.regions] or [0])[0]
        lines.append(f"{plugin.name:<24} {plugin.state:<7} {base:#018x} {size:>8} bytes "
                     f"{len(plugin.symbols):>6} symbols  generation {plugin.generation}")
    return lines


def symbol_file(plugins: "list[Plugin]", machine: int) -> bytes:
    """An ELF file with the symbols of the plugins, and a section without contents for each region.

    Numbers of sections from RESERVED on are in .symtab_shndx and in the first section, as ELF has them.
    """
    strings, names = bytearray(b"\0"), bytearray(b"\0")

    def string(table: bytearray, text: str) -> int:
        at = len(table)
        table += text.encode() + b"\0"
        return at

    sections = [bytes(64)]
    symbols = [bytes(24)]
    numbers = [bytes(4)]
    for plugin in plugins:
        for region in plugin.regions:
            number = len(sections)
            # NOBITS, in memory; code or not.
            sections.append(struct.pack("<IIQQQQIIQQ", string(names, plugin.name), 8,
                                        6 if region.text else 3, region.base, 64, region.size,
                                        0, 0, 16, 0))
            for symbol in plugin.symbols:
                if region.base <= symbol.value < region.base + region.size:
                    # Global, function or object.
                    symbols.append(struct.pack("<IBBHQQ", string(strings, symbol.name),
                                               0x12 if region.text else 0x11, 0,
                                               number if number < RESERVED else XINDEX,
                                               symbol.value, symbol.size))
                    numbers.append(struct.pack("<I", number if number >= RESERVED else 0))
    first = len(sections)
    body = b""
    # .symtab names .strtab, and .symtab_shndx names .symtab.
    for name, kind, link, info, size, data in (
            (".symtab", 2, first + 2, 1, 24, b"".join(symbols)), (".symtab_shndx", 18, first, 0, 4, b"".join(numbers)),
            (".strtab", 3, 0, 0, 0, bytes(strings)), (".shstrtab", 3, 0, 0, 0, names)):
        # The last has its own name in it.
        at = string(names, name)
        sections.append(struct.pack("<IIQQQQIIQQ", at, kind, 0, 0, 64 + len(body), len(data), link, info, 8, size))
        body += data + bytes(-len(data) % 8)
    count = len(sections)
    if count >= RESERVED:
        sections[0] = struct.pack("<32xQI20x", count, count - 1)
    # An executable file without segments.
    header = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\2\1\1", 2, machine, 1, 0, 0, 64 + len(body), 0,
                         64, 0, 0, 64, count if count < RESERVED else 0, count - 1 if count <= RESERVED else XINDEX)
    return header + body + b"".join(sections)


class Kcore:
    """The running kernel's memory."""

    def __init__(self):
        self.file = open("/proc/kcore", "rb", buffering=0)
        header = self.file.read(64)
        table, = struct.unpack_from("<Q", header, 32)
        size, count = struct.unpack_from("<HH", header, 54)
        self.file.seek(table)
        raw = self.file.read(size * count)
        self.segments = []
        for at in range(0, size * count, size):
            kind, _, offset, address, _, length = struct.unpack_from("<IIQQQQ", raw, at)
            if kind == 1:
                self.segments.append((address, address + length, offset))

    def read(self, address, size):
        for start, end, offset in self.segments:
            if start <= address and address + size <= end:
                self.file.seek(offset + address - start)
                data = b""
                while len(data) < size:
                    piece = self.file.read(size - len(data))
                    if not piece:
                        break
                    data += piece
                return data
        raise ValueError("it is in no memory")


def main(arguments):
    try:
        addresses = [] if arguments == ["--symbols"] else [int(word, 16) for word in arguments]
    except ValueError:
        sys.exit(__doc__)
    with open("/proc/kallsyms", encoding="utf-8", errors="replace") as file:
        address = next((int(line.split()[0], 16) for line in file
                        if line.rstrip().endswith("modreg_debug_info\t[modreg]")), 0)
    if not address:
        sys.exit("modreg_debug.py: modreg is not loaded, or addresses are hidden")
    try:
        registry = Registry(Kcore().read, address)
    except (NoRegistry, OSError) as error:
        sys.exit(f"modreg_debug.py: {error}")
    plugins = list(registry.plugins())
    if arguments == ["--symbols"]:
        for plugin in plugins:
            for symbol in plugin.symbols:
                print(f"{symbol.value:016x} {symbol.letter} {symbol.name}\t[{plugin.name}]")
    elif addresses:
        for word, address in zip(arguments, addresses):
            print(word, registry.find(address, plugins) or "is in no plugin")
    else:
        print("\n".join(listing(plugins)))
    for problem in registry.problems:
        print(f"modreg: {problem}", file=sys.stderr)


if __name__ == "__main__":
    main(sys.argv[1:])
