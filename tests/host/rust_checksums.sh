#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# tools/rust-kdir rebuilds the crates of a kernel with MODVERSIONS from its source, as for somebody else's
# package, and each checksum equals the kernel's own; where one differs it refuses.
#
# limit: 1800

# shellcheck source=/dev/null # of the kernel source
. "$KSFT/kselftest/ktap_helpers.sh"

checkout=$(cd "$(dirname "$0")/../.." && pwd -P)
work=$OUT/rust_checksums
unset MAKEFLAGS LLVM CC

result()
{
	if [[ $2 = 0 ]]; then ktap_test_pass "$1"; else ktap_test_fail "$1"; fi
}

rm -rf "$work"
mkdir -p "$work/headers/include/config" "$work/headers/include/generated"
ktap_print_header
ktap_set_plan 4
kdir=$("$checkout/scripts/kdir" modversions)
# No more than a package of headers has.
cp "$kdir"/{.config,Module.symvers} "$work/headers"
cp "$kdir/include/config/kernel.release" "$work/headers/include/config"
cp "$kdir/include/generated/utsrelease.h" "$work/headers/include/generated"
output=$(RUST_KDIR_CACHE=$work/cache "$checkout/tools/rust-kdir" --source "$(readlink -f "$kdir/source")" "$work/headers" 2>&1 < /dev/null)
status=$?
printf '# %s\n' "${output//$'\n'/$'\n# '}"
result "any kernel's source, .config and Module.symvers: rebuilt" $status
grep -qE '^ *[0-9]+ names and checksums of the crates.* compared with Module.symvers: all equal$' <<< "$output"
result "a kernel with MODVERSIONS: all checksums are equal" $?
made=${output##*$'\n'}
RUST_KDIR_CACHE=$work/cache "$checkout/tools/rust-kdir" "$made" > /dev/null
result "the rebuilt directory: accepted" $?
symbol=$(sed -n '1s/.*(\(.*\)).*/\1/p' "$made/rust/exports_kernel_generated.h")
sed -i "s/^0x[0-9a-f]*\t$symbol\t/0x00000001\t$symbol\t/" "$made/Module.symvers"
! output=$(RUST_KDIR_CACHE=$work/cache "$checkout/tools/rust-kdir" "$made" 2>&1) && grep -q "the checksums of 1 of their symbols are not .*, the first: $symbol " <<< "$output"
result "another checksum in Module.symvers: refused" $?
printf '# %s\n' "${output//$'\n'/$'\n# '}"
rm -rf "$work"
ktap_finished
