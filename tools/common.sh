# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Shared by rust-kdir and toolchain: where things are kept and how progress is shown.

set -euo pipefail
shopt -s inherit_errexit
# For an ordinary user's chroot.
PATH=$PATH:/usr/sbin:/sbin

# shellcheck disable=SC2034 # for the scripts
tools=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
# Root's is the machine's, for DKMS builds as root without a home.
if [[ ${RUST_KDIR_CACHE-} ]]; then
	cache=$RUST_KDIR_CACHE
elif [[ $EUID -eq 0 ]]; then
	cache=/var/cache/rust-kdir
else
	cache=${XDG_CACHE_HOME:-$HOME/.cache}/rust-kdir
fi

die()
{
	echo "${0##*/}: $*" >&2
	exit 1
}

# Make takes no such path.
[[ $cache != *[[:space:]]* ]] || die "the path of the cache has a blank; name another: export RUST_KDIR_CACHE=/var/tmp/rust-kdir"
mkdir -p "$cache/log"

# Prints the comment block below the licence line: each script documents itself there.
print_usage()
{
	sed -n '/^# Usage:/,/^[^#]/ s/^# \{0,1\}//p' "$0"
}

usage()
{
	print_usage >&2
	exit 2
}

# step NAME COMMAND...: a line when it begins and one with the time taken; the output goes to a log, shown where it
# fails. Whole lines, for steps of others may run beside it.
step()
{
	local name=$1 start=$SECONDS log
	log=$cache/log/${name//[^[:alnum:].+]/-}.log
	shift
	printf '  SETUP   %s\n' "$name" >&2
	# Not 'if "$@"': that would switch errexit off inside of a function run as a step.
	set +e
	(set -e; "$@") > "$log" 2>&1 < /dev/null
	local status=$?
	set -e
	if ((status)); then
		printf '  FAILED  %s\n' "$name" >&2
		tail -n 20 "$log" >&2
		die "the whole log is in $log"
	fi
	printf '  READY   %s, after %d s\n' "$name" $((SECONDS - start)) >&2
}
