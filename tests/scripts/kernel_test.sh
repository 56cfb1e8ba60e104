#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# KERNEL and KDIR choose a kernel. If the kernel is not available, the error message
# names the missing part and the command that helps, before anything is built.
# The test uses a cache and a mirror of its own.
set -uo pipefail

# shellcheck source=tests/scripts/ktap.sh
. tests/scripts/ktap.sh

# A false apt: its mirror has the headers named in $work/mirror
fake_apt()
{
	mkdir -p "$work/bin"
	cat >"$work/bin/apt-get" <<-'END'
		#!/bin/sh
		case "$*" in
		*indextargets*) echo http://mirror.test/debian Debian ;;
		*" update"*) [ ! -e "$MIRROR.down" ] ;;
		*) echo "E: no $*"; exit 100 ;;
		esac
	END
	cat >"$work/bin/apt-cache" <<-'END'
		#!/bin/sh
		for last; do :; done
		case "$*" in
		*pkgnames*) grep "^$last" "$MIRROR" ;;
		*) grep -qxF "$last" "$MIRROR" && echo "Version: 1" ;;
		esac
	END
	chmod +x "$work/bin"/*
	: >"$work/mirror"
}

# fetch STATUS NAME: run fetch-kernel with the false apt, cache and mirror
fetch()
{
	local status=0

	PATH=$work/bin:$PATH MIRROR=$work/mirror XDG_CACHE_HOME=$work/cache \
		VKTLS_BUILD=$work/build scripts/fetch-kernel "$2" \
		>"$work/out" 2>"$work/err" || status=$?
	[ "$status" = "$1" ]
}

# mirror NAME...: set the content of the mirror
mirror()
{
	printf 'linux-headers-%s\n' "$@" >"$work/mirror"
}

# in_cache RELEASE: put the release into the cache
in_cache()
{
	mkdir -p "$work/cache/vktls/kernel/$1"
	touch "$work/cache/vktls/kernel/$1/.complete"
}

# found RELEASE SUITE NAME: NAME chooses that release of that suite
found()
{
	fetch 0 "$3" && [ "$(cat "$work/out")" = "$1 $2" ]
}

# refused WORDS MEND NAME [STATUS]: NAME is refused, and the message has WORDS and MEND
refused()
{
	fetch "${4:-1}" "$3" && grep -q "^error: .*$1" "$work/err" &&
		grep -q "^  mend: .*$2" "$work/err"
}

# A kernel's build folder with that configuration
folder()
{
	mkdir -p "$work/kdir"
	: >"$work/kdir/Makefile"
	printf '%s\n' "$@" >"$work/kdir/.config"
}

# kdir WORDS MEND RELEASE: the build folder is refused, and the message has WORDS and MEND
kdir()
{
	local status=0

	KDIR=$work/kdir KVER=$3 VKTLS_BUILD=$work/made scripts/build-modules \
		>"$work/out" 2>"$work/err" || status=$?
	[ "$status" = 1 ] && grep -q "^error: .*$1" "$work/err" &&
		grep -q "^  mend: .*$2" "$work/err" && [ ! -e "$work/made" ]
}

make_refuses()
{
	! make -n modules KERNEL=5.4 >"$work/out" 2>"$work/err" &&
		grep -q '5.4 is older than 6.12' "$work/err" &&
		! grep -q build-modules "$work/out"
}

# a list with one more kernel after the newest
newest=$(awk '/^[0-9]/ { print $1; exit }' scripts/kernels)
second=7.2.12+deb13-amd64
export KERNELS=$work/kernels
sed "/^$newest/a $second trixie-backports trixie" scripts/kernels >"$KERNELS"

echo "KTAP version 1"
fake_apt
in_cache "$newest"
check "newest is the first of the list" found "$newest" trixie newest
check "a version may be short" found "$newest" trixie "${newest%%+*}"
check "the whole release will do" found "$newest" trixie "$newest"
check "a kernel in the cache needs no mirror" found "$newest" trixie "${newest%.*}"
rm -rf "$work/cache"
in_cache "$second"
mirror "$second"
check "newest is the next of the list when the mirror dropped the first" \
	found "$second" trixie newest
rm -rf "$work/cache"
mirror linux-nothing
check "no kernel of the list on the mirror" \
	refused "none of the kernels of scripts/kernels" "KERNEL=VERSION" newest 4
mirror 9.1.2-amd64 9.1.10-amd64 9.1.11-rt-amd64 9.10-amd64
in_cache 9.1.10-amd64
check "one that is not listed is taken when it is named" \
	found 9.1.10-amd64 trixie 9.1
check "with a warning" grep -q '9.1.10-amd64 is none of those' "$work/err"
check "a version that the mirror has not" \
	refused "no headers of a kernel 9.2" "KERNEL=newest" 9.2
touch "$work/mirror.down"
check "a mirror that does not answer" \
	refused "fetching the package lists of trixie-backports" "read" newest
rm "$work/mirror.down"
check "older than the oldest" refused "older than 6.12" "KERNEL=6.12" 6.1
check "no version at all" refused "no kernel's version" "KERNEL=newest" latest
check "make builds nothing for it" make_refuses
folder CONFIG_TLS=m CONFIG_TLS_DEVICE=y
check "a folder whose kernel is too old" \
	kdir "6.1.0-1-amd64; 6.12 is the oldest" "KERNEL=newest" 6.1.0-1-amd64
folder CONFIG_TLS=m
check "a folder whose kernel cannot offload TLS" \
	kdir "CONFIG_TLS_DEVICE is not set" "CONFIG_TLS_DEVICE=y" 6.12.1
folder CONFIG_NET=y
check "a folder whose kernel has no TLS" kdir "CONFIG_TLS is not set" CONFIG_TLS=m 6.12.1
rm -rf "$work/kdir"
check "a folder that is not there" \
	kdir "no kernel headers" "apt-get install linux-headers-6.12.1, or make without" 6.12.1
end_of_cases
