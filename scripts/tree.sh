# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Read by tools/toolchain before it makes a tree: what modreg's tests need beside the compilers.

# shellcheck disable=SC2154 # suite is toolchain's
if [[ $suite = trixie ]]; then
	packages+=(
		# Checks.
		rust-clippy rustfmt clang lld llvm shellcheck sparse git
		# Guests.
		virtme-ng qemu-system-x86 virtiofsd busybox-static mount iproute2 procps e2fsprogs
		# Tracers, profilers, debuggers.
		bpftrace linux-perf trace-cmd gdb
		# Plots.
		gnuplot-nox
		# Reference.
		python3-sphinx
	)
	made_from+=("${RUST_KDIR_TREE%/*}/guest-udevd")
fi

# finish_tree TREE: called when the packages are there.
finish_tree()
{
	local tree=$1 sources

	[[ $suite = trixie ]] || return 0
	# virtme-run's initramfs mounts the root without a cache: under emulation a guest then takes six times as long
	# to boot.
	sed -i 's/version=9p2000.L,trans=virtio,access=any/&,cache=loose,msize=512000/' \
		"$tree/usr/lib/python3/dist-packages/virtme/mkinitramfs.py"
	cp "${RUST_KDIR_TREE%/*}/guest-udevd" "$tree/usr/sbin/udevd"
	ln -sf true "$tree/usr/bin/udevadm"
	ln -s ../bin/busybox "$tree/usr/sbin/poweroff"
	# The memory model's simulator is in a younger suite, and wants its C library: it has a tree in the tree.
	mapfile -t sources < <(mirrors testing)
	bootstrap --variant=extract --include=herdtools7,crash,python3-drgn testing "$tree/opt/models" "${sources[@]}"
}

# A guest of another architecture has a root of its own in its tree: programs as they lie in their packages, for
# the packages' scripts cannot run here.
# shellcheck disable=SC2154 # arch is toolchain's
if [[ $arch = arm64 ]]; then
	packages+=(qemu-system-arm)
	made_from+=("$RUST_KDIR_TREE")
	finish_tree()
	{
		local root=$1/opt/$arch sources link

		mapfile -t sources < <(mirrors "$suite")
		bootstrap --arch="$arch" --variant=extract --skip=check/qemu \
			--include=bash,dash,coreutils,hostname,debianutils,mount,util-linux,kmod,procps,grep,sed,gawk,findutils,diffutils,busybox-static,libc-bin,python3,perl-base,xz-utils,binutils \
			"$suite" "$root" "${sources[@]}"
		for link in awk:gawk sh:dash; do
			[[ -e $root/usr/bin/${link%:*} ]] || ln -s "${link#*:}" "$root/usr/bin/${link%:*}"
		done
		printf 'root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534:nobody:/:/bin/false\n' > "$root/etc/passwd"
		printf 'root:x:0:\nnogroup:x:65534:\n' > "$root/etc/group"
		mkdir -p "$root"/{proc,sys,dev,tmp,run,root,opt,usr/lib/modules}
	}
fi
