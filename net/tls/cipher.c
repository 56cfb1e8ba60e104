// SPDX-License-Identifier: GPL-2.0-only
/*
 * The table of ciphers: sizes and places of the fields of the structures that
 * user space hands over, and names in the crypto API. It holds no key.
 */

#include <linux/kernel.h>
#include <net/tls.h>

#include "cipher.h"

/* All crypto_info structures are a row of bytes: iv, key, salt, rec_seq. */
#define TLS_OFF_IV	sizeof(struct tls_crypto_info)

#define TLS_CIPHER(_name, _aead, ...)					\
	[TLS_CIPHER_##_name - TLS_CIPHER_AES_GCM_128] = {		\
		.type = TLS_CIPHER_##_name,				\
		.aead = (_aead),					\
		.iv_len = TLS_CIPHER_##_name##_IV_SIZE,			\
		.key_len = TLS_CIPHER_##_name##_KEY_SIZE,		\
		.salt_len = TLS_CIPHER_##_name##_SALT_SIZE,		\
		.tag_len = TLS_CIPHER_##_name##_TAG_SIZE,		\
		.iv_off = TLS_OFF_IV,					\
		.key_off = TLS_OFF_IV + TLS_CIPHER_##_name##_IV_SIZE,	\
		.salt_off = TLS_OFF_IV + TLS_CIPHER_##_name##_IV_SIZE +	\
			    TLS_CIPHER_##_name##_KEY_SIZE,		\
		.seq_off = TLS_OFF_IV + TLS_CIPHER_##_name##_IV_SIZE +	\
			   TLS_CIPHER_##_name##_KEY_SIZE +		\
			   TLS_CIPHER_##_name##_SALT_SIZE,		\
		__VA_ARGS__						\
	}

static const struct tls_cipher tls_ciphers[TLS_CIPHERS] = {
	TLS_CIPHER(AES_GCM_128, "gcm(aes)"),
	TLS_CIPHER(AES_GCM_256, "gcm(aes)"),
	TLS_CIPHER(AES_CCM_128, "ccm(aes)",
		   .ccm = true),
	TLS_CIPHER(CHACHA20_POLY1305, "rfc7539(chacha20,poly1305)", .xor_nonce = true),
	TLS_CIPHER(SM4_GCM, "gcm(sm4)"),
	TLS_CIPHER(SM4_CCM, "ccm(sm4)",
		   .ccm = true),
	TLS_CIPHER(ARIA_GCM_128, "gcm(aria)",
		   .only_12 = true),
	TLS_CIPHER(ARIA_GCM_256, "gcm(aria)",
		   .only_12 = true),
};

/**
 * tls_cipher_get() - look a cipher up
 * @type:	TLS_CIPHER_*, from user space
 *
 * Return: its description, or NULL when there is none of that number.
 */
const struct tls_cipher *tls_cipher_get(u16 type)
{
	unsigned int i = type - TLS_CIPHER_AES_GCM_128;

	return i < ARRAY_SIZE(tls_ciphers) ? &tls_ciphers[i] : NULL;
}

/**
 * tls_cipher_info_len() - bytes that user space hands over for a key
 * @cipher:	the cipher
 *
 * Return: the size of its crypto_info structure.
 */
unsigned int tls_cipher_info_len(const struct tls_cipher *cipher)
{
	return cipher->seq_off + TLS_MAX_REC_SEQ_SIZE;
}
