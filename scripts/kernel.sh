# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Sourced after common.sh: which kernel the modules are built for and the guest
# boots. The caller may set
#
#   KERNEL  a version, see scripts/fetch-kernel, whose packages are fetched
#   KDIR    a kernel's build folder, KVER its release
#   VKTLS_ARCH  arm64 or s390x: Debian 13's kernel for that processor, see foreign.sh
#
# With neither, or with KERNEL=6.12, it is the newest of the distribution's 6.12
# headers that are installed. Set here are KVER, KDIR, KROOT, the suite whose
# compiler builds for it (empty: the host's), and for a kernel that was fetched
# BUILD, a folder of its own.

find_kver()
{
	local dir best=

	for dir in /usr/src/linux-headers-6.12*-amd64; do
		case $dir in
		*-rt-amd64 | *-cloud-amd64 | *'*'*) continue ;;
		esac
		best=$(printf '%s\n' "$best" "${dir#/usr/src/linux-headers-}" |
			sort -V | tail -n 1)
	done
	echo "$best"
}

use_packaged_kernel()
{
	local found

	found=$("$SCRIPTS/fetch-kernel" "$KERNEL") || exit "${DIE_STATUS:-1}"
	KVER=${found% *}
	KROOT=${found#* }
	KDIR=$CACHE/kernel/$KVER/usr/src/linux-headers-$KVER
	BUILD=${VKTLS_BUILD:-$TOP/build/$KVER}
	# shellcheck disable=SC2034 # used by run_logged
	LOG=$BUILD/log
}

KROOT=
# a kernel that "make deps" does not install
NAMED=${KDIR:-}${KVER:-}
# the suite of the guest's user land
SUITE=trixie
CROSS='' CC=${CC:-gcc}
if [ "${VKTLS_ARCH:-amd64}" != amd64 ]; then
	# shellcheck source=scripts/foreign.sh
	. "$SCRIPTS/foreign.sh"
elif [ -n "${KDIR:-}" ]; then
	KVER=${KVER:-$(make -s -C "$KDIR" kernelrelease 2>/dev/null || true)}
elif [ "${KERNEL:-6.12}" != 6.12 ]; then
	use_packaged_kernel
else
	KVER=${KVER:-$(find_kver)}
	KDIR=/usr/src/linux-headers-${KVER:-6.12-amd64}
fi

need_kernel_headers()
{
	local mend="make deps"

	[ -z "$NAMED" ] ||
		mend="apt-get install linux-headers-${KVER:-VERSION}, or make without KDIR= and KVER="
	if [ -z "$KVER" ] || [ ! -f "$KDIR/Makefile" ]; then
		die "there are no kernel headers in $KDIR" "$mend"
	fi
	dpkg --compare-versions "$KVER" ge 6.12 ||
		die "the kernel in $KDIR is $KVER; 6.12 is the oldest that this is for" \
		    "make KERNEL=newest, or KDIR= with a newer one"
	grep -qs '^CONFIG_TLS=[ym]' "$KDIR/.config" ||
		die "the kernel in $KDIR has no TLS (CONFIG_TLS is not set)" \
		    "build for a kernel with CONFIG_TLS=m and CONFIG_TLS_DEVICE=y"
	grep -qs '^CONFIG_TLS_DEVICE=y' "$KDIR/.config" ||
		die "the kernel in $KDIR cannot offload TLS (CONFIG_TLS_DEVICE is not set)" \
		    "build for a kernel with CONFIG_TLS_DEVICE=y"
}

# kernel_make ARGS...: make in the kernel's build folder
kernel_make()
{
	if [ -n "$CROSS" ]; then
		"${foreign_root[@]}" make -C "$KDIR" ARCH="$KARCH" \
			CROSS_COMPILE="$CROSS" CC="${CROSS}gcc" "$@"
	elif [ -n "$KROOT" ]; then
		"$SCRIPTS/in-root" "$KROOT" make -C "$KDIR" "$@"
	else
		make -C "$KDIR" "$@"
	fi
}
