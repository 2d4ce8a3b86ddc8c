# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# What the scripts share: where things are kept and how progress is shown.

set -euo pipefail
shopt -s inherit_errexit
# For an ordinary user's chroot.
PATH=$PATH:/usr/sbin:/sbin

# shellcheck disable=SC2034 # for the scripts
# The path that this checkout has outside and inside of the toolchain tree alike.
checkout=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/modreg
mkdir -p "$cache/log"

die()
{
	echo "${0##*/}: $*" >&2
	exit 1
}

# Prints the comment block below the licence line: each script documents itself there.
usage()
{
	sed -n '/^# Usage:/,/^[^#]/ s/^# \{0,1\}//p' "$0" >&2
	exit 2
}

# step NAME COMMAND...: one line with the time taken; the output goes to a log, shown where it fails.
step()
{
	local name=$1 start=$SECONDS log
	log=$cache/log/${name//[^[:alnum:].+]/-}.log
	shift
	printf '  SETUP   %s' "$name" >&2
	# Not 'if "$@"': that would switch errexit off inside of a function run as a step.
	set +e
	(set -e; "$@") > "$log" 2>&1 < /dev/null
	local status=$?
	set -e
	if ((status)); then
		printf ': failed\n' >&2
		tail -n 20 "$log" >&2
		die "the whole log is in $log"
	fi
	printf ' (%d s)\n' $((SECONDS - start)) >&2
}
