#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# full
# timeout 1800
# The device's sources in the newest QEMU that the mirror has the source of: they compile
# there, without a warning. To build all of that QEMU: make qemu QEMU_SOURCE=DIR.
set -uo pipefail

# shellcheck source=tests/scripts/ktap.sh
. tests/scripts/ktap.sh

compile()
{
	QEMU_SOURCE=$source VKTLS_BUILD=$O/build scripts/build-qemu --objects >"$work/out" 2>&1
}

# Each source has its object in the library
all_compiled()
{
	ar t "$(objects)" | sed "s|.*/||" | sort >"$O/objects"
	grep -o "'[a-z_0-9/]*\.c'" qemu-device/meson.build | tr -d "'" | tr / _ |
		sed 's/$/.o/' | grep -v '^tls_aead_\(ipsec_mb\|nettle\).c.o$' | sort |
		comm -23 - "$O/objects" >"$work/out"
	[ -s "$O/objects" ] && [ ! -s "$work/out" ]
}

no_warning()
{
	! grep -h "warning:" "$O/build/log/qemu-build.log" >"$work/out"
}

# The library of the tree that was configured for this source
objects()
{
	local tree

	for tree in "${XDG_CACHE_HOME:-$HOME/.cache}"/vktls/qemu/*/; do
		[ "$(readlink -f "$tree/src")" != "$(readlink -f "$source")" ] ||
			echo "$tree/build/hw/net/vktls/libvktls.a"
	done
}

echo "KTAP version 1"
source=$(scripts/fetch-qemu 2>"$work/err")
if [ $? = 4 ]; then
	echo "1..1"
	echo "ok 1 newest QEMU # SKIP $(tail -n 1 "$work/err")"
	exit
fi
echo "# QEMU $(cat "$source/VERSION")"
check "the device compiles" compile
check "all its sources do" all_compiled
check "without a warning" no_warning
end_of_cases
