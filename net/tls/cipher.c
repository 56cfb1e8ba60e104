// SPDX-License-Identifier: GPL-2.0-only
/*
 * The table of ciphers: sizes and places of the fields in what user space
 * hands over, and names in the crypto API. It holds no key.
 */

#include <linux/kernel.h>
#include <net/tls.h>

#include "cipher.h"

#define TLS_CIPHER(_name, _struct, _aead, ...)				\
	[TLS_CIPHER_##_name - TLS_CIPHER_AES_GCM_128] = {		\
		.type = TLS_CIPHER_##_name,				\
		.aead = (_aead),					\
		.info_len = sizeof(struct _struct),			\
		.iv_len = TLS_CIPHER_##_name##_IV_SIZE,			\
		.key_len = TLS_CIPHER_##_name##_KEY_SIZE,		\
		.salt_len = TLS_CIPHER_##_name##_SALT_SIZE,		\
		.tag_len = TLS_CIPHER_##_name##_TAG_SIZE,		\
		.iv_off = offsetof(struct _struct, iv),			\
		.key_off = offsetof(struct _struct, key),		\
		.salt_off = offsetof(struct _struct, salt),		\
		.seq_off = offsetof(struct _struct, rec_seq),		\
		__VA_ARGS__						\
	}

static const struct tls_cipher tls_ciphers[] = {
	TLS_CIPHER(AES_GCM_128, tls12_crypto_info_aes_gcm_128, "gcm(aes)"),
	TLS_CIPHER(AES_GCM_256, tls12_crypto_info_aes_gcm_256, "gcm(aes)"),
	TLS_CIPHER(AES_CCM_128, tls12_crypto_info_aes_ccm_128, "ccm(aes)",
		   .ccm = true),
	TLS_CIPHER(CHACHA20_POLY1305, tls12_crypto_info_chacha20_poly1305,
		   "rfc7539(chacha20,poly1305)", .xor_nonce = true),
	TLS_CIPHER(SM4_GCM, tls12_crypto_info_sm4_gcm, "gcm(sm4)"),
	TLS_CIPHER(SM4_CCM, tls12_crypto_info_sm4_ccm, "ccm(sm4)",
		   .ccm = true),
	TLS_CIPHER(ARIA_GCM_128, tls12_crypto_info_aria_gcm_128, "gcm(aria)"),
	TLS_CIPHER(ARIA_GCM_256, tls12_crypto_info_aria_gcm_256, "gcm(aria)"),
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

	BUILD_BUG_ON(sizeof(struct tls12_crypto_info_chacha20_poly1305) >
		     sizeof(union tls_crypto_context));

	return i < ARRAY_SIZE(tls_ciphers) ? &tls_ciphers[i] : NULL;
}
