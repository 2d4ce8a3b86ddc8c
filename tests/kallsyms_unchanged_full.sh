#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# kallsyms_unchanged.sh in full: every symbol of vmlinux and of many of the distribution's modules.
#
# boot: --memory 4G
# limit: 7200

cd "$(dirname "$0")" || exit 1

modules='kvm xfs loop dm_mod vfat nls_utf8 sunrpc nf_tables amdgpu ext4 squashfs overlay isofs bch ts_bm crc8
	veth dummy bonding macvlan vxlan tun sctp zram nbd snd_pcm raid1 dm_crypt' \
every=1 exec ./kallsyms_unchanged.sh
