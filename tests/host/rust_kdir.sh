#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# tools/rust-kdir says what is wrong with a kernel build directory in one line, with the command that mends
# it. Each case is a copy of KDIR, by links, with one thing changed.

# shellcheck source=/dev/null # of the kernel source
. "$KSFT/kselftest/ktap_helpers.sh"

checkout=$(cd "$(dirname "$0")/../.." && pwd -P)
# Not below OUT, whose name has a plus.
work=$checkout/build/rust_kdir
bin=$work/bin
unset LLVM CC
export RUST_KDIR_CACHE=$work/cache

rust_kdir()
{
	PATH=$bin:$PATH "$checkout/tools/rust-kdir" "$@" 2>&1 < /dev/null
}

# copy NAME: makes a directory in which everything can be changed, and goes there.
copy()
{
	dir=$work/$1
	mkdir -p "$dir/include/config"
	cp -rs "$KDIR/rust" "$dir"
	cp -rs "$KDIR/include/generated" "$dir/include"
	cp "$KDIR"/include/config/{auto.conf,kernel.release} "$dir/include/config"
	cp "$KDIR"/{.config,Makefile,Module.symvers} "$dir"
	ln -s "$(readlink -f "$KDIR/source")" "$dir/source"
	sed -i "s|^export KBUILD_OUTPUT = .*|export KBUILD_OUTPUT = $dir|" "$dir/Makefile"
	cd "$dir" || exit
}

# own FILE...: makes a copy of what is a link.
own()
{
	local file
	for file; do
		cp --remove-destination "$(readlink -f "$file")" "$file"
	done
}

# program NAME TEXT: puts a program into the PATH.
program()
{
	mkdir -p "$bin"
	printf '#!/bin/sh\n%s\n' "$2" > "$bin/$1"
	chmod +x "$bin/$1"
}

# refused NAME REGEX ARGUMENT...: whether that fails with one line like this, and prints no directory.
refused()
{
	local name=$1 regex=$2 output
	shift 2
	output=$(rust_kdir "$@")
	local status=$?
	if ((status == 1)) && [[ $(wc -l <<< "$output") = 1 ]] && grep -qE -- "^rust-kdir: $regex" <<< "$output"; then
		ktap_test_pass "$name: refused"
	else
		ktap_test_fail "$name: refused"
		echo "# wanted: $regex"
	fi
	printf '# %s\n' "${output//$'\n'/$'\n# '}"
	rm -rf "$bin"
}

# config NAME VALUE: sets CONFIG_NAME; 'n' unsets it.
config()
{
	sed -i "/^CONFIG_$1=/d" .config include/config/auto.conf
	[[ $2 = n ]] || echo "CONFIG_$1=$2" | tee -a .config >> include/config/auto.conf
}

accepted()
{
	local name=$1 output
	shift
	output=$(rust_kdir "$@")
	if [[ $output = "${wanted:-$dir}" ]]; then
		ktap_test_pass "$name: accepted"
	else
		ktap_test_fail "$name: accepted"
		printf '# %s\n' "${output//$'\n'/$'\n# '}"
	fi
	rm -rf "$bin"
}

# headers RELEASE: makes headers of a kernel as packaged
headers()
{
	dir=$work/headers-$1
	mkdir -p "$dir"/include/{config,generated}
	cp "$KDIR"/{.config,Module.symvers} "$dir"
	cp "$KDIR/include/config/auto.conf" "$dir/include/config"
	echo "$1" > "$dir/include/config/kernel.release"
}

# native_kernel RELEASE: installs the headers of a kernel and its source package
native_kernel()
{
	headers "$1"
	mkdir -p "/usr/lib/modules/$1"
	ln -s "$dir" "/usr/lib/modules/$1/build"
	tar -C "$work" -cJf "/usr/src/linux-source-$(cut -d . -f 1-2 <<< "$1").tar.xz" source
}

# rust_kdirs ARGUMENTS...: runs one for each at the same time
#
# The programs are a dpkg that has each package, a rustc with rust-src, and a make that takes from KDIR what it is asked to
# build.
rust_kdirs()
{
	local arguments pids=() pid failed=0
	program dpkg-query 'echo "$4" | sed "s/[^0-9]*\([0-9]*\.[0-9]*\).*/\1-1/"'
	program make 'sleep 1; for word; do case $word in O=*) build=${word#O=} ;; esac; done
case " $* " in *" modules_prepare "*)
	mkdir -p "$build/include/config" "$build/include/generated"
	cp "$KDIR/include/generated/utsrelease.h" "$KDIR/include/generated/rustc_cfg" "$build/include/generated"
	ln -s "$KDIR/rust" "$build"
	ln -s "$2" "$build/source"
	printf "include %s/Makefile\nexport KBUILD_OUTPUT = %s\n" "$2" "$build" > "$build/Makefile"
esac'
	program rustc "[ \"\$1\" != --print ] || { echo $work/sysroot; exit; }; exec $(command -v rustc) \"\$@\""
	for arguments; do
		# shellcheck disable=SC2086 # words
		rust_kdir $arguments > "$work/output-${#pids[@]}" &
		pids+=($!)
	done
	for pid in "${pids[@]}"; do
		wait "$pid" || failed=1
	done
	rm -rf "$bin"
	sed 's/^/# /' "$work"/output-?
	rm "$work"/output-?
	return $failed
}

result()
{
	local name=$1
	shift
	if "$@"; then ktap_test_pass "$name"; else ktap_test_fail "$name"; fi
}

rm -rf "$work"
mkdir -p "$work"
mapfile -t metadata < <(cd "$KDIR/rust" && ls -d lib*.rmeta lib*.so)
ktap_print_header
ktap_set_plan $((36 + ${#metadata[@]}))

copy whole
accepted "a complete directory" "$dir"
refused "a missing directory" "$work/none is not there; .*apt-get install linux-headers-" "$work/none"
mkdir "$work/empty"
refused "a directory without .config" "$work/empty is no kernel build directory.*apt-get install linux-headers-" "$work/empty"

copy no_rust
config RUST n
config RUST_IS_AVAILABLE n
refused "CONFIG_RUST unset" "$dir is configured without CONFIG_RUST; .*: rust-kdir amd64" "$dir"
config RUST_IS_AVAILABLE y
refused "CONFIG_RUST unset, CONFIG_RUST_IS_AVAILABLE=y" \
	"$dir is configured without CONFIG_RUST \(CONFIG_RUST_IS_AVAILABLE=y only says .*\); .*: rust-kdir amd64" "$dir"

copy no_metadata
for file in "${metadata[@]}"; do
	mv "rust/$file" hidden
	refused "$file missing" "$dir lacks 1 files .*: rust/$file; .*: rust-kdir --source SOURCE $dir" "$dir"
	mv hidden "rust/$file"
done
rm Module.symvers
refused "Module.symvers missing" "$dir lacks 1 files .*: Module.symvers;" "$dir"
rm -r rust source
sed -i '/^export KBUILD_OUTPUT/d; /^include/d' Makefile
refused "headers without rust/" "$dir has nothing of Rust, not even rust/Makefile; .*--source SOURCE $dir" "$dir"

copy other_compilers
program rustc 'echo "rustc 1.99.0 (0123456 2026-01-01)"'
refused "another rustc" "$dir is made with 'rustc 1.*', but rustc .*'rustc 1.99.0 .*export PATH=" "$dir"
config RUSTC_VERSION_TEXT '"rustc 1.99.0"'
refused "a rustc that is not installed" "$dir is made with 'rustc 1.99.0', but rustc here is .*: apt-get install 'rustc=1.99.0\*'" "$dir"

copy clang
config CC_IS_CLANG n
config CC_IS_GCC y
LLVM=1 refused "LLVM=1 beside a kernel made with gcc" "$dir is made with gcc .*, but LLVM=1 asks for clang; .*: unset LLVM CC" "$dir"
CC=clang-19 refused "CC=clang beside a kernel made with gcc" "$dir is made with gcc .*, but CC=clang-19 asks for clang; " "$dir"

copy moved
mv "$dir" "$dir.2"
refused "a moved directory" "$dir.2 was moved or copied: .*: mv $dir.2 $dir" "$dir.2"
copy lost_source
sed -i "s|^include .*|include $work/gone/Makefile|" Makefile
refused "a directory whose source is gone" "the source that $dir was made from is gone: .* $work/gone" "$dir"

copy other_machine
own rust/libmacros.so
# e_machine of AArch64.
printf '\267\0' | dd of=rust/libmacros.so bs=1 seek=18 conv=notrunc status=none
refused "procedural macros of another architecture" "$dir/rust/libmacros.so was built for another machine .*--source SOURCE $dir" "$dir"

copy other_names
symbol=$(sed -n '1s/.*(\(.*\)).*/\1/p' rust/exports_kernel_generated.h)
sed -i "/\t$symbol\t/d" Module.symvers
refused "a symbol that the kernel does not export" \
	"the Rust crates in $dir are not the kernel's: 1 of their symbols are not .*, the first: $symbol;" "$dir"

copy checksums
config MODVERSIONS y
# As the kernel's own build leaves them, with the checksums that Module.symvers has.
awk '{ printf "0x%08x\t%s\n", NR, substr($0, index($0, "\t") + 1) }' Module.symvers > new
mv new Module.symvers
own rust/.*.cmd
cat rust/exports_*_generated.h | sed -n 's/^EXPORT_SYMBOL_RUST_GPL(\(.*\));/\1/p' |
	awk 'NR == FNR { crc[$2] = $1; next } { print "#SYMVER", $1, crc[$1] }' Module.symvers - >> rust/.kernel.o.cmd
accepted "equal checksums" "$dir"
sed -i "s/^0x[0-9a-f]*\t$symbol\t/0xdeadbeef\t$symbol\t/" Module.symvers
refused "another checksum" \
	"the Rust crates in $dir are not the kernel's: the checksums of 1 .*, the first: $symbol 0x" "$dir"
sed -i "/^#SYMVER $symbol /d" rust/.kernel.o.cmd
refused "a symbol without a checksum" "$dir/rust has no checksum of $symbol;" "$dir"

# What is said before anything is rebuilt.
source=$(readlink -f "$KDIR/source")
copy headers
refused "a source that is none" "$work/empty is no kernel source with Rust in it" --source "$work/empty" "$dir"
rm include/config/kernel.release include/generated/utsrelease.h
refused "headers of no release" "$dir does not say which release it is for" --source "$source" "$dir"
: > Module.symvers
refused "an empty Module.symvers" "$dir has no Module.symvers, .*" --source "$source" "$dir"
copy dirty
mkdir -p "$work/dirty_source/rust"
touch "$work/dirty_source/"{.config,rust/Makefile}
refused "a source that is not clean" "$work/dirty_source is not clean; .*: make -C $work/dirty_source mrproper" \
	--source "$work/dirty_source" "$dir"
rm "$work/dirty_source/.config"
program rustc "[ \"\$1\" != --print ] || { echo $work/sysroot; exit; }; exec $(command -v rustc) \"\$@\""
refused "rust-src missing" "the kernel's build needs what is not installed: rust-src; .*: apt-get install rust-src" \
	--source "$work/dirty_source" "$dir"
mkdir "$work/path"
for tool in sed head make gcc bc flex perl rustc openssl xz pahole; do
	ln -s "$(command -v "$tool")" "$work/path"
done
PATH=$work/path "$BASH" -c '. <(sed -n "/^config_value()/,/^}/p; /^check_tools()/,/^}/p" "$0"); check_tools "$1"' \
	"$checkout/tools/rust-kdir" "$dir" > "$work/output"
sed 's/^/# /' "$work/output"
result "bison and bindgen missing: refused" \
	grep -qx "the kernel's build needs what is not installed: bison bindgen; get it with: apt-get install bison bindgen" "$work/output"
program gcc 'echo "gcc (Other 1.0) 1.0"'
config CC_IS_CLANG n
config CC_VERSION_TEXT '"gcc-99 (Some 99.1) 99.1"'
bash -c '. <(sed -n "/^config_value()/,/^}/p; /^compiler()/,/^}/p" "$0"); compiler "$1"' \
	"$checkout/tools/rust-kdir" "$dir" > "$work/output"
if grep -q "made with 'gcc-99 (Some 99.1) 99.1', and gcc here .*: apt-get install gcc-99" "$work/output"; then
	ktap_test_pass "another gcc: refused"
else
	ktap_test_fail "another gcc: refused"
fi
cp .config theirs
config PAHOLE_VERSION 999
bash -c '. <(sed -n "/^same_config()/,/^}/p" "$0"); same_config theirs .config' "$checkout/tools/rust-kdir" > "$work/output"
if grep -q "made with other tools: .*'CONFIG_PAHOLE_VERSION=.*becomes 'CONFIG_PAHOLE_VERSION=999'.*install dwarves" "$work/output"; then
	ktap_test_pass "a configuration that changes with the tools: refused"
else
	ktap_test_fail "a configuration that changes with the tools: refused"
fi
rm -rf "$bin"
refused "a kernel whose headers are not installed" \
	"the headers of 9.9.9-none are not installed; .*: apt-get install linux-headers-9.9.9-none" 9.9.9-none
RUST_KDIR_CACHE="$work/with blank" refused "a cache with a blank in its path" \
	"the path of the cache has a blank; .*: export RUST_KDIR_CACHE=" amd64
refused "an unknown flavour" "no such flavour: pentium" pentium
suite_has()
{
	program apt-get true
	program apt-cache "printf 'linux-headers-%s\n' $*"
}
suite_has 7.3.4+deb13-amd64 7.2.12+deb13-amd64 7.2.9+deb13-amd64 7.4.1+deb13-cloud-amd64 7.3.4+deb13-common
refused "a version that the suite does not have" \
	"trixie has no Linux 7.4 of flavour amd64; it has: 7.2.9 7.2.12 7.3.4; .*: rust-kdir --suite trixie amd64 7.3.4" amd64 7.4
suite_has 7.3.4+deb13-amd64
refused "a flavour that the suite does not have" "trixie has no Linux of flavour rt-amd64; .*: rust-kdir --suite testing rt-amd64" rt-amd64

# The tree's own are seen again when this ends.
mount -t tmpfs tmpfs /usr/lib/modules
mount -t tmpfs tmpfs /usr/src
mkdir -p "$work/source/rust"
touch "$work/source/Makefile"
cp "$KDIR/source/rust/Makefile" "$work/source/rust"
native_kernel 9.1.0-one
native_kernel 9.2.0-two
mkdir -p "$work/sysroot/lib/rustlib/src/rust/library/core/src"
touch "$work/sysroot/lib/rustlib/src/rust/library/core/src/lib.rs"
cache=$RUST_KDIR_CACHE
program rustc "[ \"\$1\" != --print ] || { echo $work/sysroot; exit; }; exec $(command -v rustc) \"\$@\""
program dpkg-query 'case $4 in linux-headers-*) echo 9.1.0-1 ;; *) exit 1 ;; esac'
refused "a kernel whose source is not installed" \
	"the source of 9.1.0-one is not installed; .*: apt-get install linux-source-9.1=9.1.0-1" 9.1.0-one
result "one kernel, asked for twice at a time: both get it" rust_kdirs 9.1.0-one 9.1.0-one
headers 9.3.0-other
rm -rf "$cache"
result "two kernels at a time, and one from a source: each gets its own" rust_kdirs 9.1.0-one 9.2.0-two "--source $work/source $dir"
result "kernels that are not installed: kept if they are made from a source of the user's" \
	rust_kdirs 9.1.0-one 9.2.0-two "$(ls -d "$cache"/native/9.3.0-other-*/build)"
rm -r /usr/lib/modules/9.2.0-two
mkdir "$cache/source-9.4-1.new" "$cache/native/9.4.0-ended"
rust_kdirs 9.1.0-one
cd "$cache" || exit
left=$(echo source-* native/*-*)
echo "# $left"
result "a kernel that is not installed any more, builds that did not end: removed" \
	eval '[[ $left =~ ^source-9.1-1\ native/9.1.0-one-[0-9a-f]*\ native/9.3.0-other-[0-9a-f]*$ ]]'

rm -rf "$work"
ktap_finished
