#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The tools for users on made-up input, without a guest: what modreg-perf makes of tracepoints, for which machine
# gdb gets symbols, how DKMS builds, and how crash's extension reads a broken list.

# shellcheck source=/dev/null # of the kernel source
. "$KSFT/kselftest/ktap_helpers.sh"

checkout=$(cd "$(dirname "$0")/../.." && pwd -P)
work=$OUT/tools
# As tests/host/debuggers.sh has it.
crash_headers=/opt/models/usr/include/crash

# result DESCRIPTION COMMAND...
result()
{
	local description=$1 output
	shift
	if output=$("$@" 2>&1); then
		ktap_test_pass "$description"
	else
		ktap_test_fail "$description"
		printf '%s\n' "$output" | sed 's/^/# /'
	fi
}

# with_perf PROGRAM [ARGUMENT...]: runs a Python program that has modreg-perf as 'perf'
with_perf()
{
	python3 -B -c "import importlib.machinery, importlib.util, os, signal, struct, subprocess, sys, time
loader = importlib.machinery.SourceFileLoader('modreg_perf', sys.argv[1])
perf = importlib.util.module_from_spec(importlib.util.spec_from_loader('modreg_perf', loader))
loader.exec_module(perf)
$1" "$checkout/tools/modreg-perf" "${@:2}"
}

# follows WANTED [BEFORE]: returns 0 if modreg-perf makes WANTED of the events on its input
#	WANTED - for each change a word: TIME+NAME if a symbol comes, TIME-NAME if it goes
#	BEFORE - the names of a plugin's symbols that are there before the events
#
# A line of input has a time, a generation, an event and its word: a symbol's name, 'NAME/init', or a state. The name's
# last digit is the symbol's place.
follows()
{
	local program
	program=$(
		cat <<- 'END'
			def place(name):
			    return 0xffffffffc0000000 + 16 * int(name[-1])

			lines = ["CPU:0 [EVENTS START]"]
			for line in sys.stdin.read().splitlines():
			    time, generation, event, *word = line.split()
			    rest = ""
			    if event == "symbol":
			        name, _, init = word[0].partition("/")
			        flags = 2 if init else 0
			        rest = f" value={place(name):#x} size=0x10 type=t flags={flags:#x} symbol={name}"
			    elif event == "region":
			        rest = f" base={place('0'):#x} size=0x100 flags=0x1"
			    elif event == "register":
			        rest = " regions=1 symbols=1"
			    elif event == "replace":
			        rest = " symbols=1"
			    elif event == "state":
			        rest = f" {word[0]}"
			    lines.append(f"     a thread-77      [001] .....     0.{int(time):06}: plugin_{event}: "
			                 f"jit generation={generation}{rest}")
			before = [("jit", place(name), 16, name) for name in " ".join(sys.argv[3:]).split()]
			events, lost = perf.ksymbols(before, lines)
			assert not lost and all((value, size) == (place(name), 16) for _, value, size, name, _ in events), events
			made = " ".join(f"{time // 1000}{'-' if went else '+'}{name}" for time, _, _, name, went in events)
			print("wanted:", sys.argv[2], "\nmade:  ", made)
			sys.exit(made != sys.argv[2])
		END
	)
	with_perf "$program" "$@"
}

# records PROGRAM: runs a Python program in which record() records without a kernel
#
# The program of perf that it runs writes what 'data' is, if anything, to FILE and ends with STATUS of the environment.
records()
{
	rm -rf "$work/records"
	mkdir -p "$work/records"
	cd "$work/records" || return
	with_perf "
perf.PERF = './perf'
perf.present_symbols = perf.present_modules = lambda: []
perf.kernel_symbols = lambda _: b'symbols'

class Follower:
    def stop(self):
        open('stopped', 'w').close()
        return []

perf.Follower = Follower

def recording(record):
    attr = struct.pack('<40xQ80x2Q', 1 << 18, 0, 0)
    attr = attr[:24] + struct.pack('<Q', perf.TIME) + attr[32:]
    return b'PERFILE2' + struct.pack('<12Q', 104, len(attr), 104, len(attr), 104 + len(attr), len(record),
                                     0, 0, 0, 0, 0, 0) + attr + record

def write(path, data):
    with open(path, 'wb') as file:
        file.write(data)

def make_perf(text):
    write('perf', b'#!/bin/sh\n' + text.encode())
    os.chmod('perf', 0o700)

def record(*arguments):
    try:
        return perf.record(list(arguments))
    except SystemExit as error:
        return error.code

sample = struct.pack('<IHHQ', 9, 1, 16, 1000)
whole = recording(sample)
write('whole', whole)
$1"
}

# gdb_gets ARCHITECTURE MACHINE: returns 0 if lx-modreg, where gdb has the architecture, adds a file for the machine
#	MACHINE - as readelf names it
gdb_gets()
{
	rm -f "$work/symbols.elf"
	python3 -B - "$checkout/tools" "$1" "$work/symbols.elf" <<- 'END'
		import shutil, sys, types

		tools, architecture, copy = sys.argv[1:]
		gdb = types.ModuleType("gdb")
		gdb.Command = type("Command", (), {"__init__": lambda *_: None})
		gdb.COMMAND_FILES, gdb.STDERR = 0, 2
		gdb.error = gdb.GdbError = RuntimeError
		exiting = types.SimpleNamespace(connect=lambda call: None)
		gdb.events = types.SimpleNamespace(gdb_exiting=exiting)
		named = types.SimpleNamespace(name=lambda: architecture)
		gdb.selected_inferior = lambda: types.SimpleNamespace(architecture=lambda: named)
		gdb.parse_and_eval = lambda text: 1 << 63
		gdb.write = lambda *_: None
		gdb.execute = lambda line, **_: line.startswith("add-") and shutil.copy(line.split()[1], copy)
		sys.modules["gdb"] = gdb
		sys.path.insert(0, tools)
		import modreg_debug, modreg_gdb

		class Registry:
		    problems = []
		    def __init__(self, read, address):
		        pass
		    def plugins(self):
		        base = 0xffffffffc0000000
		        return [modreg_debug.Plugin(0, "jit", 1, "LIVE", 0, [modreg_debug.Region(base, 64, True)],
		                                    [modreg_debug.Symbol(base, 16, "t", "jit_load")])]

		modreg_debug.Registry = Registry
		modreg_gdb.command.invoke("", False)
		modreg_gdb.command.forget()
	END
	readelf --wide --file-header --symbols "$work/symbols.elf" > "$work/readelf" 2>&1
	grep -E '^ *Machine:|jit_load|[Ww]arning' "$work/readelf"
	grep -qE "^ *Machine: +$2\$" "$work/readelf" && grep -qE ' 16 FUNC +GLOBAL .* jit_load$' "$work/readelf"
}

# gdb_knows COUNT: returns 0 if gdb itself knows the last of so many plugins by name and by address
gdb_knows()
{
	python3 -B - "$checkout/tools" "$1" > "$work/many.elf" <<- 'END'
		import sys

		sys.path.insert(0, sys.argv[1])
		from modreg_debug import MACHINES, Plugin, Region, Symbol, symbol_file

		bases = [0xffffffffc0000000 + 64 * i for i in range(int(sys.argv[2]))]
		plugins = [Plugin(0, f"jit_{i}", i, "LIVE", 0, [Region(base, 64, True)], [Symbol(base, 16, "t", f"call_{i}")])
		           for i, base in enumerate(bases, 1)]
		sys.stdout.buffer.write(symbol_file(plugins, MACHINES["i386"]))
	END
	gdb -nx -batch -ex "add-symbol-file $work/many.elf" -ex "info symbol $(printf '0x%x' $((0xffffffffc0000000 + 64 * ($1 - 1) + 4)))" \
		-ex "info address call_$1" > "$work/output" 2>&1 < /dev/null
	tail -n 5 "$work/output"
	grep -qx "call_$1 + 4 in section jit_$1" "$work/output" && grep -q "^Symbol \"call_$1\" is at " "$work/output"
}

# without_registry: returns 0 if the readers in Python say so in words, and drgn goes on, where there is no registry
without_registry()
{
	python3 -B - "$checkout/tools" <<- 'END'
		import io, runpy, sys, time, types

		sys.path.insert(0, sys.argv[1])
		import modreg_debug

		def message(call):
		    try:
		        call()
		    except SystemExit as error:
		        return error.code

		class Kcore:
		    def read(self, address, size):
		        return bytes(size)

		modreg_debug.Kcore = Kcore
		modreg_debug.open = lambda *_, **__: io.StringIO("ffffffffc0000000 d modreg_debug_info\t[modreg]\n")
		assert "begins with 0x0" in message(lambda: modreg_debug.main([]))
		assert "lists the plugins" in message(lambda: modreg_debug.main(["sample"]))

		for name in "drgn", "drgn.helpers", "drgn.helpers.linux", "drgn.helpers.linux.list", "drgn.helpers.linux.pid":
		    sys.modules[name] = types.ModuleType(name)
		drgn = sys.modules["drgn"]
		drgn.FaultError = OSError
		drgn.ProgramFlags = types.SimpleNamespace(IS_LIVE=1)
		drgn.SymbolKind = drgn.SymbolBinding = types.SimpleNamespace(FUNC=0, OBJECT=0, GLOBAL=0)
		drgn.Symbol = lambda name, *_: name
		sys.modules["drgn.helpers.linux.list"].list_for_each_entry = lambda *_: []
		sys.modules["drgn.helpers.linux.pid"].for_each_task = None
		import modreg_drgn

		class Program(dict):
		    flags, read = 1, None
		    def __init__(self):
		        self["modules"] = types.SimpleNamespace(address_of_=lambda: None)
		    def register_symbol_finder(self, name, finder, enable_index):
		        self.finder = finder

		program = Program()
		assert "modreg is not loaded" in message(lambda: modreg_drgn.main(program, []))
		jit = modreg_debug.Plugin(0, "jit", 1, "LIVE", 0, [], [modreg_debug.Symbol(64, 16, "t", "jit_load")])
		real, calls, now = modreg_drgn.plugins, [], 0
		modreg_drgn.plugins = lambda _: calls.append(1) or [jit]
		time.monotonic = lambda: now
		modreg_drgn.install(program)
		for _ in range(100):
		    assert program.finder(program, None, 70, True) == ["jit_load"]
		assert len(calls) == 1, calls
		modreg_drgn.plugins, now = real, 2
		assert program.finder(program, None, 70, True) == []
	END
}

# dkms_build CONFIGURATION WANTED: returns 0 if dkms-build calls make like this for a kernel with that configuration
dkms_build()
{
	local bin=$work/bin
	mkdir -p "$bin" "$work/kernel"
	printf '#!/bin/sh\necho "%s"\n' "$work/kernel" > "$bin/rust-kdir"
	printf '#!/bin/sh\necho "LLVM=$LLVM $*"\n' > "$bin/make"
	chmod +x "$bin"/*
	echo "$1" > "$work/kernel/.config"
	cd "$work" || return
	output=$(env -u LLVM PATH="$bin:$PATH" sh "$checkout/packaging/dkms-build" 9.1.0 V=1)
	echo "wanted: $2"
	echo "made:   $output"
	[[ $output = "$2" ]]
}

# build_extension [OPTION...]: builds crash's extension
build_extension()
{
	gcc -shared -fPIC -O2 -Wall -Werror "$@" -I"$crash_headers" -I"$checkout/include" -o "$work/modreg_crash.so" \
		"$checkout/tools/modreg_crash.c"
}

# read_lists: returns 0 if crash's extension reads each plugin of a list once, whichever node follows the last
read_lists()
{
	cat > "$work/lists.c" <<- 'END'
		/* What the extension needs of crash. */
		FILE *fp;
		char *args[MAXARGS];
		struct kernel_table kernel_table, *kt = &kernel_table;
		struct symbol_table_data symbol_table_data, *st = &symbol_table_data;

		#define MOST 40
		#define KERNEL(pointer) ((ulong)(pointer) | 1UL << 63)

		static struct { ulong is_init, symbols, orders; } tables;
		static ulong no_symbols[8];
		static struct { ulong node[2], generation, state, tables, num_regions; char name[16]; } made[MOST];
		static ulong head[2], reads;
		static struct modreg_debug_info layout = {
			.magic = MODREG_DEBUG_MAGIC,
			.version = MODREG_DEBUG_VERSION,
			.size = sizeof(layout),
			.plugin_generation = 16,
			.plugin_state = 24,
			.plugin_tables = 32,
			.plugin_regions = 64,
			.plugin_num_regions = 40,
			.plugin_name = 48,
			.plugin_name_size = 16,
			.tables_symbols = 8,
			.tables_orders = 16,
			.region_size = 16,
			.region_length = 8,
			.region_length_bits = 61,
			.region_text = 63,
			.region_init = 62,
			.forms[0 ... 1] = { .symbol_size = 24, .symbol_value = 8, .num = 8, .strings_size = 16 },
		};

		int readmem(ulonglong addr, int type, void *to, long size, char *what, ulong flags)
		{
			if (++reads > 100000) {
				puts("reads without an end");
				exit(1);
			}
			memcpy(to, (void *)(ulong)(addr & ~(1ULL << 63)), size);
			return TRUE;
		}

		int symbol_exists(char *name)
		{
			return !strcmp(name, "modreg_debug_info");
		}

		ulong symbol_value(char *name)
		{
			return KERNEL(&layout);
		}

		long datatype_info(char *type, char *member, struct datatype_member *found)
		{
			return -1;
		}

		void register_extension(struct command_table_entry *table)
		{
		}

		/* Makes a list of count plugins. The last leads to plugin number 'next', or to the head. */
		static void make_list(int count, int next)
		{
			int i;

			layout.plugins = (void *)KERNEL(head);
			tables.symbols = KERNEL(no_symbols);
			head[0] = KERNEL(count ? made[0].node : head);
			for (i = 0; i < count; i++) {
				made[i].node[0] = KERNEL(i + 1 < count ? made[i + 1].node :
							 next < 0 ? head : made[next].node);
				made[i].tables = KERNEL(&tables);
				sprintf(made[i].name, "plugin_%d", i);
			}
		}

		/* Before the extension's own, which reads the registry. */
		static void __attribute__((constructor(101))) prepare(void)
		{
			fp = stdout;
			make_list(0, -1);
		}

		int main(void)
		{
			char *text;
			size_t size;
			int count, next, i, bad;

			for (count = 1; count <= MOST; count++) {
				for (next = -1; next < count; next++) {
					make_list(count, next);
					fp = open_memstream(&text, &size);
					reads = num_plugins = 0;
					read_registry();
					fclose(fp);
					bad = num_plugins != count || (next < 0) != !strstr(text, "the list of plugins");
					for (i = 0; i < count && !bad; i++)
						bad = strcmp(plugins[i].name, made[i].name);
					if (bad) {
						printf("%d plugins, the last leads to %d: %u found, %s\n", count, next,
						       num_plugins, size ? text : "no doubt");
						return 1;
					}
				}
			}
			return 0;
		}
	END
	gcc -O2 -Wall -Werror -I"$crash_headers" -I"$checkout/include" -include "$checkout/tools/modreg_crash.c" \
		-o "$work/lists" "$work/lists.c" && "$work/lists"
}

ktap_print_header
mkdir -p "$work"
ktap_set_plan 22

registered='10 5 region
11 5 symbol load_1
12 5 symbol call_2
13 5 symbol setup_3/init
20 5 register
21 5 state COMING
30 5 state LIVE'
result "modreg-perf, a plugin comes and goes: so do its symbols, those of init at LIVE" \
	follows '20+load_1 20+call_2 20+setup_3 30-setup_3 60-load_1 60-call_2' <<< "$registered
50 5 state GOING
60 5 unregister"
result "modreg-perf, symbols are replaced: old names go, new ones come, those that stay do neither" \
	follows '20+load_1 20+call_2 20+setup_3 30-setup_3 40-load_1 40+other_1 40+more_4 60-other_1 60-call_2 60-more_4' <<< "$registered
38 5 symbol other_1
38 5 symbol call_2
38 5 symbol more_4
40 5 replace
60 5 unregister"
result "modreg-perf, symbols are replaced twice: each name has its time" \
	follows '20+load_1 20+call_2 20+setup_3 30-setup_3 40-load_1 40-call_2 40+other_1 50-other_1 50+load_1' <<< "$registered
38 5 symbol other_1
40 5 replace
48 5 symbol load_1
50 5 replace"
result "modreg-perf, symbols of a plugin that was there before are replaced: the same" \
	follows '0+load_1 0+call_2 40-load_1 40+other_1 60-other_1 60-call_2' 'load_1 call_2' <<< '38 5 symbol other_1
38 5 symbol call_2
40 5 replace
60 5 unregister'
result "modreg-perf, a plugin that was there before is refused its removal: its symbols stay" \
	follows '0+load_1' 'load_1' <<< '38 5 state GOING
40 5 state LIVE'
result "modreg-perf, a registration is refused, for the name is taken: nothing changes" \
	follows '0+load_1 60-load_1' 'load_1' <<< '38 6 region
39 6 symbol other_1
60 5 unregister'
result "modreg-perf, a symbol has an alias: the first name counts" \
	follows '0+load_1 60-load_1' 'load_1 alias_1' <<< '60 5 unregister'

result "modreg-perf, perf writes no file: an old recording stays as it is" records '
write("perf.data", whole)
make_perf("exit 7")
assert record("-e", "none") == 7
make_perf("cp whole other")
assert "has not written perf.data" in record("sleep", "1")
assert open("perf.data", "rb").read() == whole and sorted(os.listdir()) == ["other", "perf", "perf.data", "stopped", "whole"]'
result "modreg-perf, options as perf reads them: the names go to the file that perf writes" records '
for words, path in (("-ago new sleep 1", "new"), ("-agonew", "new"), ("--output new", "new"), ("--output=new -a", "new"),
                    ("-g gcc -o prog x.c", "perf.data"), ("-F 99 -e cycles -o new x", "new"), ("-F99 -ecycles x -o y", "perf.data"),
                    ("--call-graph dwarf -o new", "new"), ("-a -- x -o y", "perf.data"), ("-I -o new", "new"), ("-o a -o new", "new")):
    make_perf(f"echo \"$@\" > arguments; cp whole {path}")
    assert record(*words.split()) == 0, words
    assert open(f"{path}.kallsyms", "rb").read() == b"symbols", words
    assert open("arguments").read().split() == ["record", "-o", path, *words.split()], words
    for name in set(os.listdir()) - {"perf", "whole"}:
        os.unlink(name)'
result "modreg-perf, recordings that it cannot add to: refused, and left as they are" records '
for words in "--threads", "--threads=cpu x", "--kcore", "-z", "-az3", "-e intel_pt// x", "--event=arm_spe_0//", "-o -":
    make_perf("echo called > called")
    assert isinstance(record(*words.split()), str) and not os.path.exists("called"), words
for data, wanted in ((recording(b""), "no records"), (recording(struct.pack("<IHHQ", 71, 0, 16, 64) + bytes(64)), "AUX"),
                     (recording(struct.pack("<IHHQ", 81, 0, 16, 0)), "compressed"), (whole[:60], "broken"),
                     (recording(bytes(16)), "broken"), (b"", "not of"), (whole[:-4], "broken")):
    write("data", data)
    make_perf("cp data perf.data")
    code = record("x")
    assert wanted in str(code) and open("perf.data", "rb").read() == data, (code, wanted)
os.unlink("perf.data")
make_perf("mkdir perf.data")
assert "no file" in record("x")
assert not os.path.exists("perf.data.kallsyms")'
result "modreg-perf is ended by a signal: perf writes its file, and nothing is left in tracefs" records '
make_perf("trap \"cp whole perf.data; kill \\$!; exit 3\" TERM; touch ready; sleep 60 & wait")
for number in signal.SIGTERM, signal.SIGHUP:
    child = os.fork()
    if not child:
        os._exit(record("x"))
    while not os.path.exists("ready"):
        time.sleep(0.05)
    os.kill(child, number)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 3
    assert os.path.exists("perf.data.kallsyms")
    for name in "stopped", "ready", "perf.data", "perf.data.kallsyms":
        os.unlink(name)'

result "gdb on x86-64: lx-modreg adds a file for it" gdb_gets i386:x86-64 'Advanced Micro Devices X86-64'
result "gdb on arm64: lx-modreg adds a file for it" gdb_gets aarch64 AArch64
# shellcheck disable=SC2016 # Python's
result "gdb itself: has that name of this machine" gdb -nx -batch -ex "python
import sys
sys.path.insert(0, '$checkout/tools')
sys.dont_write_bytecode = True
import modreg_debug
name = gdb.selected_inferior().architecture().name()
print(name)
gdb.execute('quit %d' % (name.split(':')[0] not in modreg_debug.MACHINES))" "$(command -v gcc)"

result "gdb, as many plugins as ELF has plain numbers for: it knows the last" gdb_knows 65275
result "gdb, more than that: it knows the last" gdb_knows 66000
result "no registry: the readers in Python say so, and drgn finds nothing" without_registry

result "dkms-build, a kernel made with gcc: make gets what DKMS asks for" \
	dkms_build CONFIG_CC_IS_GCC=y "LLVM= -C $work/kernel M=$work MODREG_SAMPLES=n modules V=1"
result "dkms-build, a kernel made with clang: its modules too" \
	dkms_build CONFIG_CC_IS_CLANG=y "LLVM=1 -C $work/kernel M=$work MODREG_SAMPLES=n modules V=1"

if [[ -e $crash_headers/defs.h ]]; then
	result "crash's extension: builds" build_extension
	result "crash's extension: builds for a crash that reads dumps of arm64" build_extension -DARM64
	result "crash's extension, lists that close without their head: each plugin is read once" read_lists
else
	for what in "builds" "builds for a crash that reads dumps of arm64" "lists that close without their head"; do
		ktap_test_skip "crash's extension, $what: there are no headers of crash here"
	done
fi

ktap_finished
