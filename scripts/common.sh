# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# What the scripts share: that of the tools, and how modreg uses them.

# shellcheck disable=SC2034 # for the scripts
# The path that this checkout has outside and inside of the toolchain tree alike.
checkout=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
export RUST_KDIR_CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/modreg
export RUST_KDIR_TREE=$checkout/scripts/tree.sh
export RUST_KDIR_BINDS=$checkout

# The versions of Linux that modreg supports, the newest first.
# shellcheck disable=SC2034 # for the scripts
supported=(7.3 7.2)

# shellcheck source=tools/common.sh
. "$checkout/tools/common.sh"

[[ $checkout != *[[:space:]]* ]] || die "the path of the checkout has a blank, which make does not take; move it"

# patched_copy PATCH COPY: copies modreg without its tests, and applies the patch, which must fit exactly
patched_copy()
{
	rm -rf "$2"
	mkdir -p "$2"
	find "$checkout" -mindepth 1 -maxdepth 1 ! -name .git ! -name build ! -name tests -exec cp -R {} "$2" \;
	# git must not find the checkout's repository above the copy.
	(cd "$2" && GIT_CEILING_DIRECTORIES=${2%/*} git apply --verbose "$1")
}
