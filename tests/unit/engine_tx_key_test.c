// SPDX-License-Identifier: GPL-2.0-only
/*
 * Keys that follow each other in a context that transmits: each record is encrypted
 * with the key of its place in the stream, sent for the first time or again, and no
 * pair of key and nonce encrypts two plaintexts, whatever the host does.
 */
#include "engine_rig.h"
#include "ktap.h"
#include "tls/priv.h"

#define RECORDS		24
#define PER_KEY		6	/* records of a key */
#define KEYS		(RECORDS / PER_KEY)

static struct rig rig;
static uint8_t buf[RIG_STREAM];

static unsigned int key_of(unsigned int record)
{
	return record / PER_KEY;
}

static uint64_t number_of(unsigned int record)
{
	return key_of(record) ? record % PER_KEY : rig.m.p.rec_no + record;
}

static uint32_t seq_at(size_t at)
{
	return rig.m.p.tcp_seq + at;
}

static size_t end_of(unsigned int record)
{
	return record + 1 < rig.records ? rig.start[record + 1] : rig.len;
}

static unsigned int give(unsigned int key)
{
	const struct model_key *k = &rig.m.keys[key];

	return vkdev_tls_next_tx(rig.ctx, key, k->iv, k->key, k->seq);
}

static void add_key(uint32_t seq)
{
	struct model_key *k = &rig.m.keys[rig.m.keys_num++];

	memset(k->key, 0, sizeof(k->key));
	prng_fill(&rig.rng, k->iv, sizeof(k->iv));
	prng_fill(&rig.rng, k->key, vkdev_aead_key_len(rig.m.s->alg));
	k->seq = seq;
}

/* Append a record with the newest key; model_seal() knows the first key only. */
static bool add_record(size_t len)
{
	size_t from = rig.len;

	return rig_record(&rig, 23, len) &&
	       model_seal_key(&rig.m, rig.m.keys_num - 1, number_of(rig.records - 1),
			      rig.in + from, rig.len - from, rig.want + from);
}

/* A stream with KEYS keys, of which the context has the first one. */
static bool open_keys(const struct suite *s, uint64_t seed, size_t most)
{
	bool ok = rig_open(&rig, s, seed);

	while (ok && rig.records < RECORDS) {
		if (rig.records && !(rig.records % PER_KEY))
			add_key(seq_at(rig.len));
		ok = add_record(1 + prng_below(&rig.rng, most));
	}
	return ok;
}

static bool open_with_keys(const struct suite *s, uint64_t seed, size_t most)
{
	bool ok = open_keys(s, seed, most);

	for (unsigned int key = 1; ok && key < KEYS; key++)
		ok = give(key) == VKTLS_ST_OK;
	return ok;
}

static void send_as_expected(size_t from, size_t to)
{
	ktap_expect_eq(rig_send(&rig, from, to), VKTLS_ST_OK);
	ktap_expect(rig_sealed(&rig, from, to));
}

/* Replay records @first to @last as the host has them. */
static unsigned int replay(unsigned int first, unsigned int last)
{
	size_t from = rig.start[first], len = end_of(last) - from;

	memcpy(buf, rig.in + from, len);
	return vkdev_tls_replay(rig.ctx, seq_at(from), number_of(first), buf, len, &rig.count);
}

static void replay_as_expected(unsigned int first, unsigned int last)
{
	size_t from = rig.start[first];

	ktap_expect_eq(replay(first, last), VKTLS_ST_OK);
	ktap_expect_mem(buf, rig.want + from, end_of(last) - from);
}

static void packets_of_any_size(const void *row)
{
	for (uint64_t seed = 1; seed < 40; seed++) {
		unsigned int rekeys = 0;
		size_t to;

		ktap_expect(open_with_keys(row, seed, 300));
		for (size_t from = 0; from < rig.len; from = to) {
			to = from + 1 + prng_below(&rig.rng, seed % 2 ? 3000 : 200);
			to = to < rig.len ? to : rig.len;
			send_as_expected(from, to);
			ktap_expect_eq(rig.count.bytes, to - from);
			rekeys += rig.count.rekeys;
		}
		ktap_expect_eq(rekeys, KEYS - 1);
		rig_close(&rig);
	}
}

/* Each packet begins or ends at each byte around the place where a key begins. */
static void every_place_around_a_key(const void *row)
{
	size_t border;

	for (int off = -40; off <= 40; off++) {
		ktap_expect(open_with_keys(row, 7, 100));
		border = rig.start[PER_KEY];
		send_as_expected(0, border + off);
		send_as_expected(border + off, rig.len);
		rig_close(&rig);
	}
}

/* A key may come when packets of the one before are on their way. */
static void given_at_the_last_moment(const void *row)
{
	ktap_expect(open_keys(row, 8, 500));
	for (unsigned int key = 0; key < KEYS; key++) {
		if (key)
			ktap_expect_eq(give(key), VKTLS_ST_OK);
		send_as_expected(rig.start[key * PER_KEY], end_of(key * PER_KEY + PER_KEY - 1));
	}
	rig_close(&rig);
}

static void replays_have_their_own_key(const void *row)
{
	ktap_expect(open_with_keys(row, 9, 300));
	send_as_expected(0, rig.len);
	for (unsigned int first = 0; first < RECORDS; first++)
		for (unsigned int last = first; last < RECORDS; last += 5)
			replay_as_expected(first, last);
	rig_close(&rig);
}

static void changed_plaintext_is_not_replayed(const void *row)
{
	size_t len;

	ktap_expect(open_with_keys(row, 10, 300));
	send_as_expected(0, rig.len);
	for (unsigned int n = 0; n < RECORDS; n++) {
		rig.in[rig.start[n] + 5] ^= 1;
		len = end_of(n) - rig.start[n];
		ktap_expect_eq(replay(n, n), VKTLS_ST_TLS_REUSE);
		for (size_t i = 0; i < len; i++)
			ktap_expect(!buf[i]);
	}
	rig_close(&rig);
}

/* The cache of replayed records tells equal numbers of two keys apart. */
static void resends_have_their_own_key(const void *row)
{
	unsigned int a = PER_KEY + 1, b = 2 * PER_KEY + 1;
	size_t len;

	ktap_expect(open_with_keys(row, 11, 300));
	send_as_expected(0, rig.len);
	ktap_expect_eq(number_of(a), number_of(b));
	replay_as_expected(a, a);
	len = end_of(b) - rig.start[b];
	ktap_expect(!vkdev_tls_resend(rig.ctx, seq_at(rig.start[b]), number_of(b), 0, buf, len, 0));
	replay_as_expected(b, b);
	ktap_expect(vkdev_tls_resend(rig.ctx, seq_at(rig.start[b]), number_of(b), 0, buf, len, 0));
	ktap_expect_mem(buf, rig.want + rig.start[b], len);
	rig_close(&rig);
}

static void keys_that_are_done(const void *row)
{
	ktap_expect(open_with_keys(row, 12, 300));
	send_as_expected(0, end_of(2 * PER_KEY));
	ktap_expect_eq(vkdev_tls_key_done(rig.ctx, KEYS), VKTLS_ST_TLS_KEY);
	ktap_expect_eq(vkdev_tls_key_done(rig.ctx, 1), VKTLS_ST_OK);
	ktap_expect_eq(replay(PER_KEY - 1, PER_KEY - 1), VKTLS_ST_TLS_REUSE);
	replay_as_expected(PER_KEY, 2 * PER_KEY);
	ktap_expect_eq(vkdev_tls_key_done(rig.ctx, 0), VKTLS_ST_TLS_KEY);
	ktap_expect_eq(vkdev_tls_key_done(rig.ctx, 2), VKTLS_ST_OK);
	ktap_expect_eq(replay(PER_KEY, 2 * PER_KEY), VKTLS_ST_TLS_REUSE);
	replay_as_expected(2 * PER_KEY, 2 * PER_KEY);
	send_as_expected(end_of(2 * PER_KEY), rig.len);
	ktap_expect_eq(vkdev_tls_key_done(rig.ctx, 3), VKTLS_ST_OK);
	ktap_expect_eq(vkdev_tls_key_done(rig.ctx, 3), VKTLS_ST_OK);
	replay_as_expected(RECORDS - 1, RECORDS - 1);
	rig_close(&rig);
}

/* All of the key in use is acknowledged, as software has sent the rest of it. */
static void the_key_in_use_is_done(const void *row)
{
	VkdevTlsState q;

	ktap_expect(open_with_keys(row, 13, 300));
	send_as_expected(0, rig.start[3] + 7);
	ktap_expect_eq(vkdev_tls_key_done(rig.ctx, 2), VKTLS_ST_OK);
	vkdev_tls_query(rig.ctx, &q);
	ktap_expect_eq(q.state, VKTLS_TLS_LOST);
	ktap_expect_eq(rig_send(&rig, rig.start[3] + 7, rig.len), VKTLS_ST_TLS_LOST);
	ktap_expect_eq(vkdev_tls_resync_key(rig.ctx, seq_at(rig.start[2 * PER_KEY + 1]), 1, 2),
		       VKTLS_ST_OK);
	send_as_expected(rig.start[2 * PER_KEY + 1], rig.len);
	rig_close(&rig);
}

/* All is acknowledged, and the next byte is the first one of the next key. */
static void done_where_a_key_begins(const void *row)
{
	ktap_expect(open_with_keys(row, 19, 300));
	send_as_expected(0, rig.start[PER_KEY]);
	ktap_expect_eq(vkdev_tls_key_done(rig.ctx, 1), VKTLS_ST_OK);
	send_as_expected(rig.start[PER_KEY], rig.len);
	rig_close(&rig);
}

static void resyncs_to_a_key(const void *row)
{
	unsigned int n = 2 * PER_KEY + 1;
	uint32_t seq;

	ktap_expect(open_with_keys(row, 14, 300));
	send_as_expected(0, end_of(PER_KEY));
	seq = seq_at(rig.start[n]);
	ktap_expect_eq(vkdev_tls_resync_key(rig.ctx, seq, 1, 0), VKTLS_ST_TLS_KEY);
	ktap_expect_eq(vkdev_tls_resync_key(rig.ctx, seq, 1, 1), VKTLS_ST_TLS_KEY);
	ktap_expect_eq(vkdev_tls_resync(rig.ctx, seq, 1), VKTLS_ST_TLS_KEY);
	ktap_expect_eq(vkdev_tls_resync_key(rig.ctx, seq, 1, 3), VKTLS_ST_TLS_KEY);
	ktap_expect_eq(vkdev_tls_resync_key(rig.ctx, seq, 1, KEYS), VKTLS_ST_TLS_KEY);
	ktap_expect_eq(vkdev_tls_resync_key(rig.ctx, seq_at(rig.start[PER_KEY]), 0, 1),
		       VKTLS_ST_TLS_REUSE);
	ktap_expect_eq(vkdev_tls_resync_key(rig.ctx, seq, 1, 2), VKTLS_ST_OK);
	send_as_expected(rig.start[n], rig.len);
	replay_as_expected(PER_KEY, PER_KEY);
	replay_as_expected(n, RECORDS - 1);
	ktap_expect_eq(replay(n - 1, n), VKTLS_ST_TLS_REUSE);
	rig_close(&rig);
}

/* The host says that a key begins inside of a record. */
static void a_key_inside_of_a_record(const void *row)
{
	ktap_expect(open_keys(row, 15, 300));
	rig.m.keys[1].seq += 3;
	ktap_expect_eq(give(1), VKTLS_ST_OK);
	ktap_expect_eq(rig_send(&rig, 0, rig.len), VKTLS_ST_TLS_HEADER);
	ktap_expect(rig_untouched(&rig, 0, rig.len));
	ktap_expect(rig.count.lost && !rig.count.packets && !rig.count.rekeys);
	rig_close(&rig);
}

static void what_is_refused(const void *row)
{
	const struct suite *s = row;
	struct model_key *k = rig.m.keys;
	uint8_t long_key[32];

	ktap_expect(open_keys(s, 16, 300));
	send_as_expected(0, rig.start[2] + 3);
	ktap_expect_eq(vkdev_tls_next_tx(rig.ctx, 0, k[1].iv, k[1].key, k[1].seq),
		       VKTLS_ST_PARAM);
	ktap_expect_eq(give(2), VKTLS_ST_PARAM);
	ktap_expect_eq(vkdev_tls_next_tx(rig.ctx, 1, k[1].iv, k[1].key, seq_at(rig.start[2])),
		       VKTLS_ST_TLS_SEQ);
	ktap_expect_eq(vkdev_tls_next_tx(rig.ctx, 1, k[1].iv, k[0].key, k[1].seq),
		       VKTLS_ST_TLS_REUSE);
	ktap_expect_eq(give(1), VKTLS_ST_OK);
	ktap_expect_eq(vkdev_tls_next_tx(rig.ctx, 2, k[2].iv, k[2].key, k[1].seq - 1),
		       VKTLS_ST_TLS_SEQ);
	ktap_expect_eq(vkdev_tls_next_tx(rig.ctx, 2, k[2].iv, k[1].key, k[2].seq),
		       VKTLS_ST_TLS_REUSE);
	if (s->alg == VKDEV_AEAD_AES_128_GCM) {
		memset(long_key, 1, sizeof(long_key));
		ktap_expect_eq(vkdev_tls_next_tx(rig.ctx, 2, k[2].iv, long_key, k[2].seq),
			       VKTLS_ST_RESERVED);
	}
	ktap_expect_eq(give(2), VKTLS_ST_OK);
	while (rig.m.keys_num <= VKTLS_TLS_TX_KEYS)
		add_key(seq_at(rig.len));
	for (unsigned int key = 3; key < VKTLS_TLS_TX_KEYS; key++)
		ktap_expect_eq(give(key), VKTLS_ST_OK);
	ktap_expect_eq(give(VKTLS_TLS_TX_KEYS), VKTLS_ST_FULL);
	send_as_expected(rig.start[2] + 3, end_of(PER_KEY));
	ktap_expect_eq(give(VKTLS_TLS_TX_KEYS), VKTLS_ST_FULL);
	ktap_expect_eq(vkdev_tls_key_done(rig.ctx, 1), VKTLS_ST_OK);
	ktap_expect_eq(give(VKTLS_TLS_TX_KEYS), VKTLS_ST_OK);
	rig_close(&rig);
}

static void other_contexts_take_no_key(const void *row)
{
	const struct suite *s = row;
	VkdevTlsParams p = rig_params(s, &(struct prng) { 17 });
	uint8_t key[32] = { 1 };

	if (s->version == VKTLS_VERSION_TLS13)
		p.direction = VKTLS_DIR_RX;
	ktap_expect(rig_open_with(&rig, s, &p));
	ktap_expect_eq(vkdev_tls_next_tx(rig.ctx, 1, p.iv, key, p.tcp_seq), VKTLS_ST_UNSUPPORTED);
	ktap_expect_eq(vkdev_tls_key_done(rig.ctx, 0), p.direction == VKTLS_DIR_RX ?
		       VKTLS_ST_UNSUPPORTED : VKTLS_ST_OK);
	rig_close(&rig);
}

/*
 * A host that does anything in any order. A record that left is known by the
 * keystream of its first bytes, which is that of a key and a nonce: two records with
 * the same must have the same plaintext. No model of the engine is needed for that.
 */
#define STORM_PAYLOAD	64
#define STORM_RECORD	(5 + STORM_PAYLOAD + TAG_LEN)
#define STORM_PACKET	4	/* records at most */
#define STORM_LEFT	4000

struct left {
	uint8_t stream[STORM_PAYLOAD], plain[STORM_PAYLOAD];
	uint32_t seq;
	uint64_t rec_no;
};

static struct left left[STORM_LEFT];
static unsigned int left_num, left_again;

static void storm_record_left(uint32_t seq, uint64_t rec_no, const uint8_t *plain,
			      const uint8_t *wire)
{
	struct left now = { .seq = seq, .rec_no = rec_no };

	for (unsigned int i = 0; i < STORM_PAYLOAD; i++) {
		now.plain[i] = plain[i];
		now.stream[i] = plain[i] ^ wire[i];
	}
	for (unsigned int i = 0; i < left_num; i++) {
		if (memcmp(left[i].stream, now.stream, STORM_PAYLOAD))
			continue;
		left_again++;
		ktap_expect_mem(now.plain, left[i].plain, STORM_PAYLOAD);
		return;
	}
	if (ktap_expect(left_num < STORM_LEFT))
		left[left_num++] = now;
}

static void storm_record(struct prng *rng, uint8_t *p)
{
	static const uint8_t head[5] = { 23, 3, 3, 0, STORM_PAYLOAD + TAG_LEN };

	memset(p, 0, STORM_RECORD);
	memcpy(p, head, sizeof(head));
	prng_fill(rng, p + 5, STORM_PAYLOAD);
}

static void storm_send(struct prng *rng)
{
	unsigned int records = 1 + prng_below(rng, STORM_PACKET);
	uint8_t packet[STORM_PACKET * STORM_RECORD], wire[sizeof(packet)];
	size_t at, len = records * STORM_RECORD;
	VkdevTlsCount count;
	VkdevTlsState q;

	vkdev_tls_query(rig.ctx, &q);
	if (!prng_below(rng, 8))
		q.tcp_seq += STORM_RECORD;
	for (at = 0; at < len; at += STORM_RECORD)
		storm_record(rng, packet + at);
	memcpy(wire, packet, len);
	if (vkdev_tls_tx(rig.ctx, q.tcp_seq, wire, len, &count) != VKTLS_ST_OK)
		return;
	for (at = 0; at < len; at += STORM_RECORD)
		storm_record_left(q.tcp_seq + at, q.rec_no++, packet + at + 5, wire + at + 5);
}

/* Replay one of the last records, or other plaintext in its place. */
static void storm_replay(struct prng *rng)
{
	uint8_t packet[STORM_RECORD], wire[STORM_RECORD];
	VkdevTlsCount count;
	struct left *l;

	if (!left_num)
		return;
	l = &left[left_num - 1 - prng_below(rng, left_num < 12 ? left_num : 12)];
	storm_record(rng, packet);
	if (prng_below(rng, 2))
		memcpy(packet + 5, l->plain, STORM_PAYLOAD);
	memcpy(wire, packet, STORM_RECORD);
	if (vkdev_tls_replay(rig.ctx, l->seq, prng_below(rng, 4) ? l->rec_no : prng_below(rng, 6),
			     wire, STORM_RECORD, &count) == VKTLS_ST_OK)
		storm_record_left(l->seq, l->rec_no, packet + 5, wire + 5);
}

/* Keys are never equal; in TLS, secrets see to that. */
static void storm_key(struct prng *rng, uint32_t *given)
{
	uint8_t iv[12], key[32] = { 0 };
	VkdevTlsState q;

	vkdev_tls_query(rig.ctx, &q);
	prng_fill(rng, iv, sizeof(iv));
	prng_fill(rng, key, vkdev_aead_key_len(rig.m.s->alg));
	if (vkdev_tls_next_tx(rig.ctx, *given + 1, iv, key,
			      q.tcp_seq + prng_below(rng, 6) * STORM_RECORD) == VKTLS_ST_OK)
		++*given;
}

static void storm_step(struct prng *rng, uint32_t *given)
{
	uint32_t key = *given - prng_below(rng, 4) + prng_below(rng, 2);
	VkdevTlsState q;

	switch (prng_below(rng, 12)) {
	case 0:
		storm_key(rng, given);
		return;
	case 1:
		vkdev_tls_key_done(rig.ctx, key - prng_below(rng, 3));
		return;
	case 2:
		vkdev_tls_query(rig.ctx, &q);
		vkdev_tls_resync_key(rig.ctx, q.tcp_seq + prng_below(rng, 3) * STORM_RECORD,
				     prng_below(rng, 8), key);
		return;
	case 3:
		vkdev_tls_query(rig.ctx, &q);
		vkdev_tls_resync(rig.ctx, q.tcp_seq, prng_below(rng, 8));
		return;
	case 4:
	case 5:
	case 6:
		storm_replay(rng);
		return;
	default:
		storm_send(rng);
	}
}

static void no_nonce_twice_in_any_order(const void *row)
{
	struct prng rng = { 18 };
	VkdevTlsParams p;
	uint32_t given;

	left_again = 0;
	for (unsigned int life = 0; life < 60; life++) {
		left_num = 0;
		p = rig_params(row, &rng);
		p.rec_no = 0;
		given = 0;
		ktap_expect(rig_open_with(&rig, row, &p));
		for (unsigned int step = 0; step < 300; step++)
			storm_step(&rng, &given);
		ktap_expect(given > 1 && left_num > 10);
		rig_close(&rig);
	}
	ktap_expect(left_again > 100); /* equal replays are taken */
}

/*
 * A context that receives has nothing to send again, whatever its state is: that state
 * shares its memory with the keys of a context that transmits.
 */
static void no_resend_from_what_receives(const void *row)
{
	VkdevTlsParams p = rig_params(row, &rig.rng);

	p.direction = VKTLS_DIR_RX;
	rig.ctx = NULL;
	ktap_expect_eq(vkdev_tls_add(engine(), &p, &rig.ctx), VKTLS_ST_OK);
	memset(&rig.ctx->rx, 0xa5, sizeof(rig.ctx->rx));
	ktap_expect(!vkdev_tls_resend(rig.ctx, p.tcp_seq, p.rec_no, 0, buf, 100, 0));
	memset(&rig.ctx->rx, 0, sizeof(rig.ctx->rx));
	rig_close(&rig);
}

/* The contexts that have many keys leave fewer to the others, until they give them up. */
static void keys_are_shared(const void *row)
{
	VkdevTlsCtx *full[ENGINE_CONTEXTS] = { NULL };
	unsigned int i, n = 0, st = VKTLS_ST_OK;

	for (i = 0; i < ENGINE_CONTEXTS && st == VKTLS_ST_OK; i++) {
		ktap_expect(rig_open(&rig, row, i));
		full[i] = rig.ctx;
		for (n = 1; n < VKTLS_TLS_TX_KEYS && st == VKTLS_ST_OK; n++) {
			rig.m.keys_num = 0;
			add_key(seq_at(0));
			st = vkdev_tls_next_tx(rig.ctx, n, rig.m.keys[0].iv, rig.m.keys[0].key,
					       seq_at(0));
		}
	}
	ktap_expect_eq(st, VKTLS_ST_FULL);
	ktap_expect(i > 4 && i < ENGINE_CONTEXTS);
	while (i--)
		vkdev_tls_del(full[i]);
	rig.ctx = NULL;
	ktap_expect(open_with_keys(row, 1, 100));
	rig_close(&rig);
}

static void for_tls13(void (*fn)(const void *suite), const char *what)
{
	char name[80];

	for (unsigned int i = 0; i < suites_num; i++) {
		if (suites[i].version != VKTLS_VERSION_TLS13)
			continue;
		snprintf(name, sizeof(name), "%s: %s", what, suites[i].name);
		ktap_case(name, fn, &suites[i]);
	}
}

#define FOR_TLS13(fn)	for_tls13(fn, #fn)

int main(void)
{
	ktap_start();
	FOR_TLS13(packets_of_any_size);
	FOR_TLS13(every_place_around_a_key);
	FOR_TLS13(given_at_the_last_moment);
	FOR_TLS13(replays_have_their_own_key);
	FOR_TLS13(changed_plaintext_is_not_replayed);
	FOR_TLS13(resends_have_their_own_key);
	FOR_TLS13(keys_that_are_done);
	FOR_TLS13(the_key_in_use_is_done);
	FOR_TLS13(done_where_a_key_begins);
	FOR_TLS13(resyncs_to_a_key);
	FOR_TLS13(a_key_inside_of_a_record);
	FOR_TLS13(what_is_refused);
	FOR_TLS13(keys_are_shared);
	FOR_TLS13(no_resend_from_what_receives);
	for_all(other_contexts_take_no_key, "other_contexts_take_no_key");
	FOR_TLS13(no_nonce_twice_in_any_order);
	return ktap_finish();
}
