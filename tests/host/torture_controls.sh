#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Torture catches what it is for: modreg is broken in one way after another, each a patch in
# tests/controls/ to a copy of the source, and tortured until that is seen. A patch tells what it breaks, and
#
#   caught: REGEX   what the console must then show
#   needs: CONFIG   what the kernel must have; without, the control is skipped
#   boot: OPTIONS   options for scripts/boot
#
# limit: 3600

# shellcheck source=/dev/null # of the kernel source
. "$KSFT/kselftest/ktap_helpers.sh"

checkout=$(cd "$(dirname "$0")/../.." && pwd -P)
torture=$(find "$OUT" -path '*/tests/modules/modreg_torture.ko' | head -n 1)
sources=(Kbuild rust_modreg.rs primitives modreg glue include samples)
# Not below OUT, whose modules are installed for the tests.
broken=$checkout/build/broken/${OUT##*/}
# Most are seen within seconds.
limit=120

# declared PATCH WHAT
declared()
{
	sed -n "/^---/q; s/^$2: *//p" "$1"
}

# Builds modreg from a copy of the source with the patch applied.
build_broken()
{
	local patch=$1 copy=$2

	rm -rf "$copy"
	mkdir -p "$copy"
	cp -R "${sources[@]/#/$checkout/}" "$copy"
	# The copy is no repository, and in none. A patch that does not fit exactly is an error.
	(cd "$copy" && GIT_CEILING_DIRECTORIES=$broken git apply --verbose "$patch") &&
		make -C "$KDIR" M="$copy" -j"$(nproc)" "${llvm[@]}" modules
}

# In the guest.
torture()
{
	local limit=$1 modreg=$2 torture=$3

	insmod "$modreg" && insmod "$torture" || return 1
	echo N > /sys/module/printk/parameters/ignore_loglevel
	dmesg --console-level err
	[[ ! -w /sys/kernel/debug/x86/nmi_longest_ns ]] || echo 1000000000 > /sys/kernel/debug/x86/nmi_longest_ns
	[[ ! -w /sys/kernel/debug/kcsan ]] || echo on > /sys/kernel/debug/kcsan
	echo 1 > /sys/module/modreg_torture/parameters/run
	echo 1 > /dev/ttyS1
	sleep "$limit"
	# What is left of the kernel need not be able to shut down.
	echo b > /proc/sysrq-trigger
}

is_caught()
{
	local patch=$1 name=$2 caught options=()
	local dir=$broken/$name

	caught=$(declared "$patch" caught)
	[[ -n $caught ]] || { echo "nothing is to be caught"; return 1; }
	build_broken "$patch" "$dir" > "$dir.log" 2>&1 || { tail -n 20 "$dir.log"; return 1; }
	read -r -a options < <(declared "$patch" boot) || true
	"$checkout/scripts/boot" --nmi 200 --until "$caught" --limit $((limit + 480)) --log "$dir.console" \
		"${options[@]}" "$KDIR" "$(declare -f torture); torture $limit $dir/modreg.ko $torture" &> "$dir.output"
	grep -m 1 -E "$caught" "$dir.console"
}

mkdir -p "$broken"
llvm=()
! grep -q '^CONFIG_CC_IS_CLANG=y' "$KDIR/.config" || llvm=(LLVM=1)
patches=("$checkout"/tests/controls/*.patch)
# One of them alone, for whoever works on it.
[[ -z ${CONTROL-} ]] || patches=("$checkout/tests/controls/$CONTROL.patch")
ktap_print_header
ktap_set_plan "${#patches[@]}"
for patch in "${patches[@]}"; do
	name=$(basename "$patch" .patch)
	needs=$(declared "$patch" needs)
	if [[ -n $needs ]] && ! grep -qxF "$needs" "$KDIR/.config"; then
		ktap_test_skip "$name: this kernel is without $needs"
		continue
	fi
	if output=$(is_caught "$patch" "$name"); then
		ktap_test_pass "$name is caught"
	else
		ktap_test_fail "$name is caught"
	fi
	printf '# %s\n' "${output//$'\n'/$'\n# '}"
done
ktap_finished
