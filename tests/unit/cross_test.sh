#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# full
# timeout 7200
# The unit tests once more for arm64 and for s390x, which is big-endian, run by an
# emulator of programs: the device model on such a host. Address sanitizers do not work
# in that emulator, so undefined behaviour alone is looked for. gnutls is linked by its
# file's name: its development package is amd64's, for the headers.
# shellcheck source=scripts/common.sh
. scripts/common.sh
set +eE

number=0
failed=0

# check NAME COMMAND...: a case passes when the command does; it says why not
check()
{
	local name=$1 ok=ok

	shift
	number=$((number + 1))
	if ! "$@" >"$O/out" 2>&1; then
		ok="not ok"
		failed=1
		grep -v '^ok ' "$O/out" | tail -n 30 | sed 's/^/# /'
	fi
	echo "$ok $number $name"
}

# in_root COMMAND...
in_root()
{
	scripts/in-root --for "$processor" "$(suite_of "$processor")" "$@"
}

# build TEST
build()
{
	in_root make -s -f tests/unit/Makefile "O=$O/$machine" "MACHINE=$machine" \
		"CC=$machine-linux-gnu-gcc" PKG_CFLAGS= GNUTLS=-l:libgnutls.so.30 \
		"SANITIZE=-fsanitize=undefined -fno-sanitize-recover=all" "$1"
}

# emulate TEST
emulate()
{
	in_root "qemu-$machine" "$O/$machine/$1"
}

echo "KTAP version 1"
mkdir -p "$O"
# Debian's name and uname's
while read -r processor machine; do
	for source in tests/unit/*_test.c; do
		test=$(basename "$source" .c)
		# runs itself once more, which the emulator of programs cannot do
		[ "$test" != ktap_test ] || continue
		check "$machine: build $test" build "$test"
		check "$machine: $test" emulate "$test"
	done
done <<<"arm64 aarch64
s390x s390x"
echo "1..$number"
exit $failed
