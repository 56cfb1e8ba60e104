// SPDX-License-Identifier: GPL-2.0-only
/*
 * The receive side of the TLS engine, on streams that GnuTLS sealed. All that
 * the engine calls decrypted must be the plaintext; a stream in order must be
 * decrypted completely; after any loss the engine is in sync again with the
 * host's help. Its memory for gaps is off in most cases here;
 * engine_gap_test.c tests it.
 */
#include "engine_rx_rig.h"
#include "../vectors/tls13_records.h"

static void in_order(const void *row)
{
	static const size_t mtus[] = { 1, 40, 536, 1448, 8948, 65535 };
	unsigned int records;

	for (size_t i = 0; i < ARRAY_SIZE(mtus); i++) {
		ktap_expect(rx_stream(row, i, 12, mtus[i] < 41 ? 200 : 16384));
		records = 0;
		for (size_t at = 0, n; at < rig.len; at += n) {
			n = 1 + prng_below(&rig.rng, mtus[i]);
			n = n < rig.len - at ? n : rig.len - at;
			ktap_expect(deliver(at, at + n) && !res.lost && !res.resync_req);
			records += res.records;
		}
		ktap_expect_eq(records, rig.records);
		rig_close(&rig);
	}
}

/* The peer may choose any explicit nonces. */
static void any_explicit_nonce(const void *row)
{
	const struct suite *s = row;

	ktap_expect(rx_stream(s, 1, 5, 100));
	for (unsigned int n = 0; n < 5; n++) {
		uint8_t *p = rig.in + rig.start[n];
		size_t len = 5u + p[3] * 256 + p[4];

		prng_fill(&rig.rng, p + 5, s->nonce_len);
		ktap_expect(model_seal(&rig.m, rig.m.p.rec_no + n, p, len,
				       rig.want + rig.start[n]));
		memcpy(plain + rig.start[n], p, len - TAG_LEN);
		memcpy(plain + rig.start[n] + len - TAG_LEN,
		       rig.want + rig.start[n] + len - TAG_LEN, TAG_LEN);
	}
	ktap_expect(deliver(0, rig.len) && res.records == 5);
	rig_close(&rig);
}

/*
 * A wrong bit behind the header of a record that arrives in two packets is
 * always detected.
 */
static void wrong_tag(const void *row)
{
	for (size_t bit = 8 * 5; !ktap.bad && bit < 8 * (5 + TAG_LEN + 20); bit += 5) {
		size_t cut;

		ktap_expect(rx_stream(row, bit, 6, 40));
		cut = rig.start[2] + prng_below(&rig.rng, rig.start[3] - rig.start[2]);
		if (rig.start[2] + bit / 8 >= rig.start[3]) {
			rig_close(&rig);
			continue;
		}
		rig.want[rig.start[2] + bit / 8] ^= 1 << bit % 8;
		memcpy(plain, rig.want, rig.start[2]);
		vkdev_tls_rx(rig.ctx, rig.m.p.tcp_seq, rig.want, to, cut, &res);
		if (!res.lost)
			ktap_expect(!deliver(cut, rig.start[3]));
		ktap_expect(res.lost == VKTLS_ST_TLS_AUTH && !in_sync());
		deliver(rig.start[3], rig.start[4]);
		ktap_expect(res.resync_req && answer(res.resync_seq) && in_sync());
		ktap_expect(deliver(rig.start[4], rig.len));
		rig_close(&rig);
	}
}

/*
 * A gap inside one record: the next record is decrypted without the host's
 * help.
 */
static void gap_inside_record(const void *row)
{
	const struct suite *s = row;
	size_t first = 5, a, b, end;

	for (uint64_t seed = 0; !ktap.bad && seed < 60; seed++) {
		ktap_expect(rx_stream(s, seed, 4, 300));
		end = rig.start[2];
		a = rig.start[1] + first + prng_below(&rig.rng, end - rig.start[1] - first);
		b = a + 1 + prng_below(&rig.rng, end - a);
		ktap_expect(deliver(0, a));
		ktap_expect(b == end || !deliver(b, end));
		ktap_expect(in_sync() && !res.resync_req);
		ktap_expect(deliver(rig.start[2], rig.start[3]) && res.records == 1);
		ktap_expect(!deliver(a, b));
		ktap_expect(deliver(rig.start[3], rig.len));
		rig_close(&rig);
	}
}

/*
 * After the loss of a header the engine asks about the next header, however
 * packets cut it.
 */
static void gap_over_header(const void *row)
{
	for (size_t cut = 0; !ktap.bad && cut <= 6; cut++) {
		ktap_expect(rx_stream(row, 9 + cut, 6, 300));
		ktap_expect(deliver(0, rig.start[1] + 3));
		ktap_expect(!deliver(rig.start[2] - 8, rig.start[2] + cut) &&
			    res.lost == VKTLS_ST_TLS_GAP);
		if (!res.resync_req)
			ktap_expect(!deliver(rig.start[2] + cut, rig.start[3]));
		ktap_expect(res.resync_req && !in_sync());
		ktap_expect_eq(res.resync_seq, rig.m.p.tcp_seq + (uint32_t)rig.start[2]);
		ktap_expect(answer(res.resync_seq) && in_sync());
		deliver(rig.start[2] + cut, rig.start[3]);
		ktap_expect(deliver(rig.start[3], rig.len) && res.records == 3);
		rig_close(&rig);
	}
}

/*
 * The host's answer comes when more records have passed. The engine repeats
 * its question.
 */
static void late_answer(const void *row)
{
	uint32_t asked, requests;

	for (unsigned int late = 0; !ktap.bad && late < 300; late += 1 + late / 8) {
		ktap_expect(rx_stream(row, late, 320, 60));
		deliver(rig.start[1], rig.start[2]);
		ktap_expect(res.resync_req && res.lost);
		asked = res.resync_seq;
		requests = 0;
		for (unsigned int n = 2; n < 2 + late; n++) {
			ktap_expect(!deliver(rig.start[n], rig.start[n + 1]));
			requests += res.resync_req;
		}
		if (late > 3) /* the engine did not ask about header 4 */
			ktap_expect_eq(tell(4, 4), VKTLS_ST_TLS_SEQ);
		if (late > 200) /* the question about header 65 is forgotten */
			ktap_expect_eq(tell(65, 65), VKTLS_ST_TLS_SEQ);
		ktap_expect_eq(asked, rig.m.p.tcp_seq + (uint32_t)rig.start[1]);
		ktap_expect(late < 16 || requests >= 5);
		if (late % 2 && late > 16) /* the latest question */
			ktap_expect_eq(tell(1 + late / 16 * 16, 1 + late / 16 * 16), VKTLS_ST_OK);
		else
			ktap_expect_eq(tell(1, 1), VKTLS_ST_OK);
		ktap_expect(deliver(rig.start[2 + late], rig.len));
		rig_close(&rig);
	}
}

/*
 * Payload that looks like a header: the host refuses it, and the engine goes
 * on searching.
 */
static void false_header(const void *row)
{
	static const uint8_t fake[5] = { 23, 3, 3, 0, 60 };
	bool found = false;

	ktap_expect(rx_stream(row, 5, 30, 200));
	memcpy(rig.want + rig.start[2] - 30, fake, sizeof(fake));
	deliver(rig.start[2] - 40, rig.start[2]);
	ktap_expect(res.resync_req && !answer(res.resync_seq));
	for (unsigned int n = 2; !found && n < 28; n++) {
		ktap_expect(!deliver(rig.start[n], rig.start[n + 1]));
		found = res.resync_req && answer(res.resync_seq);
		if (found)
			ktap_expect(deliver(rig.start[n + 1], rig.start[n + 2]));
	}
	ktap_expect(found);
	rig_close(&rig);
}

/*
 * A false header, with a length that ends a few bytes before a true header.
 * The engine finds the true one, which begins in the five bytes that it
 * refuses as a header.
 */
static void header_inside_bad_header(const void *row)
{
	for (size_t before = 1; before < 5; before++) {
		uint8_t fake[5] = { 23, 3, 3 };

		ktap_expect(rx_open(row, before));
		for (int i = 0; i < 4; i++)
			ktap_expect(rx_record(200));
		memset(rig.want + rig.start[2] - before, 0xee, before);
		fake[4] = 150 - before - sizeof(fake);
		memcpy(rig.want + rig.start[2] - 150, fake, sizeof(fake));
		deliver(rig.start[2] - 160, rig.start[3]);
		ktap_expect(res.resync_req);
		ktap_expect_eq(res.resync_seq, rig.m.p.tcp_seq + (uint32_t)rig.start[2]);
		ktap_expect(answer(res.resync_seq) && deliver(rig.start[3], rig.len));
		rig_close(&rig);
	}
}

/* Parts of a header on both sides of a gap are not taken for a header. */
static void no_header_over_a_gap(const void *row)
{
	ktap_expect(rx_stream(row, 5, 4, 200));
	deliver(rig.start[1] + 10, rig.start[2] + 3);
	ktap_expect(!res.resync_req && !in_sync());
	memcpy(rig.want + rig.start[3] - 20, rig.want + rig.start[2] + 3, 2);
	deliver(rig.start[3] - 20, rig.start[3]);
	ktap_expect(!res.resync_req && !in_sync());
	rig_close(&rig);
}

static void old_and_overlapping_packets(const void *row)
{
	ktap_expect(rx_stream(row, 6, 6, 400));
	ktap_expect(deliver(0, rig.start[2] + 30));
	ktap_expect(!deliver(0, rig.start[1]));
	ktap_expect(!deliver(rig.start[1], rig.start[2] + 30));
	ktap_expect(!deliver(rig.start[2] + 10, rig.start[3]));
	ktap_expect(deliver(rig.start[3], rig.start[4]));
	ktap_expect(in_sync());
	ktap_expect(!deliver(rig.start[3], rig.start[5]));
	ktap_expect(deliver(rig.start[5], rig.len));
	rig_close(&rig);
}

static void hints(const void *row)
{
	ktap_expect(rx_stream(row, 7, 8, 400));
	ktap_expect_eq(tell(0, 0), VKTLS_ST_STATE);
	deliver(rig.start[1] + 7, rig.start[2]);
	ktap_expect(!in_sync());
	ktap_expect_eq(tell(1, 1), VKTLS_ST_TLS_SEQ);
	ktap_expect_eq(tell(4, 4), VKTLS_ST_OK);
	ktap_expect(!deliver(rig.start[2], rig.start[3]));
	ktap_expect(!deliver(rig.start[3], rig.start[4]));
	ktap_expect(deliver(rig.start[4], rig.start[6]) && res.records == 2);
	ktap_expect(deliver(rig.start[6], rig.len));
	rig_close(&rig);
}

/*
 * A hint for sequence number 0, which has passed, is refused: an empty entry
 * of the list of questions is not taken for it.
 */
static void hint_for_zero(const void *row)
{
	const struct suite *s = row;
	VkdevTlsParams p = rig_params(s, &(struct prng) { 11 });

	p.direction = VKTLS_DIR_RX;
	p.tcp_seq = 1000;
	ktap_expect(rig_open_with(&rig, s, &p));
	ktap_expect(rx_record(50) && rx_record(50));
	deliver(rig.start[1], rig.len);
	ktap_expect(res.resync_req);
	ktap_expect_eq(vkdev_tls_resync(rig.ctx, 0, 5), VKTLS_ST_TLS_SEQ);
	rig_close(&rig);
}

static void wrong_number(const void *row)
{
	ktap_expect(rx_stream(row, 8, 8, 100));
	deliver(rig.start[1], rig.start[2]);
	ktap_expect(res.resync_req);
	ktap_expect_eq(tell(1, 2), VKTLS_ST_OK);
	ktap_expect(!deliver(rig.start[2], rig.start[3]) && res.lost == VKTLS_ST_TLS_AUTH);
	deliver(rig.start[3], rig.start[4]);
	ktap_expect(res.resync_req && answer(res.resync_seq));
	ktap_expect(deliver(rig.start[4], rig.len));
	rig_close(&rig);
}

static void record_number_ends(const void *row)
{
	const struct suite *s = row;
	VkdevTlsParams p = rig_params(s, &(struct prng) { 9 });

	p.direction = VKTLS_DIR_RX;
	p.rec_no = UINT64_MAX;
	ktap_expect(rig_open_with(&rig, s, &p));
	ktap_expect(rx_record(50) && rx_record(50));
	ktap_expect(!deliver(0, rig.len) && !res.lost && res.records == 1);
	ktap_expect(!deliver(rig.start[1], rig.len) && !res.lost);
	rig_close(&rig);
	ktap_expect(rig_open_with(&rig, s, &p));
	ktap_expect(rx_record(50) && rx_record(50));
	ktap_expect(deliver(0, 30));
	ktap_expect(!deliver(rig.start[1], rig.len) && !res.lost);
	rig_close(&rig);
	ktap_expect(rig_open_with(&rig, s, &p));
	ktap_expect(rx_record(50) && rx_record(50) && rx_record(50));
	deliver(1, rig.start[2]);
	ktap_expect(res.resync_req);
	ktap_expect_eq(vkdev_tls_resync(rig.ctx, p.tcp_seq + rig.start[1], UINT64_MAX),
		       VKTLS_ST_PARAM);
	rig_close(&rig);
}

static void directions_do_not_mix(const void *row)
{
	VkdevTlsCount count;

	ktap_expect(rx_stream(row, 10, 2, 100));
	memcpy(to, rig.want, rig.len);
	ktap_expect_eq(vkdev_tls_tx(rig.ctx, rig.m.p.tcp_seq, to, rig.len, &count),
		       VKTLS_ST_NOENT);
	ktap_expect_mem(to, rig.want, rig.len);
	ktap_expect_eq(vkdev_tls_replay(rig.ctx, rig.m.p.tcp_seq, rig.m.p.rec_no, to,
					rig.start[1], &count), VKTLS_ST_NOENT);
	ktap_expect_mem(to, rig.want, rig.len);
	rig_close(&rig);
	ktap_expect(rig_open(&rig, row, 10));
	ktap_expect_eq(vkdev_tls_rx(rig.ctx, rig.m.p.tcp_seq, plain, to, 100, &res),
		       VKTLS_ST_NOENT);
	ktap_expect(!res.decrypted);
	rig_close(&rig);
}

/*
 * A network with loss, repetition, reordering and overlap; the host answers
 * late or never.
 */
static void bad_network(uint64_t seed, const struct suite *s)
{
	uint32_t asked = 0, wait = 0;
	bool pending = false;
	size_t at = 0, from, n;

	ktap_expect(rx_stream(s, seed, 150, seed % 3 ? 900 : 8000));
	while (at < rig.start[100]) {
		n = 1 + prng_below(&rig.rng, 1448);
		from = at;
		switch (prng_below(&rig.rng, 12)) {
		case 0:
			from = at + prng_below(&rig.rng, 5000);
			break;
		case 1:
			from = at - prng_below(&rig.rng, at < 3000 ? at + 1 : 3000);
			break;
		}
		deliver(from, from + n);
		at = from + n > at ? from + n : at;
		if (res.resync_req && !pending) {
			asked = res.resync_seq;
			wait = prng_below(&rig.rng, 12);
			pending = true;
		}
		if (pending && !wait--) {
			answer(asked);
			pending = false;
		}
	}
	for (unsigned int tries = 0; at < rig.len && (!in_sync() || !tries); tries++) {
		n = rig.len - at < 500 ? rig.len - at : 500;
		deliver(at, at + n);
		at += n;
		if (res.resync_req)
			answer(res.resync_seq);
	}
	for (n = 100; n < rig.records && rig.start[n] < at; n++)
		;
	ktap_expect(n + 2 < rig.records);
	deliver(at, rig.start[n]);
	ktap_expect(deliver(rig.start[n], rig.len));
	rig_close(&rig);
}

static void bad_networks(const void *row)
{
	for (uint64_t seed = 1; !ktap.bad && seed <= 120; seed++) {
		vkdev_tls_engine_forgetful(engine(), seed & 1);
		bad_network(seed, row);
		if (ktap.bad)
			printf("# seed %u\n", (unsigned int)seed);
	}
}

static void junk(const void *row)
{
	for (uint64_t seed = 1; seed <= 50; seed++) {
		ktap_expect(rx_open(row, seed));
		vkdev_tls_engine_forgetful(engine(), seed & 1);
		for (int i = 0; i < 50; i++) {
			prng_fill(&rig.rng, rig.want, 3000);
			for (int j = 0; j < 20; j++)
				memcpy(rig.want + prng_below(&rig.rng, 2990), "\x17\3\3\0\x50", 5);
			ktap_expect(!deliver(prng_below(&rig.rng, 900), 900 + i * 40));
			if (res.resync_req)
				vkdev_tls_resync(rig.ctx, res.resync_seq, i);
		}
		rig_close(&rig);
	}
}

static void rfc8448_records_decrypt(void)
{
	VkdevTlsParams p = {
		.version = VKTLS_VERSION_TLS13, .cipher = VKTLS_CIPHER_AES_128_GCM,
		.direction = VKTLS_DIR_RX,
	};
	VkdevTlsCtx *ctx = NULL;

	memcpy(p.key, rfc8448_key, sizeof(rfc8448_key));
	memcpy(p.iv, rfc8448_iv, sizeof(rfc8448_iv));
	ktap_expect_eq(vkdev_tls_add(engine(), &p, &ctx), VKTLS_ST_OK);
	vkdev_tls_rx(ctx, 0, rfc8448_wire, to, sizeof(rfc8448_wire), &res);
	ktap_expect(res.decrypted && res.records == 2);
	for (unsigned int i = 0; i < 50; i++)
		ktap_expect_eq(to[5 + i], i);
	ktap_expect_eq(to[55], 23);
	ktap_expect_mem(to + 72 + 5, "\1\0\x15", 3);
	vkdev_tls_del(ctx);
}

int main(void)
{
	ktap_start();
	vkdev_tls_engine_forgetful(engine(), true);
	for_all(in_order, "in order");
	for_all(any_explicit_nonce, "any explicit nonce");
	for_all(wrong_tag, "wrong tag");
	for_all(gap_inside_record, "gap inside a record");
	for_all(gap_over_header, "gap over a header");
	for_all(late_answer, "late answer");
	for_all(false_header, "false header");
	for_all(header_inside_bad_header, "header inside a bad header");
	for_all(no_header_over_a_gap, "no header over a gap");
	for_all(old_and_overlapping_packets, "old and overlapping packets");
	for_all(hints, "hints");
	for_all(hint_for_zero, "hint for sequence number 0");
	for_all(wrong_number, "wrong number");
	for_all(record_number_ends, "record number ends");
	for_all(directions_do_not_mix, "directions do not mix");
	for_all(bad_networks, "bad networks");
	for_all(junk, "junk");
	KTAP_RUN(rfc8448_records_decrypt);
	return ktap_finish();
}
