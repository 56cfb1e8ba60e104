#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# scripts/into-kernel on a part of a kernel tree: the distribution's 6.12, which is
# too old, and the same tree with lines that only a newer kernel has.
set -uo pipefail

# shellcheck source=tests/scripts/ktap.sh
. tests/scripts/ktap.sh
tree=$work/tree
driver=drivers/net/ethernet/vktls

unpack()
{
	local path list=()

	for path in scripts/unifdef.c drivers/net/ethernet/{Kconfig,Makefile} {net/tls,include/uapi/linux}/tls.h \
		    include/linux/{dim,netdevice,ethtool,skbuff}.h include/net/{devlink,xdp}.h \
		    Documentation/networking/device_drivers/ethernet/index.rst \
		    tools/testing/selftests/{Makefile,lib.mk,kselftest.h,kselftest_harness.h} \
		    scripts/subarch.include; do
		list+=("linux-source-6.12/$path")
	done
	mkdir "$tree"
	tar -C "$tree" --strip-components=1 -xf /usr/src/linux-source-6.12.tar.xz "${list[@]}"
}

make_newer()
{
	echo 'void net_dim(struct dim *dim, const struct dim_sample *end);' \
		>>"$tree/include/linux/dim.h"
	echo 'int dev_set_mac_address(struct net_device *, struct sockaddr_storage *);' \
		>>"$tree/include/linux/netdevice.h"
	echo 'u64 default_graceful_period; union devlink_param_value *init_val;' \
		>>"$tree/include/net/devlink.h"
	echo 'enum { SKB_GSO_TCP_ACCECN, SKB_GSO_TCP_FIXEDID_INNER };' >>"$tree/include/linux/skbuff.h"
	echo 'bool xdp_buff_add_frag(void);' >>"$tree/include/net/xdp.h"
	echo 'u32 (*get_rx_ring_count)(void); int (*set_rxfh_fields)(void);' \
		>>"$tree/include/linux/ethtool.h"
}

into()
{
	scripts/into-kernel "$1" >"$work/out" 2>&1
}

# refused WORDS MEND DIR
refused()
{
	! into "$3" && grep -q "^error: .*$1" "$work/out" && grep -q "^  mend: .*$2" "$work/out"
}

untouched()
{
	[ ! -e "$tree/$driver" ] && ! grep -q vktls "$tree/drivers/net/ethernet/Makefile"
}

same_files()
{
	diff <(cd "$driver" && ls -- *.[ch]) <(cd "$tree/$driver" && ls -- *.[ch]) >"$work/out"
}

# once FILE LINE: the file has the line exactly once
once()
{
	[ "$(grep -cxF "$2" "$tree/$1")" = 1 ]
}

nothing_for_older()
{
	! grep -rnE 'COMPAT_|compat/' "$tree/$driver" >"$work/out" &&
		grep -q '\.get_rx_ring_count = ' "$tree/$driver/ethtool.c" &&
		! grep -q 'vktls_ethtool_[gs]et_rxnfc' "$tree/$driver/ethtool.c"
}

# shellcheck disable=SC2016 # for make
tls_too()
{
	scripts/into-kernel --tls "$tree" >"$work/out" 2>&1 &&
		diff <(cd net/tls && ls -- *.[ch]) <(cd "$tree/net/tls" && ls -- *.[ch]) \
			>"$work/out" &&
		[ -f "$tree/include/uapi/linux/tls_ext.h" ] &&
		grep -qxF 'obj-$(CONFIG_TLS) += tls.o' "$tree/net/tls/Makefile" &&
		! grep -rnE 'COMPAT_|compat' "$tree/net/tls" --include=*.c --include=Makefile \
			>"$work/out"
}

builds_tests()
{
	make -C "$tree/tools/testing/selftests/drivers/net/hw/tls" \
		OUTPUT="$tree/tools/testing/selftests/drivers/net/hw/tls" >"$work/out" 2>&1 &&
		! grep -q warning: "$work/out" &&
		[ -x "$tree/tools/testing/selftests/drivers/net/hw/tls/tls_peer" ]
}

echo "KTAP version 1"
mkdir "$work/empty"
check "no kernel tree" refused "is no kernel's source" "into-kernel DIR" "$work/empty"
unpack
check "a tree that is too old" refused "older than the driver.*RX_RING_COUNT" \
	"make modules KDIR=" "$tree"
check "nothing was written to it" untouched
make_newer
check "a tree that is new enough" into "$tree"
check "all sources are there" same_files
check "none of them has what older kernels need" nothing_for_older
check "a second run" into "$tree"
check "Kconfig has its line once" once drivers/net/ethernet/Kconfig \
	"source \"$driver/Kconfig\""
# shellcheck disable=SC2016 # for make
check "Makefile has its line once" once drivers/net/ethernet/Makefile \
	'obj-$(CONFIG_VKTLS) += vktls/'
check "the tests are a target once" once tools/testing/selftests/Makefile \
	'TARGETS += drivers/net/hw/tls'
check "the tests' program builds there" builds_tests
check "with --tls our net/tls too" tls_too
end_of_cases
