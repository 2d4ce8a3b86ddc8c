#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Plugins as large as modreg.h allows.
#
# boot: --memory 4G

. "$(dirname "$0")/functions.sh"

test_topic limits
