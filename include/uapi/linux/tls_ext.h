/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * Socket options of this tls.ko beyond <linux/tls.h>, all at the level SOL_TLS. Their
 * numbers are far from the kernel's own. docs/ktls.rst describes each.
 */
#ifndef _UAPI_LINUX_TLS_EXT_H
#define _UAPI_LINUX_TLS_EXT_H

#include <linux/types.h>

#define TLS_EXT_TX_SECRET	0x5601	/* set: struct tls_ext_secret; get: */
#define TLS_EXT_RX_SECRET	0x5602	/* struct tls_ext_key_state */
#define TLS_EXT_TX_LIMITS	0x5603	/* struct tls_ext_key_limits */
#define TLS_EXT_RX_LIMITS	0x5604
#define TLS_EXT_KEY_UPDATE	0x5605	/* set: __u32, see below */

#define TLS_EXT_TX_OFFLOAD	0x5611	/* set: struct tls_ext_offload; get: */
#define TLS_EXT_RX_OFFLOAD	0x5612	/* struct tls_ext_offload_state */

#define TLS_EXT_HASH_NONE	0	/* no secret; set: the program takes it back */
#define TLS_EXT_HASH_SHA256	1
#define TLS_EXT_HASH_SHA384	2

#define TLS_EXT_SECRET_MAX	48

/**
 * struct tls_ext_secret - a traffic secret of TLS 1.3, RFC 8446 section 7.1
 * @hash:	TLS_EXT_HASH_*, the hash of the cipher suite
 * @secret:	32 bytes for SHA-256, 48 for SHA-384; the rest is ignored
 */
struct tls_ext_secret {
	__u32 hash;
	__u8 secret[TLS_EXT_SECRET_MAX];
};

/**
 * struct tls_ext_key_state - the key in force of one direction
 * @records:	records that it has protected
 * @limit:	records that it may protect
 * @hash:	TLS_EXT_HASH_*; not NONE: the kernel renews the key
 * @updates:	keys that the kernel has put in force
 * @age_ms:	age of the key, milliseconds
 * @reserved:	0
 */
struct tls_ext_key_state {
	__u64 records;
	__u64 limit;
	__u32 hash;
	__u32 updates;
	__u32 age_ms;
	__u32 reserved;
};

/* The limit is an error (EKEYEXPIRED) where the kernel does not renew the key. */
#define TLS_EXT_LIMIT_STRICT	0x1

/**
 * struct tls_ext_key_limits - life of the keys of one direction
 * @records:	records that one key may protect, 64 or more; 0: the cipher's limit
 * @age_ms:	age at which the kernel renews a key for sending, milliseconds; 0: none
 * @flags:	TLS_EXT_LIMIT_*
 * @row:	receiving: KeyUpdates in a row, without another record between, that are
 *		taken; 0: 32
 * @per_second:	receiving: KeyUpdates in one second that are taken; 0: 10000
 */
struct tls_ext_key_limits {
	__u64 records;
	__u32 age_ms;
	__u32 flags;
	__u32 row;
	__u32 per_second;
};

/* Values of TLS_EXT_KEY_UPDATE, those of RFC 8446 section 4.6.3 */
#define TLS_EXT_UPDATE_NOT_REQUESTED	0
#define TLS_EXT_UPDATE_REQUESTED	1	/* the peer is to renew its key, too */

#define TLS_EXT_OFFLOAD_DEFAULT	0	/* as the administrator has set */
#define TLS_EXT_OFFLOAD_NEVER	1	/* software */
#define TLS_EXT_OFFLOAD_PREFER	2	/* a NIC, at once; software where there is none */
#define TLS_EXT_OFFLOAD_REQUIRE	3	/* a NIC now, or an error */

#define TLS_EXT_LAZY_MAX	(1U << 30)
#define TLS_EXT_LAZY_AUTO	0xffffffffU	/* as many as a set-up is worth, as measured */

/**
 * struct tls_ext_offload - a direction's wish for a NIC
 * @want:	TLS_EXT_OFFLOAD_*
 * @lazy_bytes:	with DEFAULT: bytes in software before a NIC is asked, up to
 *		TLS_EXT_LAZY_MAX, or TLS_EXT_LAZY_AUTO; 0: as net.tls.lazy_tx_bytes,
 *		net.tls.lazy_rx_bytes and net.tls.lazy_auto say
 */
struct tls_ext_offload {
	__u32 want;
	__u32 lazy_bytes;
};

/* Reasons of struct tls_ext_offload_state */
#define TLS_EXT_WHY_NO_DEVICE	1	/* no route, or its device does no TLS */
#define TLS_EXT_WHY_FEATURE	2	/* switched off */
#define TLS_EXT_WHY_DOWN	3
#define TLS_EXT_WHY_VERSION	4	/* of TLS; the driver does not take it */
#define TLS_EXT_WHY_CIPHER	5
#define TLS_EXT_WHY_WRAPS	6	/* IPsec or a tunnel on the route */
#define TLS_EXT_WHY_SIGNS	7	/* TCP-MD5 or TCP-AO */
#define TLS_EXT_WHY_NOT_WANTED	8	/* TLS_EXT_OFFLOAD_NEVER */
#define TLS_EXT_WHY_NOT_YET	9	/* too few bytes so far */
#define TLS_EXT_WHY_FULL	10	/* the NIC has no room */
#define TLS_EXT_WHY_MEMORY	11
#define TLS_EXT_WHY_REFUSED	12	/* by the driver, or the NIC is being drained */

/**
 * struct tls_ext_offload_state - a direction's place
 * @want:	TLS_EXT_OFFLOAD_*
 * @lazy_bytes:	as set
 * @on_nic:	1: a NIC encrypts or decrypts new records
 * @why:	TLS_EXT_WHY_* of the last search for a NIC; 0: it found one, or none was made
 */
struct tls_ext_offload_state {
	__u32 want;
	__u32 lazy_bytes;
	__u32 on_nic;
	__u32 why;
};

#endif /* _UAPI_LINUX_TLS_EXT_H */
