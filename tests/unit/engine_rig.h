/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A context, the host's stream of records for it, and the stream expected on
 * the wire. Records are appended, then sent in packets of any size.
 */
#ifndef ENGINE_RIG_H
#define ENGINE_RIG_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine_model.h"
#include "ktap.h"
#include "prng.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define RIG_STREAM	(1 << 20)
#define RIG_RECORDS	512

struct rig {
	struct model m;
	VkdevTlsCtx *ctx;
	struct prng rng;
	uint8_t in[RIG_STREAM], want[RIG_STREAM], out[RIG_STREAM];
	size_t len;
	size_t start[RIG_RECORDS];	/* offsets of the records' headers */
	unsigned int records;
	VkdevTlsCount count;		/* result of the last rig_send() */
};

static inline VkdevTlsParams rig_params(const struct suite *s, struct prng *rng)
{
	VkdevTlsParams p = {
		.version = s->version, .cipher = s->cipher, .direction = VKTLS_DIR_TX,
		.tcp_seq = prng_next(rng), .rec_no = prng_next(rng) >> 8,
	};

	prng_fill(rng, p.iv, sizeof(p.iv));
	prng_fill(rng, p.key, vkdev_aead_key_len(s->alg));
	return p;
}

static inline bool rig_open_with(struct rig *g, const struct suite *s, const VkdevTlsParams *p)
{
	model_init(&g->m, s, p);
	g->len = 0;
	g->records = 0;
	g->ctx = NULL;
	return vkdev_tls_add(engine(), p, &g->ctx) == VKTLS_ST_OK;
}

static inline bool rig_open(struct rig *g, const struct suite *s, uint64_t seed)
{
	VkdevTlsParams p;

	g->rng.state = seed;
	p = rig_params(s, &g->rng);
	return rig_open_with(g, s, &p);
}

/* Replace the context by a new one for the same stream. */
static inline bool rig_again(struct rig *g)
{
	vkdev_tls_del(g->ctx);
	g->ctx = NULL;
	return vkdev_tls_add(engine(), &g->m.p, &g->ctx) == VKTLS_ST_OK;
}

static inline void rig_close(struct rig *g)
{
	vkdev_tls_del(g->ctx);
	g->ctx = NULL;
}

/*
 * Append a record with @len bytes of payload, and random bytes in place of the
 * tag.
 */
static inline bool rig_record(struct rig *g, uint8_t type, size_t len)
{
	const struct suite *s = g->m.s;
	uint64_t rec_no = g->m.p.rec_no + g->records;
	size_t body = s->nonce_len + len + TAG_LEN;
	uint8_t *p = g->in + g->len;
	bool ok;

	p[0] = type;
	p[1] = 3;
	p[2] = 3;
	p[3] = body >> 8;
	p[4] = body & 0xff;
	prng_fill(&g->rng, p + 5, body);
	if (s->nonce_len)
		put64(p + 5, rec_no + g->m.nonce_base);
	ok = model_seal(&g->m, rec_no, p, 5 + body, g->want + g->len);
	g->start[g->records++] = g->len;
	g->len += 5 + body;
	return ok;
}

/* Send bytes @from to @to - 1 of the stream as one packet. */
static inline unsigned int rig_send(struct rig *g, size_t from, size_t to)
{
	memcpy(g->out + from, g->in + from, to - from);
	return vkdev_tls_tx(g->ctx, g->m.p.tcp_seq + from, g->out + from, to - from, &g->count);
}

/*
 * Return whether the packet's bytes in @out are those expected on the wire;
 * after a refusal: whether they are unchanged.
 */
static inline bool rig_sealed(const struct rig *g, size_t from, size_t to)
{
	return !memcmp(g->out + from, g->want + from, to - from);
}

static inline bool rig_untouched(const struct rig *g, size_t from, size_t to)
{
	return !memcmp(g->out + from, g->in + from, to - from);
}

/* Run a case once for each cipher suite. */
static inline void for_all(void (*fn)(const void *suite), const char *what)
{
	char name[80];

	for (unsigned int i = 0; i < suites_num; i++) {
		snprintf(name, sizeof(name), "%s: %s", what, suites[i].name);
		ktap_case(name, fn, &suites[i]);
	}
}

#endif
