#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A panic inside a plugin: the console shows the list of plugins and the plugin's functions on the stack.
#
# dies: Kernel panic - not syncing: test_modreg_owner asks for it
# dies: modreg: Plugins linked in: test_modreg_owner\(OE?\+\)
# dies: modreg: stack: trouble_inner[.a-z0-9]*\+0x[0-9a-f]+/0x[0-9a-f]+ \[test_modreg_owner\]
# dies: modreg: stack: trouble_outer[.a-z0-9]*\+0x[0-9a-f]+/0x[0-9a-f]+ \[test_modreg_owner\]

. "$(dirname "$0")/functions.sh"

load modreg
load test_modreg_owner mode=panic
