#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Input that is refused, one case for each reason: the errno, and that no trace is left.
#
# on: first umkasan

. "$(dirname "$0")/functions.sh"

test_topic refused
