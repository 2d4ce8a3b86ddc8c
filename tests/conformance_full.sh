#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# conformance.sh in full: every symbol of many of the distribution's modules, 200,000 random addresses,
# 10,000 loads and unloads.
#
# boot: --memory 4G
# limit: 5400

cd "$(dirname "$0")" || exit 1

before='kvm xfs loop dm_mod vfat nls_utf8 sunrpc nf_tables' \
after='amdgpu ext4 squashfs overlay isofs bch ts_bm crc8 veth dummy bonding macvlan vxlan tun sctp
	zram nbd snd_pcm raid1 dm_crypt' \
every=1 random=100000 loads=10000 exec ./conformance.sh
