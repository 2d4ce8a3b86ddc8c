#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Replacing the symbols of a LIVE plugin: what every reader finds before and after, and each error
# (modules/test_modreg/replace.c).
#
# on: first umkasan

. "$(dirname "$0")/functions.sh"

test_topic replace
