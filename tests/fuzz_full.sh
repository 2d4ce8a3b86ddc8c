#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# fuzz.sh in full: a million descriptors and as many questions.
#
# on: umkasan
# limit: 14400

cd "$(dirname "$0")" || exit 1

count=1000000 exec ./fuzz.sh
