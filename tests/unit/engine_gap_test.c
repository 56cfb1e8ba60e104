// SPDX-License-Identifier: GPL-2.0-only
/*
 * Gaps in a received stream, with the engine's memory for them enabled:
 * records with bytes in any order, headers that come late, and resync when a
 * header never comes. GnuTLS seals the records; all that the engine calls
 * decrypted must be the plaintext.
 */
#include "engine_rx_rig.h"

#define MSS	1448
#define PACKETS	(RIG_STREAM / MSS + 1)

static bool holds(const struct suite *s)
{
	return vkdev_aead_sums(s->alg);
}

static size_t head_len(const struct suite *s)
{
	return 5 + s->nonce_len;
}

/* Shuffle by Fisher and Yates; order[0] stays in its place. */
static void shuffle_behind_first(size_t *order, size_t n)
{
	for (size_t i = n - 1; i > 1; i--) {
		size_t j = 1 + prng_below(&rig.rng, i), was = order[i];

		order[i] = order[j];
		order[j] = was;
	}
}

/*
 * With one hole anywhere behind the header, the bytes after the hole are
 * decrypted, and so are the late ones.
 */
static void late_piece(const void *row)
{
	const struct suite *s = row;
	size_t head = head_len(s), a, b, end;
	bool held;

	for (uint64_t seed = 0; !ktap.bad && seed < 200; seed++) {
		ktap_expect(rx_stream(s, seed, 4, 300));
		end = rig.start[2];
		a = rig.start[1] + head + prng_below(&rig.rng, end - rig.start[1] - head);
		b = a + 1 + prng_below(&rig.rng, end - a);
		held = holds(s) && a <= end - TAG_LEN; /* no hole is remembered in a tag */
		ktap_expect(deliver(0, a) && res.records == 1);
		ktap_expect(b == end || (deliver(b, end) == held && !res.records));
		ktap_expect(in_sync() && !res.resync_req);
		ktap_expect(deliver(rig.start[2], rig.start[3]) && res.records == 1);
		ktap_expect(deliver(a, b) == held && res.late == held);
		ktap_expect_eq(res.records, held);
		ktap_expect(!deliver(a, b) && !res.auth);
		ktap_expect(deliver(rig.start[3], rig.len));
		rig_close(&rig);
	}
}

/*
 * Deliver the header of a record, then its other pieces in any order. @flip:
 * one bit is wrong, which only the last piece may show.
 */
static void pieces(const struct suite *s, uint64_t seed, bool flip)
{
	size_t cut[8], order[7], n = 7, at, refused = 0;

	ktap_expect(rx_stream(s, seed, 3, 3000));
	cut[0] = rig.start[1];
	cut[1] = cut[0] + head_len(s);
	cut[n] = rig.start[2];
	for (size_t i = 2; i < n; i++)
		cut[i] = cut[1] + (cut[n] - cut[1]) * (i - 1) / (n - 1);
	at = cut[1] + prng_below(&rig.rng, cut[n] - cut[1]);
	for (size_t i = 0; i < n; i++)
		order[i] = i;
	shuffle_behind_first(order, n);
	if (flip) {
		rig.want[at] ^= 1 << prng_below(&rig.rng, 8);
		plain[at] = rig.want[at] ^ rig.in[at] ^ plain[at];
	}
	ktap_expect(deliver(0, rig.start[1]));
	for (size_t i = 0; i < n; i++) {
		vkdev_tls_rx(rig.ctx, rig.m.p.tcp_seq + cut[order[i]], rig.want + cut[order[i]],
			     to, cut[order[i] + 1] - cut[order[i]], &res);
		refused += !res.decrypted;
		ktap_expect(res.decrypted == !(flip && i == n - 1));
		ktap_expect_eq(res.records, !flip && i == n - 1);
		ktap_expect_eq(res.auth, flip && i == n - 1);
	}
	ktap_expect_eq(refused, flip);
	rig_close(&rig);
}

static void any_order(const void *row)
{
	for (uint64_t seed = 1; holds(row) && !ktap.bad && seed < 300; seed++)
		pieces(row, seed, false);
}

/*
 * With a wrong bit all pieces but the last are reported as decrypted; the last
 * is not.
 */
static void wrong_bit_in_any_order(const void *row)
{
	for (uint64_t seed = 1; holds(row) && !ktap.bad && seed < 300; seed++)
		pieces(row, seed, true);
}

/*
 * A late header leads back into sync, at the record in progress or at a
 * tracked one.
 */
static void late_header(const void *row)
{
	for (unsigned int later = 1; !ktap.bad && later < 30; later++) {
		ktap_expect(rx_stream(row, later, 40, 300));
		vkdev_tls_engine_forgetful(engine(), false);
		ktap_expect(deliver(0, rig.start[1] + 3));
		for (unsigned int n = 2; n < 2 + later; n++)
			deliver(rig.start[n] - 8, rig.start[n + 1] - 8);
		ktap_expect(later > 1 || !in_sync());
		deliver(rig.start[1] + 3, rig.start[2] - 8);
		ktap_expect(in_sync() && (later > 1 || res.found));
		deliver(rig.start[later + 2] - 8, rig.start[later + 2]);
		ktap_expect(deliver(rig.start[later + 2], rig.len));
		rig_close(&rig);
	}
}

/* The lost headers never come. The tag of a later record proves its number. */
static void guess(const void *row)
{
	for (unsigned int lost = 1; !ktap.bad && lost <= 8; lost++) {
		unsigned int n = lost;

		ktap_expect(rx_stream(row, lost, 40, 300));
		for (; !ktap.bad && n < lost * 2; n++) {
			ktap_expect(!in_sync() || n == lost);
			ktap_expect(!deliver(rig.start[n], rig.start[n + 1]));
		}
		ktap_expect(in_sync() && res.found);
		ktap_expect(deliver(rig.start[n], rig.len));
		rig_close(&rig);
	}
}

/*
 * With more lost records than are guessed one by one, the distance gives their
 * number.
 */
static void guess_by_distance(const void *row)
{
	const struct suite *s = row;
	size_t most = s->payload_max > 16384 ? 16385 : 16384;

	for (unsigned int lost = 1; !ktap.bad && lost <= 55; lost += 1 + lost / 8) {
		/*
		 * First records of the maximum length, which are the most
		 * frequent; then short ones of equal length.
		 */
		for (size_t len = most; !ktap.bad && len; len = len == most ? 300 : 0) {
			ktap_expect(rx_open(s, lost));
			while (rig.records < lost + 3)
				ktap_expect(rx_record(len));
			ktap_expect(!deliver(rig.start[lost], rig.start[lost + 1]));
			ktap_expect(in_sync() && res.found);
			ktap_expect(deliver(rig.start[lost + 1], rig.len));
			rig_close(&rig);
		}
	}
}

/*
 * The lost header comes late, after one or two more gaps. By the next guess
 * all records lost in the first gap have arrived.
 */
static void late_header_after_other_gaps(const void *row)
{
	for (uint64_t seed = 0; !ktap.bad && seed < 60; seed++) {
		unsigned int n = 4;

		ktap_expect(rx_open(row, seed));
		while (rig.records < 12) /* lengths differ: no distance is a multiple */
			ktap_expect(rx_record(120 + 7 * rig.records));
		ktap_expect(deliver(0, rig.start[1]));
		ktap_expect(!deliver(rig.start[2], rig.start[3] - 9));
		ktap_expect(!deliver(rig.start[n] - 8, rig.start[n] - 1));
		deliver(rig.start[1], rig.start[2]);
		if (seed % 2) {
			ktap_expect(!deliver(rig.start[n] - 1, rig.start[n + 1] - 9));
			n += 2;
			ktap_expect(!deliver(rig.start[n] - 8, rig.start[n] - 1));
		}
		ktap_expect(!in_sync());
		ktap_expect(!deliver(rig.start[n] - 1, rig.start[n + 1]));
		ktap_expect(in_sync() && res.found);
		ktap_expect(deliver(rig.start[n + 1], rig.len));
		rig_close(&rig);
	}
}

/*
 * After nine lost records, followed by longer ones, no guess is right: the
 * answer of the host is needed, and is enough.
 */
static void guess_ends(const void *row)
{
	const struct suite *s = row;

	ktap_expect(rx_open(s, 3));
	while (rig.records < 100)
		ktap_expect(rx_record(s->payload_min + (rig.records < 9 ? 1 : 100)));
	for (unsigned int n = 9; n < 90; n++) {
		ktap_expect(!deliver(rig.start[n], rig.start[n + 1]) && !in_sync());
		if (n == 80)
			ktap_expect_eq(tell(73, 73), VKTLS_ST_OK);
		if (n == 80)
			break;
	}
	ktap_expect(in_sync() && deliver(rig.start[81], rig.len));
	rig_close(&rig);
}

/* No record number is started twice, even if the host's answer says so. */
static void no_record_twice(const void *row)
{
	ktap_expect(rx_stream(row, 4, 9, 300));
	ktap_expect(deliver(0, rig.start[4]));
	deliver(rig.start[8] + 7, rig.len);
	deliver(rig.start[1], rig.start[2]);
	ktap_expect(res.resync_req && answer(res.resync_seq));
	ktap_expect(!deliver(rig.start[2], rig.start[3]));
	ktap_expect(!deliver(rig.start[3], rig.start[4]));
	ktap_expect(deliver(rig.start[4], rig.start[5]));
	rig_close(&rig);
}

/*
 * Other contexts use up the entries for held records: late bytes are then not
 * decrypted, and nothing else goes wrong.
 */
static void no_room(const void *row)
{
	struct {
		VkdevTlsCtx *ctx;
	} others[2 * ENGINE_HELD];
	size_t half;

	ktap_expect(rx_stream(row, 5, 3, 1000) && rx_record(500));
	half = rig.start[3] + 100;
	ktap_expect(deliver(0, half));
	deliver(half + 100, half + 200);
	for (unsigned int i = 0; i < ARRAY_SIZE(others); i++) {
		VkdevTlsRxResult r;

		others[i].ctx = NULL;
		vkdev_tls_add(engine(), &rig.m.p, &others[i].ctx);
		vkdev_tls_rx(others[i].ctx, rig.m.p.tcp_seq, rig.want, to, half, &r);
		vkdev_tls_rx(others[i].ctx, rig.m.p.tcp_seq + half + 50, rig.want + half + 50,
			     to, 9, &r);
	}
	ktap_expect(!deliver(half, half + 100) && !deliver(half + 200, rig.len));
	ktap_expect(!res.auth && in_sync());
	for (unsigned int i = 0; i < ARRAY_SIZE(others); i++)
		vkdev_tls_del(others[i].ctx);
	rig_close(&rig);
}

/*
 * A receiving host as TCP and kernel TLS are: for each byte the first copy
 * that arrives counts. A record of decrypted bytes only is not verified again,
 * so it must be right.
 */
struct host {
	bool have[RIG_STREAM], ours[RIG_STREAM];
	uint8_t data[RIG_STREAM];
};

static struct host host;

static void host_take(size_t from, const uint8_t *p, size_t len, bool ours)
{
	for (size_t i = 0; i < len; i++) {
		if (host.have[from + i])
			continue;
		host.have[from + i] = true;
		host.ours[from + i] = ours;
		host.data[from + i] = p[i];
	}
}

static unsigned int host_judge(void)
{
	unsigned int believed = 0;

	for (unsigned int n = 0; n < rig.records; n++) {
		size_t end = n + 1 < rig.records ? rig.start[n + 1] : rig.len, i;

		for (i = rig.start[n]; i < end && host.ours[i]; i++)
			;
		if (i < end)
			continue;
		believed++;
		ktap_expect_mem(host.data + rig.start[n], plain + rig.start[n],
				end - rig.start[n]);
	}
	return believed;
}

/*
 * Send packets from anywhere near the current position, some of them forged.
 * The host refuses to take some.
 */
static unsigned int forgers(const struct suite *s, uint64_t seed)
{
	static uint8_t packet[MSS];
	size_t at = 0, from, n;

	ktap_expect(rx_stream(s, seed, 60, seed % 3 ? 900 : 4000));
	memset(host.have, 0, sizeof(host.have));
	memset(host.ours, 0, sizeof(host.ours));
	while (at < rig.len) {
		from = at;
		if (prng_below(&rig.rng, 3) == 0)
			from = at - prng_below(&rig.rng, at < 6000 ? at + 1 : 6000);
		else if (prng_below(&rig.rng, 6) == 0)
			from = at + prng_below(&rig.rng, rig.len - at);
		n = 1 + prng_below(&rig.rng, MSS);
		n = n < rig.len - from ? n : rig.len - from;
		memcpy(packet, rig.want + from, n);
		if (prng_below(&rig.rng, 40) == 0)
			packet[prng_below(&rig.rng, n)] ^= 1 << prng_below(&rig.rng, 8);
		vkdev_tls_rx(rig.ctx, rig.m.p.tcp_seq + from, packet, to, n, &res);
		if (prng_below(&rig.rng, 20))
			host_take(from, res.decrypted ? to : packet, n, res.decrypted);
		if (res.resync_req && prng_below(&rig.rng, 2))
			answer(res.resync_seq);
		if (from <= at && from + n > at)
			at = from + n;
	}
	rig_close(&rig);
	return host_judge();
}

static void forged_packets(const void *row)
{
	unsigned int believed = 0;

	for (uint64_t seed = 1; !ktap.bad && seed <= 300; seed++) {
		believed += forgers(row, seed);
		if (ktap.bad)
			printf("# seed %u\n", (unsigned int)seed);
	}
	ktap_expect(believed > 1000);
}

/* A network that delays lost packets until they are sent again. */
struct net {
	const char *name;
	unsigned int late;	/* lost and delayed packets of 1000 */
	unsigned int delay;	/* delay in packets */
	unsigned int floor; /* least share that must be decrypted, in 1/1000 */
};

static const struct net nets[] = {
	{ "clean",				0,   0,	1000 },
	{ "0.1 % come 20 packets late",		1,  20,  995 },
	{ "1 % come 15 packets late",		10, 15,  960 },
	{ "5 % come 10 packets late",		50, 10,  880 },
	{ "10 % come 5 packets late",		100, 5,  820 },
	{ "10 % come 60 packets late",		100, 60, 620 },
};

struct peer {
	unsigned int due[PACKETS];	/* time of arrival; 0: has arrived */
	size_t read;		/* packets received without a gap */
	bool asked;
	uint32_t question;
	size_t bytes;		/* bytes decrypted */
};

static struct peer peer;

static void net_deliver(size_t n)
{
	size_t from = n * MSS, end = from + MSS < rig.len ? from + MSS : rig.len;

	peer.due[n] = 0;
	peer.bytes += deliver(from, end) ? end - from : 0;
	ktap_expect(!res.auth);
	if (res.resync_req && !peer.asked) {
		peer.question = res.resync_seq;
		peer.asked = true;
	}
	while (peer.read * MSS < rig.len && !peer.due[peer.read])
		peer.read++;
	if (peer.asked && (int32_t)(rig.m.p.tcp_seq + peer.read * MSS - peer.question) > 0) {
		answer(peer.question);
		peer.asked = false;
	}
}

static void net_run(const struct net *net, const struct suite *s, uint64_t seed)
{
	size_t packets, left;

	ktap_expect(rx_open(s, seed));
	while (rig.len < RIG_STREAM - 2 * 16500)
		ktap_expect(rx_record(1 + prng_below(&rig.rng, 16384)));
	packets = (rig.len + MSS - 1) / MSS;
	peer.read = 0;
	peer.asked = false;
	memset(peer.due, 0xff, sizeof(peer.due));
	left = packets;
	for (unsigned int now = 1; left; now++) {
		if (now <= packets)
			peer.due[now - 1] = now + 1 +
				(prng_below(&rig.rng, 1000) < net->late ? net->delay : 0);
		for (size_t n = now > 100 ? now - 100 : 0; n < packets && n < now; n++) {
			if (peer.due[n] && peer.due[n] <= now) {
				net_deliver(n);
				left--;
			}
		}
	}
	rig_close(&rig);
}

/*
 * Return the share of a stream that is decrypted, in 1/1000, with or without
 * the engine's memory for gaps.
 */
static unsigned int share(const struct net *net, const struct suite *s, bool forgetful)
{
	size_t all = 0;

	peer.bytes = 0;
	vkdev_tls_engine_forgetful(engine(), forgetful);
	for (uint64_t seed = 1; seed <= 10; seed++) {
		net_run(net, s, seed);
		all += rig.len;
	}
	vkdev_tls_engine_forgetful(engine(), false);
	return peer.bytes * 1000 / all;
}

static void shares(const void *row)
{
	const struct suite *s = row;

	for (size_t i = 0; i < ARRAY_SIZE(nets); i++) {
		unsigned int with = share(&nets[i], s, false);
		unsigned int without = share(&nets[i], s, true);

		printf("# figure: %s, %s: %u.%u %% decrypted, %u.%u %% without memory\n",
		       s->name, nets[i].name, with / 10, with % 10, without / 10,
		       without % 10);
		ktap_expect(with >= without && (with >= nets[i].floor || !holds(s)));
	}
}

int main(void)
{
	ktap_start();
	for_all(late_piece, "a late piece");
	for_all(any_order, "pieces in any order");
	for_all(wrong_bit_in_any_order, "a wrong bit, in any order");
	for_all(late_header, "a late header");
	for_all(guess, "lost headers that never come");
	for_all(guess_by_distance, "lost headers, as many as fit");
	for_all(late_header_after_other_gaps, "a late header after other gaps");
	for_all(guess_ends, "too many lost headers");
	for_all(no_record_twice, "no record begins twice");
	for_all(no_room, "no room");
	for_all(forged_packets, "forged packets");
	for_all(shares, "shares");
	return ktap_finish();
}
