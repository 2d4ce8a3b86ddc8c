# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Read by tools/toolchain before it makes a tree: what packages are made and tested with.

# shellcheck disable=SC2034 # packages is toolchain's
packages=(debhelper dh-dkms lintian make git ca-certificates)
