// SPDX-License-Identifier: GPL-2.0-only
/*
 * Joining of frames: which frames are joined, and which are not. In each case gro_rig.h
 * checks that a joined packet can be cut into the original frames.
 */
#include "gro_rig.h"
#include "ktap.h"
#include "prng.h"

#define ACK 0x10
#define PSH 0x08
#define CWR 0x80
#define ANY (VKTLS_PORT_RX_GRO_IP | VKTLS_PORT_RX_GRO_CWR)

static struct gro_rig rig;

static void start(void)
{
	memset(&rig, 0, sizeof(rig));
}

static bool feed(const struct gro_make *m)
{
	uint8_t frame[GRO_FRAME_MAX];

	return gro_frame(&rig, frame, gro_make(frame, m));
}

static void stream(uint8_t version)
{
	struct gro_make m = GRO_MAKE(version, ACK, 12, 0xfffe, 0xfffff000, 1448);

	start();
	for (int n = 0; n < 200; n++) {
		feed(&m);
		m.seq += m.payload;
		m.id++;
	}
	gro_end(&rig);
	/* at most 45 frames in a packet: 45 * 1448 = 65160 */
	ktap_expect_eq(rig.frames, 200);
	ktap_expect_eq(rig.packets, 5);
}

static void joins_ipv4(void)
{
	stream(4);
}

static void joins_ipv6(void)
{
	stream(6);
}

static void no_more_than_its_count_holds(void)
{
	struct gro_make m = GRO_MAKE(4, ACK, 0, 1, 1, 1);

	start();
	for (int n = 0; n < 2 * VKTLS_RX_GRO_SEGS; n++) {
		feed(&m);
		m.seq++;
		m.id++;
	}
	gro_end(&rig);
	ktap_expect_eq(rig.packets, 2);
	ktap_expect_eq(rig.frames, 2 * VKTLS_RX_GRO_SEGS);
}

/* Join two frames, then return whether a third one, as long as the first, is joined. */
static bool third_joins(struct gro_make m, size_t second, uint8_t flags)
{
	start();
	feed(&m);
	m.seq += m.payload;
	m.id++;
	m.payload = second;
	m.flags = flags;
	ktap_expect(feed(&m));
	m.seq += second;
	m.id++;
	m.flags = ACK;
	return feed(&m);
}

static void last_ones(void)
{
	const struct gro_make m = GRO_MAKE(4, ACK, 0, 1, 1, 100);

	ktap_expect(third_joins(m, 100, ACK));
	ktap_expect(!third_joins(m, 99, ACK));
	ktap_expect_eq(rig.frames, 2);
	ktap_expect(!third_joins(m, 100, ACK | PSH));
	ktap_expect_eq(rig.frames, 2);
}

static void pushed_one_is_alone(void)
{
	struct gro_make m = GRO_MAKE(4, ACK | PSH, 0, 1, 1, 100);

	start();
	feed(&m);
	m.seq += 100;
	m.id++;
	ktap_expect(!feed(&m));
	ktap_expect_eq(rig.packets, 0);
}

static void steady_identification(void)
{
	struct gro_make m = GRO_MAKE(4, ACK, 0, 7, 1, 100);

	start();
	for (int n = 0; n < 3; n++) {
		ktap_expect_eq(feed(&m), n > 0);
		m.seq += 100;
	}
	m.id++;		/* identification changes: not joined any more */
	ktap_expect(!feed(&m));
	gro_end(&rig);
	ktap_expect_eq(rig.frames, 3);
}

/*
 * Frames that a router may fragment need different identifications, so equal ones are not
 * joined.
 */
static void steady_identification_of_what_may_be_cut(void)
{
	struct gro_make m = GRO_MAKE(4, ACK, 0, 7, 1, 100);
	uint8_t frame[GRO_FRAME_MAX];

	start();
	for (int n = 0; n < 3; n++) {
		size_t len = gro_make(frame, &m);

		frame[VKDEV_ETH_HDR + 6] = 0;
		gro_sum(frame, len);
		ktap_expect(!gro_frame(&rig, frame, len));
		m.seq += 100;
	}
}

struct row {
	const char *what;
	uint8_t version;
	uint16_t at;		/* byte of the second frame that is changed */
	uint8_t flip;
	bool joins;
};

#define L3 VKDEV_ETH_HDR
#define TCP4 (L3 + 20)
#define TCP6 (L3 + 40)

static const struct row rows[] = {
	{ "nothing", 4, L3, 0, true },
	{ "nothing, IPv6", 6, L3, 0, true },
	{ "destination", 4, 5, 1, false },
	{ "source", 4, 11, 1, false },
	{ "type of service", 4, L3 + 1, 1, false },
	{ "identification", 4, L3 + 5, 4, false },
	{ "don't fragment", 4, L3 + 6, 0x40, false },
	{ "more fragments", 4, L3 + 6, 0x20, false },
	{ "reserved flag", 4, L3 + 6, 0x80, false },
	{ "time to live", 4, L3 + 8, 1, false },
	{ "protocol", 4, L3 + 9, 17 ^ 6, false },
	{ "source address", 4, L3 + 15, 1, false },
	{ "destination address", 4, L3 + 19, 1, false },
	{ "traffic class", 6, L3 + 1, 0x10, false },
	{ "flow label", 6, L3 + 3, 1, false },
	{ "next header", 6, L3 + 6, 6, false },
	{ "hop limit", 6, L3 + 7, 1, false },
	{ "source address, IPv6", 6, L3 + 23, 1, false },
	{ "destination address, IPv6", 6, L3 + 39, 1, false },
	{ "source port", 4, TCP4 + 1, 1, false },
	{ "destination port", 4, TCP4 + 3, 1, false },
	{ "sequence", 4, TCP4 + 7, 1, false },
	{ "sequence, far", 4, TCP4 + 4, 0x80, false },
	{ "acknowledgment number", 4, TCP4 + 11, 1, false },
	{ "reserved bit", 4, TCP4 + 12, 1, false },
	{ "data offset", 4, TCP4 + 12, 0x10, false },
	{ "window", 4, TCP4 + 15, 1, false },
	{ "urgent pointer", 4, TCP4 + 19, 1, false },
	{ "an option", 4, TCP4 + 24, 1, false },
	{ "an option, IPv6", 6, TCP6 + 31, 1, false },
	{ "FIN", 4, TCP4 + 13, 0x01, false },
	{ "SYN", 4, TCP4 + 13, 0x02, false },
	{ "RST", 4, TCP4 + 13, 0x04, false },
	{ "PSH", 4, TCP4 + 13, 0x08, true },
	{ "no ACK", 4, TCP4 + 13, 0x10, false },
	{ "URG", 4, TCP4 + 13, 0x20, false },
	{ "ECE", 4, TCP4 + 13, 0x40, false },
	{ "CWR", 4, TCP4 + 13, 0x80, false },
	{ "payload", 4, TCP4 + 40, 0xff, true },
};

static void differs_in(const void *data)
{
	const struct row *row = data;
	struct gro_make m = GRO_MAKE(row->version, ACK, 12, 5, 1, 100);
	uint8_t frame[GRO_FRAME_MAX];
	size_t len;

	start();
	feed(&m);
	m.seq += 100;
	m.id++;
	len = gro_make(frame, &m);
	frame[row->at] ^= row->flip;
	gro_sum(frame, len);
	ktap_expect_eq(gro_frame(&rig, frame, len), row->joins);
	gro_end(&rig);
	ktap_expect_eq(rig.packets, row->joins);
}

static void of_other_shape(void)
{
	const struct gro_make first = GRO_MAKE(4, ACK, 12, 5, 1, 100);
	struct gro_make m = first;
	uint8_t frame[GRO_FRAME_MAX];
	size_t len;

	m.seq = 101;
	m.id = 6;
	for (size_t size = 0; size <= 101; size++) {
		start();
		feed(&first);
		m.payload = size;
		ktap_expect_eq(feed(&m), size >= 1 && size <= 100);
	}
	start();
	feed(&first);
	m.payload = 50;
	len = gro_make(frame, &m);
	frame[len] = 0;			/* one byte after the end of the IP packet */
	ktap_expect(!gro_frame(&rig, frame, len + 1));
	ktap_expect_eq(rig.gro.segs, 0);
	frame[len - 1] ^= 1;		/* wrong checksum */
	ktap_expect(!gro_frame(&rig, frame, len));
	gro_end(&rig);
	ktap_expect_eq(rig.packets, 0);
}

/* Frames that begin no packet: to a multicast address, or with a VLAN tag. */
static void first_ones_that_open_nothing(void)
{
	const struct gro_make m = GRO_MAKE(4, ACK, 0, 1, 1, 100);
	uint8_t frame[GRO_FRAME_MAX], tagged[GRO_FRAME_MAX];
	size_t len = gro_make(frame, &m);

	start();
	frame[0] |= 1;
	gro_frame(&rig, frame, len);
	ktap_expect_eq(rig.gro.segs, 0);
	frame[0] &= ~1;
	memcpy(tagged, frame, 12);
	memcpy(tagged + 12, "\x81\0\0\1", 4);
	memcpy(tagged + 16, frame + 12, len - 12);
	gro_frame(&rig, tagged, len + 4);
	ktap_expect_eq(rig.gro.segs, 0);
	gro_frame(&rig, frame, len);
	ktap_expect_eq(rig.gro.segs, 1);
}

/* Feed frames of which each begins where the one before ends. Return: how many were joined. */
static unsigned int feed_some(struct gro_make m, unsigned int count, int outer_step)
{
	unsigned int joined = 0;

	while (count--) {
		joined += feed(&m);
		m.seq += m.payload;
		m.id++;
		m.outer_id += outer_step;
	}
	gro_end(&rig);
	return joined;
}

static void ip_in_ip(void)
{
	for (uint8_t version = 4; version <= 6; version += 2) {
		for (uint8_t outer = 4; outer <= 6; outer += 2) {
			struct gro_make m = GRO_MAKE(version, ACK, 12, 9, 1, 1000,
						   .outer = outer, .outer_id = 0xfffe);

			start();
			ktap_expect_eq(feed_some(m, 5, 1), 0);	/* not asked for */
			rig.modes = ANY;
			ktap_expect_eq(feed_some(m, 5, 1), 4);
			ktap_expect(!rig.gro.same_outer_id);
			ktap_expect_eq(feed_some(m, 5, 0), 4);
			ktap_expect_eq(rig.gro.same_outer_id, outer == 4);
			ktap_expect_eq(feed_some(m, 5, 2), outer == 4 ? 0 : 4);
		}
	}
}

/* Each byte of the outer header counts, but for length, checksum and identification. */
static void ip_in_ip_differs(void)
{
	const uint8_t skip4[] = { 0, 2, 3, 4, 5, 9, 10, 11 };

	for (unsigned int at = 0; at < 20; at++) {
		struct gro_make m = GRO_MAKE(4, ACK, 0, 9, 1, 1000,
						   .outer = 4, .outer_id = 7);
		uint8_t frame[GRO_FRAME_MAX];
		size_t len;

		if (memchr(skip4, at, sizeof(skip4)))
			continue;
		start();
		rig.modes = ANY;
		feed(&m);
		m.seq += 1000;
		m.id++;
		m.outer_id++;
		len = gro_make(frame, &m);
		frame[VKDEV_ETH_HDR + at] ^= 0x10;
		gro_sum(frame, len);
		ktap_expect(!gro_frame(&rig, frame, len));
		gro_end(&rig);
	}
}

/* Options, a routing header; a whole packet as one fragment, an authenticated one. */
static void ipv6_options(void)
{
	static const struct {
		uint8_t type;
		bool joins;
	} exts[] = { { 60, true }, { 43, true }, { 44, false }, { 51, false } };

	for (size_t i = 0; i < sizeof(exts) / sizeof(*exts); i++) {
		struct gro_make m = GRO_MAKE(6, ACK, 12, 0, 1, 1000,
						   .ext = exts[i].type);
		uint8_t frame[GRO_FRAME_MAX];
		size_t len;

		start();
		ktap_expect_eq(feed_some(m, 5, 0), 0);
		rig.modes = ANY;
		ktap_expect_eq(feed_some(m, 5, 0), exts[i].joins ? 4 : 0);
		feed(&m);
		m.seq += 1000;
		len = gro_make(frame, &m);
		frame[VKDEV_ETH_HDR + 40 + 5] ^= 1;	/* an option of another content */
		gro_sum(frame, len);
		ktap_expect(!gro_frame(&rig, frame, len));
		gro_end(&rig);
	}
}

static void padding_is_no_payload(void)
{
	struct gro_make m = GRO_MAKE(4, ACK, 0, 1, 1, 100);
	uint8_t frame[GRO_FRAME_MAX] = { 0 };

	start();
	rig.modes = ANY;
	feed(&m);
	m.seq += 100;
	m.id++;
	m.payload = 1;
	memset(frame + gro_make(frame, &m), 0, 5);
	ktap_expect(gro_frame(&rig, frame, 60));
	ktap_expect_eq(rig.frames, 2);
}

static void congestion_window_reduced(void)
{
	struct gro_make m = GRO_MAKE(4, ACK | CWR, 0, 1, 1, 100);

	start();
	ktap_expect_eq(feed_some(m, 3, 0), 0);
	rig.modes = ANY;
	ktap_expect_eq(feed_some(m, 3, 0), 2);
	feed(&m);
	m.seq += 100;
	m.id++;
	m.flags = ACK;
	ktap_expect(!feed(&m));
	gro_end(&rig);
}

/* The longest IP packet: 65535 bytes without the Ethernet header. */
static void longest_packet(void)
{
	struct gro_make m = GRO_MAKE(4, ACK, 0, 1, 1, 1456);
	unsigned int n = (65535 - 40) / 1456;

	start();
	rig.modes = ANY;
	for (unsigned int i = 0; i < n; i++) {
		feed(&m);
		m.seq += m.payload;
		m.id++;
	}
	m.payload = 65535 - 40 - n * 1456;
	ktap_expect_eq(m.payload > 0, true);
	ktap_expect(feed(&m));
	ktap_expect_eq(rig.frames, n + 1);
	ktap_expect_eq(vkdev_get_be16(rig.gro.hdr + VKDEV_ETH_HDR + 2), 65535);
}

/* Random streams in which some frames differ from the others. */
static void any_stream(void)
{
	static const uint8_t flips[] = { 0x01, 0x08, 0x20, 0x40, 0x80 };
	struct prng r = { 11 };
	uint8_t frame[GRO_FRAME_MAX];
	unsigned int joined = 0;
	size_t len;

	start();
	for (int n = 0; n < 200000; n++) {
		static struct gro_make m = GRO_MAKE(4, ACK, 12, 1, 1, 1000);

		if (!prng_below(&r, 40))
			rig.modes = prng_below(&r, 2) ? ANY : 0;
		if (!prng_below(&r, 30))
			m.outer = 2 * prng_below(&r, 4);
		if (m.outer == 2)
			m.outer = 0;

		if (!prng_below(&r, 30))
			m.version = 4 + 2 * prng_below(&r, 2);
		if (!prng_below(&r, 30))
			m.options = 4 * prng_below(&r, 11);
		if (!prng_below(&r, 10))
			m.payload = prng_below(&r, 1200);
		m.flags = ACK | (prng_below(&r, 20) ? 0 : PSH) |
			  (n & 1024 ? CWR : 0);
		m.ext = m.version == 6 && n & 2048 ? 60 : 0;
		len = gro_make(frame, &m);
		if (!prng_below(&r, 8)) {
			frame[prng_below(&r, len)] ^=
				flips[prng_below(&r, sizeof(flips))];
			gro_sum(frame, len);
		}
		joined += gro_frame(&rig, frame, len);
		m.seq += m.payload;
		m.id += prng_below(&r, 30) ? 1 : prng_below(&r, 3);
		m.outer_id += prng_below(&r, 30) ? 1 : prng_below(&r, 3);
	}
	gro_end(&rig);
	ktap_expect(joined > 20000);
	ktap_expect_eq(joined, rig.frames - rig.packets);
}

int main(void)
{
	ktap_start();
	KTAP_RUN(joins_ipv4);
	KTAP_RUN(joins_ipv6);
	KTAP_RUN(no_more_than_its_count_holds);
	KTAP_RUN(last_ones);
	KTAP_RUN(pushed_one_is_alone);
	KTAP_RUN(steady_identification);
	KTAP_RUN(steady_identification_of_what_may_be_cut);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char name[80];

		snprintf(name, sizeof(name), "differs in: %s", rows[i].what);
		ktap_case(name, differs_in, &rows[i]);
	}
	KTAP_RUN(of_other_shape);
	KTAP_RUN(first_ones_that_open_nothing);
	KTAP_RUN(ip_in_ip);
	KTAP_RUN(ip_in_ip_differs);
	KTAP_RUN(ipv6_options);
	KTAP_RUN(padding_is_no_payload);
	KTAP_RUN(congestion_window_reduced);
	KTAP_RUN(longest_packet);
	KTAP_RUN(any_stream);
	return ktap_finish();
}
