#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# full
# timeout 1800
# tools/vktls-vng with the vng of Debian 13, in a root of that.
set -uo pipefail

# shellcheck source=tests/scripts/ktap.sh
. tests/scripts/ktap.sh

kver=$(cat "$BUILD/guest/kver")

# A kernel with its modules, laid out as its package does below /
unpack_kernel()
{
	mkdir -p "$O/root/boot" "$O/root/lib"
	if [ -f "/boot/vmlinuz-$kver" ]; then
		cp "/boot/vmlinuz-$kver" "$O/root/boot/"
	else
		(cd "$work" && apt-get -q -o APT::Sandbox::User=root download \
			"linux-image-$kver" >out 2>&1 && dpkg-deb -x ./*.deb . &&
			cp "boot/vmlinuz-$kver" "$O/root/boot/") || return
	fi
	ln -sfn "$(readlink -f "$BUILD/guest/modules")" "$O/root/lib/modules"
}

# The project's QEMU was linked with the host's libraries, which the root hides
keep_libraries()
{
	mkdir -p "$O/lib"
	ldd "$QEMU" | awk '$2 == "=>" && $1 !~ /^lib[cm]\.so/ { print $3 }' |
		xargs cp -t "$O/lib"
}

# The output of vng is in $work/out
boot()
{
	local status=0

	LD_LIBRARY_PATH=$O/lib scripts/in-root --for vng trixie-backports \
		timeout 900 tools/vktls-vng "$O/root/boot/vmlinuz-$kver" --disable-kvm \
		-- 'uname -r; ethtool -i eth0; ethtool -k eth0; ethtool -t eth0; exit 7' \
		>"$work/out" 2>&1 </dev/null || status=$?
	[ "$status" = 7 ]
}

says()
{
	grep -q "$1" "$work/out"
}

echo "KTAP version 1"
check "a kernel" unpack_kernel
check "libraries" keep_libraries
check "it boots, and the status is the command's" boot
check "that kernel" says "^$kver"
check "eth0 is the card" says "^driver: vktls"
check "it can encrypt TLS" says "^tls-hw-tx-offload: off[[:cntrl:]]*$"
check "its self-test passes" says "The test result is PASS"
end_of_cases
