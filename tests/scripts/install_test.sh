#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# make modules_install installs modules stripped, signed and compressed like the kernel's
# own, the firmware, and the indexes for modprobe; and the error messages for an unusable
# folder or key.
set -u

# shellcheck source=tests/scripts/ktap.sh
. tests/scripts/ktap.sh
. scripts/common.sh
. scripts/kernel.sh
set +e +o pipefail

# into VARIABLE=VALUE...: install with these variables
into()
{
	env "$@" scripts/install-modules >"$work/out" 2>&1
}

# refused WORDS MEND VARIABLE=VALUE...
refused()
{
	local words=$1 mend=$2

	shift 2
	! into "$@" && grep -q "^error: .*$words" "$work/out" &&
		grep -q "^  mend: .*$mend" "$work/out"
}

# plain NAME: print the uncompressed module
plain()
{
	xz -dc "$at/$1.ko.xz" 2>"$work/out"
}

compressed()
{
	[ "$(cd "$at" && echo ./*)" = "./tls.ko.xz ./vktls.ko.xz" ] &&
		xz -lv "$at"/*.xz | grep -q 'Check: *CRC32'
}

stripped()
{
	plain vktls >"$work/vktls.ko"
	! readelf -SW "$work/vktls.ko" | grep -q '\.debug_info' &&
		readelf -sW "$work/vktls.ko" | grep -q vktls_
}

unsigned()
{
	! plain vktls | tail -c 28 | grep -qa 'Module signature appended'
}

found_by()
{
	depmod -n -b "$1" "$KVER" | grep -q 'alias pci:v00001AF4.* vktls' &&
		[ "$(modprobe -d "$1" -S "$KVER" --show-depends tls | tail -n 1)" = \
			"insmod $1/lib/modules/$KVER/updates/tls.ko.xz " ]
}

same_firmware()
{
	cmp "$1/vktls/vktls.fw" "$BUILD/firmware/vktls.fw" >"$work/out" 2>&1
}

make_key()
{
	openssl req -new -x509 -nodes -newkey rsa:2048 -subj "/CN=$1" -days 2 \
		-outform DER -out "$work/$1.der" -keyout "$work/$1.pem" 2>"$work/out"
}

signed()
{
	local end

	plain vktls >"$work/signed.ko"
	end=$(tail -c 28 "$work/signed.ko")
	[ "$end" = "~Module signature appended~" ] &&
		[ "$(modinfo -F signer "$work/signed.ko")" = vktls-test ]
}

# the signature is made with that key, and for this module
verified()
{
	local size whole

	whole=$(stat -c %s "$work/signed.ko")
	# the last word of the trailer before the 28 bytes of text: the signature's length
	size=$((16#$(tail -c 32 "$work/signed.ko" | head -c 4 | od -An -tx1 | tr -d ' ')))
	head -c $((whole - 40)) "$work/signed.ko" | tail -c "$size" >"$work/sig"
	head -c $((whole - 40 - size)) "$work/signed.ko" >"$work/content"
	openssl smime -verify -binary -inform DER -in "$work/sig" -noverify \
		-content "$work/content" -certfile <(openssl x509 -inform DER \
		-in "$work/vktls-test.der") -nointern -out /dev/null >"$work/out" 2>&1
}

unprivileged()
{
	mkdir -p "$work/theirs"
	chmod 555 "$work/theirs"
	if [ "$(id -u)" = 0 ]; then
		# not even root may write here
		refused "may not write to /proc" "sudo make modules_install" DESTDIR=/proc
	else
		refused "may not write to" "sudo make modules_install" "DESTDIR=$work/theirs"
	fi
}

echo "KTAP version 1"
at=$work/one/lib/modules/$KVER/updates
check "into DESTDIR" into "DESTDIR=$work/one"
check "compressed as the kernel's own modules" compressed
check "debugging information is gone, symbols are not" stripped
check "not signed without a key" unsigned
check "modprobe finds them" found_by "$work/one"
check "the firmware, too" same_firmware "$work/one/lib/firmware"
make_key vktls-test
at=$work/two/root/lib/modules/$KVER/updates
mkdir -p "$at"
touch "$at/vktls.ko" "$at/tls.ko.zst"
check "INSTALL_MOD_PATH behind DESTDIR, with a key" into "DESTDIR=$work/two" \
	INSTALL_MOD_PATH=/root "MODULE_SIG_KEY=$work/vktls-test.pem" \
	"MODULE_SIG_CERT=$work/vktls-test.der"
check "nothing is left of another compression" compressed
check "signed" signed
check "the signature holds" verified
check "firmware goes with the modules" same_firmware "$work/two/root/lib/firmware"
check "INSTALL_FW_PATH" into "DESTDIR=$work/two" INSTALL_FW_PATH=/fw
check "has the firmware" same_firmware "$work/two/fw"
check "a key without a certificate" refused "needs a key and its certificate" \
	MODULE_SIG_CERT= "DESTDIR=$work/three" "MODULE_SIG_KEY=$work/vktls-test.pem"
check "a key that is not there" refused "needs a key and its certificate" \
	MODULE_SIG_KEY= "DESTDIR=$work/three" MODULE_SIG_KEY=/nowhere "MODULE_SIG_CERT=$work/vktls-test.der"
check "a place that is another's" unprivileged
end_of_cases
