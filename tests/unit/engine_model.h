/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A model of the TLS engine, written in a different way: it walks one byte at
 * a time, stores whole records, and lets GnuTLS seal them.
 */
#ifndef ENGINE_MODEL_H
#define ENGINE_MODEL_H

#include "vktls_abi.h"
#include "tls/aead.h"
#include "tls/engine.h"

#define REC_MAX		(5 + 8 + 16384 + 1 + 16)
#define TAG_LEN		16

/* Constants of one kind of record, from RFC 5246, 5288, 7905 and 8446. */
struct suite {
	const char *name;
	uint8_t version, cipher;
	VkdevAeadAlg alg;
	uint8_t nonce_len;	/* bytes of explicit nonce in each record */
	uint8_t type_min, type_max;
	unsigned int payload_min, payload_max;
};

extern const struct suite suites[];
extern const unsigned int suites_num;

/* A key: that of all bytes from @seq on, up to the next key. */
struct model_key {
	uint8_t iv[12], key[32];
	uint32_t seq;
};

/* A position in the stream. It is small, so it can be copied to look ahead. */
struct place {
	uint64_t rec_no;
	uint32_t seq;	/* of the next byte */
	unsigned int key; /* number of the key of the record at this place */
	bool spent; /* the record with the last possible number has ended */
	unsigned int have;	/* bytes of the current record so far */
	unsigned int total;	/* length of the record, valid if have >= 5 */
	uint8_t head[13];
};

#define MODEL_KEYS	200

struct model {
	const struct suite *s;
	VkdevTlsParams p;
	struct model_key keys[MODEL_KEYS]; /* the first one is that of @p */
	unsigned int keys_num;
	uint64_t nonce_base;
	bool lost;
	uint32_t seq;
	struct place at;
	uint64_t floor; /* lowest record number never started under the key in use */
	bool floor_gone;
	uint8_t in[REC_MAX], out[REC_MAX];
};

/* All contexts of a test share one engine, with small tables. */
#define ENGINE_CONTEXTS	200
#define ENGINE_KEYS	4
#define ENGINE_HELD	64
#define ENGINE_KEPT	3
#define ENGINE_RECORDS	128

VkdevTlsEngine *engine(void);

/* Store and read 64 bits in network byte order. */
void put64(uint8_t *p, uint64_t v);
uint64_t get64(const uint8_t *p);

void model_init(struct model *m, const struct suite *s, const VkdevTlsParams *p);

/*
 * Step over one byte. Return VKTLS_ST_OK, or the reason for which the engine
 * must refuse it.
 */
unsigned int place_eat(const struct model *m, struct place *at, uint8_t byte);

/* Return the status that the engine must give for a packet. */
unsigned int model_predict(const struct model *m, uint32_t seq, const uint8_t *p, size_t len);

/*
 * Seal the record of @total bytes at @rec, with its header and nonce, into
 * @out, with the first key or the key number @key.
 */
bool model_seal_key(const struct model *m, unsigned int key, uint64_t rec_no,
		    const uint8_t *rec, size_t total, uint8_t *out);
bool model_seal(const struct model *m, uint64_t rec_no, const uint8_t *rec, size_t total,
		uint8_t *out);

#endif
