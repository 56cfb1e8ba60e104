// SPDX-License-Identifier: GPL-2.0-only
/*
 * The transmit side of the TLS engine. The ciphertext is compared with GnuTLS;
 * refused payload must be unchanged; a deleted context must leave nothing
 * behind.
 */
#include <stdio.h>

#include "engine_drive.h"
#include "engine_rig.h"
#include "ktap.h"
#include "../vectors/tls13_records.h"

static struct rig rig;

#define for_each_suite(s) \
	for (const struct suite *s = suites; s < suites + suites_num; s++)

/*
 * Make a stream of a few records of the smallest sizes, more than 150 bytes in
 * all.
 */
static bool small_stream(struct rig *g, const struct suite *s, uint64_t seed)
{
	static const size_t payload[] = { 1, 0, 16, 60 };
	bool ok = rig_open(g, s, seed);

	for (size_t i = 0; i < ARRAY_SIZE(payload); i++) {
		size_t len = payload[i] < s->payload_min ? s->payload_min : payload[i];

		ok = ok && rig_record(g, s->type_max, len);
	}
	return ok;
}

static void splits_in_two(void)
{
	for_each_suite(s) {
		ktap_expect(small_stream(&rig, s, 0));
		for (size_t cut = 0; !ktap.bad && cut <= rig.len; cut++) {
			ktap_expect(rig_again(&rig));
			ktap_expect_eq(rig_send(&rig, 0, cut), VKTLS_ST_OK);
			ktap_expect_eq(rig_send(&rig, cut, rig.len), VKTLS_ST_OK);
			ktap_expect_mem(rig.out, rig.want, rig.len);
		}
		rig_close(&rig);
	}
}

static void splits_in_three(void)
{
	for_each_suite(s) {
		ktap_expect(small_stream(&rig, s, 1));
		for (size_t a = 1; !ktap.bad && a < 90; a++) {
			for (size_t b = a + 1; !ktap.bad && b < 100; b++) {
				ktap_expect(rig_again(&rig));
				rig_send(&rig, 0, a);
				rig_send(&rig, a, b);
				rig_send(&rig, b, rig.len);
				ktap_expect_mem(rig.out, rig.want, rig.len);
			}
		}
		rig_close(&rig);
	}
}

static void one_byte_packets(void)
{
	for_each_suite(s) {
		ktap_expect(small_stream(&rig, s, 1));
		for (size_t i = 0; i < rig.len; i++)
			ktap_expect_eq(rig_send(&rig, i, i + 1), VKTLS_ST_OK);
		ktap_expect_mem(rig.out, rig.want, rig.len);
		rig_close(&rig);
	}
}

static void send_random(struct rig *g, size_t mtu)
{
	size_t from = 0, to;

	while (from < g->len) {
		to = from + 1 + prng_below(&g->rng, mtu);
		if (to > g->len)
			to = g->len;
		ktap_expect_eq(rig_send(g, from, to), VKTLS_ST_OK);
		from = to;
	}
}

static void random_records_random_packets(void)
{
	static const size_t mtus[] = { 1, 40, 536, 1448, 8948, 65535, RIG_STREAM };

	for_each_suite(s) {
		for (unsigned int round = 0; !ktap.bad && round < 140; round++) {
			size_t mtu = mtus[round % ARRAY_SIZE(mtus)];
			size_t most = mtu < 41 ? 200 : 16384 - s->payload_min;
			unsigned int types = s->type_max - s->type_min + 1;

			ktap_expect(rig_open(&rig, s, round));
			for (int i = 0; i < 12; i++)
				ktap_expect(rig_record(&rig, s->type_min +
						       prng_below(&rig.rng, types),
						       s->payload_min +
						       prng_below(&rig.rng, most + 1)));
			send_random(&rig, mtu);
			ktap_expect_mem(rig.out, rig.want, rig.len);
			rig_close(&rig);
		}
	}
}

/*
 * Send bytes @from to @to - 1 as one packet, in several pieces of memory.
 * After each piece the memory ends.
 */
static unsigned int send_pieces(struct rig *g, size_t from, size_t to)
{
	struct iovec piece[9] = { { NULL, 0 } };
	unsigned int st, n = 1;
	size_t at, len;

	for (at = from; at < to; at += len, n++) {
		len = n == ARRAY_SIZE(piece) - 1 ? to - at : prng_below(&g->rng, to - at + 1);
		piece[n].iov_len = len;
		piece[n].iov_base = malloc(len);
		memcpy(piece[n].iov_base, g->in + at, len);
	}
	st = vkdev_tls_tx_from(g->ctx, g->m.p.tcp_seq + from, piece, g->out + from, to - from,
			       &g->count);
	while (n-- > 1)
		free(piece[n].iov_base);
	return st;
}

static void from_elsewhere_in_pieces(void)
{
	size_t from, to;

	for_each_suite(s) {
		ktap_expect(rig_open(&rig, s, 7));
		for (int i = 0; i < 60; i++)
			ktap_expect(rig_record(&rig, s->type_max, s->payload_min +
					       prng_below(&rig.rng, 2000)));
		memset(rig.out, 0xee, rig.len);
		for (from = 0; from < rig.len; from = to) {
			to = from + 1 + prng_below(&rig.rng, 6000);
			to = to < rig.len ? to : rig.len;
			ktap_expect_eq(send_pieces(&rig, from, to), VKTLS_ST_OK);
		}
		ktap_expect_mem(rig.out, rig.want, rig.len);
		rig_close(&rig);
	}
}

/*
 * The header and nonce of the second record are in the place of the first
 * one's ciphertext, so they are overwritten after the check, as a host could
 * do.
 */
static void framing_is_read_once(void)
{
	for_each_suite(s) {
		size_t head = 5 + s->nonce_len, half;
		struct iovec piece[3];

		ktap_expect(rig_open(&rig, s, 8));
		ktap_expect(rig_record(&rig, s->type_max, 200));
		ktap_expect(rig_record(&rig, s->type_max, 300));
		half = rig.start[1];
		memcpy(rig.out + 50, rig.in + half, head);
		piece[0] = (struct iovec) { rig.in, half };
		piece[1] = (struct iovec) { rig.out + 50, head };
		piece[2] = (struct iovec) { rig.in + half + head, rig.len - half - head };
		ktap_expect_eq(vkdev_tls_tx_from(rig.ctx, rig.m.p.tcp_seq, piece, rig.out, rig.len,
						 &rig.count), VKTLS_ST_OK);
		ktap_expect_mem(rig.out, rig.want, rig.len);
		rig_close(&rig);
	}
}

static void record_size_limits(void)
{
	for_each_suite(s) {
		ktap_expect(rig_open(&rig, s, 2));
		ktap_expect(rig_record(&rig, s->type_max, s->payload_min));
		ktap_expect(rig_record(&rig, s->type_max, s->payload_max));
		ktap_expect(rig_record(&rig, s->type_max, s->payload_max + 1));
		ktap_expect_eq(rig_send(&rig, 0, rig.start[2]), VKTLS_ST_OK);
		ktap_expect(rig_sealed(&rig, 0, rig.start[2]));
		ktap_expect_eq(rig_send(&rig, rig.start[2], rig.len), VKTLS_ST_TLS_HEADER);
		ktap_expect(rig_untouched(&rig, rig.start[2], rig.len));
		rig_close(&rig);
	}
}

/* A wrong sequence number changes nothing, anywhere in a record. */
static void out_of_sequence(void)
{
	static const int32_t off[] = { -100, -1, 1, 2, 1448, INT32_MAX, INT32_MIN };
	uint8_t buf[64];

	for_each_suite(s) {
		ktap_expect(small_stream(&rig, s, 3));
		for (size_t i = 0; i < rig.len; i++) {
			for (size_t j = 0; j < ARRAY_SIZE(off); j++) {
				memcpy(buf, rig.in, sizeof(buf));
				ktap_expect_eq(vkdev_tls_tx(rig.ctx,
							    rig.m.p.tcp_seq + i + off[j], buf,
							    sizeof(buf), &rig.count),
					       VKTLS_ST_TLS_SEQ);
				ktap_expect_mem(buf, rig.in, sizeof(buf));
				ktap_expect_eq(rig.count.drop_seq, 1);
				ktap_expect(!rig.count.lost && !rig.count.packets);
			}
			ktap_expect_eq(rig_send(&rig, i, i + 1), VKTLS_ST_OK);
		}
		ktap_expect_mem(rig.out, rig.want, rig.len);
		rig_close(&rig);
	}
}

static void sequence_number_wraps(void)
{
	for_each_suite(s) {
		VkdevTlsParams p = rig_params(s, &(struct prng) { 4 });

		p.tcp_seq = -40;
		ktap_expect(rig_open_with(&rig, s, &p));
		ktap_expect(rig_record(&rig, 23, 100));
		ktap_expect_eq(rig_send(&rig, 0, 60), VKTLS_ST_OK);
		ktap_expect_eq(rig_send(&rig, 60, rig.len), VKTLS_ST_OK);
		ktap_expect_mem(rig.out, rig.want, rig.len);
		rig_close(&rig);
	}
}

struct bad_header {
	const char *name;
	unsigned int at;
	uint8_t value[2];
	unsigned int len;
};

static const struct bad_header bad_headers[] = {
	{ "header: type 19", 0, { 19 }, 1 },
	{ "header: type 25", 0, { 25 }, 1 },
	{ "header: type 0", 0, { 0 }, 1 },
	{ "header: type 255", 0, { 255 }, 1 },
	{ "header: SSL 2", 1, { 2 }, 1 },
	{ "header: version 3.2", 2, { 2 }, 1 },
	{ "header: version 3.4", 2, { 4 }, 1 },
	{ "header: length 0", 3, { 0, 0 }, 2 },
	{ "header: shorter than a tag", 3, { 0, 15 }, 2 },
	{ "header: length 16385 + 24", 3, { 0x40, 0x19 }, 2 },
	{ "header: length 65535", 3, { 255, 255 }, 2 },
};

/*
 * The second record has a bad header, and the packet begins at @cut. The
 * engine changes no byte of the packet, and the context is lost until a resync
 * at the third record.
 */
static void bad_header_from(const struct bad_header *t, size_t cut)
{
	ktap_expect_eq(rig_send(&rig, 0, cut), VKTLS_ST_OK);
	memcpy(rig.in + rig.start[1] + t->at, t->value, t->len);
	ktap_expect_eq(rig_send(&rig, cut, rig.len), VKTLS_ST_TLS_HEADER);
	ktap_expect(rig_untouched(&rig, cut, rig.len));
	ktap_expect(rig.count.lost && rig.count.drop_header == 1);
	ktap_expect_eq(rig_send(&rig, cut, rig.len), VKTLS_ST_TLS_LOST);
	ktap_expect(!rig.count.lost && rig.count.drop_other == 1);
	ktap_expect_eq(vkdev_tls_resync(rig.ctx, rig.m.p.tcp_seq + rig.start[2],
					rig.m.p.rec_no + 2), VKTLS_ST_OK);
	ktap_expect_eq(rig_send(&rig, rig.start[2], rig.len), VKTLS_ST_OK);
	ktap_expect(rig_sealed(&rig, rig.start[2], rig.len));
}

static void bad_header(const void *row)
{
	const struct bad_header *t = row;
	size_t cut, last;

	for_each_suite(s) {
		for (cut = last = 0; !ktap.bad && cut <= last; cut++) {
			ktap_expect(small_stream(&rig, s, cut));
			last = rig.start[1] + t->at;
			bad_header_from(t, cut);
			rig_close(&rig);
		}
	}
}

static void every_wrong_nonce_bit(void)
{
	for_each_suite(s) {
		for (unsigned int bit = 0; s->nonce_len && bit < 64; bit++) {
			ktap_expect(small_stream(&rig, s, bit));
			rig.in[rig.start[1] + 5 + bit / 8] ^= 1 << bit % 8;
			ktap_expect_eq(rig_send(&rig, 0, rig.start[1] + bit % 13), VKTLS_ST_OK);
			ktap_expect_eq(rig_send(&rig, rig.start[1] + bit % 13, rig.len),
				       VKTLS_ST_TLS_NONCE);
			ktap_expect(rig_untouched(&rig, rig.start[1] + bit % 13, rig.len));
			ktap_expect(rig.count.lost && rig.count.drop_nonce == 1);
			rig_close(&rig);
		}
	}
}

/* The explicit nonce wraps at 2^64, while the record number does not. */
static void explicit_nonce_wraps(void)
{
	for_each_suite(s) {
		VkdevTlsParams p = rig_params(s, &(struct prng) { 5 });

		memset(p.iv + 4, 0xff, 8);
		ktap_expect(rig_open_with(&rig, s, &p));
		for (int i = 0; i < 3; i++)
			ktap_expect(rig_record(&rig, 23, 50));
		ktap_expect_eq(rig_send(&rig, 0, rig.len), VKTLS_ST_OK);
		ktap_expect_mem(rig.out, rig.want, rig.len);
		rig_close(&rig);
	}
}

static void record_number_ends(void)
{
	for_each_suite(s) {
		VkdevTlsParams p = rig_params(s, &(struct prng) { 6 });

		p.rec_no = UINT64_MAX;
		ktap_expect(rig_open_with(&rig, s, &p));
		ktap_expect(rig_record(&rig, 23, 20) && rig_record(&rig, 23, 20));
		ktap_expect_eq(rig_send(&rig, 0, rig.len), VKTLS_ST_TLS_WRAP);
		ktap_expect(rig_untouched(&rig, 0, rig.len) && rig.count.drop_nonce == 1);
		ktap_expect_eq(vkdev_tls_resync(rig.ctx, p.tcp_seq, UINT64_MAX), VKTLS_ST_OK);
		ktap_expect_eq(rig_send(&rig, 0, rig.start[1]), VKTLS_ST_OK);
		ktap_expect(rig_sealed(&rig, 0, rig.start[1]));
		ktap_expect_eq(vkdev_tls_resync(rig.ctx, 0, UINT64_MAX), VKTLS_ST_TLS_WRAP);
		ktap_expect_eq(vkdev_tls_resync(rig.ctx, 0, 0), VKTLS_ST_TLS_WRAP);
		ktap_expect_eq(rig_send(&rig, rig.start[1], rig.len), VKTLS_ST_TLS_WRAP);
		ktap_expect(rig_untouched(&rig, rig.start[1], rig.len));
		rig_close(&rig);
	}
}

static unsigned int resync_to(size_t record, int64_t ahead)
{
	return vkdev_tls_resync(rig.ctx, rig.m.p.tcp_seq + rig.start[record],
				rig.m.p.rec_no + record + ahead);
}

/*
 * A resync to a record that was started is refused, to any later one accepted,
 * at each byte of the stream.
 */
static void resync_never_goes_back(void)
{
	VkdevTlsState q;

	for_each_suite(s) {
		for (size_t cut = 0; !ktap.bad && cut < 100; cut++) {
			uint64_t fresh = 0;

			ktap_expect(small_stream(&rig, s, 7));
			rig_send(&rig, 0, cut);
			while (fresh < 4 && cut >= rig.start[fresh] + 5 + s->nonce_len)
				fresh++;
			ktap_expect_eq(resync_to(0, -1), VKTLS_ST_TLS_REUSE);
			for (size_t i = 0; i < fresh; i++)
				ktap_expect_eq(resync_to(i, 0), VKTLS_ST_TLS_REUSE);
			vkdev_tls_query(rig.ctx, &q);
			ktap_expect_eq(q.tcp_seq, rig.m.p.tcp_seq + (uint32_t)cut);
			if (fresh < 4) {
				ktap_expect_eq(resync_to(fresh, 0), VKTLS_ST_OK);
				ktap_expect_eq(resync_to(fresh, 0), VKTLS_ST_OK);
				rig_send(&rig, rig.start[fresh], rig.len);
				ktap_expect(rig_sealed(&rig, rig.start[fresh], rig.len));
			}
			rig_close(&rig);
		}
	}
}

/*
 * A resync may skip records that software has encrypted; their numbers cannot
 * be used afterwards.
 */
static void resync_skips_ahead(void)
{
	for_each_suite(s) {
		ktap_expect(small_stream(&rig, s, 8));
		ktap_expect_eq(rig_send(&rig, 0, rig.start[1] + 20), VKTLS_ST_OK);
		ktap_expect_eq(resync_to(3, 0), VKTLS_ST_OK);
		ktap_expect_eq(rig_send(&rig, rig.start[3], rig.len), VKTLS_ST_OK);
		ktap_expect(rig_sealed(&rig, rig.start[3], rig.len));
		ktap_expect_eq(resync_to(2, 0), VKTLS_ST_TLS_REUSE);
		rig_close(&rig);
	}
}

static void query_and_counts_follow_every_byte(void)
{
	unsigned int records = 0;
	VkdevTlsState q;

	for_each_suite(s) {
		ktap_expect(small_stream(&rig, s, 9));
		for (size_t i = 0, rec = 0; i < rig.len; i++) {
			rec += rec + 1 < rig.records && i == rig.start[rec + 1];
			vkdev_tls_query(rig.ctx, &q);
			ktap_expect_eq(q.state, VKTLS_TLS_IN_SYNC);
			ktap_expect_eq(q.tcp_seq, rig.m.p.tcp_seq + (uint32_t)i);
			ktap_expect_eq(q.rec_no, rig.m.p.rec_no + rec);
			ktap_expect_eq(q.rec_pos, i - rig.start[rec]);
			rig_send(&rig, i, i + 1);
			ktap_expect_eq(rig.count.packets, 1);
			ktap_expect_eq(rig.count.bytes, 1);
			records += rig.count.records;
		}
		rig_close(&rig);
	}
	ktap_expect_eq(records, 4 * suites_num);
}

/* More contexts than slots for expanded keys send a few bytes in turn. */
static void contexts_in_turn(void)
{
	static struct rig many[3 * ENGINE_KEYS];
	size_t at, to;

	for (unsigned int i = 0; i < ARRAY_SIZE(many); i++) {
		ktap_expect(rig_open(&many[i], &suites[i % suites_num], 77 + i));
		for (size_t len = 1; len < 200; len += 40 + i)
			ktap_expect(rig_record(&many[i], 23, len));
	}
	for (at = 0; !ktap.bad && at < many[0].len; at = to) {
		to = at + 1 + prng_below(&many[0].rng, 60);
		for (unsigned int i = 0; i < ARRAY_SIZE(many); i++) {
			struct rig *g = &many[i];
			size_t end = to < g->len ? to : g->len;

			if (at >= end)
				continue;
			ktap_expect_eq(rig_send(g, at, end), VKTLS_ST_OK);
			ktap_expect(rig_sealed(g, at, end));
		}
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(many); i++)
		rig_close(&many[i]);
}

/* If all contexts are in use, another one is refused until one is deleted. */
static void one_context_too_many(void)
{
	VkdevTlsParams p = { .direction = VKTLS_DIR_TX };
	VkdevTlsCtx *ctx = NULL, *many[ENGINE_CONTEXTS];
	unsigned int i;

	for (i = 0; i < ENGINE_CONTEXTS; i++)
		ktap_expect_eq(vkdev_tls_add(engine(), &p, &many[i]), VKTLS_ST_OK);
	ktap_expect_eq(vkdev_tls_add(engine(), &p, &ctx), VKTLS_ST_TLS_CRYPTO);
	ktap_expect(!ctx);
	vkdev_tls_del(many[7]);
	ktap_expect_eq(vkdev_tls_add(engine(), &p, &many[7]), VKTLS_ST_OK);
	ktap_expect_eq(vkdev_tls_add(engine(), &p, &ctx), VKTLS_ST_TLS_CRYPTO);
	for (i = 0; i < ENGINE_CONTEXTS; i++)
		vkdev_tls_del(many[i]);
}

/*
 * Write the two records of RFC 8448 as the host does: plaintext, content type,
 * placeholder for the tag.
 */
static void rfc8448_records(void)
{
	VkdevTlsParams p = {
		.version = VKTLS_VERSION_TLS13, .cipher = VKTLS_CIPHER_AES_128_GCM,
		.direction = VKTLS_DIR_TX,
	};
	uint8_t buf[sizeof(rfc8448_wire)] = { 23, 3, 3, 0, 0x43 };
	VkdevTlsCtx *ctx = NULL;
	VkdevTlsCount count;

	for (unsigned int i = 0; i < 50; i++)
		buf[5 + i] = i;
	buf[55] = 23;
	memcpy(buf + 72, "\x17\3\3\0\x13\1\0\x15", 8);
	memcpy(p.key, rfc8448_key, sizeof(rfc8448_key));
	memcpy(p.iv, rfc8448_iv, sizeof(rfc8448_iv));
	ktap_expect_eq(vkdev_tls_add(engine(), &p, &ctx), VKTLS_ST_OK);
	ktap_expect_eq(vkdev_tls_tx(ctx, 0, buf, sizeof(buf), &count), VKTLS_ST_OK);
	ktap_expect_mem(buf, rfc8448_wire, sizeof(buf));
	vkdev_tls_del(ctx);
}

static void context_parameters(void)
{
	uint32_t ciphers = 0, versions = 0;
	struct prng rng = { 10 };
	VkdevTlsCtx *ctx = NULL;
	VkdevTlsParams p;

	for_each_suite(s) {
		ciphers |= 1u << s->cipher;
		versions |= 1u << s->version;
		p = rig_params(s, &rng);
		ktap_expect_eq(vkdev_tls_add(engine(), &p, &ctx), VKTLS_ST_OK);
		vkdev_tls_del(ctx);
		ctx = NULL;
		for (size_t i = vkdev_aead_key_len(s->alg); i < sizeof(p.key); i++) {
			p = rig_params(s, &rng);
			p.key[i] = 1;
			ktap_expect_eq(vkdev_tls_add(engine(), &p, &ctx), VKTLS_ST_RESERVED);
		}
		p = rig_params(s, &rng);
		p.direction = 0x80;
		ktap_expect_eq(vkdev_tls_add(engine(), &p, &ctx), VKTLS_ST_UNSUPPORTED);
		p = rig_params(s, &rng);
		p.version = 0x80;
		ktap_expect_eq(vkdev_tls_add(engine(), &p, &ctx), VKTLS_ST_UNSUPPORTED);
		p = rig_params(s, &rng);
		p.cipher = 0x80;
		ktap_expect_eq(vkdev_tls_add(engine(), &p, &ctx), VKTLS_ST_UNSUPPORTED);
	}
	ktap_expect(!ctx);
	ktap_expect_eq(vkdev_tls_ciphers(), ciphers);
	ktap_expect_eq(vkdev_tls_versions(), versions);
	vkdev_tls_del(NULL);
}

/*
 * Random lives of contexts. A failure prints the seed with which it can be
 * repeated.
 */
static void random_operations(void)
{
	static struct drive d;
	static uint8_t data[300];
	const char *bad;

	for (uint64_t seed = 1; seed <= 6000; seed++) {
		struct prng rng = { seed };

		prng_fill(&rng, data, sizeof(data));
		bad = drive_run(&d, data, 8 + prng_below(&rng, sizeof(data) - 8));
		if (!ktap_expect(!bad)) {
			printf("# seed %llu: %s\n", (unsigned long long)seed, bad);
			return;
		}
	}
}

int main(void)
{
	ktap_start();
	KTAP_RUN(splits_in_two);
	KTAP_RUN(splits_in_three);
	KTAP_RUN(one_byte_packets);
	KTAP_RUN(random_records_random_packets);
	KTAP_RUN(from_elsewhere_in_pieces);
	KTAP_RUN(framing_is_read_once);
	KTAP_RUN(record_size_limits);
	KTAP_RUN(out_of_sequence);
	KTAP_RUN(sequence_number_wraps);
	for (size_t i = 0; i < ARRAY_SIZE(bad_headers); i++)
		ktap_case(bad_headers[i].name, bad_header, &bad_headers[i]);
	KTAP_RUN(every_wrong_nonce_bit);
	KTAP_RUN(explicit_nonce_wraps);
	KTAP_RUN(record_number_ends);
	KTAP_RUN(resync_never_goes_back);
	KTAP_RUN(resync_skips_ahead);
	KTAP_RUN(query_and_counts_follow_every_byte);
	KTAP_RUN(contexts_in_turn);
	KTAP_RUN(one_context_too_many);
	KTAP_RUN(rfc8448_records);
	KTAP_RUN(context_parameters);
	KTAP_RUN(random_operations);
	return ktap_finish();
}
