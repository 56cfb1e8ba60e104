/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A receiving context, a stream for it, and a host that answers questions of
 * the engine.
 */
#ifndef ENGINE_RX_RIG_H
#define ENGINE_RX_RIG_H

#include "engine_rig.h"
#include "ktap.h"

static struct rig rig;
static uint8_t plain[RIG_STREAM];	/* expected result of decryption */
static uint8_t to[RIG_STREAM];
static VkdevTlsRxResult res;

static inline bool rx_open(const struct suite *s, uint64_t seed)
{
	VkdevTlsParams p;

	rig.rng.state = seed;
	p = rig_params(s, &rig.rng);
	p.direction = VKTLS_DIR_RX;
	return rig_open_with(&rig, s, &p);
}

static inline bool rx_record(size_t len)
{
	size_t from = rig.len;
	bool ok = rig_record(&rig, rig.m.s->type_max, len);

	memcpy(plain + from, rig.in + from, rig.len - from - TAG_LEN);
	from = rig.len - TAG_LEN;
	memcpy(plain + from, rig.want + from, TAG_LEN);
	return ok;
}

static inline bool rx_stream(const struct suite *s, uint64_t seed, unsigned int records,
			     size_t most)
{
	bool ok = rx_open(s, seed);

	while (ok && rig.records < records)
		ok = rx_record(s->payload_min + prng_below(&rig.rng, most));
	return ok;
}

/*
 * Deliver bytes @from to @to_ - 1 of the wire as one packet. True if the
 * engine decrypted them.
 */
static inline bool deliver(size_t from, size_t to_)
{
	memset(to, 0, to_ - from);
	ktap_expect_eq(vkdev_tls_rx(rig.ctx, rig.m.p.tcp_seq + from, rig.want + from, to,
				    to_ - from, &res), VKTLS_ST_OK);
	if (res.decrypted)
		ktap_expect_mem(to, plain + from, to_ - from);
	return res.decrypted;
}

static inline unsigned int tell(size_t record, size_t number)
{
	return vkdev_tls_resync(rig.ctx, rig.m.p.tcp_seq + rig.start[record],
				rig.m.p.rec_no + number);
}

/* Answer the engine's question. True if a record begins at @seq. */
static inline bool answer(uint32_t seq)
{
	for (unsigned int n = 0; n < rig.records; n++) {
		if (rig.m.p.tcp_seq + (uint32_t)rig.start[n] == seq)
			return tell(n, n) == VKTLS_ST_OK;
	}
	return false;
}

static inline bool in_sync(void)
{
	VkdevTlsState q;

	vkdev_tls_query(rig.ctx, &q);
	return q.state == VKTLS_TLS_IN_SYNC;
}

#endif
