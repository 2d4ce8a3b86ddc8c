#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Malformed input: one case for each reason to refuse a plugin checks the errno and that no trace is left.
# The cases are in modules/test_modreg/refused.c.
#
# on: first umkasan

. "$(dirname "$0")/functions.sh"

test_topic refused
