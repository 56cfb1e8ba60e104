// SPDX-License-Identifier: GPL-2.0-only
/* Raw cost of the two crypto libraries; see raw.h. */
#include <stdlib.h>

#include "raw.h"

#define AAD_LEN	13
#define TAG_LEN	16

#ifdef VKDEV_AEAD_IPSEC_MB
#include <intel-ipsec-mb.h>

const char raw_name[] = "ipsec-mb";

struct raw {
	struct gcm_key_data key;
	struct gcm_context_data ctx;
	IMB_MGR *mgr;
};

struct raw *raw_alloc(const uint8_t *key)
{
	struct raw *raw = aligned_alloc(64, (sizeof(*raw) + 63) & ~63ul);

	if (!raw)
		return NULL;
	raw->mgr = alloc_mb_mgr(0);
	init_mb_mgr_auto(raw->mgr, NULL);
	raw->mgr->gcm128_pre(key, &raw->key);
	return raw;
}

void raw_seal(struct raw *raw, const uint8_t *nonce, const uint8_t *aad, uint8_t *p, size_t len)
{
	raw->mgr->gcm128_enc(&raw->key, &raw->ctx, p, p, len, nonce, aad, AAD_LEN, p + len,
			     TAG_LEN);
}

void raw_open(struct raw *raw, const uint8_t *nonce, const uint8_t *aad, const uint8_t *from,
	      uint8_t *to, size_t len, uint8_t *tag)
{
	raw->mgr->gcm128_dec(&raw->key, &raw->ctx, to, from, len, nonce, aad, AAD_LEN, tag,
			     TAG_LEN);
}
#else
#include <nettle/gcm.h>

const char raw_name[] = "nettle";

struct raw {
	struct gcm_aes128_ctx gcm;
};

struct raw *raw_alloc(const uint8_t *key)
{
	struct raw *raw = malloc(sizeof(*raw));

	if (raw)
		gcm_aes128_set_key(&raw->gcm, key);
	return raw;
}

void raw_seal(struct raw *raw, const uint8_t *nonce, const uint8_t *aad, uint8_t *p, size_t len)
{
	gcm_aes128_set_iv(&raw->gcm, 12, nonce);
	gcm_aes128_update(&raw->gcm, AAD_LEN, aad);
	gcm_aes128_encrypt(&raw->gcm, len, p, p);
	gcm_aes128_digest(&raw->gcm, TAG_LEN, p + len);
}

void raw_open(struct raw *raw, const uint8_t *nonce, const uint8_t *aad, const uint8_t *from,
	      uint8_t *to, size_t len, uint8_t *tag)
{
	gcm_aes128_set_iv(&raw->gcm, 12, nonce);
	gcm_aes128_update(&raw->gcm, AAD_LEN, aad);
	gcm_aes128_decrypt(&raw->gcm, len, to, from);
	gcm_aes128_digest(&raw->gcm, TAG_LEN, tag);
}
#endif
