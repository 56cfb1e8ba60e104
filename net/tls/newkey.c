// SPDX-License-Identifier: GPL-2.0-only
/*
 * A key that is not in force yet: allocating its cipher, storing it, and comparing it
 * with the key in force. This file uses no socket.
 */

#include <crypto/utils.h>
#include <net/tls.h>

#include "aead.h"
#include "newkey.h"

/**
 * tls_key_store() - store a key in force, for drivers and getsockopt()
 * @ctx:	context; the socket is locked
 * @tx:		direction
 * @key:	the key; its nonce and record number are stored as the current ones
 */
void tls_key_store(struct tls_context *ctx, bool tx,
		   const struct tls_newkey *key)
{
	struct cipher_context *cc = tx ? &ctx->tx : &ctx->rx;
	const struct tls_cipher *cipher = key->cipher;
	const u8 *info = (const u8 *)&key->info;

	memcpy(cc->iv, info + cipher->salt_off, cipher->salt_len);
	memcpy(cc->iv + cipher->salt_len, info + cipher->iv_off,
	       cipher->iv_len);
	memcpy(cc->rec_seq, info + cipher->seq_off, TLS_REC_SEQ_LEN);
	if (tx)
		ctx->crypto_send = key->info;
	else
		ctx->crypto_recv = key->info;
}

/**
 * tls_newkey_prepare() - allocate the cipher of a new key
 * @aead:	zeroed; wiped after an error
 * @key:	the key
 *
 * Return: 0 or the crypto API's error.
 */
int tls_newkey_prepare(struct tls_aead *aead, const struct tls_newkey *key)
{
	int err;

	tls_aead_prepare(aead, key->cipher, &key->info);
	err = tls_aead_make(aead, 0);
	if (err)
		tls_aead_fini(aead);
	return err;
}

/**
 * tls_newkey_same() - compare a key with the one in force
 * @now:	the key in force
 * @key:	the other; its record number does not matter
 *
 * Return: true when they are equal.
 */
bool tls_newkey_same(const union tls_crypto_context *now,
		     const struct tls_newkey *key)
{
	const struct tls_cipher *cipher = key->cipher;

	return !crypto_memneq((const u8 *)now + cipher->iv_off,
			      (const u8 *)&key->info + cipher->iv_off,
			      cipher->seq_off - cipher->iv_off);
}
