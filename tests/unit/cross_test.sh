#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# full
# timeout 7200
# The unit tests once more for arm64 and for s390x, which is big-endian, so that the device
# model is tested on such hosts. An emulator of programs runs them. Address sanitizers do
# not work in that emulator, so only undefined behaviour is checked. gnutls is linked by its
# file's name: the headers come from amd64's development package.
# shellcheck source=scripts/common.sh
. scripts/common.sh
set +eE

# shellcheck source=tests/scripts/ktap.sh
. tests/scripts/ktap.sh

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
# the processor's name in Debian, and in uname
while read -r processor machine; do
	for source in tests/unit/*_test.c; do
		test=$(basename "$source" .c)
		# starts itself again, which the emulator of programs cannot do
		[ "$test" != ktap_test ] || continue
		check "$machine: build $test" quietly build "$test"
		check "$machine: $test" quietly emulate "$test"
	done
done <<<"arm64 aarch64
s390x s390x"
end_of_cases
