/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _TLS_AEAD_H
#define _TLS_AEAD_H

#include <linux/scatterlist.h>
#include <net/tls.h>

#include "cipher.h"
#include "record.h"

/*
 * A key of one direction, with one request, which its operations use one after
 * another. @key is wiped when @tfm has the key.
 */
struct tls_aead {
	struct crypto_aead *tfm;
	struct aead_request *req;
	const struct tls_cipher *cipher;
	u8 key[TLS_CIPHER_AES_GCM_256_KEY_SIZE];
	struct tls_rec_fmt fmt;
	u8 aad[TLS_REC_AAD12_LEN];
	u8 tail;			/* TLS 1.3 content type, in and out */
	u8 tag[TLS_REC_TAG_LEN];	/* tag of a record that was gathered */
	u8 iv[TLS_MAX_IV_SIZE + TLS_MAX_SALT_SIZE];
};

void tls_aead_prepare(struct tls_aead *aead, const struct tls_cipher *cipher,
		      const union tls_crypto_context *info);
int tls_aead_make(struct tls_aead *aead, u32 mask);
int tls_aead_ready(struct tls_aead *aead, gfp_t gfp);
void tls_aead_fini(struct tls_aead *aead);
void tls_aead_move(struct tls_aead *to, struct tls_aead *from);
int tls_aead_seal(struct tls_aead *aead, struct scatterlist *src,
		  struct scatterlist *dst, u32 assoc, u32 len);
int tls_aead_open(struct tls_aead *aead, struct scatterlist *src,
		  struct scatterlist *dst, u32 assoc, u32 len);
void tls_aead_iv(struct tls_aead *aead, const u8 *iv, const u8 *seq);

#endif /* _TLS_AEAD_H */
