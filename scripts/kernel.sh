# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Sourced: which kernel the modules are built for and the guest boots.
# The caller may set KDIR, a kernel's build folder; otherwise the newest installed
# 6.12 headers of the distribution are taken. KVER is that kernel's release.

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

if [ -n "${KDIR:-}" ]; then
	KVER=${KVER:-$(make -s -C "$KDIR" kernelrelease 2>/dev/null || true)}
else
	KVER=${KVER:-$(find_kver)}
	KDIR=/usr/src/linux-headers-${KVER:-6.12-amd64}
fi

need_kernel_headers()
{
	if [ -z "$KVER" ] || [ ! -f "$KDIR/Makefile" ]; then
		die "there are no kernel headers in $KDIR" "make deps"
	fi
	grep -qs '^CONFIG_TLS=[ym]' "$KDIR/.config" ||
		die "the kernel in $KDIR has no TLS (CONFIG_TLS is not set)" \
		    "build for a kernel with CONFIG_TLS=m and CONFIG_TLS_DEVICE=y"
	grep -qs '^CONFIG_TLS_DEVICE=y' "$KDIR/.config" ||
		die "the kernel in $KDIR cannot offload TLS (CONFIG_TLS_DEVICE is not set)" \
		    "build for a kernel with CONFIG_TLS_DEVICE=y"
}
