#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The rules of the writers. The cases are in modules/test_modreg/writers.c.
#
# on: first umkasan

. "$(dirname "$0")/functions.sh"

test_topic writers
