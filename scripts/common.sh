# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Sourced by the scripts beside it and by those of tests: where things live, how
# they talk to the user and how they call apt. Knows nothing of QEMU, kernels or
# images.

set -euo pipefail

SCRIPTS=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
TOP=$(dirname "$SCRIPTS")
BUILD=${VKTLS_BUILD:-$TOP/build}
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/vktls
LOG=$BUILD/log

say()
{
	echo "$*" >&2
}

# die FAULT [MEND]: end with the fault and the command that mends it
die()
{
	say "error: $1"
	[ $# -lt 2 ] || say "  mend: $2"
	exit "${DIE_STATUS:-1}"
}

need()
{
	command -v "$1" >/dev/null || die "$1 is not installed" "make deps"
}

# run_logged NAME WHAT COMMAND...: run with all output in build/log/NAME.log;
# a failure shows the end of that log
run_logged()
{
	local log=$LOG/$1.log what=$2 rc=0

	shift 2
	mkdir -p "$LOG"
	# "|| rc=$?" would let a function continue after an error
	set +e
	(
		set -e
		"$@"
	) </dev/null >"$log" 2>&1
	rc=$?
	set -e
	[ "$rc" != 0 ] || return 0
	grep -E '^E:|error:|undefined|No rule' "$log" | head -n 10 >&2 || true
	say "--- the end of $log ---"
	tail -n 20 "$log" >&2
	die "$what failed with status $rc" "read $log"
}

# locked NAME COMMAND...: one holder of a cache entry at a time, across
# checkouts; COMMAND may be a shell function
locked()
{
	local lock=$CACHE/lock/$1

	shift
	mkdir -p "$CACHE/lock"
	(
		flock 9
		"$@" 9>&-
	) 9>"$lock"
}

# own_build: empty a build folder that was copied or moved here. Products made in
# another tree depend on files there, so an edit in this tree would not be seen.
# firmware/Makefile sees to its own folder.
own_build()
{
	local was=''

	[ ! -f "$BUILD/.tree" ] || was=$(<"$BUILD/.tree")
	[ "$was" != "$TOP" ] || return 0
	[ -z "$was" ] || say "[build] $BUILD was made in $was, not here: starting anew"
	mkdir -p "$BUILD"
	(cd "$BUILD" && rm -rf abi fuzz kbuild modules unit)
	echo "$TOP" >"$BUILD/.tree"
}

# key_of FILES-OR-WORDS...: a short digest of the sources of a product
key_of()
{
	local item

	for item in "$@"; do
		if [ -f "$item" ]; then
			cat "$item"
		else
			echo "$item"
		fi
	done | sha256sum | cut -c1-12
}

# forget KEPT FILE...: remove files of older versions, unless they were used in the
# last week
forget()
{
	local kept=$1 file

	shift
	for file in "$@"; do
		[ "$file" != "$kept" ] || continue
		find "$file" -maxdepth 0 -atime +7 -exec rm -rf {} + 2>/dev/null
	done
}

disk_free_mib()
{
	mkdir -p "$1"
	df --output=avail -m "$1" | tail -n 1 | tr -d ' '
}

need_disk()
{
	local dir=$1 mib=$2 free

	free=$(disk_free_mib "$dir")
	[ "$free" -ge "$mib" ] ||
		die "$dir has $free MiB free, $mib MiB are needed" \
		    "free some space there, or set XDG_CACHE_HOME to a larger disk"
}

# The Debian mirror that this host uses
apt_mirror()
{
	local uri

	# shellcheck disable=SC2016 # apt's own placeholders
	uri=$(apt-get indextargets --format '$(REPO_URI) $(LABEL)' \
		'Created-By: Packages' | awk '$2 == "Debian" { print $1; exit }')
	if [ -z "$uri" ]; then
		# nothing fetched so far: the first Debian archive in apt's configuration
		# shellcheck disable=SC2016 # apt's own placeholders
		uri=$(apt-get indextargets --format '$(REPO_URI)' \
			'Created-By: Packages' | grep -m1 '/debian/*$' || true)
	fi
	[ -n "$uri" ] ||
		die "apt knows no Debian mirror" \
		    "put one into /etc/apt/sources.list and run apt-get update"
	echo "${uri%/}"
}

# apt_suite SUITE[:PROCESSOR] TYPE: make an apt configuration of our own, with that
# suite alone, so that the host's package lists and choices stay as they are; with a
# processor, its packages can be had beside those of amd64
apt_suite()
{
	local dir=$CACHE/apt/$1 mirror keyring

	mirror=$(apt_mirror)
	keyring=/usr/share/keyrings/debian-archive-keyring.gpg
	mkdir -p "$dir/lists/partial" "$dir/cache/archives/partial"
	echo "$2 [signed-by=$keyring] $mirror ${1%:*} main" >"$dir/sources.list"
	apt_in "$1" -q update >&2
}

# suite_of PROCESSOR: the suite of its compiler, kernel and user land. Debian 13's packages
# for s390x are not all on every mirror.
suite_of()
{
	[ "$1" = s390x ] && echo testing || echo trixie
}

# apt_options SUITE: the options that keep apt within the folders of apt_suite
apt_options()
{
	local dir=$CACHE/apt/$1

	printf -- '-o\n%s\n' "Dir::Etc::sourcelist=$dir/sources.list" \
		Dir::Etc::sourceparts=- "Dir::State::lists=$dir/lists" \
		"Dir::Cache=$dir/cache" APT::Sandbox::User=root \
		Acquire::Languages=none
	[ "${1#*:}" = "$1" ] || printf -- '-o\n%s\n' "APT::Architectures=amd64,${1#*:}"
}

# apt_in SUITE ARGS...: apt-get with a suite that apt_suite prepared
apt_in()
{
	local options

	mapfile -t options < <(apt_options "$1")
	shift
	apt-get "${options[@]}" "$@"
}

# apt_cache_in SUITE ARGS...: apt-cache with a suite that apt_suite prepared
apt_cache_in()
{
	local options

	mapfile -t options < <(apt_options "$1")
	shift
	apt-cache "${options[@]}" "$@"
}
