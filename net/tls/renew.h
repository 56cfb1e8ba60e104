/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _TLS_RENEW_H
#define _TLS_RENEW_H

#include <linux/workqueue.h>
#include <uapi/linux/tls_ext.h>

#include "key_update.h"
#include "newkey.h"
#include "secret.h"
#include "tls_priv.h"

/**
 * struct tls_renew - life of the keys of one direction, and their secret
 * @hmac:	the secret's hash; NULL: there is no secret
 * @secret:	secret of the key in force; the next secret overwrites it
 * @hash:	TLS_EXT_HASH_*
 * @updates:	keys put in force by the kernel
 * @limit:	records that a key may protect; 0: the cipher's limit
 * @max_age:	age at which a key is renewed, milliseconds; 0: none
 * @strict:	the limit is an error without a secret
 * @born:	time of the key in jiffies, or that of the first option
 * @tx:		the sending side, or NULL
 * @age:	sends a KeyUpdate when @max_age is over
 * @scan:	handshake messages received
 * @rate:	KeyUpdates received
 *
 * All fields are guarded by the socket lock.
 */
struct tls_renew {
	struct crypto_shash *hmac;
	u8 secret[TLS_SECRET_MAX];
	u32 hash;
	u32 updates;
	u64 limit;
	u32 max_age;
	bool strict;
	unsigned long born;
	struct tls_tx *tx;
	struct delayed_work age;
	struct tls_ku_scan scan;
	struct tls_ku_rate rate;
};

/* A derived key and its secret, not in force yet. */
struct tls_successor {
	struct tls_newkey key;
	struct tls_aead aead;
	u8 secret[TLS_SECRET_MAX];
};

static inline bool tls_renew_owns(const struct tls_renew *renew)
{
	return renew && renew->hmac;
}

struct tls_renew *tls_renew_alloc(struct tls_tx *tx);
void tls_renew_free(struct tls_renew *renew);
void tls_renew_stop(struct tls_renew *renew);
int tls_renew_secret(struct tls_renew *renew, const struct tls_newkey *now,
		     const struct tls_ext_secret *secret);
void tls_renew_forget(struct tls_renew *renew);
void tls_renew_age_start(struct tls_renew *renew);
int tls_renew_limits(struct tls_renew *renew,
		     const struct tls_ext_key_limits *limits);
int tls_renew_derive(const struct tls_renew *renew, struct tls_successor *next,
		     const union tls_crypto_context *now,
		     const struct tls_cipher *cipher);
void tls_renew_done(struct tls_renew *renew, struct tls_successor *next);
struct crypto_shash *tls_renew_hash(u32 hash);
int tls_renew_ahead(struct crypto_shash *hmac, u32 hash, const u8 *secret,
		    u8 *next, struct tls_newkey *key);
void tls_successor_drop(struct tls_successor *next);
u64 tls_renew_limit(const struct tls_renew *renew,
		    const struct tls_cipher *cipher);
u64 tls_renew_due(const struct tls_renew *renew,
		  const struct tls_cipher *cipher);

/* Bits of tls_tx.control: messages that the kernel is to send by itself. */
enum {
	TLS_TX_DUE,		/* the key comes near its limit */
	TLS_TX_AGED,		/* the key is as old as it may be */
	TLS_TX_UPDATE,		/* KeyUpdate */
	TLS_TX_REQUEST,		/* KeyUpdate that asks for one in return */
	TLS_TX_OWN_UPDATE,	/* KeyUpdate of a program, during its call */
	TLS_TX_OWN_REQUEST,	/* the same, and it asks for one in return */
	TLS_TX_ALERT,		/* tls_tx.alert, the end of the stream */
};

#define TLS_TX_UPDATES	(BIT(TLS_TX_UPDATE) | BIT(TLS_TX_REQUEST) | \
			 BIT(TLS_TX_OWN_UPDATE) | BIT(TLS_TX_OWN_REQUEST))

void tls_tx_ask(struct tls_tx *tx, int bit);
void tls_tx_unask_updates(struct tls_tx *tx);

#endif /* _TLS_RENEW_H */
