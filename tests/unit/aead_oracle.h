/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One-shot AEAD of GnuTLS, with which the device's incremental AEAD and its
 * TLS engine are compared.
 */
#ifndef AEAD_ORACLE_H
#define AEAD_ORACLE_H

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdbool.h>
#include <stdint.h>

#include "tls/aead.h"

static inline gnutls_cipher_algorithm_t oracle_cipher(VkdevAeadAlg alg)
{
	static const gnutls_cipher_algorithm_t map[VKDEV_AEAD_ALGS] = {
		[VKDEV_AEAD_AES_128_GCM] = GNUTLS_CIPHER_AES_128_GCM,
		[VKDEV_AEAD_AES_256_GCM] = GNUTLS_CIPHER_AES_256_GCM,
		[VKDEV_AEAD_CHACHA20_POLY1305] = GNUTLS_CIPHER_CHACHA20_POLY1305,
	};

	return map[alg];
}

static inline gnutls_aead_cipher_hd_t oracle_open(VkdevAeadAlg alg, const uint8_t *key)
{
	gnutls_datum_t k = { (uint8_t *)key, vkdev_aead_key_len(alg) };
	gnutls_aead_cipher_hd_t h = NULL;

	if (gnutls_aead_cipher_init(&h, oracle_cipher(alg), &k) < 0)
		return NULL;
	return h;
}

/* Encrypt @len bytes; @out gets ciphertext and tag. */
static inline bool oracle_seal(VkdevAeadAlg alg, const uint8_t *key, const uint8_t *nonce,
			       const uint8_t *aad, size_t aad_len,
			       const uint8_t *in, size_t len, uint8_t *out)
{
	gnutls_aead_cipher_hd_t h = oracle_open(alg, key);
	size_t out_len = len + VKDEV_AEAD_TAG_LEN;
	int ret;

	if (!h)
		return false;
	ret = gnutls_aead_cipher_encrypt(h, nonce, VKDEV_AEAD_NONCE_LEN, aad, aad_len,
					 VKDEV_AEAD_TAG_LEN, in, len, out, &out_len);
	gnutls_aead_cipher_deinit(h);
	return ret == 0 && out_len == len + VKDEV_AEAD_TAG_LEN;
}

/*
 * Decrypt; @in is @len bytes of ciphertext and the tag. False when the tag is
 * wrong.
 */
static inline bool oracle_unseal(VkdevAeadAlg alg, const uint8_t *key, const uint8_t *nonce,
				 const uint8_t *aad, size_t aad_len,
				 const uint8_t *in, size_t len, uint8_t *out)
{
	gnutls_aead_cipher_hd_t h = oracle_open(alg, key);
	size_t out_len = len;
	int ret;

	if (!h)
		return false;
	ret = gnutls_aead_cipher_decrypt(h, nonce, VKDEV_AEAD_NONCE_LEN, aad, aad_len,
					 VKDEV_AEAD_TAG_LEN, in, len + VKDEV_AEAD_TAG_LEN,
					 out, &out_len);
	gnutls_aead_cipher_deinit(h);
	return ret == 0 && out_len == len;
}

#endif
