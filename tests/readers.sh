#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Each reader, from every context.
#
# on: first umkasan

. "$(dirname "$0")/functions.sh"

test_topic readers
