#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# loads.sh in full: a thousand loads and unloads.
#
# on: umkasan
# limit: 3600

cd "$(dirname "$0")" || exit 1

times=334 exec ./loads.sh
