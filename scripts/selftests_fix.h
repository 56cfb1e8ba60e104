/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Included before the kernel's tools/testing/selftests/net/tls.c. As of 6.12.117
 * its rekey cases pass a fourth argument, the key's generation, to a helper that
 * takes three. With this they compile, and get a key that differs by generation.
 */
#include <stdint.h>
#include <string.h>

#define FIX_AES_GCM_128	51

/* AES-GCM-128 parameters: version, cipher, 8 bytes of IV, 16 of key, ... */
static inline void fix_key_generation(void *params, uint8_t generation)
{
	uint8_t *bytes = params;
	uint16_t cipher;
	int i;

	memcpy(&cipher, bytes + 2, sizeof(cipher));
	for (i = 12; cipher == FIX_AES_GCM_128 && i < 28; i++)
		bytes[i] ^= generation;
}

/* The helper's definition has three arguments and stays as it is. */
#define tls_crypto_info_init(version, cipher, params, ...)		\
	tls_crypto_info_init(version, cipher, params)			\
	__VA_OPT__(, fix_key_generation(params, __VA_ARGS__))
