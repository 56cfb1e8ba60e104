/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _TLS_NEWKEY_H
#define _TLS_NEWKEY_H

#include "tls_priv.h"

/* A key, checked, and not in force yet. */
struct tls_newkey {
	union tls_crypto_context info;
	const struct tls_cipher *cipher;
};

void tls_key_store(struct tls_context *ctx, bool tx,
		   const struct tls_newkey *key);
int tls_newkey_prepare(struct tls_aead *aead, const struct tls_newkey *key);
bool tls_newkey_same(const union tls_crypto_context *now,
		     const struct tls_newkey *key);

#endif /* _TLS_NEWKEY_H */
