// SPDX-License-Identifier: GPL-2.0-only
/*
 * The table of ciphers: sizes and places of the fields of the structures that
 * user space hands over, and names in the crypto API. It holds no key.
 */

#include <linux/kernel.h>
#include <net/tls.h>
#include <uapi/linux/tls_ext.h>

#include "cipher.h"

/* Offsets in each crypto_info structure: info, iv, key, salt and rec_seq in a row. */
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

/*
 * Full-size records that one key may protect. GCM: 2^24.5, RFC 8446 section 5.5. CCM:
 * 2^23, for an advantage of 2^-60 (draft-irtf-cfrg-aead-limits section 5.2).
 */
#define TLS_LIMIT_GCM	23726566
#define TLS_LIMIT_CCM	8388608

static const struct tls_cipher tls_ciphers[TLS_CIPHERS] = {
	TLS_CIPHER(AES_GCM_128, "gcm(aes)",
		   .hash = TLS_EXT_HASH_SHA256, .limit = TLS_LIMIT_GCM),
	TLS_CIPHER(AES_GCM_256, "gcm(aes)",
		   .hash = TLS_EXT_HASH_SHA384, .limit = TLS_LIMIT_GCM),
	TLS_CIPHER(AES_CCM_128, "ccm(aes)",
		   .hash = TLS_EXT_HASH_SHA256, .limit = TLS_LIMIT_CCM,
		   .ccm = true),
	TLS_CIPHER(CHACHA20_POLY1305, "rfc7539(chacha20,poly1305)",
		   .hash = TLS_EXT_HASH_SHA256, .xor_nonce = true),
	TLS_CIPHER(SM4_GCM, "gcm(sm4)",
		   .limit = TLS_LIMIT_GCM),
	TLS_CIPHER(SM4_CCM, "ccm(sm4)",
		   .limit = TLS_LIMIT_CCM, .ccm = true),
	TLS_CIPHER(ARIA_GCM_128, "gcm(aria)",
		   .limit = TLS_LIMIT_GCM, .only_12 = true),
	TLS_CIPHER(ARIA_GCM_256, "gcm(aria)",
		   .limit = TLS_LIMIT_GCM, .only_12 = true),
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
