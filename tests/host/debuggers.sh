#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# gdb, drgn and crash find plugins in a kernel with DWARF: live, and in dumps that QEMU takes of it,
# healthy, after a panic inside a plugin, and with a plugin COMING and GOING.
#
# limit: 3600

# shellcheck source=/dev/null # of the kernel source
. "$KSFT/kselftest/ktap_helpers.sh"

checkout=$(cd "$(dirname "$0")/../.." && pwd -P)
kdir=$("$checkout/scripts/kdir" dwarf) || exit 1
out=$checkout/build/$(< "$kdir/include/config/kernel.release")
work=$out/debuggers
vmlinux=$kdir/vmlinux
number='0x[0-9a-f]+'
# crash and drgn are of a younger suite, which is a tree in the tree.
younger=/opt/models/usr

# result DESCRIPTION COMMAND...
result()
{
	local description=$1
	shift
	if "$@"; then
		ktap_test_pass "$description"
	else
		ktap_test_fail "$description"
	fi
}

# younger PROGRAM [ARGUMENT...]: runs a program of the younger suite with its own libraries
younger()
{
	PYTHONHOME=$younger "$younger/lib64/ld-linux-x86-64.so.2" --library-path "$younger/lib/x86_64-linux-gnu" \
		"$younger/bin/$1" "${@:2}"
}

# has REGEX FILE: returns 0 if a whole line of the file matches
has()
{
	grep -qxE "$1" "$2" || { sed "s/^/# no line is '${1//\//\\/}': /" "$2" | tail -n 40; return 1; }
}

# in_guest CASE: what the guest does until its console says that it is ready
# shellcheck disable=SC2317 # passed on by its text
in_guest()
{
	insmod modreg.ko && insmod modreg_kallsyms.ko || return 1
	case $1 in
	live | drgn)
		insmod samples/modreg_sample_c.ko
		insmod samples/modreg_sample_jit.ko
		sleep 1
		;;
	esac
	case $1 in
	live)
		insmod tests/modules/modreg_busy.ko sample=1 ms=600000 &
		insmod tests/modules/test_modreg.ko
		echo hold.shared > /sys/kernel/debug/test_modreg/run &
		sleep 2
		;;
	drgn)
		# A running task has no stack to be read: this one sleeps in a plugin's code.
		insmod tests/modules/test_modreg.ko
		echo sleeper.kallsyms > /sys/kernel/debug/test_modreg/run &
		sleep 2
		# shellcheck disable=SC2154 # set where this is run
		younger python3 -m drgn -s "$vmlinux" "$tools/modreg_drgn.py" sleep_in_jit
		return
		;;
	coming | going)
		insmod tests/modules/test_modreg.ko
		echo "hold.$1" > /sys/kernel/debug/test_modreg/run &
		sleep 3
		;;
	oops)
		# Without modreg_kallsyms there are lines of modreg's own.
		echo 0 > /sys/module/modreg_kallsyms/parameters/enabled
		(insmod tests/modules/test_modreg_owner.ko mode=oops) 2> /dev/null
		dmesg
		return
		;;
	panic)
		echo 1 > /proc/sys/kernel/panic_on_oops
		;;
	esac
	cat /sys/kernel/debug/modreg/plugins
	sed 's/^/kallsyms: /' /sys/kernel/debug/modreg/kallsyms
	[[ $1 != panic ]] || insmod samples/modreg_sample_jit.ko oops=1
	sleep 5
	echo 'debuggers: ready' > /dev/kmsg
	sleep 600
}

# boot CASE [OPTION...]: boots a guest with the case; its output is in CASE.out, its dump in CASE.dump
boot()
{
	local case=$1 until='debuggers: ready'
	shift
	[[ $case != panic ]] || until='end Kernel panic'
	rm -f "$work/$case.dump"
	[[ $case = drgn || $case = oops ]] || set -- --until "$until" --dump "$work/$case.dump" "$@"
	"$checkout/scripts/boot" --memory 512M --limit 900 --log "$work/$case.console" --append panic=0 "$@" "$kdir" \
		"cd $out; $(declare -f in_guest younger); younger=$younger vmlinux=$vmlinux tools=$checkout/tools; in_guest $case" \
		> "$work/$case.out" 2> "$work/$case.log"
	[[ $case = drgn || $case = oops || -s $work/$case.dump ]] || { tail -n 20 "$work/$case.log" "$work/$case.console" | sed 's/^/# /'; return 1; }
}

# with_gdb: runs gdb on the guest through QEMU's stub
with_gdb()
{
	# shellcheck disable=SC2016 # set where it is run
	boot live --then "timeout 300 gdb -nx -batch -iex 'add-auto-load-safe-path $kdir' -ex 'target remote '\$GDB \
		-ex 'lx-symbols $out' -ex 'source $checkout/tools/modreg_gdb.py' -ex lx-modreg \
		-ex 'info symbol sample_jit_load' -ex 'x/2i sample_jit_load' \
		-ex 'hbreak sample_jit_load' -ex continue -ex bt -ex 'info symbol \$pc' -ex 'delete' -ex disconnect \
		$vmlinux > $work/gdb.out 2>&1 < /dev/null"
}

# drgn_dump CASE [TASK...]: what tools/modreg_drgn.py says of the case's dump
drgn_dump()
{
	younger python3 -m drgn -c "$work/$1.dump" -s "$vmlinux" "$checkout/tools/modreg_drgn.py" "${@:2}" > "$work/$1.drgn" 2>&1
}

# crash_dump CASE COMMAND...: what crash answers to the commands with modreg's extension
#
# crash 9.0.2 stops at a dump of Linux 7.3 unless it leaves the modules alone: struct module has lost
# num_gpl_syms.
crash_dump()
{
	local case=$1
	shift
	{ echo "extend $work/modreg_crash.so"; printf '%s\n' "$@"; echo quit; } |
		younger crash -s --no_modules --no_scroll "$vmlinux" "$work/$case.dump" > "$work/$case.crash" 2>&1
}

# build_extension: builds crash's extension
build_extension()
{
	gcc -shared -fPIC -O2 -Wall -Werror -I"$younger/include/crash" -I"$checkout/include" -o "$work/modreg_crash.so" \
		"$checkout/tools/modreg_crash.c" 2>&1 | sed 's/^/# /'
	return "${PIPESTATUS[0]}"
}

# decode LOG FOLDER: what the kernel's decode_stacktrace.sh makes of a log, with the objects in the folder
decode()
{
	"$kdir/source/scripts/decode_stacktrace.sh" "$vmlinux" "$(readlink -f "$kdir/source")" "$2" < "$1" > "$work/decoded" 2>&1
}

# agree CASE: returns 0 if drgn finds the symbols in the dump that the guest's kallsyms has
agree()
{
	cat > "$work/agree.py" <<- END
		import re, sys
		sys.path.insert(0, "$checkout/tools")
		import modreg_debug, modreg_drgn

		registry = modreg_drgn.registry(prog)
		plugins = list(registry.plugins())
		listed = [f"{s.value:016x} {s.name} {p.name}" for p in plugins for s in p.symbols]
		lines = [line.rstrip() for line in open("$work/$1.out", errors="replace")]
		there = [re.fullmatch(r"kallsyms: (\w+) . (.*)\t\[(.*)\]", line) for line in lines]
		there = [f"{m[1]} {m[2]} {m[3]}" for m in there if m]
		print(f"# {len(plugins)} plugins, {len(listed)} symbols, {len(registry.problems)} problems")
		if listed != there or registry.problems:
		    print("# drgn:", listed, registry.problems)
		    print("# kallsyms:", there)
		    sys.exit(1)
	END
	younger python3 -m drgn -c "$work/$1.dump" -s "$vmlinux" "$work/agree.py" 2>&1
}

# broken CASE: reads the registry of a dump with every word that it reads damaged in turn
broken()
{
	cat > "$work/broken.py" <<- END
		import random, sys
		sys.path.insert(0, "$checkout/tools")
		import modreg_debug, modreg_drgn

		reads = []
		def noted(address, size):
		    reads.append((address, size))
		    return prog.read(address, size)
		address = modreg_drgn.info_address(prog)
		list(modreg_debug.Registry(noted, address).plugins())
		places = sorted({a + o for a, size in reads for o in range(0, min(size, 256), 4)})
		chance, refused, doubted, silent = random.Random(1), 0, 0, 0
		for place in places:
		    for bad in (0, 0xffffffff, chance.getrandbits(32)):
		        def damaged(a, size):
		            data = bytearray(prog.read(a, size))
		            if a <= place < a + size:
		                data[place - a:place - a + 4] = bad.to_bytes(4, "little")[:size - (place - a)]
		            return bytes(data)
		        try:
		            registry = modreg_debug.Registry(damaged, address)
		            modreg_debug.symbol_file(list(registry.plugins()), 62)
		            doubted += bool(registry.problems)
		            silent += not registry.problems
		        except modreg_debug.NoRegistry:
		            refused += 1
		print(f"# {len(places)} words, each damaged 3 times: {refused} times no registry, "
		      f"{doubted} times doubted, {silent} times unnoticed (a name, a number)")
	END
	younger python3 -m drgn -c "$work/$1.dump" -s "$vmlinux" "$work/broken.py" 2>&1
}

ktap_print_header
mkdir -p "$work"
make -C "$checkout" KDIR="$kdir" EXPORTS= test-modules > "$work/build.log" 2>&1 || { tail -n 20 "$work/build.log" | sed 's/^/# /'; exit 1; }
ktap_set_plan 50

result "a guest is stopped by gdb, and dumped" with_gdb
result "gdb: lx-modreg lists the plugins" has "sample_jit +LIVE +$number +[0-9]+ bytes +3 symbols .*" "$work/gdb.out"
result "gdb: lx-modreg lists a plugin that lies in its module" has "sample_c +LIVE +$number +[0-9]+ bytes .*" "$work/gdb.out"
result "gdb: info symbol knows the function" has "sample_jit_load in section sample_jit of .*" "$work/gdb.out"
result "gdb: a breakpoint on the function is met" has ".*(Breakpoint|hit).* sample_jit_load \(\).*|.*Breakpoint 1.*" "$work/gdb.out"
result "gdb: the back trace goes through the plugin" has "#[0-9]+ +$number in sample_jit_call \(\).*" "$work/gdb.out"
result "gdb: the back trace goes on behind the plugin" has "#[0-9]+ .* ret_from_fork .*" "$work/gdb.out"

result "dump of a healthy machine: drgn reads it" drgn_dump live modreg_busy
result "dump of a healthy machine: drgn lists the plugins" has "sample_jit +LIVE +$number .*" "$work/live.drgn"
result "dump of a healthy machine: drgn lists a plugin with copied symbols" has "test_a +LIVE +$number .* 12 symbols .*" "$work/live.drgn"
result "dump of a healthy machine: drgn lists a plugin with a table that is lent" has "test_lent +LIVE +$number .* 1 symbols .*" "$work/live.drgn"
result "dump of a healthy machine: symbols and addresses are those of kallsyms" agree live
result "dump of a healthy machine: drgn's stack goes through the plugin" has "#[0-9]+ +sample_jit_call\+$number/$number" "$work/live.drgn"
result "dump of a healthy machine, each word damaged: no exception" broken live

result "panic inside a plugin: the guest is dumped" boot panic
result "panic inside a plugin: drgn reads it" drgn_dump panic crashed
result "panic inside a plugin: drgn's stack names the function" has "#[0-9]+ +sample_jit_load\+$number/$number" "$work/panic.drgn"
result "panic inside a plugin: drgn's stack names its caller" has "#[0-9]+ +sample_jit_call\+$number/$number" "$work/panic.drgn"

result "plugin in COMING: the guest is dumped" boot coming
result "plugin in COMING: drgn reads it" drgn_dump coming
result "plugin in COMING: drgn says so" has "test_a +COMING +$number +6144 bytes +6 symbols .*" "$work/coming.drgn"
result "plugin in COMING: its symbols, init symbols included, are those of kallsyms" agree coming
result "plugin in GOING: the guest is dumped" boot going
result "plugin in GOING: drgn reads it" drgn_dump going
result "plugin in GOING: drgn says so" has "test_a +GOING +$number +4096 bytes .*" "$work/going.drgn"
result "plugin in GOING: its symbols are those of kallsyms" agree going

result "drgn, live in the guest: reads its own kernel" boot drgn
result "drgn, live in the guest: lists the plugins" has "sample_jit +LIVE +$number .*" "$work/drgn.out"
result "drgn, live in the guest: the call chain of a thread goes through the plugin" has "#[0-9]+ +jit_call\+$number/$number" "$work/drgn.out"

result "crash: its extension builds" build_extension
result "crash, healthy machine: reads the dump" crash_dump live modreg 'modreg sample_jit' 'sym sample_jit_load' \
	'dis sample_jit_load 2' mod 'sym large_00011' 'sym lent_one'
result "crash, healthy machine: modreg lists the plugins" has "sample_jit +LIVE +[0-9a-f]{16} .*" "$work/live.crash"
result "crash, healthy machine: modreg lists a plugin that lies in its module" has "sample_c +LIVE +[0-9a-f]{16} +4[0-9]{3} bytes .*" "$work/live.crash"
result "crash, healthy machine: sym knows the function" has "[0-9a-f]{16} \(t\) sample_jit_load \[sample_jit\] *" "$work/live.crash"
result "crash, healthy machine: sym knows a copied symbol" has "[0-9a-f]{16} \(t\) large_00011 \[test_a\] *" "$work/live.crash"
result "crash, healthy machine: sym knows a symbol of a table that is lent" has "[0-9a-f]{16} \(r\) lent_one \[test_lent\] *" "$work/live.crash"
result "crash, healthy machine: dis knows the function" has "0x[0-9a-f]{16} <sample_jit_load>:.*" "$work/live.crash"
result "crash, panic inside a plugin: reads the dump" crash_dump panic modreg bt
result "crash, panic inside a plugin: bt names the function" has " *#[0-9]+ .* sample_jit_load at [0-9a-f]+ \[sample_jit\]" "$work/panic.crash"
result "crash, panic inside a plugin: bt names its caller" has " *#[0-9]+ .* sample_jit_call at [0-9a-f]+ \[sample_jit\]" "$work/panic.crash"
for case in coming going; do
	result "crash, plugin in ${case^^}: reads the dump" crash_dump $case modreg
	result "crash, plugin in ${case^^}: says so" has "test_a +${case^^} +.*" "$work/$case.crash"
done

mkdir -p "$work/objects"
ln -sf "$out/tests/modules/test_modreg_owner.ko" "$work/objects/test_modreg_owner.ko"
result "decode_stacktrace.sh, a plugin without an object: passes" decode "$work/panic.console" "$work/objects"
result "decode_stacktrace.sh, a plugin without an object: its line stays" has ".*RIP: 0010:sample_jit_load\+$number/$number \[?sample_jit\]?.*" "$work/decoded"
result "an oops in a plugin that was built as ELF" boot oops
result "decode_stacktrace.sh, with its object: passes" decode "$work/oops.out" "$work/objects"
result "decode_stacktrace.sh, with its object: modreg's line has file and line" has ".*modreg: IP: trouble_inner[.a-z0-9]* \(.*test_modreg_owner\.c:[0-9]+.*\) test_modreg_owner.*" "$work/decoded"
"$kdir/source/scripts/faddr2line" "$out/tests/modules/test_modreg_owner.ko" "$(sed -nE 's/.*IP: (trouble_inner[.a-z0-9]*\+\w+\/\w+) \[test_modreg_owner\].*/\1/p' "$work/oops.out" | head -n 1)" > "$work/faddr2line" 2>&1
result "faddr2line: file and line of the same place" has ".*test_modreg_owner\.c:[0-9]+.*" "$work/faddr2line"

ktap_finished
