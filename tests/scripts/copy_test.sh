#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A tree that is copied with its build folder builds the edits made in the copy.
set -uo pipefail

top=$PWD
tree=$O/tree
number=0
failed=0
unset VKTLS_BUILD

# check NAME COMMAND...: a case passes when the command does
check()
{
	local name=$1 ok=ok

	shift
	number=$((number + 1))
	if ! "$@" >"$O/out" 2>&1; then
		ok="not ok"
		failed=1
		tail -n 20 "$O/out" | sed 's/^/# /'
	fi
	echo "$ok $number $name"
}

# as "cp -a" would, without folders that no build needs
copy()
{
	mkdir "$tree" "$tree/build" || return 1
	rsync -a --exclude=/.git --exclude=/build "$top/" "$tree/" || return 1
	for part in .tree firmware kbuild modules unit; do
		[ ! -e "$BUILD/$part" ] || cp -a "$BUILD/$part" "$tree/build/" || return 1
	done
	# every product is newer than its source, and the other tree is still there
	[ -e "$tree/build/firmware/vktls.fw" ]
}

# sees FILE COMMAND...: an edit of FILE in the copy breaks the command
sees()
{
	local file=$1 rc=0

	shift
	cp -p "$tree/$file" "$O/kept"
	echo "#error this edit is seen" >>"$tree/$file"
	(cd "$tree" && "$@") >"$O/said" 2>&1 && rc=1
	cp -p "$O/kept" "$tree/$file"
	cat "$O/said"
	[ "$rc" = 0 ] && grep -rq "this edit is seen" "$O/said" "$tree/build/log"
}

kept()
{
	touch "$tree/build/firmware/mine"
	(cd "$tree" && scripts/own-build) && [ -e "$tree/build/firmware/mine" ]
}

echo "KTAP version 1"
check "the tree is copied" copy
check "an edit of the firmware is seen" sees firmware/fw.h make firmware
check "an edit of a unit test's header is seen" \
	sees tests/unit/ktap.h make -f tests/unit/Makefile "O=$tree/build/unit" wire_test
check "an edit of the modules is seen" \
	sees drivers/net/ethernet/vktls/tx.h scripts/build-modules
check "a folder that was made here is kept" kept
echo "1..$number"
rm -rf "$tree"
exit $failed
