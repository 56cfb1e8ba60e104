/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _TLS_EPOCH_H
#define _TLS_EPOCH_H

#include "tls_priv.h"

/* A key, kept until all records that were sent with it are acknowledged. */
struct tls_epoch {
	refcount_t refs;
	spinlock_t lock;	/* guards aead's request; taken in softirq */
	struct tls_aead aead;
	u8 iv[TLS_REC_NONCE_LEN];
	u32 key_no;		/* number of the key, from tls_off_tx.key_no */
};

struct tls_epoch *tls_epoch_alloc(const struct tls_context *ctx,
				  const struct tls_cipher *cipher);
void tls_epoch_put(struct tls_epoch *epoch);
void tls_key_refresh(struct tls_context *ctx, bool tx, u32 ahead);

#endif /* _TLS_EPOCH_H */
