/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _TLS_EXT_H
#define _TLS_EXT_H

#include <linux/bits.h>
#include <linux/types.h>

struct net_device;
struct sock;
struct tls_context;
struct tls_crypto_info;
struct tlsdev_ops;

/*
 * Functions that this tls.ko exports beyond the kernel's own. A driver must also
 * work without this tls.ko, so it looks the functions up with symbol_get().
 */

#define TLS_OFFLOAD_CAP_13	BIT(0)	/* checks the version, takes TLS 1.3 */
#define TLS_OFFLOAD_CAP_CHACHA	BIT(1)	/* checks the cipher, takes ChaCha20 */

/**
 * struct tls_offload_next - a driver whose NICs hold more than one key of a socket
 * @key:	gives the NIC the key @key_no, with the number of its first record in @info;
 *		1 is the first one after that of tls_dev_add. Process context, may sleep;
 *		between tls_dev_add and tls_dev_del. Returns 0, -ENOSPC without room now,
 *		or another error
 * @resync:	tls_dev_resync for a record of the key @key_no; RCU, does not sleep
 * @tx_key:	gives the NIC the key @key_no of a sending socket, which is locked; otherwise
 *		as @key. All bytes from TCP sequence number @seq on have it, and record 0 begins
 *		there. A later tls_dev_resync is about a record of the last key given
 * @tx_done:	tells the NIC that the peer has acknowledged all records of the keys before
 *		@key_no of a sending socket, which is locked; may sleep
 */
struct tls_offload_next {
	int (*key)(struct net_device *dev, struct tls_context *ctx,
		   const struct tls_crypto_info *info, u32 key_no);
	int (*resync)(struct net_device *dev, struct sock *sk, u32 seq,
		      u64 rec_no, u32 key_no);
	int (*tx_key)(struct net_device *dev, struct tls_context *ctx,
		      const struct tls_crypto_info *info, u32 seq, u32 key_no);
	void (*tx_done)(struct net_device *dev, struct tls_context *ctx,
			u32 key_no);
};

int tls_offload_next_set(const struct tlsdev_ops *ops,
			 const struct tls_offload_next *next);
void tls_offload_key_used(struct sock *sk, u32 key_no);
void tls_offload_key_lost(struct sock *sk);
int tls_offload_caps_set(const struct tlsdev_ops *ops, u32 caps);
void tls_offload_device_lost(struct net_device *dev);
void tls_offload_device_ready(struct net_device *dev);

#endif /* _TLS_EXT_H */
