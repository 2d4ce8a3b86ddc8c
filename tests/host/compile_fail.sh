#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Programs that misuse the primitives do not compile. Each of tests/compile_fail/*.rs names the one
# error that it must have, and control.rs, which does it all right, has none.

# shellcheck source=/dev/null # of the kernel source
. "$KSFT/kselftest/ktap_helpers.sh"

here=$(cd "$(dirname "$0")/../compile_fail" && pwd)
# The build makes what bindgen knows.
export MODREG_PRIMITIVES_BINDINGS=$OUT/glue/primitives_generated.rs

# fails FILE ERROR: whether compiling gives that error alone.
fails()
{
	local output errors
	output=$(make -C "$KDIR" M="$here" MO="$OUT/compile_fail" "$(basename "$1" .rs).o" 2>&1 < /dev/null)
	errors=$(sed -n 's/^error\[\(E[0-9]*\)\]: /\1: /p; s/^error: //p' <<< "$output" |
		grep -v '^aborting due to')
	if [[ $2 = none ]]; then
		[[ -z $errors && -e $OUT/compile_fail/$(basename "$1" .rs).o ]] && return
	else
		[[ $errors = "$2" ]] && return
	fi
	printf '%s\n' "wanted: $2" "$output" | sed 's/^/# /'
	return 1
}

mkdir -p "$OUT/compile_fail"
files=("$here"/*.rs)
ktap_print_header
ktap_set_plan "${#files[@]}"
for file in "${files[@]}"; do
	what=$(basename "$file" .rs)
	if fails "$file" "$(sed -n 's|^//! error: ||p' "$file")"; then
		ktap_test_pass "${what//_/ }"
	else
		ktap_test_fail "${what//_/ }"
	fi
done
ktap_finished
