// SPDX-License-Identifier: GPL-2.0-only
/*
 * Replay: a record that was sent can be encrypted again, with the same result,
 * while the stream goes on. Another plaintext under the same record number is
 * always refused.
 */
#include "engine_rig.h"
#include "ktap.h"

#define RECORDS		20

static struct rig rig;
static uint8_t rec[REC_MAX];

static size_t rec_len(const struct rig *g, unsigned int n)
{
	return (n + 1 < g->records ? g->start[n + 1] : g->len) - g->start[n];
}

static bool open_stream(const struct suite *s, unsigned int records, size_t most)
{
	bool ok = rig_open(&rig, s, records);

	while (ok && rig.records < records)
		ok = rig_record(&rig, s->type_max,
				s->payload_min + prng_below(&rig.rng, most));
	return ok;
}

/*
 * Write the host's plaintext of record @n to rec[], with new bytes in place of
 * the tag. Return its length.
 */
static size_t host_record(unsigned int n)
{
	size_t len = rec_len(&rig, n);

	memcpy(rec, rig.in + rig.start[n], len);
	memset(rec + len - TAG_LEN, 0xee, TAG_LEN);
	return len;
}

static unsigned int replay(unsigned int n, size_t len)
{
	return vkdev_tls_replay(rig.ctx, rig.m.p.tcp_seq + rig.start[n], rig.m.p.rec_no + n, rec,
				len, &rig.count);
}

static bool state_same(const VkdevTlsState *a)
{
	VkdevTlsState b;

	vkdev_tls_query(rig.ctx, &b);
	return a->state == b.state && a->tcp_seq == b.tcp_seq && a->rec_no == b.rec_no &&
	       a->rec_pos == b.rec_pos;
}

/*
 * In the middle of each record all earlier ones are replayed. The stream's
 * position does not change.
 */
static void replays_between_packets(const void *row)
{
	size_t from = 0, to;
	VkdevTlsState q;

	ktap_expect(open_stream(row, RECORDS, 3000));
	for (unsigned int n = 1; n < RECORDS; n++, from = to) {
		to = rig.start[n] + prng_below(&rig.rng, rec_len(&rig, n));
		ktap_expect_eq(rig_send(&rig, from, to), VKTLS_ST_OK);
		vkdev_tls_query(rig.ctx, &q);
		for (unsigned int i = 0; i < n; i++) {
			size_t len = host_record(i);

			ktap_expect_eq(replay(i, len), VKTLS_ST_OK);
			ktap_expect_mem(rec, rig.want + rig.start[i], len);
			ktap_expect(rig.count.replays == 1 && !rig.count.packets);
		}
		ktap_expect(state_same(&q));
	}
	ktap_expect_eq(rig_send(&rig, from, rig.len), VKTLS_ST_OK);
	ktap_expect_mem(rig.out, rig.want, rig.len);
	rig_close(&rig);
}

static void unsent_and_unfinished_are_refused(const void *row)
{
	ktap_expect(open_stream(row, 3, 100));
	ktap_expect_eq(rig_send(&rig, 0, rig.start[2] - 1), VKTLS_ST_OK);
	for (unsigned int n = 1; n < 3; n++) {
		size_t len = host_record(n);

		ktap_expect_eq(replay(n, len), VKTLS_ST_TLS_REUSE);
		ktap_expect(!rig.count.replays && rig.count.drop_nonce == 1);
		ktap_expect(!memcmp(rec, rig.in + rig.start[n], len - TAG_LEN));
	}
	rig_close(&rig);
}

/*
 * Before any record is sent, a free entry of the table of tags must not pass
 * for record 0.
 */
static void record_zero_unsent(const void *row)
{
	const struct suite *s = row;
	VkdevTlsParams p = rig_params(s, &(struct prng) { 1 });
	size_t len;

	p.rec_no = 0;
	ktap_expect(rig_open_with(&rig, s, &p) && rig_record(&rig, 23, 40));
	len = host_record(0);
	ktap_expect_eq(replay(0, len), VKTLS_ST_TLS_REUSE);
	ktap_expect_mem(rec, rig.in, len - TAG_LEN);
	rig_close(&rig);
}

static bool all_zero(const uint8_t *p, size_t len)
{
	while (len && !*p++)
		len--;
	return !len;
}

/*
 * Each flipped bit behind the header makes the replay fail, and the buffer is
 * wiped.
 */
static void another_plaintext_is_refused(const void *row)
{
	const struct suite *s = row;
	size_t head = 5 + s->nonce_len;

	ktap_expect(open_stream(s, 2, 40));
	ktap_expect_eq(rig_send(&rig, 0, rig.len), VKTLS_ST_OK);
	for (size_t bit = 8 * head; bit < 8 * (rec_len(&rig, 1) - TAG_LEN); bit++) {
		size_t len = host_record(1);

		rec[bit / 8] ^= 1 << bit % 8;
		ktap_expect_eq(replay(1, len), VKTLS_ST_TLS_REUSE);
		ktap_expect(all_zero(rec, len) && !rig.count.replays);
	}
	rig_close(&rig);
}

static void another_head_is_refused(const void *row)
{
	const struct suite *s = row;
	unsigned int st;

	ktap_expect(open_stream(s, 2, 40));
	ktap_expect_eq(rig_send(&rig, 0, rig.len), VKTLS_ST_OK);
	for (size_t bit = 0; bit < 8u * (5 + s->nonce_len); bit++) {
		size_t len = host_record(1);

		rec[bit / 8] ^= 1 << bit % 8;
		st = replay(1, len);
		ktap_expect(st == VKTLS_ST_TLS_REUSE || st == VKTLS_ST_TLS_HEADER ||
			    st == VKTLS_ST_TLS_NONCE);
		ktap_expect(!rig.count.replays);
	}
	rig_close(&rig);
}

/*
 * A replay of one or several records succeeds, a replay of a part of a record
 * fails.
 */
static void only_whole_records(const void *row)
{
	size_t len;

	ktap_expect(open_stream(row, 2, 40));
	ktap_expect_eq(rig_send(&rig, 0, rig.len), VKTLS_ST_OK);
	for (size_t cut = 0; cut < rec_len(&rig, 0); cut++) {
		host_record(0);
		ktap_expect_eq(replay(0, cut), VKTLS_ST_TLS_HEADER);
	}
	len = host_record(0);
	ktap_expect_eq(replay(0, len + 1), VKTLS_ST_TLS_HEADER);
	memcpy(rec, rig.in, rig.len);
	ktap_expect_eq(replay(0, rig.len), VKTLS_ST_OK);
	ktap_expect_mem(rec, rig.want, rig.len);
	ktap_expect_eq(rig.count.replays, 1);
	memcpy(rec, rig.in, rig.len);
	ktap_expect_eq(replay(1, rig.len),
		       rig.m.s->nonce_len ? VKTLS_ST_TLS_NONCE : VKTLS_ST_TLS_REUSE);
	host_record(0);
	ktap_expect_eq(replay(0, len), VKTLS_ST_OK);
	rig_close(&rig);
}

/*
 * Replays of any number of records in a row. A flipped bit in the last one
 * makes the whole replay fail.
 */
static void runs_of_records(const void *row)
{
	size_t len;

	ktap_expect(open_stream(row, 6, 200));
	ktap_expect_eq(rig_send(&rig, 0, rig.len), VKTLS_ST_OK);
	for (unsigned int a = 0; a < 6; a++) {
		for (unsigned int b = a + 1; b <= 6; b++) {
			len = (b < 6 ? rig.start[b] : rig.len) - rig.start[a];
			memcpy(rec, rig.in + rig.start[a], len);
			ktap_expect_eq(replay(a, len), VKTLS_ST_OK);
			ktap_expect_mem(rec, rig.want + rig.start[a], len);
			memcpy(rec, rig.in + rig.start[a], len);
			rec[len - TAG_LEN - 1] ^= 1;
			ktap_expect_eq(replay(a, len), VKTLS_ST_TLS_REUSE);
			ktap_expect(all_zero(rec, len) && !rig.count.replays);
		}
	}
	rig_close(&rig);
}

static void old_records_are_forgotten(const void *row)
{
	ktap_expect(open_stream(row, ENGINE_RECORDS + 10, 30));
	ktap_expect_eq(rig_send(&rig, 0, rig.len), VKTLS_ST_OK);
	for (unsigned int n = 0; n < rig.records; n++) {
		size_t len = host_record(n);

		ktap_expect_eq(replay(n, len), n < 10 ? VKTLS_ST_TLS_REUSE : VKTLS_ST_OK);
		if (n < 10)
			ktap_expect_mem(rec, rig.in + rig.start[n], len - TAG_LEN);
	}
	rig_close(&rig);
}

/*
 * A context that waits for a resync still replays records; after the resync,
 * too.
 */
static void replay_while_lost(const void *row)
{
	ktap_expect(open_stream(row, 4, 60));
	ktap_expect_eq(rig_send(&rig, 0, rig.start[1]), VKTLS_ST_OK);
	rig.in[rig.start[1] + 1] = 9;
	ktap_expect_eq(rig_send(&rig, rig.start[1], rig.start[2]), VKTLS_ST_TLS_HEADER);
	ktap_expect_eq(replay(0, host_record(0)), VKTLS_ST_OK);
	ktap_expect_eq(vkdev_tls_resync(rig.ctx, rig.m.p.tcp_seq + rig.start[2],
					rig.m.p.rec_no + 2), VKTLS_ST_OK);
	ktap_expect_eq(rig_send(&rig, rig.start[2], rig.len), VKTLS_ST_OK);
	ktap_expect_eq(replay(0, host_record(0)), VKTLS_ST_OK);
	ktap_expect_mem(rec, rig.want, rec_len(&rig, 0));
	ktap_expect_eq(replay(2, host_record(2)), VKTLS_ST_OK);
	rig.in[rig.start[1] + 1] = 3;
	ktap_expect_eq(replay(1, host_record(1)), VKTLS_ST_TLS_REUSE);
	rig_close(&rig);
}

static unsigned int record_of(size_t at)
{
	unsigned int n = rig.records;

	while (rig.start[--n] > at)
		;
	return n;
}

/* Resend bytes @from to @to - 1 of the stream from the cache. */
static bool resend(size_t from, size_t to)
{
	unsigned int first = record_of(from), last = record_of(to - 1);

	memset(rec, 0xee, to - from + 1);
	return vkdev_tls_resend(rig.ctx, rig.m.p.tcp_seq + rig.start[first],
				rig.m.p.rec_no + first, from - rig.start[first], rec, to - from,
				rig.start[last] + rec_len(&rig, last) - to);
}

static void kept(size_t from, size_t to)
{
	ktap_expect(resend(from, to));
	ktap_expect_mem(rec, rig.want + from, to - from);
	ktap_expect_eq(rec[to - from], 0xee);
}

/* The resend fails, and the buffer is unchanged. */
static void not_kept(size_t from, size_t to)
{
	ktap_expect(!resend(from, to));
	for (size_t i = 0; i < to - from; i++)
		ktap_expect_eq(rec[i], 0xee);
}

static void sent_records(const void *suite, unsigned int records, size_t most)
{
	ktap_expect(open_stream(suite, records, most));
	ktap_expect_eq(rig_send(&rig, 0, rig.len), VKTLS_ST_OK);
}

/*
 * Any range of replayed bytes can be resent, within one record or over
 * several.
 */
static void any_part_is_kept(const void *row)
{
	size_t from, to;

	sent_records(row, ENGINE_KEPT, 300);
	memcpy(rec, rig.in, rig.len);
	ktap_expect_eq(replay(0, rig.len), VKTLS_ST_OK);
	for (unsigned int n = 0; n < 300; n++) {
		from = prng_below(&rig.rng, rig.len);
		to = from + 1 + prng_below(&rig.rng, rig.len - from);
		kept(from, to);
	}
	rig_close(&rig);
}

static void only_what_was_replayed_is_kept(const void *row)
{
	size_t len;

	sent_records(row, 3, 100);
	not_kept(0, rig.len);
	len = host_record(0);
	rec[len - TAG_LEN - 1] ^= 1;
	ktap_expect_eq(replay(0, len), VKTLS_ST_TLS_REUSE);
	not_kept(0, len);
	ktap_expect_eq(replay(0, host_record(0)), VKTLS_ST_OK);
	kept(0, len);
	not_kept(rig.start[1], rig.start[2]);
	not_kept(len - 1, len + 1);
	rig_close(&rig);
}

static void longest_kept_gives_way(const void *row)
{
	sent_records(row, ENGINE_KEPT + 1, 100);
	for (unsigned int n = 0; n <= ENGINE_KEPT; n++)
		ktap_expect_eq(replay(n, host_record(n)), VKTLS_ST_OK);
	not_kept(0, rig.start[1]);
	for (unsigned int n = 1; n <= ENGINE_KEPT; n++) {
		kept(rig.start[n], rig.start[n] + rec_len(&rig, n));
		ktap_expect_eq(replay(n, host_record(n)), VKTLS_ST_OK); /* replaces its own entry */
	}
	kept(rig.start[1], rig.len);
	rig_close(&rig);
}

/*
 * A resend succeeds only if the lengths before and after the range complete
 * whole records.
 */
static void kept_records_are_whole(const void *row)
{
	uint64_t first;
	size_t len;

	sent_records(row, 2, 100);
	memcpy(rec, rig.in, rig.len);
	ktap_expect_eq(replay(0, rig.len), VKTLS_ST_OK);
	first = rig.m.p.rec_no;
	len = rec_len(&rig, 0);
	for (size_t after = 0; after < rig.len; after++)
		ktap_expect_eq(vkdev_tls_resend(rig.ctx, 0, first, 3, rec, 7, after),
			       10 + after == len || 10 + after == rig.len);
	ktap_expect(!vkdev_tls_resend(rig.ctx, 0, first, 0, rec, 0, 0));
	ktap_expect(!vkdev_tls_resend(rig.ctx, 0, first + 1, 0, rec, len, 0) ||
		    len == rec_len(&rig, 1));
	ktap_expect(!vkdev_tls_resend(rig.ctx, 0, first + 2, 0, rec, len, 0));
	ktap_expect(!vkdev_tls_resend(rig.ctx, 0, first - 1, 0, rec, len, 0));
	rig_close(&rig);
}

/*
 * The cache has nothing for a new context with the same record numbers, as
 * after a KeyUpdate or a reset.
 */
static void another_context_has_nothing_kept(const void *row)
{
	VkdevTlsCtx *old;

	sent_records(row, 1, 100);
	ktap_expect_eq(replay(0, host_record(0)), VKTLS_ST_OK);
	old = rig.ctx;
	rig.ctx = NULL;
	ktap_expect(rig_again(&rig));
	ktap_expect_eq(rig_send(&rig, 0, rig.len), VKTLS_ST_OK);
	not_kept(0, rig.len);
	vkdev_tls_del(old);
	not_kept(0, rig.len);
	ktap_expect_eq(replay(0, host_record(0)), VKTLS_ST_OK);
	kept(0, rig.len);
	ktap_expect(rig_again(&rig));
	not_kept(0, rig.len);
	rig_close(&rig);
}

/* A record in the cache does not make the engine accept another plaintext. */
static void another_plaintext_of_a_kept_record(const void *row)
{
	size_t len;

	sent_records(row, 1, 100);
	ktap_expect_eq(replay(0, host_record(0)), VKTLS_ST_OK);
	len = host_record(0);
	rec[len - TAG_LEN - 1] ^= 1;
	ktap_expect_eq(replay(0, len), VKTLS_ST_TLS_REUSE);
	ktap_expect(all_zero(rec, len));
	kept(0, len);
	rig_close(&rig);
}

int main(void)
{
	ktap_start();
	for_all(replays_between_packets, "replays between packets");
	for_all(unsent_and_unfinished_are_refused, "unsent and unfinished are refused");
	for_all(record_zero_unsent, "record 0 is refused before it was sent");
	for_all(another_plaintext_is_refused, "another plaintext is refused");
	for_all(another_head_is_refused, "another head is refused");
	for_all(only_whole_records, "only whole records");
	for_all(runs_of_records, "runs of records");
	for_all(old_records_are_forgotten, "old records are forgotten");
	for_all(replay_while_lost, "replay while lost");
	for_all(any_part_is_kept, "any part is kept");
	for_all(only_what_was_replayed_is_kept, "only what was replayed is kept");
	for_all(longest_kept_gives_way, "what is kept longest gives way");
	for_all(kept_records_are_whole, "kept records are whole");
	for_all(another_context_has_nothing_kept, "another context has nothing kept");
	for_all(another_plaintext_of_a_kept_record, "another plaintext of a kept record");
	return ktap_finish();
}
