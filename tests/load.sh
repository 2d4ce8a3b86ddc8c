#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# modreg.ko loads and unloads, and leaves nothing behind.

cd "$(dirname "$0")" || exit 1
. ../kselftest/ktap_helpers.sh

loaded()
{
	grep -q '^modreg ' /proc/modules
}

gone()
{
	! loaded && [ ! -e /sys/kernel/debug/modreg ]
}

ktap_print_header
ktap_set_plan 5

ktap_test_result "insmod" insmod ./modreg.ko
ktap_test_result "listed in /proc/modules" loaded
ktap_test_result "rmmod" rmmod modreg
ktap_test_result "nothing is left" gone
ktap_test_result "a second time" eval 'insmod ./modreg.ko && rmmod modreg'

ktap_finished
