#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A build for a kernel without an option that modreg needs ends at once, and names the option.

# shellcheck source=/dev/null # of the kernel source
. "$KSFT/kselftest/ktap_helpers.sh"

checkout=$(cd "$(dirname "$0")/../.." && pwd -P)
work=$OUT/kconfig
unset MAKEFLAGS
read -r -a needs < <(sed -n 's/^modreg-needs := //p' "$checkout/Kbuild")

mkdir -p "$work"
ktap_print_header
ktap_set_plan ${#needs[@]}
for option in "${needs[@]}"; do
	# What is given on the command line is stronger than what the kernel's configuration has.
	output=$(make -C "$KDIR" M="$checkout" MO="$work" "CONFIG_$option=" modules 2>&1 < /dev/null)
	if grep -q "modreg needs a kernel that is configured with CONFIG_$option, and .* is without" <<< "$(tr -s ' ' <<< "$output")"; then
		ktap_test_pass "kernel without CONFIG_$option: the build says so"
	else
		ktap_test_fail "kernel without CONFIG_$option: the build says so"
		printf '# %s\n' "${output//$'\n'/$'\n# '}"
	fi
done
rm -rf "$work"
ktap_finished
