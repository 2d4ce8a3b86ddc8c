#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The rules of the writers.

. "$(dirname "$0")/functions.sh"

test_topic writers
