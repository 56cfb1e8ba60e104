# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Sourced after common.sh and kernel.sh: where the kernel's selftests for the guest are.

KERNEL_SOURCE=/usr/src/linux-source-6.12.tar.xz
[ -z "$KROOT" ] || KERNEL_SOURCE=$CACHE/kernel/$KVER/source.tar.xz
# the source of a kernel that was built here
[ ! -f "$KDIR/source.tar.xz" ] || KERNEL_SOURCE=$KDIR/source.tar.xz
# shellcheck disable=SC2034 # used by those who source this
SELFTESTS=$CACHE/selftests/$(key_of "$SCRIPTS/build-selftests" \
	"$SCRIPTS/selftests_fix.h" "$KVER" "$(stat -c %s "$KERNEL_SOURCE" 2>/dev/null)")
