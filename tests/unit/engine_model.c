// SPDX-License-Identifier: GPL-2.0-only
/*
 * A model of the TLS engine. It shares no code with the engine and knows
 * nothing of its internal state.
 */
#include <string.h>

#include "aead_oracle.h"
#include "engine_model.h"

const struct suite suites[] = {
	{ "tls12 aes-128-gcm", VKTLS_VERSION_TLS12, VKTLS_CIPHER_AES_128_GCM,
	  VKDEV_AEAD_AES_128_GCM, 8, 20, 24, 0, 16384 },
	{ "tls12 aes-256-gcm", VKTLS_VERSION_TLS12, VKTLS_CIPHER_AES_256_GCM,
	  VKDEV_AEAD_AES_256_GCM, 8, 20, 24, 0, 16384 },
	{ "tls12 chacha20-poly1305", VKTLS_VERSION_TLS12, VKTLS_CIPHER_CHACHA20_POLY1305,
	  VKDEV_AEAD_CHACHA20_POLY1305, 0, 20, 24, 0, 16384 },
	{ "tls13 aes-128-gcm", VKTLS_VERSION_TLS13, VKTLS_CIPHER_AES_128_GCM,
	  VKDEV_AEAD_AES_128_GCM, 0, 23, 23, 1, 16385 },
	{ "tls13 aes-256-gcm", VKTLS_VERSION_TLS13, VKTLS_CIPHER_AES_256_GCM,
	  VKDEV_AEAD_AES_256_GCM, 0, 23, 23, 1, 16385 },
	{ "tls13 chacha20-poly1305", VKTLS_VERSION_TLS13, VKTLS_CIPHER_CHACHA20_POLY1305,
	  VKDEV_AEAD_CHACHA20_POLY1305, 0, 23, 23, 1, 16385 },
};

const unsigned int suites_num = sizeof(suites) / sizeof(suites[0]);

VkdevTlsEngine *engine(void)
{
	static VkdevTlsEngine *one;

	if (!one)
		one = vkdev_tls_engine_alloc(ENGINE_CONTEXTS, ENGINE_KEYS, ENGINE_RECORDS,
					     ENGINE_HELD, ENGINE_KEPT);
	return one;
}

void put64(uint8_t *p, uint64_t v)
{
	for (int i = 0; i < 8; i++)
		p[i] = v >> (56 - 8 * i);
}

uint64_t get64(const uint8_t *p)
{
	uint64_t v = 0;

	for (int i = 0; i < 8; i++)
		v |= (uint64_t)p[i] << (56 - 8 * i);
	return v;
}

void model_init(struct model *m, const struct suite *s, const VkdevTlsParams *p)
{
	m->s = s;
	m->p = *p;
	m->nonce_base = get64(p->iv + 4) - p->rec_no;
	m->lost = false;
	m->seq = p->tcp_seq;
	m->at = (struct place) { .rec_no = p->rec_no, .seq = p->tcp_seq };
	m->keys_num = 1;
	memcpy(m->keys[0].iv, p->iv, sizeof(m->keys[0].iv));
	memcpy(m->keys[0].key, p->key, sizeof(m->keys[0].key));
	m->floor = p->rec_no;
	m->floor_gone = false;
}

unsigned int place_eat(const struct model *m, struct place *at, uint8_t byte)
{
	const struct suite *s = m->s;
	unsigned int extra = s->nonce_len + TAG_LEN;
	unsigned int len;

	while (at->key + 1 < m->keys_num && m->keys[at->key + 1].seq == at->seq) {
		if (at->have)
			return VKTLS_ST_TLS_HEADER;
		at->key++;
		at->rec_no = 0;
		at->spent = false;
	}
	at->seq++;
	if (at->spent)
		return VKTLS_ST_TLS_WRAP;
	if (at->have < 5u + s->nonce_len)
		at->head[at->have] = byte;
	at->have++;
	if (at->have == 5) {
		len = at->head[3] * 256 + at->head[4];
		at->total = 5 + len;
		if (at->head[0] < s->type_min || at->head[0] > s->type_max ||
		    at->head[1] != 3 || at->head[2] != 3 ||
		    len < s->payload_min + extra || len > s->payload_max + extra)
			return VKTLS_ST_TLS_HEADER;
	}
	if (s->nonce_len && at->have == 13 &&
	    get64(at->head + 5) != at->rec_no + m->nonce_base)
		return VKTLS_ST_TLS_NONCE;
	if (at->have > 5 && at->have == at->total) {
		at->have = 0;
		at->spent = ++at->rec_no == 0;
	}
	return VKTLS_ST_OK;
}

unsigned int model_predict(const struct model *m, uint32_t seq, const uint8_t *p, size_t len)
{
	struct place at = m->at;
	unsigned int st = VKTLS_ST_OK;

	if (m->lost)
		return VKTLS_ST_TLS_LOST;
	if (seq != m->seq)
		return VKTLS_ST_TLS_SEQ;
	while (len-- && st == VKTLS_ST_OK)
		st = place_eat(m, &at, *p++);
	return st;
}

static size_t model_nonce_aad(const struct model *m, const uint8_t *iv, uint64_t rec_no,
			      const uint8_t *rec, size_t payload, uint8_t *nonce, uint8_t *aad)
{
	memcpy(nonce, iv, 12);
	if (m->s->nonce_len)
		memcpy(nonce + 4, rec + 5, 8);
	else
		put64(nonce + 4, get64(iv + 4) ^ rec_no);
	if (m->s->version == VKTLS_VERSION_TLS13) {
		memcpy(aad, rec, 5);
		return 5;
	}
	put64(aad, rec_no);
	memcpy(aad + 8, rec, 3);
	aad[11] = payload >> 8;
	aad[12] = payload & 0xff;
	return 13;
}

static bool seal(const struct model *m, const uint8_t *iv, const uint8_t *key, uint64_t rec_no,
		 const uint8_t *rec, size_t total, uint8_t *out)
{
	size_t head = 5 + m->s->nonce_len;
	size_t payload = total - head - TAG_LEN;
	uint8_t nonce[12], aad[13];
	size_t aad_len = model_nonce_aad(m, iv, rec_no, rec, payload, nonce, aad);

	memcpy(out, rec, head);
	return oracle_seal(m->s->alg, key, nonce, aad, aad_len, rec + head, payload, out + head);
}

bool model_seal(const struct model *m, uint64_t rec_no, const uint8_t *rec, size_t total,
		uint8_t *out)
{
	return seal(m, m->p.iv, m->p.key, rec_no, rec, total, out);
}

bool model_seal_key(const struct model *m, unsigned int key, uint64_t rec_no,
		    const uint8_t *rec, size_t total, uint8_t *out)
{
	return seal(m, m->keys[key].iv, m->keys[key].key, rec_no, rec, total, out);
}
