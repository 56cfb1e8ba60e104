/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _TLS_IDLE_H
#define _TLS_IDLE_H

#include <crypto/aead.h>

#include "cipher.h"

u32 tls_idle_generation(void);
struct crypto_aead *tls_idle_get(const struct tls_cipher *cipher);
void tls_idle_put(const struct tls_cipher *cipher, struct crypto_aead *tfm,
		  u32 generation);
int tls_idle_init(void);
void tls_idle_fini(void);

#endif /* _TLS_IDLE_H */
