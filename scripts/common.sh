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
