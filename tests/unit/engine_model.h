/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the TLS engine must do, said a second time and in another way: one byte
 * after the other, with a whole record kept and sealed by GnuTLS.
 */
#ifndef ENGINE_MODEL_H
#define ENGINE_MODEL_H

#include "vktls_abi.h"
#include "tls/aead.h"
#include "tls/engine.h"

#define REC_MAX		(5 + 8 + 16384 + 1 + 16)
#define TAG_LEN		16

/* The facts of RFC 5246, 5288, 7905 and 8446 about one kind of record. */
struct suite {
	const char *name;
	uint8_t version, cipher;
	VkdevAeadAlg alg;
	uint8_t nonce_len;	/* explicit, in each record */
	uint8_t type_min, type_max;
	unsigned int payload_min, payload_max;
};

extern const struct suite suites[];
extern const unsigned int suites_num;

/* Place in the stream; small, so that looking ahead is a copy. */
struct place {
	uint64_t rec_no;
	bool spent;		/* the last record number is behind */
	unsigned int have;	/* bytes of the present record */
	unsigned int total;	/* known once have >= 5 */
	uint8_t head[13];
};

struct model {
	const struct suite *s;
	VkdevTlsParams p;
	uint64_t nonce_base;
	bool lost;
	uint32_t seq;
	struct place at;
	uint64_t floor;		/* lowest number never started */
	bool floor_gone;
	uint8_t in[REC_MAX], out[REC_MAX];
};

/* One engine for all contexts of a test, with little room in it. */
#define ENGINE_CONTEXTS	200
#define ENGINE_KEYS	4
#define ENGINE_HELD	64
#define ENGINE_KEPT	3
#define ENGINE_RECORDS	128

VkdevTlsEngine *engine(void);

/* Byte strings in wire order. */
void put64(uint8_t *p, uint64_t v);
uint64_t get64(const uint8_t *p);

void model_init(struct model *m, const struct suite *s, const VkdevTlsParams *p);

/* Step over one byte; VKTLS_ST_OK or why no engine may accept it. */
unsigned int place_eat(const struct model *m, struct place *at, uint8_t byte);

/* What the engine must answer to this packet. */
unsigned int model_predict(const struct model *m, uint32_t seq, const uint8_t *p, size_t len);

/* Seal the record of total bytes at rec, whose header and nonce are in it, into out. */
bool model_seal(const struct model *m, uint64_t rec_no, const uint8_t *rec, size_t total,
		uint8_t *out);

#endif
