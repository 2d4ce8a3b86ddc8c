#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Rust modules of others are built on what rust-kdir prints, and loaded into the unmodified kernel: the
# samples/rust of the kernel's source that the configuration allows, and a module of the form of
# Rust-for-Linux' out-of-tree template. A second build changes nothing.
#

# shellcheck source=/dev/null # of the kernel source
. "$KSFT/kselftest/ktap_helpers.sh"

checkout=$(cd "$(dirname "$0")/../.." && pwd -P)
samples=$(readlink -f "$KDIR/source")/samples/rust
work=$OUT/rust_samples
template=$work/template
unset MAKEFLAGS

set_in_kdir()
{
	grep -qx "CONFIG_$1=[ym]" "$KDIR/.config"
}

# allowed CONFIG: whether Kconfig would offer that sample: all that it depends on is there, as the text of
# samples/rust/Kconfig says. A module cannot use what the kernel has as a module of no name here.
allowed()
{
	local words word
	words=$(awk -v config="$1" '$1 == "config" { inside = $2 == config } inside && $1 == "depends" { $1 = $2 = ""; print }' \
		"$samples/Kconfig" | sed 's/ *= */=/g; s/&&/ /g')
	for word in $words; do
		if [[ $word = *=y ]]; then
			grep -qx "CONFIG_$word" "$KDIR/.config" || return 1
		else
			set_in_kdir "$word" || return 1
		fi
	done
}

# needs CONFIG: what the sample uses of the kernel crate that Kconfig does not name: the crate has it only where
# the kernel has it built in.
needs()
{
	case $1 in
	SAMPLE_RUST_CONFIGFS) echo CONFIGFS_FS=y ;;
	SAMPLE_RUST_DRIVER_SERDEV) echo RUST_SERIAL_DEV_BUS_ABSTRACTIONS=y ;;
	SAMPLE_RUST_SOC) echo SOC_BUS=y ;;
	esac
}

# build DIR WORD...: as a developer's Makefile does.
build()
{
	local dir=$1
	shift
	"$checkout/tools/rust-kdir" --exec "$KDIR" -- make -C {} M="$dir" "$@" 2>&1 < /dev/null
}

result()
{
	if [[ $2 = 0 ]]; then ktap_test_pass "$1"; else ktap_test_fail "$1"; fi
}

# state DIR: everything there, with its time.
state()
{
	find "$1" -type f -printf '%p %T@ %s\n' | sort
}

# In the guest: each module is loaded and unloaded.
# shellcheck disable=SC2317 # passed on by its text
load_each()
{
	local module name text
	modprobe -a auxiliary i2c-core 2> /dev/null
	for module in "$@"; do
		name=$(basename "$module" .ko)
		text=$( (insmod "$module" && grep -q "^$name " /proc/modules && rmmod "$name") 2>&1) &&
			echo "loaded $name" || echo "failed $name: $text"
	done
	! dmesg | grep -E 'BUG:|WARNING:|Oops'
}

rm -rf "$work"
mkdir -p "$work" "$template"
mapfile -t configs < <(sed -n 's/^config \(SAMPLE_RUST_.*\)$/\1/p' "$samples/Kconfig" | grep -v HOSTPROGS)
names=()
words=()
declare -A skipped=()
for config in "${configs[@]}"; do
	name=$(sed -n "s/^obj-\$(CONFIG_$config)[[:space:]]*+= *\(.*\)\.o$/\1/p" "$samples/Makefile")
	names+=("$name")
	need=$(needs "$config")
	if ! allowed "$config"; then
		skipped[$name]="Kconfig does not offer it for this kernel"
	elif [[ -n $need ]] && ! grep -qx "CONFIG_$need" "$KDIR/.config"; then
		skipped[$name]="this kernel is without CONFIG_$need"
	else
		words+=("CONFIG_$config=m")
	fi
done

# https://github.com/Rust-for-Linux/rust-out-of-tree-module has these files.
cat > "$template/Kbuild" <<- 'END'
	# SPDX-License-Identifier: GPL-2.0

	obj-m := rust_out_of_tree.o
END
cat > "$template/Makefile" <<- 'END'
	# SPDX-License-Identifier: GPL-2.0

	KDIR ?= /lib/modules/`uname -r`/build

	default: ; $(MAKE) -C $(KDIR) M=$$PWD

	rust-analyzer: ; $(MAKE) -C $(KDIR) M=$$PWD rust-analyzer
END
cat > "$template/rust_out_of_tree.rs" <<- 'END'
	// SPDX-License-Identifier: GPL-2.0

	//! Rust out-of-tree sample

	use kernel::prelude::*;

	module! {
	    type: RustOutOfTree,
	    name: "rust_out_of_tree",
	    authors: ["Rust for Linux Contributors"],
	    description: "Rust out-of-tree sample",
	    license: "GPL",
	}

	struct RustOutOfTree {
	    numbers: KVec<i32>,
	}

	impl kernel::Module for RustOutOfTree {
	    fn init(_module: &'static ThisModule) -> Result<Self> {
	        pr_info!("Rust out-of-tree sample (init)\n");
	        let mut numbers = KVec::new();
	        numbers.push(72, GFP_KERNEL)?;
	        numbers.push(108, GFP_KERNEL)?;
	        numbers.push(200, GFP_KERNEL)?;
	        Ok(RustOutOfTree { numbers })
	    }
	}

	impl Drop for RustOutOfTree {
	    fn drop(&mut self) {
	        pr_info!("My numbers are {:?}\n", self.numbers);
	        pr_info!("Rust out-of-tree sample (exit)\n");
	    }
	}
END

ktap_print_header
ktap_set_plan $((${#names[@]} + 6))

cp -r "$samples" "$work/samples"
build "$work/samples" "${words[@]}" modules > "$work/build.log"
result "the kernel's samples: build" $?
! grep -iw warning "$work/build.log" | sed 's/^/# /'

(cd "$template" && "$checkout/tools/rust-kdir" --exec "$KDIR" -- make) >> "$work/build.log" 2>&1 < /dev/null
result "the out-of-tree template: its own make builds it" $?
before=$(state "$work/samples"; state "$template")
kernel_before=$(find "$KDIR/" -newer "$work/build.log" | head -n 5)
build "$work/samples" "${words[@]}" modules > "$work/again.log"
(cd "$template" && "$checkout/tools/rust-kdir" --exec "$KDIR" -- make) >> "$work/again.log" 2>&1 < /dev/null
[[ $(state "$work/samples"; state "$template") = "$before" ]] && ! grep -qE '^  (RUSTC|CC|LD)' "$work/again.log"
result "a second build: nothing is built" $?
[[ -z $kernel_before$(find "$KDIR/" -newer "$work/build.log" | head -n 5) ]]
# shellcheck disable=SC2319 # the condition's
result "builds: the kernel's directory stays as it was" $?
(cd "$template" && "$checkout/tools/rust-kdir" --exec "$KDIR" -- make rust-analyzer) >> "$work/build.log" 2>&1 < /dev/null
python3 - "$template/rust-project.json" <<- 'END'
	import json, os, sys
	crates = {crate["display_name"]: crate for crate in json.load(open(sys.argv[1]))["crates"]}
	for name in "core", "kernel", "bindings", "macros", "rust_out_of_tree":
	    assert os.path.exists(os.path.join(os.path.dirname(sys.argv[1]), crates[name]["root_module"])), name
END
result "rust-analyzer: all crates are found" $?

mapfile -t modules < <(find "$work" -name '*.ko' | sort)
"$checkout/scripts/boot" --log "$work/console" "$KDIR" "$(declare -f load_each); load_each ${modules[*]}" > "$work/output" 2> "$work/boot.log"
status=$?
for name in "${names[@]}" rust_out_of_tree; do
	if [[ -n ${skipped[$name]-} ]]; then
		ktap_test_skip "$name: ${skipped[$name]}"
		continue
	fi
	grep -q "^loaded $name"$'\r*$' "$work/output"
	result "$name: loads and unloads" $?
	sed -n "s/^failed $name:/# &/p" "$work/output"
done
((status == 0)) || { tail -n 20 "$work/output" "$work/build.log" | sed 's/^/# /'; }

ktap_finished
