#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Negative controls. Each patch in tests/controls/ breaks a copy of modreg in one way; torture, or the
# script that it names, must catch it. The head of a patch says what it breaks, and
#
#   caught: REGEX   the console, or the script's output, shows this when it is caught
#   script: NAME.sh a script of tests/ catches it; without, torture does
#   needs: CONFIG   the kernel has this option; the control is skipped otherwise
#   boot: OPTIONS   options for scripts/boot
#
# limit: 3600

# shellcheck source=/dev/null # of the kernel source
. "$KSFT/kselftest/ktap_helpers.sh"

checkout=$(cd "$(dirname "$0")/../.." && pwd -P)
# Not below OUT: every module there is installed for the tests.
broken=$checkout/build/broken/${OUT##*/}
# Seconds of torture; most are caught at once.
limit=120

# declared PATCH WORD: prints what the head of the patch declares with the word
declared()
{
	sed -n "/^---/q; s/^$2: *//p" "$1"
}

# build_broken PATCH FOLDER: builds modreg in the folder, from a copy of the source with the patch
build_broken()
{
	local patch=$1 copy=$2

	bash -c '. "$0"; patched_copy "$@"' "$checkout/scripts/common.sh" "$patch" "$copy" &&
		make -C "$KDIR" M="$copy" -j"$(nproc)" "${llvm[@]}" modules
}

# torture SECONDS FOLDER OUT: runs in the guest, with the broken modules in the folder
torture()
{
	local limit=$1 broken=$2 out=$3

	insmod "$broken/modreg.ko" && insmod "$out/tests/modules/modreg_torture.ko" || return 1
	[[ ! -e $broken/modreg_kallsyms.ko ]] || insmod "$broken/modreg_kallsyms.ko"
	echo N > /sys/module/printk/parameters/ignore_loglevel
	dmesg --console-level err
	[[ ! -w /sys/kernel/debug/x86/nmi_longest_ns ]] || echo 1000000000 > /sys/kernel/debug/x86/nmi_longest_ns
	[[ ! -w /sys/kernel/debug/kcsan ]] || echo on > /sys/kernel/debug/kcsan
	echo 1 > /sys/module/modreg_torture/parameters/run
	echo 1 > /dev/ttyS1
	sleep "$limit"
	# The broken kernel may be unable to shut down.
	echo b > /proc/sysrq-trigger
}

# script NAME FOLDER OUT: runs in the guest: the script of tests/ with the broken modules in the folder
script()
{
	local name=$1 broken=$2 out=$3 dir

	dir=$(mktemp -d)
	mkdir "$dir/modreg" "$dir/kselftest"
	cp "$KSFT/kselftest/ktap_helpers.sh" "$dir/kselftest"
	cp tests/*.{sh,py} "$dir/modreg"
	cp "$out"/tests/modules/*.ko "$dir/modreg"
	find "$broken" -name '*.ko' -exec cp {} "$dir/modreg" \;
	"$dir/modreg/$name"
	# The broken kernel may be unable to shut down.
	sleep 5
	echo b > /proc/sysrq-trigger
}

# is_caught PATCH NAME: returns 0 if the patch is caught; prints how
is_caught()
{
	local patch=$1 name=$2 caught script what options=()
	local dir=$broken/$name

	caught=$(declared "$patch" caught)
	[[ -n $caught ]] || { echo "the patch declares nothing to catch"; return 1; }
	build_broken "$patch" "$dir" > "$dir.log" 2>&1 || { tail -n 20 "$dir.log"; return 1; }
	read -r -a options < <(declared "$patch" boot) || true
	script=$(declared "$patch" script)
	if [[ $script ]]; then
		what="$(declare -f script); KSFT=$KSFT script $script $dir $OUT 2>&1 | tee /dev/console"
	else
		options+=(--nmi 200)
		what="$(declare -f torture); torture $limit $dir $OUT"
	fi
	"$checkout/scripts/boot" --until "$caught" --limit $((limit + 480)) --log "$dir.console" \
		"${options[@]}" "$KDIR" "$what" &> "$dir.output"
	grep -m 1 -E "$caught" "$dir.console"
}

mkdir -p "$broken"
llvm=()
! grep -q '^CONFIG_CC_IS_CLANG=y' "$KDIR/.config" || llvm=(LLVM=1)
patches=("$checkout"/tests/controls/*.patch)
# CONTROL=NAME runs one of them.
[[ -z ${CONTROL-} ]] || patches=("$checkout/tests/controls/$CONTROL.patch")
ktap_print_header
ktap_set_plan "${#patches[@]}"
for patch in "${patches[@]}"; do
	name=$(basename "$patch" .patch)
	needs=$(declared "$patch" needs)
	if [[ -n $needs ]] && ! grep -qxF "$needs" "$KDIR/.config"; then
		ktap_test_skip "$name: this kernel lacks $needs"
		continue
	fi
	if output=$(is_caught "$patch" "$name"); then
		ktap_test_pass "$name: is caught"
	else
		ktap_test_fail "$name: is caught"
	fi
	printf '# %s\n' "${output//$'\n'/$'\n# '}"
done
ktap_finished
