#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The models of tests/litmus, run by herd7 with the memory model of the kernel that modreg is built for.
# A model names its result and the code that it justifies; the code names the model. A comment
# 'twin N: CODE' replaces its line in the N-th broken twin, whose bad outcome herd7 must observe.

# shellcheck source=/dev/null # of the kernel source
. "$KSFT/kselftest/ktap_helpers.sh"

models=$(cd "$(dirname "$0")/../litmus" && pwd)
checkout=$(cd "$models/../.." && pwd)
memory_model=$(readlink -f "$KDIR/source")/tools/memory-model
work=$OUT/litmus

# herd7 FILE: runs herd7, which has a tree with a C library of its own inside the toolchain tree
herd7()
{
	local root=/opt/models/usr
	(cd "$memory_model" && "$root/lib64/ld-linux-x86-64.so.2" \
		--library-path "$root/lib/x86_64-linux-gnu" "$root/bin/herd7" \
		-set-libdir "$root/share/herdtools7/herd" -conf linux-kernel.cfg "$1")
}

# observed FILE RESULT: returns 0 if herd7 observes the result; for Never, also no data race
#	RESULT - Never or Sometimes
observed()
{
	local output
	output=$(herd7 "$1" 2>&1)
	echo "# $(grep '^Observation' <<< "$output")"
	grep -q "^Observation $(basename "$1" .litmus) $2 " <<< "$output" &&
		! { [[ $2 = Never ]] && grep '^Flag' <<< "$output"; } && return
	printf '%s\n' "$output" | sed 's/^/# /'
	return 1
}

# named MODEL: returns 0 if the code that the model names also names the model
named()
{
	local code
	code=$(sed -n 's/^ \* Code: //p' "$models/$1.litmus")
	[[ -n $code ]] && grep -qsF "tests/litmus/$1.litmus" "$checkout/$code"
}

# twin MODEL N: writes the N-th broken twin
twin()
{
	sed -E "s|^(\s*)[^/]*// twin $2:\s*(.*)|\1\2|; s|^C $1$|C $1-twin$2|" "$models/$1.litmus" > "$work/$1-twin$2.litmus"
}

# result DESCRIPTION COMMAND...: reports one result
result()
{
	if "${@:2}"; then
		ktap_test_pass "$1"
	else
		ktap_test_fail "$1"
	fi
}

mkdir -p "$work"
cd "$models" || exit 1
ktap_print_header
files=(*.litmus)
ktap_set_plan $((2 * ${#files[@]} + $(grep -Ho '// twin [0-9]' "${files[@]}" | sort -u | wc -l)))
for file in "${files[@]}"; do
	model=${file%.litmus}
	want=$(sed -n 's/^ \* Result: //p' "$file")
	result "$model: bad outcome is observed $want" observed "$models/$file" "$want"
	result "$model: its code names it" named "$model"
	while read -r n; do
		twin "$model" "$n"
		result "$model, twin $n: bad outcome is observed Sometimes" observed "$work/$model-twin$n.litmus" Sometimes
	done < <(sed -n 's|.*// twin \([0-9]\):.*|\1|p' "$file" | sort -u)
done
ktap_finished
