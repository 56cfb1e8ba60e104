# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Sourced by kernel.sh when VKTLS_ARCH names another processor: arm64, or s390x, which is
# big-endian and for which the modules alone are built. The kernel is Debian's for that
# processor, fetched into the cache; the compilers are those of scripts/in-root --for arm64
# or s390x. Products go to build/PROCESSOR.
# shellcheck disable=SC2034 # all is used by kernel.sh and its users

case $VKTLS_ARCH in
arm64) CROSS=aarch64-linux-gnu- KARCH=arm64 ;;
s390x) CROSS=s390x-linux-gnu- KARCH=s390 ;;
*) die "this is built for amd64, arm64 and s390x, not for $VKTLS_ARCH" ;;
esac

SUITE=$(suite_of "$VKTLS_ARCH")
foreign_apt=$SUITE:$VKTLS_ARCH
foreign_root=("$SCRIPTS/in-root" --for "$VKTLS_ARCH" "$SUITE")
# the compiler and its arguments
# shellcheck disable=SC2034 # used by build-image and run
CC="${foreign_root[*]} ${CROSS}gcc"

cached_release()
{
	local dir best=

	for dir in "$CACHE"/kernel/*-"$VKTLS_ARCH"; do
		[ ! -f "$dir/.complete" ] || best=${dir##*/}
	done
	echo "$best"
}

# The kernel release on which the kernel's metapackage depends
packaged_release()
{
	apt_cache_in "$foreign_apt" show "linux-image-$VKTLS_ARCH:$VKTLS_ARCH" |
		sed -n 's/^Depends:.* linux-image-\([^ ]*\).*/\1/p' | sort -V | tail -n 1
}

# foreign_packages RELEASE: up to 6.18 one package has image and modules
foreign_packages()
{
	local base=${1%-*}

	echo "linux-headers-$1:$VKTLS_ARCH" "linux-headers-$base-common"
	echo "linux-kbuild-$base:amd64"
	if dpkg --compare-versions "$base" ge 6.19; then
		echo "linux-binary-$1:$VKTLS_ARCH" "linux-modules-$1:$VKTLS_ARCH"
		echo "linux-base-$1:$VKTLS_ARCH"
	else
		echo "linux-image-$1:$VKTLS_ARCH"
	fi
}

unpack_foreign()
{
	local dir=$1 release=$2 list deb

	mapfile -t list < <(foreign_packages "$release" | tr ' ' '\n')
	rm -rf "$dir"
	mkdir -p "$dir"
	cd "$dir" || exit
	apt_in "$foreign_apt" -q download "${list[@]}"
	for deb in *.deb; do
		dpkg-deb -x "$deb" .
		rm "$deb"
	done
	[ ! -d boot ] || mv "boot/vmlinuz-$release" "usr/lib/modules/$release/vmlinuz"
	rm -rf boot usr/share
	[ -f "usr/lib/modules/$release/vmlinuz" ]
	# the headers are here, not in /usr/src
	sed -i "s#/usr/src/#$dir&#" "usr/src/linux-headers-$release/Makefile"
	touch .complete
}

fetch_foreign()
{
	KVER=$(cached_release)
	[ -z "$KVER" ] || return 0
	say "[kernel] fetching Debian's kernel for $VKTLS_ARCH (120 MB)"
	need_disk "$CACHE" 2048
	run_logged "apt-$VKTLS_ARCH" "fetching the package lists" \
		apt_suite "$foreign_apt" deb
	KVER=$(packaged_release)
	run_logged "kernel-$VKTLS_ARCH" "fetching the packages of $KVER" \
		unpack_foreign "$CACHE/kernel/$KVER" "$KVER"
}

BUILD=${VKTLS_BUILD:-$TOP/build/$VKTLS_ARCH}
LOG=$BUILD/log
mkdir -p "$CACHE/kernel"
# not locked(), which would set KVER only in a subshell
exec 8>"$CACHE/kernel/lock-$VKTLS_ARCH"
flock 8
fetch_foreign
exec 8>&-
KROOT=$SUITE
KDIR=$CACHE/kernel/$KVER/usr/src/linux-headers-$KVER
