#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# scripts/into-qemu on those files of a QEMU tree that it changes.
set -uo pipefail

# shellcheck source=tests/scripts/ktap.sh
. tests/scripts/ktap.sh
tree=$work/tree

# The source that the build used, without the lines that qemu-device/hook has added
unpack()
{
	local source file

	for source in "${XDG_CACHE_HOME:-$HOME/.cache}"/vktls/qemu/*/src; do
		[ -f "$source/.complete" ] && break
	done
	mkdir -p "$tree/docs/system/devices"
	for file in VERSION meson.build hw/net/Kconfig hw/net/meson.build \
		    docs/system/device-emulation.rst tests/qtest/meson.build; do
		mkdir -p "$(dirname "$tree/$file")"
		grep -v vktls "$source/$file" >"$tree/$file"
	done
}

into()
{
	scripts/into-qemu "$1" >"$work/out" 2>&1
}

# refused WORDS DIR
refused()
{
	! into "$2" && grep -q "^error: .*$1" "$work/out"
}

# once FILE LINE: the file has the line exactly once
once()
{
	[ "$(grep -cxF -- "$2" "$tree/$1")" = 1 ]
}

# The device's includes are all found within the QEMU tree
whole()
{
	! grep -n 'readlink\|\.\./' "$tree/hw/net/vktls/meson.build" >"$work/out" &&
		[ -f "$tree/hw/net/vktls/vktls_abi.h" ] && [ -f "$tree/hw/net/vktls/soc.h" ] &&
		[ ! -L "$tree/hw/net/vktls" ] && [ ! -e "$tree/hw/net/vktls/vktls" ]
}

echo "KTAP version 1"
mkdir "$work/empty"
check "no QEMU tree" refused "is no QEMU source" "$work/empty"
unpack
cp -a "$tree" "$work/old"
echo 9.2.0 >"$work/old/VERSION"
check "a tree that is too old" refused "10.0 is the oldest" "$work/old"
check "a tree" into "$tree"
check "it needs nothing of here" whole
check "a second run" into "$tree"
check "it is still whole" whole
check "Kconfig has its line once" once hw/net/Kconfig "source vktls/Kconfig"
check "meson.build has its line once" once hw/net/meson.build "subdir('vktls')"
check "traces have their line once" once meson.build "    'hw/net/vktls',"
check "the page has its line once" once docs/system/device-emulation.rst \
	"   devices/vktls.rst"
check "the qtest has its line once" once tests/qtest/meson.build \
	"  (config_all_devices.has_key('CONFIG_VKTLS') ? ['vktls-test'] : []) + \\"
end_of_cases
