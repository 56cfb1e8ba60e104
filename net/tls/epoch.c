// SPDX-License-Identifier: GPL-2.0-only
/*
 * Key epochs of the sending side. A key is kept after a KeyUpdate until all
 * records that used it are acknowledged, since software may have to encrypt them
 * again. tls_key_refresh() updates the copy of the key that getsockopt() and
 * drivers read.
 */

#include <net/tls.h>

#include "aead.h"
#include "epoch.h"

/**
 * tls_epoch_put() - drop a reference to a key epoch
 * @epoch:	may be NULL
 */
void tls_epoch_put(struct tls_epoch *epoch)
{
	if (!epoch || !refcount_dec_and_test(&epoch->refs))
		return;
	tls_aead_fini(&epoch->aead);
	kfree_sensitive(epoch);
}

/**
 * tls_epoch_alloc() - make an epoch of the key in force, usable in softirq
 * @ctx:	context; the socket is locked
 * @cipher:	the key's cipher
 *
 * Return: the epoch with one reference, or NULL.
 */
struct tls_epoch *tls_epoch_alloc(const struct tls_context *ctx,
				  const struct tls_cipher *cipher)
{
	struct tls_epoch *epoch = kzalloc(sizeof(*epoch), GFP_KERNEL);

	if (!epoch)
		return NULL;
	refcount_set(&epoch->refs, 1);
	spin_lock_init(&epoch->lock);
	memcpy(epoch->iv, ctx->tx.iv, sizeof(epoch->iv));
	tls_aead_prepare(&epoch->aead, cipher, &ctx->crypto_send);
	if (!tls_aead_make(&epoch->aead, CRYPTO_ALG_ASYNC) &&
	    !tls_aead_ready(&epoch->aead, GFP_KERNEL))
		return epoch;
	tls_epoch_put(epoch);
	return NULL;
}

/**
 * tls_key_refresh() - set IV and record number of the stored key
 * @ctx:	context; the socket is locked
 * @tx:		direction
 * @ahead:	added to the number of the next record
 */
void tls_key_refresh(struct tls_context *ctx, bool tx, u32 ahead)
{
	union tls_crypto_context *key = tx ? &ctx->crypto_send :
					     &ctx->crypto_recv;
	const struct cipher_context *cc = tx ? &ctx->tx : &ctx->rx;
	const struct tls_cipher *cipher = tls_cipher_get(key->info.cipher_type);

	memcpy((u8 *)key + cipher->iv_off, cc->iv + cipher->salt_len,
	       cipher->iv_len);
	memcpy((u8 *)key + cipher->seq_off, cc->rec_seq, TLS_REC_SEQ_LEN);
	tls_rec_counter_add((u8 *)key + cipher->seq_off, ahead);
}
