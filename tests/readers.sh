#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Each reader from every context. The cases are in modules/test_modreg/readers.c.
#
# on: first umkasan

. "$(dirname "$0")/functions.sh"

test_topic readers
