#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A tree that is copied with its build folder builds the edits made in the copy.
set -uo pipefail

# shellcheck source=tests/scripts/ktap.sh
. tests/scripts/ktap.sh
top=$PWD
tree=$O/tree
unset VKTLS_BUILD

# like "cp -a", without folders that a build does not need
copy()
{
	mkdir "$tree" "$tree/build" || return 1
	rsync -a --exclude=/.git --exclude=/build "$top/" "$tree/" || return 1
	for part in .tree firmware kbuild modules unit; do
		[ ! -e "$BUILD/$part" ] || cp -a "$BUILD/$part" "$tree/build/" || return 1
	done
	# the products must be newer than their sources, and the first tree must still exist
	[ -e "$tree/build/firmware/vktls.fw" ]
}

# sees FILE COMMAND...: an edit that breaks FILE in the copy makes the command fail
sees()
{
	local file=$1 rc=0

	shift
	cp -p "$tree/$file" "$work/kept"
	echo "#error this edit is seen" >>"$tree/$file"
	(cd "$tree" && "$@") >"$work/said" 2>&1 && rc=1
	cp -p "$work/kept" "$tree/$file"
	cat "$work/said"
	[ "$rc" = 0 ] && grep -rq "this edit is seen" "$work/said" "$tree/build/log"
}

kept()
{
	touch "$tree/build/firmware/mine"
	(cd "$tree" && scripts/own-build) && [ -e "$tree/build/firmware/mine" ]
}

echo "KTAP version 1"
check "the tree is copied" quietly copy
check "an edit of the firmware is seen" quietly sees firmware/fw.h make firmware
check "an edit of a unit test's header is seen" \
	quietly sees tests/unit/ktap.h make -f tests/unit/Makefile "O=$tree/build/unit" wire_test
check "an edit of the modules is seen" \
	quietly sees drivers/net/ethernet/vktls/tx.h scripts/build-modules
check "a folder that was made here is kept" quietly kept
rm -rf "$tree"
end_of_cases
