# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Sourced: which kernel the modules are built for and the guest boots.
# KVER and KDIR may be set by the caller; otherwise the newest installed
# 6.12 headers of the distribution are taken.

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

KVER=${KVER:-$(find_kver)}
KDIR=${KDIR:-/usr/src/linux-headers-$KVER}

need_kernel_headers()
{
	if [ -z "$KVER" ] || [ ! -f "$KDIR/Makefile" ]; then
		die "no kernel headers for Linux 6.12 (${KVER:-none found})" \
		    "make deps"
	fi
	grep -qs '^CONFIG_TLS=[ym]' "$KDIR/.config" ||
		die "the kernel in $KDIR has no TLS (CONFIG_TLS is not set)" \
		    "build for a kernel with CONFIG_TLS=m and CONFIG_TLS_DEVICE=y"
	grep -qs '^CONFIG_TLS_DEVICE=y' "$KDIR/.config" ||
		die "the kernel in $KDIR cannot offload TLS (CONFIG_TLS_DEVICE is not set)" \
		    "build for a kernel with CONFIG_TLS_DEVICE=y"
}
