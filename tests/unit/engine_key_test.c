// SPDX-License-Identifier: GPL-2.0-only
/*
 * Contexts that hold their next keys: KeyUpdates in a received stream, in any
 * packets, lost, late, forged, hidden, and without a next key. Each record is
 * sealed by GnuTLS with the key of its place; all that the engine calls
 * decrypted must be the plaintext.
 */
#include "engine_rx_rig.h"
#include "tls/priv.h"

#define KEYS		40
#define MSS		1448
#define PACKETS		(RIG_STREAM / MSS + 1)
#define HANDSHAKE	22
#define DATA		23

static struct model keys[KEYS];		/* the models of all keys of the stream */
static unsigned int key_of[RIG_RECORDS];	/* the key of each record */
static uint64_t number_of[RIG_RECORDS];	/* the number under that key */
static unsigned int key;		/* the key of the next record */
static uint64_t number;
static unsigned int given;		/* keys that the engine has */

static bool begin(const struct suite *s, uint64_t seed)
{
	bool ok = rx_open(s, seed);
	VkdevTlsParams p;

	keys[0] = rig.m;
	for (unsigned int i = 1; i < KEYS; i++) {
		p = rig_params(s, &rig.rng);
		p.rec_no = 0;
		model_init(&keys[i], s, &p);
	}
	key = 0;
	given = 0;
	number = rig.m.p.rec_no;
	return ok;
}

/* Append a record with this content, its type, and @pad zeros. */
static void put(const uint8_t *content, size_t len, uint8_t type, size_t pad)
{
	size_t from = rig.len, all = len + 1 + pad, total = 5 + all + TAG_LEN;
	uint8_t *p = rig.in + from;

	memset(p, 0, total);
	p[0] = DATA;
	p[1] = 3;
	p[2] = 3;
	p[3] = (all + TAG_LEN) >> 8;
	p[4] = (all + TAG_LEN) & 0xff;
	memcpy(p + 5, content, len);
	p[5 + len] = type;
	ktap_expect(model_seal(&keys[key], number, p, total, rig.want + from));
	memcpy(plain + from, p, 5 + all);
	memcpy(plain + from + 5 + all, rig.want + from + 5 + all, TAG_LEN);
	rig.start[rig.records] = from;
	key_of[rig.records] = key;
	number_of[rig.records++] = number++;
	rig.len += total;
}

static void data(size_t len)
{
	static uint8_t content[16384];

	prng_fill(&rig.rng, content, len);
	put(content, len, DATA, 0);
}

static void update(size_t pad)
{
	const uint8_t message[] = { 24, 0, 0, 1, prng_below(&rig.rng, 2) };

	put(message, sizeof(message), HANDSHAKE, pad);
	key++;
	number = 0;
}

static unsigned int give(unsigned int no)
{
	unsigned int st = vkdev_tls_next(rig.ctx, no, keys[no].p.iv, keys[no].p.key);

	given += st == VKTLS_ST_OK;
	return st;
}

static void give_all(unsigned int n)
{
	while (given < n)
		ktap_expect_eq(give(given + 1), VKTLS_ST_OK);
}

static size_t end_of(unsigned int record)
{
	return record + 1 < rig.records ? rig.start[record + 1] : rig.len;
}

static bool deliver_record(unsigned int n)
{
	return deliver(rig.start[n], end_of(n));
}

/* Run a case for the suites of TLS 1.3. */
static void for_13(void (*fn)(const void *suite), const char *name)
{
	char text[80];

	for (unsigned int i = 0; i < suites_num; i++) {
		if (suites[i].version != VKTLS_VERSION_TLS13)
			continue;
		snprintf(text, sizeof(text), "%s: %s", name, suites[i].name);
		ktap_case(text, fn, &suites[i]);
	}
}

/*
 * Append data and KeyUpdates in turn, with @records of data under each key. Each record of data is
 * longer than any record that the engine may take for a lost KeyUpdate.
 */
static void epochs(unsigned int updates, unsigned int records, size_t most)
{
	for (unsigned int i = 0; i <= updates; i++) {
		if (i)
			update(0);
		for (unsigned int n = 0; n < records; n++)
			data(VKDEV_TLS_UPDATE_MAX + prng_below(&rig.rng, most));
	}
}

static void goes_on(const void *row)
{
	ktap_expect(begin(row, 1));
	epochs(6, 3, 400);
	give_all(6);
	for (unsigned int n = 0; n < rig.records; n++) {
		bool last = n + 1 < rig.records && key_of[n + 1] != key_of[n];

		ktap_expect(deliver_record(n));
		ktap_expect_eq(res.rekeys, last);
		ktap_expect(!last || res.key_no == key_of[n] + 1);
		ktap_expect(in_sync());
	}
	rig_close(&rig);
}

/*
 * Packets end anywhere in the KeyUpdate and its neighbours, or hold all of them: all records are
 * decrypted.
 */
static void cuts(const void *row)
{
	for (unsigned int cut = 1; !ktap.bad && cut < 80; cut++) {
		ktap_expect(begin(row, cut));
		epochs(4, 1, 20);
		give_all(4);
		for (size_t at = 0; at < rig.len; at += cut)
			ktap_expect(deliver(at, at + cut < rig.len ? at + cut : rig.len));
		ktap_expect(in_sync());
		rig_close(&rig);
	}
	ktap_expect(begin(row, 1));
	epochs(4, 1, 20);
	give_all(4);
	ktap_expect(deliver(0, rig.len) && res.rekeys == 4 && res.key_no == 4);
	rig_close(&rig);
}

static void padded(const void *row)
{
	for (size_t pad = 0; !ktap.bad && pad < 16384 - 5; pad += 1 + pad) {
		ktap_expect(begin(row, pad));
		data(100);
		update(pad);
		data(100);
		give_all(1);
		for (size_t at = 0; at < rig.len; at += 61)
			ktap_expect(deliver(at, at + 61 < rig.len ? at + 61 : rig.len));
		rig_close(&rig);
	}
}

struct other {
	const char *name;
	uint8_t type, len, content[8];
};

static const struct other others[] = {
	{ "data",			DATA,	   5, { 24, 0, 0, 1, 0 } },
	{ "an alert",			21,	   5, { 24, 0, 0, 1, 0 } },
	{ "data with zeros",		DATA,	   7, { 24, 0, 0, 1, 0, 22, 0 } },
	{ "another value",		HANDSHAKE, 5, { 24, 0, 0, 1, 2 } },
	{ "another length",		HANDSHAKE, 6, { 24, 0, 0, 2, 0, 0 } },
	{ "too short",			HANDSHAKE, 4, { 24, 0, 0, 1 } },
	{ "another message",		HANDSHAKE, 5, { 4, 0, 0, 1, 0 } },
	{ "more behind it",		HANDSHAKE, 6, { 24, 0, 0, 1, 0, 4 } },
};

/*
 * Records that are no KeyUpdate, or hold one with other messages: the key in use stays. After a
 * handshake message the engine may need a further record to see that.
 */
static void no_update(const void *row)
{
	for (unsigned int i = 0; !ktap.bad && i < ARRAY_SIZE(others); i++) {
		ktap_expect(begin(row, i));
		data(50);
		put(others[i].content, others[i].len, others[i].type, 0);
		for (unsigned int n = 0; n < 4; n++)
			data(50);
		give_all(2);
		ktap_expect(deliver_record(0) && deliver_record(1) && !res.rekeys);
		ktap_expect(deliver_record(2) == (others[i].type != HANDSHAKE));
		ktap_expect(in_sync() && deliver(rig.start[3], rig.len) && !res.rekeys);
		if (ktap.bad)
			printf("# %s\n", others[i].name);
		rig_close(&rig);
	}
}

/* A KeyUpdate behind a ticket in one record: found by the tag of a later one. */
static void hidden(const void *row)
{
	static const uint8_t both[] = { 4, 0, 0, 1, 7, 24, 0, 0, 1, 0 };

	ktap_expect(begin(row, 3));
	data(90);
	put(both, sizeof(both), HANDSHAKE, 0);
	key++;
	number = 0;
	for (unsigned int n = 0; n < 4; n++)
		data(90);
	give_all(1);
	ktap_expect(deliver_record(0) && deliver_record(1) && !res.rekeys);
	ktap_expect(!deliver_record(2) && !deliver_record(3));
	ktap_expect(in_sync() && res.found && res.rekeys == 1);
	ktap_expect(deliver(rig.start[4], rig.len));
	rig_close(&rig);
}

/*
 * Without a next key the engine decrypts nothing behind a KeyUpdate. When the key comes, it
 * decrypts at once, or after one record that proves that there was no further KeyUpdate.
 */
static void no_next_key(const void *row)
{
	for (unsigned int late = 0; !ktap.bad && late < 4; late++) {
		ktap_expect(begin(row, late));
		epochs(2, 8, 300);
		give_all(1);
		for (unsigned int n = 0; n < 18; n++)
			ktap_expect(deliver_record(n));
		ktap_expect(res.rekeys == 1 && res.key_no == 2);
		ktap_expect(res.lost == VKTLS_ST_TLS_KEY && !in_sync());
		for (unsigned int n = 0; n < late; n++)
			ktap_expect(!deliver_record(18 + n));
		ktap_expect_eq(give(3), VKTLS_ST_PARAM);
		ktap_expect_eq(give(2), VKTLS_ST_OK);
		ktap_expect(!late || !deliver_record(18 + late));
		ktap_expect(in_sync() && deliver(rig.start[18 + late + !!late], rig.len));
		rig_close(&rig);
	}
}

/*
 * More KeyUpdates pass than the engine has keys: the host tells the record and key at which the
 * engine goes on.
 */
static void far_behind(const void *row)
{
	unsigned int n;

	ktap_expect(begin(row, 5));
	epochs(12, 6, 300);
	give_all(1);
	for (n = 0; key_of[n] < 9; n++)
		ktap_expect(deliver_record(n) == (key_of[n] < 2));
	give_all(2 + VKTLS_TLS_NEXT_KEYS); /* key 2 is in use */
	ktap_expect_eq(give(11), VKTLS_ST_FULL);
	ktap_expect_eq(vkdev_tls_resync_key(rig.ctx, rig.m.p.tcp_seq + rig.start[n + 1],
					    number_of[n + 1], 11), VKTLS_ST_TLS_KEY);
	ktap_expect_eq(vkdev_tls_resync_key(rig.ctx, rig.m.p.tcp_seq + rig.start[n + 1],
					    number_of[n + 1], 1), VKTLS_ST_TLS_KEY);
	ktap_expect_eq(vkdev_tls_resync_key(rig.ctx, rig.m.p.tcp_seq + rig.start[n + 1],
					    number_of[n + 1], 9), VKTLS_ST_OK);
	deliver_record(n);
	for (n++; key_of[n] == 9; n++)
		ktap_expect(deliver_record(n));
	rig_close(&rig);
}

/* A forged KeyUpdate fails authentication, and changes nothing. */
static void forged(const void *row)
{
	for (unsigned int bit = 0; !ktap.bad && bit < 22 * 8; bit++) {
		ktap_expect(begin(row, bit));
		data(200);
		data(5);
		for (unsigned int n = 0; n < 4; n++)
			data(200);
		give_all(2);
		ktap_expect(deliver_record(0));
		rig.want[rig.start[1] + 5 + bit / 8] ^= 1 << bit % 8;
		ktap_expect(!deliver_record(1) && res.auth && !res.rekeys);
		for (unsigned int n = 2; n < 4; n++)
			ktap_expect(!deliver_record(n) && !res.rekeys);
		ktap_expect(in_sync() && deliver(rig.start[4], rig.len) && !res.rekeys);
		rig_close(&rig);
	}
}

/*
 * An old KeyUpdate comes again in place of a record of data: it fails authentication, and the key
 * stays.
 */
static void replayed(const void *row)
{
	size_t len;

	ktap_expect(begin(row, 9));
	data(100);
	update(0);
	data(100);
	data(5);	/* as long as a KeyUpdate */
	for (unsigned int n = 0; n < 4; n++)
		data(100);
	give_all(4);
	len = rig.start[2] - rig.start[1];
	for (unsigned int n = 0; n < 3; n++)
		ktap_expect(deliver_record(n));
	ktap_expect(!deliver_record(1) && !res.rekeys && in_sync());
	memcpy(rig.want + rig.start[3], rig.want + rig.start[1], len);
	ktap_expect(!deliver_record(3) && res.auth && !res.rekeys);
	for (unsigned int n = 4; n < 6; n++)
		ktap_expect(!deliver_record(n) && !res.rekeys);
	ktap_expect(in_sync() && deliver(rig.start[6], rig.len));
	rig_close(&rig);
}

/*
 * A KeyUpdate is lost, alone, with a neighbouring record or in part, and comes late or never: the
 * engine is soon in sync again.
 */
static void lost(const void *row)
{
	for (uint64_t seed = 0; !ktap.bad && seed < 400; seed++) {
		size_t from, to_, at;
		bool late = seed % 2;

		ktap_expect(begin(row, seed));
		epochs(3, 12, 300);
		give_all(3);
		at = rig.start[12];
		from = at - prng_below(&rig.rng, 60);
		to_ = at + 1 + prng_below(&rig.rng, 200);
		ktap_expect(deliver(0, from));
		for (size_t i = to_; i < rig.start[17]; i += 100) {
			deliver(i, i + 100 < rig.start[17] ? i + 100 : rig.start[17]);
			if (late && i == to_)
				deliver(from, to_);
		}
		for (unsigned int n = 17; n < 25; n++)
			deliver_record(n);
		ktap_expect(in_sync());
		for (unsigned int n = 25; n < rig.records; n++)
			ktap_expect(deliver_record(n));
		if (ktap.bad)
			printf("# seed %u\n", (unsigned int)seed);
		rig_close(&rig);
	}
}

/* Bytes of the old key that arrive behind the KeyUpdate are decrypted, too. */
static void late_bytes_of_the_old_key(const void *row)
{
	const struct suite *s = row;
	size_t at;

	ktap_expect(begin(row, 6));
	for (unsigned int n = 0; n < 3; n++) {
		data(100);
		data(100);
		update(0);
	}
	give_all(3);
	at = rig.start[1] + 20;
	ktap_expect(deliver(0, at) && deliver(at + 8, rig.start[3]) == vkdev_aead_sums(s->alg));
	ktap_expect(deliver_record(3) && deliver(at, at + 8) == vkdev_aead_sums(s->alg));
	ktap_expect(deliver(rig.start[4], rig.len) && in_sync());
	rig_close(&rig);
}

static void refusals(const void *row)
{
	const struct suite *s = row;
	bool is_13 = s->version == VKTLS_VERSION_TLS13;
	uint8_t long_key[32];

	ktap_expect(begin(s, 2));
	ktap_expect_eq(give(0), is_13 ? VKTLS_ST_PARAM : VKTLS_ST_UNSUPPORTED);
	ktap_expect_eq(give(2), is_13 ? VKTLS_ST_PARAM : VKTLS_ST_UNSUPPORTED);
	ktap_expect_eq(vkdev_tls_resync_key(rig.ctx, 0, 0, 1), VKTLS_ST_STATE);
	if (is_13 && s->alg == VKDEV_AEAD_AES_128_GCM) {
		memset(long_key, 1, sizeof(long_key));
		ktap_expect_eq(vkdev_tls_next(rig.ctx, 1, keys[1].p.iv, long_key),
			       VKTLS_ST_RESERVED);
	}
	for (unsigned int i = 1; is_13 && i <= VKTLS_TLS_NEXT_KEYS; i++)
		ktap_expect_eq(give(i), VKTLS_ST_OK);
	if (is_13)
		ktap_expect_eq(give(VKTLS_TLS_NEXT_KEYS + 1), VKTLS_ST_FULL);
	rig_close(&rig);
	ktap_expect(rig_open(&rig, s, 2));
	ktap_expect_eq(vkdev_tls_next(rig.ctx, 1, keys[1].p.iv, keys[1].p.key),
		       VKTLS_ST_UNSUPPORTED);
	rig_close(&rig);
}

/*
 * A receiving host as TCP and kernel TLS are: of each byte the first copy counts. The host believes
 * a record of which all bytes were decrypted; a record decrypted in part is mended with the
 * record's key or the key before it.
 */
static struct {
	bool have[RIG_STREAM], ours[RIG_STREAM];
	uint8_t data[RIG_STREAM];
	unsigned int due[PACKETS];	/* arrival; 0: has arrived */
	size_t read;			/* packets without a gap before */
	size_t bytes;			/* decrypted */
	bool asked;
	uint32_t question;
	unsigned int used;		/* the engine's key, as reported to the host */
	unsigned int give_at;		/* time of the next key, or 0 */
} host;

static void host_take(size_t from, const uint8_t *p, size_t len, bool ours)
{
	for (size_t i = 0; i < len; i++) {
		if (host.have[from + i])
			continue;
		host.have[from + i] = true;
		host.ours[from + i] = ours;
		host.data[from + i] = p[i];
		host.bytes += ours;
	}
}

/* Check all records up to the first forged header, behind which the host finds no record. */
static void host_judge(void)
{
	for (unsigned int n = 0; n < rig.records; n++) {
		size_t i;

		if (memcmp(host.data + rig.start[n], plain + rig.start[n], 5))
			return;
		for (i = rig.start[n]; i < end_of(n) && host.ours[i]; i++)
			;
		if (i == end_of(n))
			ktap_expect_mem(host.data + rig.start[n], plain + rig.start[n],
					end_of(n) - rig.start[n]);
	}
}

static void host_answer(void)
{
	for (unsigned int n = 0; n < rig.records; n++) {
		if (rig.m.p.tcp_seq + (uint32_t)rig.start[n] == host.question)
			vkdev_tls_resync_key(rig.ctx, host.question, number_of[n], key_of[n]);
	}
	host.asked = false;
}

static void host_packet(size_t from, const uint8_t *p, size_t len, unsigned int now)
{
	vkdev_tls_rx(rig.ctx, rig.m.p.tcp_seq + from, p, to, len, &res);
	host_take(from, res.decrypted ? to : p, len, res.decrypted);
	if (res.rekeys) {
		host.used = res.key_no;
		host.give_at = host.give_at ? host.give_at : now;
	}
	if (res.resync_req && !host.asked) {
		host.question = res.resync_seq;
		host.asked = true;
	}
}

struct net {
	const char *name;
	unsigned int late;	/* packets of 1000 that are lost and sent again */
	unsigned int delay;	/* packets until they are */
	unsigned int every;	/* bytes between KeyUpdates */
	unsigned int slow;	/* packets until the host has given a further key */
	unsigned int floor;	/* least share, of 1000 */
};

static const struct net nets[] = {
	{ "clean",				0,  0, 100000, 30, 1000 },
	{ "clean, a slow host",			0,  0, 100000, 200, 1000 },
	{ "clean, one for 10 KB",		0,  0, 10000, 30, 990 },
	{ "0.1 % come 20 packets late",		1,  20, 100000, 30, 990 },
	{ "1 % come 15 packets late",		10, 15, 100000, 30, 950 },
	{ "1 % late, one for 10 KB",		10, 15, 10000, 30, 880 },
	{ "5 % come 10 packets late",		50, 10, 100000, 30, 820 },
	{ "10 % come 60 packets late",		100, 60, 100000, 30, 500 },
};

static void net_stream(const struct net *net, const struct suite *s, uint64_t seed)
{
	size_t next = net->every;

	ktap_expect(begin(s, seed));
	while (rig.len < RIG_STREAM - 2 * 16500 && rig.records < RIG_RECORDS - 2) {
		data(1 + prng_below(&rig.rng, net->every < 50000 ? 4000 : 16384));
		if (rig.len < next || key == KEYS - 1)
			continue;
		update(0);
		next = rig.len + net->every;
	}
	give_all(4);
}

static void host_clear(void)
{
	memset(&host, 0, sizeof(host));
	memset(host.due, 0xff, sizeof(host.due));
}

static void host_step(const struct net *net, unsigned int now)
{
	while (host.read * MSS < rig.len && !host.due[host.read])
		host.read++;
	if (host.asked &&
	    (int32_t)(rig.m.p.tcp_seq + host.read * MSS - host.question) > 0)
		host_answer();
	if (!host.give_at || now < host.give_at + net->slow)
		return;
	host.give_at = 0;
	while (given < KEYS - 1 && given < host.used + VKTLS_TLS_NEXT_KEYS)
		ktap_expect_eq(give(given + 1), VKTLS_ST_OK);
}

static void net_run(const struct net *net, const struct suite *s, uint64_t seed)
{
	size_t packets, left, from;

	net_stream(net, s, seed);
	packets = (rig.len + MSS - 1) / MSS;
	left = packets;
	for (unsigned int now = 1; left; now++) {
		if (now <= packets)
			host.due[now - 1] = now + 1 +
				(prng_below(&rig.rng, 1000) < net->late ? net->delay : 0);
		for (size_t n = now > 100 ? now - 100 : 0; n < packets && n < now; n++) {
			if (!host.due[n] || host.due[n] > now)
				continue;
			from = n * MSS;
			host.due[n] = 0;
			left--;
			host_packet(from, rig.want + from,
				    from + MSS < rig.len ? MSS : rig.len - from, now);
			ktap_expect(!res.auth);
		}
		host_step(net, now);
	}
	host_judge();
	rig_close(&rig);
}

static void shares(const void *row)
{
	const struct suite *s = row;

	for (size_t i = 0; !ktap.bad && i < ARRAY_SIZE(nets); i++) {
		size_t all = 0, bytes = 0;

		for (uint64_t seed = 1; seed <= 6; seed++) {
			host_clear();
			net_run(&nets[i], s, seed);
			bytes += host.bytes;
			all += rig.len;
		}
		printf("# figure: %s, KeyUpdates, %s: %u.%u %% decrypted\n", s->name,
		       nets[i].name, (unsigned int)(bytes * 100 / all),
		       (unsigned int)(bytes * 1000 / all % 10));
		ktap_expect(bytes * 1000 / all >= nets[i].floor || !vkdev_aead_sums(s->alg));
	}
}

/*
 * Loss, forgery, resync, KeyUpdate and new contexts in random order: a host never believes a wrong
 * byte.
 */
static void life(const struct suite *s, uint64_t seed)
{
	static uint8_t packet[MSS];
	size_t at = 0, from, n;

	host_clear();
	ktap_expect(begin(s, seed));
	while (rig.records < 120 && key < KEYS - 1) {
		data(prng_below(&rig.rng, seed % 3 ? 900 : 4000));
		if (!prng_below(&rig.rng, 5))
			update(prng_below(&rig.rng, 8) ? 0 : prng_below(&rig.rng, 300));
	}
	while (at < rig.len && !ktap.bad) {
		from = at;
		if (prng_below(&rig.rng, 5) == 0)
			from = at - prng_below(&rig.rng, at < 6000 ? at + 1 : 6000);
		else if (prng_below(&rig.rng, 10) == 0)
			from = at + prng_below(&rig.rng, rig.len - at < 3000 ? rig.len - at : 3000);
		n = 1 + prng_below(&rig.rng, MSS);
		n = n < rig.len - from ? n : rig.len - from;
		memcpy(packet, rig.want + from, n);
		if (prng_below(&rig.rng, 80) == 0)
			packet[prng_below(&rig.rng, n)] ^= 1 << prng_below(&rig.rng, 8);
		host_packet(from, packet, n, 1);
		if (prng_below(&rig.rng, 4) == 0 && given < KEYS - 1)
			give(given + 1);
		if (host.asked && prng_below(&rig.rng, 3) == 0)
			host_answer();
		if (from <= at && from + n > at)
			at = from + n;
	}
	rig_close(&rig);
	host_judge();
}

static void any_life(const void *row)
{
	for (uint64_t seed = 1; !ktap.bad && seed <= 400; seed++) {
		life(row, seed);
		if (ktap.bad)
			printf("# seed %u\n", (unsigned int)seed);
	}
}

int main(void)
{
	ktap_start();
	for_13(goes_on, "goes on with the next key");
	for_13(cuts, "a KeyUpdate cut anywhere");
	for_13(padded, "a padded KeyUpdate");
	for_13(no_update, "records that are no KeyUpdate");
	for_13(hidden, "a KeyUpdate behind another message");
	for_13(no_next_key, "no next key");
	for_13(far_behind, "more KeyUpdates than keys");
	for_13(forged, "a forged KeyUpdate");
	for_13(replayed, "a replayed KeyUpdate");
	for_13(lost, "a lost KeyUpdate");
	for_13(late_bytes_of_the_old_key, "late bytes of the old key");
	for_all(refusals, "refusals");
	for_13(any_life, "loss, forgery, resync, KeyUpdate in any order");
	for_13(shares, "shares");
	return ktap_finish();
}
