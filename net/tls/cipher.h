/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _TLS_CIPHER_H
#define _TLS_CIPHER_H

#include <linux/types.h>

/* Largest structure that user space hands over, with its 4-byte header. */
#define TLS_CRYPTO_INFO_MAX	sizeof(union tls_crypto_context)

/**
 * struct tls_cipher - one cipher of <linux/tls.h>
 * @type:	TLS_CIPHER_*
 * @aead:	name in the crypto API
 * @info_len:	sizeof its crypto_info structure
 * @iv_len:	bytes and offset of the iv field, and so on
 * @ccm:	the AEAD takes a 16-byte block that begins with the length width
 * @xor_nonce:	no explicit nonce in TLS 1.2 either
 */
struct tls_cipher {
	u16 type;
	const char *aead;
	u8 info_len;
	u8 iv_len, key_len, salt_len, tag_len;
	u8 iv_off, key_off, salt_off, seq_off;
	bool ccm;
	bool xor_nonce;
};

const struct tls_cipher *tls_cipher_get(u16 type);

#endif /* _TLS_CIPHER_H */
