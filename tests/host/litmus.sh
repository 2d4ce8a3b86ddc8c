#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The models of tests/litmus, run by herd7 with the memory model of the kernel that is built
# against. Each file names its result, and the code that it justifies, which must name the file. A
# comment 'twin N: CODE' in a line says what the line is in the N-th broken twin of the model: there
# the bad outcome must be seen.

# shellcheck source=/dev/null # of the kernel source
. "$KSFT/kselftest/ktap_helpers.sh"

models=$(cd "$(dirname "$0")/../litmus" && pwd)
checkout=$(cd "$models/../.." && pwd)
memory_model=$(readlink -f "$KDIR/source")/tools/memory-model
work=$OUT/litmus

# herd7 FILE: in the toolchain tree it stands in a tree of its own, with its own C library.
herd7()
{
	local root=/opt/models/usr
	(cd "$memory_model" && "$root/lib64/ld-linux-x86-64.so.2" \
		--library-path "$root/lib/x86_64-linux-gnu" "$root/bin/herd7" \
		-set-libdir "$root/share/herdtools7/herd" -conf linux-kernel.cfg "$1")
}

# observed FILE RESULT: whether herd7 observes that; where it is Never, there is no data race either.
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

# named MODEL: whether the code that the model names also names the model.
named()
{
	local code
	code=$(sed -n 's/^ \* Code: //p' "$models/$1.litmus")
	[[ -n $code ]] && grep -qsF "tests/litmus/$1.litmus" "$checkout/$code"
}

# twin MODEL N: writes it.
twin()
{
	sed -E "s|^(\s*)[^/]*// twin $2:\s*(.*)|\1\2|; s|^C $1$|C $1-twin$2|" "$models/$1.litmus" > "$work/$1-twin$2.litmus"
}

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
	result "$model" observed "$models/$file" "$(sed -n 's/^ \* Result: //p' "$file")"
	result "$model is named by its code" named "$model"
	while read -r n; do
		twin "$model" "$n"
		result "$model, twin $n" observed "$work/$model-twin$n.litmus" Sometimes
	done < <(sed -n 's|.*// twin \([0-9]\):.*|\1|p' "$file" | sort -u)
done
ktap_finished
