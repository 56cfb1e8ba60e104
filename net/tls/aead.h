/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _TLS_AEAD_H
#define _TLS_AEAD_H

#include "cipher.h"
#include "tls_priv.h"

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
