// SPDX-License-Identifier: GPL-2.0-only
/*
 * The only file that calls the crypto API. Each key has one request. An
 * operation is complete when the call returns, even with an asynchronous engine.
 * Of a record, this file uses only the lengths.
 */

#include <crypto/aead.h>
#include <linux/crypto.h>

#include "aead.h"
#include "tls_priv.h"

/**
 * tls_aead_prepare() - store a key; the cipher is allocated at the first use
 * @aead:	filled in; zeroed memory
 * @cipher:	the cipher
 * @info:	version, key, salt and IV as user space gave them
 */
void tls_aead_prepare(struct tls_aead *aead, const struct tls_cipher *cipher,
		      const union tls_crypto_context *info)
{
	aead->cipher = cipher;
	memcpy(aead->key, (const u8 *)info + cipher->key_off, cipher->key_len);
	tls_rec_fmt_init(&aead->fmt, info->info.version, cipher->xor_nonce,
			 cipher->iv_len, cipher->tag_len);
}

/**
 * tls_aead_make() - allocate the cipher of a key
 * @aead:	the key, after tls_aead_prepare()
 * @mask:	CRYPTO_ALG_ASYNC for callers that must not sleep, or 0
 *
 * The key is wiped from @aead when the cipher has it.
 *
 * Context: process.
 * Return: 0, or the crypto API's error; the call may then be repeated.
 */
int tls_aead_make(struct tls_aead *aead, u32 mask)
{
	struct crypto_aead *tfm;
	int err;

	tfm = crypto_alloc_aead(aead->cipher->aead, 0, mask);
	if (IS_ERR(tfm))
		return PTR_ERR(tfm);
	err = crypto_aead_setauthsize(tfm, aead->cipher->tag_len) ?:
	      crypto_aead_setkey(tfm, aead->key, aead->cipher->key_len);
	if (err) {
		crypto_free_aead(tfm);
		return err;
	}
	memzero_explicit(aead->key, sizeof(aead->key));
	aead->tfm = tfm;
	return 0;
}

static int tls_aead_make_late(struct tls_aead *aead, gfp_t gfp)
{
	unsigned int flags = tls_noio_save(gfp);
	int err = tls_aead_make(aead, 0);

	memalloc_noio_restore(flags);
	return err;
}

/**
 * tls_aead_ready() - allocate the cipher and the request of a key at its first use
 * @aead:	the key; while a device encrypts all records it is not used
 * @gfp:	for the allocations
 *
 * Context: process; any once a call has succeeded.
 * Return: 0, -ENOMEM, or another error of the crypto API.
 */
int tls_aead_ready(struct tls_aead *aead, gfp_t gfp)
{
	int err;

	if (likely(aead->req))
		return 0;
	if (!aead->tfm) {
		err = tls_aead_make_late(aead, gfp);
		if (err)
			return err;
	}
	aead->req = aead_request_alloc(aead->tfm, gfp);
	return aead->req ? 0 : -ENOMEM;
}

/**
 * tls_aead_fini() - wipe and free a key
 * @aead:	may never have been set up
 */
void tls_aead_fini(struct tls_aead *aead)
{
	if (aead->req)
		aead_request_free(aead->req);
	if (aead->tfm)
		crypto_free_aead(aead->tfm);
	memzero_explicit(aead, sizeof(*aead));
}

/**
 * tls_aead_move() - replace a key by a newer one
 * @to:		its key is wiped
 * @from:	left empty
 *
 * Context: process.
 */
void tls_aead_move(struct tls_aead *to, struct tls_aead *from)
{
	tls_aead_fini(to);
	*to = *from;
	memzero_explicit(from, sizeof(*from));
}

/**
 * tls_aead_iv() - set the nonce of the next operation
 * @aead:	the key
 * @iv:		TLS_REC_NONCE_LEN bytes
 * @seq:	record number, big-endian
 */
void tls_aead_iv(struct tls_aead *aead, const u8 *iv, const u8 *seq)
{
	u8 *out = aead->iv;

	memset(out, 0, sizeof(aead->iv));
	/* CCM's first byte: size of the length field minus one, see RFC 3610 */
	if (aead->cipher->ccm)
		*out++ = 2;
	tls_rec_nonce(out, &aead->fmt, iv, seq);
}

static void tls_aead_request(struct tls_aead *aead, struct crypto_wait *wait,
			     struct scatterlist *src, struct scatterlist *dst,
			     u32 assoc, u32 len)
{
	aead_request_set_callback(aead->req, CRYPTO_TFM_REQ_MAY_BACKLOG,
				  crypto_req_done, wait);
	aead_request_set_ad(aead->req, assoc);
	aead_request_set_crypt(aead->req, src, dst, len, aead->iv);
}

/**
 * tls_aead_seal() - encrypt and authenticate
 * @aead:	the key, ready; tls_aead_iv() was called
 * @src:	additional data, then plaintext
 * @dst:	space for additional data, ciphertext and tag; may be @src
 * @assoc:	bytes of additional data
 * @len:	bytes of plaintext
 *
 * Context: may sleep when @aead was made without CRYPTO_ALG_ASYNC in its mask.
 * Return: 0 or the crypto API's error.
 */
int tls_aead_seal(struct tls_aead *aead, struct scatterlist *src,
		  struct scatterlist *dst, u32 assoc, u32 len)
{
	DECLARE_CRYPTO_WAIT(wait);

	tls_aead_request(aead, &wait, src, dst, assoc, len);
	return crypto_wait_req(crypto_aead_encrypt(aead->req), &wait);
}

/**
 * tls_aead_open() - verify and decrypt
 * @aead:	the key, ready; tls_aead_iv() was called
 * @src:	additional data, ciphertext, tag
 * @dst:	space for additional data and plaintext; may be @src
 * @assoc:	bytes of additional data
 * @len:	bytes of ciphertext and tag
 *
 * Context: as tls_aead_seal().
 * Return: 0, -EBADMSG when the tag does not match, or another error.
 */
int tls_aead_open(struct tls_aead *aead, struct scatterlist *src,
		  struct scatterlist *dst, u32 assoc, u32 len)
{
	DECLARE_CRYPTO_WAIT(wait);

	tls_aead_request(aead, &wait, src, dst, assoc, len);
	return crypto_wait_req(crypto_aead_decrypt(aead->req), &wait);
}
