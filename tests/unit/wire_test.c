// SPDX-License-Identifier: GPL-2.0-only
/*
 * The device's parser of frames: the offsets of headers, and that no frame, however broken,
 * leads to an access outside the frame. Each frame is in memory of exactly its size, so
 * that the address sanitizer reports the first byte beyond.
 */
#include <stdlib.h>

#include "vktls_abi.h"
#include "frame/sum.h"
#include "frame/tso.h"
#include "frame/wire.h"
#include "ktap.h"
#include "prng.h"

#define V4 "\x45\0\0\x28\0\1\0\0\x40\6\xf6\xcb\xc0\0\2\1\xc0\0\2\2"
#define V4_OPTIONS "\x46\0\0\x2c\0\1\0\0\x40\6\0\0\xc0\0\2\1\xc0\0\2\2\1\1\1\0"
#define V4_UDP "\x45\0\0\x22\0\1\0\0\x40\x11\xf6\xc6\xc0\0\2\1\xc0\0\2\2"
#define V4_FRAGMENT "\x45\0\0\x28\0\1\x20\0\x40\6\0\0\xc0\0\2\1\xc0\0\2\2"
#define V6(len, next) "\x60\0\0\0\0" len next "\x40" \
	"\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\1" \
	"\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\2"
#define TCP_HDR "\1\xbb\xc3\x50\0\0\0\1\0\0\0\2\x50\x10\2\0\0\0\0\0"
#define UDP_HDR "\0\x35\xc3\x50\0\xe\1\1"
#define MACS "\x52\x54\0\1\2\3\x52\x54\0\xa\xb\xc"
#define TAG "\x81\0\0\1"

struct row {
	const char *what;
	const char *frame;
	size_t len;
	uint8_t version, proto;
	uint16_t l3, l4, payload;
	bool tcp;
};

#define ROW(what, frame, ...) { what, frame, sizeof(frame) - 1, __VA_ARGS__ }

static const struct row rows[] = {
	ROW("nothing", "", 0, 0, 0, 0, 0, false),
	ROW("addresses alone", MACS "\x08", 0, 0, 0, 0, 0, false),
	ROW("no IP", MACS "\x08\6abc", 0, 0, 0, 0, 0, false),
	ROW("IPv4", MACS "\x08\0" V4 TCP_HDR, 4, 6, 14, 34, 54, true),
	ROW("UDP", MACS "\x08\0" V4_UDP UDP_HDR "abcdef",
	    4, 17, 14, 34, 42, false),
	ROW("IPv4 with options", MACS "\x08\0" V4_OPTIONS TCP_HDR,
	    4, 6, 14, 38, 58, true),
	ROW("IPv4 fragment", MACS "\x08\0" V4_FRAGMENT TCP_HDR,
	    4, 6, 14, 0, 0, false),
	ROW("IPv4 cut in its header", MACS "\x08\0\x45\0\0\x28",
	    0, 0, 0, 0, 0, false),
	ROW("IPv4 that says 6", MACS "\x86\xdd" V4 TCP_HDR,
	    0, 0, 0, 0, 0, false),
	ROW("TCP cut in its header", MACS "\x08\0" V4 "\1\xbb\xc3",
	    4, 6, 14, 0, 0, false),
	ROW("one tag", MACS TAG "\x08\0" V4 TCP_HDR, 4, 6, 18, 38, 58, true),
	ROW("two tags", MACS "\x88\xa8\0\1" TAG "\x08\0" V4 TCP_HDR,
	    4, 6, 22, 42, 62, true),
	ROW("three tags", MACS TAG TAG TAG "\x08\0" V4 TCP_HDR,
	    0, 0, 0, 0, 0, false),
	ROW("IPv6", MACS "\x86\xdd" V6("\x14", "\6") TCP_HDR,
	    6, 6, 14, 54, 74, true),
	ROW("IPv6 hop by hop", MACS "\x86\xdd" V6("\x1c", "\0")
	    "\6\0\1\4\0\0\0\0" TCP_HDR, 6, 6, 14, 62, 82, true),
	ROW("IPv6 destination, authentication", MACS "\x86\xdd" V6("\x28", "\x3c")
	    "\x33\0\1\4\0\0\0\0\6\1\0\0\0\0\0\1\0\0\0\1" TCP_HDR,
	    6, 6, 14, 74, 94, true),
	ROW("IPv6 fragment", MACS "\x86\xdd" V6("\x1c", "\x2c")
	    "\6\0\0\1\0\0\0\1" TCP_HDR, 6, 6, 14, 0, 0, false),
	ROW("IPv6 only fragment", MACS "\x86\xdd" V6("\x1c", "\x2c")
	    "\6\0\0\0\0\0\0\1" TCP_HDR, 6, 6, 14, 62, 82, true),
	ROW("IPv6 still to be routed", MACS "\x86\xdd" V6("\x1c", "\x2b")
	    "\6\0\4\1\0\0\0\0" TCP_HDR, 6, 6, 14, 62, 82, false),
	ROW("IPv6 routed", MACS "\x86\xdd" V6("\x1c", "\x2b")
	    "\6\0\4\0\0\0\0\0" TCP_HDR, 6, 6, 14, 62, 82, true),
	ROW("IPv6 extension past the end", MACS "\x86\xdd" V6("\x1c", "\0")
	    "\6\xff\1\4\0\0\0\0" TCP_HDR, 6, 0, 14, 0, 0, false),
};

/* Copy to a buffer of exactly @len bytes. */
static uint8_t *exact_copy(const void *data, size_t len)
{
	uint8_t *p = malloc(len);

	memcpy(p, data, len);
	return p;
}

static void parses(const void *data)
{
	const struct row *row = data;
	uint8_t *frame = exact_copy(row->frame, row->len);
	struct VkdevWire w;

	vkdev_wire_parse(frame, row->len, &w);
	ktap_expect_eq(w.version, row->version);
	ktap_expect_eq(w.proto, row->proto);
	ktap_expect_eq(w.l3, row->l3);
	ktap_expect_eq(w.l4, row->l4);
	ktap_expect_eq(w.payload, row->payload);
	ktap_expect_eq(vkdev_wire_is_tcp(&w), row->tcp);
	free(frame);
}

/* The checksum of RFC 1071, byte by byte. */
static uint16_t plain_sum(const uint8_t *p, size_t len)
{
	uint32_t sum = 0;
	size_t i;

	for (i = 0; i < len; i++)
		sum += i % 2 ? p[i] : p[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/* In UDP, a checksum of zero means that there is none. */
static void sum_is_never_zero(void)
{
	uint8_t frame[64] = { [20] = 0xff, [21] = 0xff };

	ktap_expect(vkdev_wire_sum_fill(frame, sizeof(frame), 10, 6));
	ktap_expect_mem(frame + 16, "\xff\xff", 2);
}

static void sum_is_right(void)
{
	struct prng r = { 2 };
	uint8_t frame[2000];
	size_t n;

	for (n = 0; n < 1000; n++) {
		size_t len = 20 + prng_below(&r, sizeof(frame) - 20);

		prng_fill(&r, frame, sizeof(frame));
		memset(frame + 16, 0, 2);
		vkdev_wire_sum_fill(frame, len, 0, 16);
		ktap_expect_eq(plain_sum(frame, len), 0xffff);
	}
}

static void sum_outside_is_refused(void)
{
	uint8_t frame[64] = { 0 };

	ktap_expect(vkdev_wire_sum_fill(frame, 64, 46, 16));
	ktap_expect(!vkdev_wire_sum_fill(frame, 64, 47, 16));
	ktap_expect(!vkdev_wire_sum_fill(frame, 64, 0xffff, 0));
	ktap_expect(!vkdev_wire_sum_fill(frame, 64, 0, 255));
	ktap_expect(!vkdev_wire_sum_fill(frame, 0, 0, 0));
}

/* A frame of ones has the most carries; a vector might lose some. */
static void sum_of_ones_is_right(void)
{
	uint8_t frame[1500];
	size_t len;

	for (len = 20; len <= sizeof(frame); len++) {
		memset(frame, 0xff, len);
		memset(frame + 16, 0, 2);
		vkdev_wire_sum_fill(frame, len, 0, 16);
		ktap_expect_eq(plain_sum(frame, len), 0xffff);
	}
}

/* The test vectors of Microsoft's "Verifying the RSS Hash Calculation". */
static const uint8_t rss_secret[VKTLS_RSS_KEY_BYTES] = {
	0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67,
	0x25, 0x3d, 0x43, 0xa3, 0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb,
	0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3, 0x80, 0x30,
	0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa,
};

struct rss_row {
	const char *input;	/* source and destination address, then their ports */
	uint8_t addresses;	/* length of both addresses */
	uint32_t alone, with_ports;
};

static const struct rss_row rss_rows[] = {
	{ "\x42\x09\x95\xbb\xa1\x8e\x64\x50\x0a\xea\x06\xe6", 8,
	  0x323e8fc2, 0x51ccc178 },
	{ "\xc7\x5c\x6f\x02\x41\x45\x8c\x53\x37\x96\x12\x83", 8,
	  0xd718262a, 0xc626b0ea },
	{ "\x18\x13\xc6\x5f\x0c\x16\xcf\xb8\x32\x62\x94\x88", 8,
	  0xd2d0a5de, 0x5c2b394a },
	{ "\x26\x1b\xcd\x1e\xd1\x8e\xa3\x06\xbc\x64\x08\xa9", 8,
	  0x82989176, 0xafc7327f },
	{ "\x99\x27\xa3\xbf\xca\xbc\x7f\x02\xac\xdb\x05\x17", 8,
	  0x5d1809c5, 0x10e828a2 },
	{ "\x3f\xfe\x25\x01\x02\x00\x1f\xff\0\0\0\0\0\0\0\x07"
	  "\x3f\xfe\x25\x01\x02\x00\x00\x03\0\0\0\0\0\0\0\x01"
	  "\x0a\xea\x06\xe6", 32, 0x2cc18cd5, 0x40207d3d },
	{ "\x3f\xfe\x05\x01\x00\x08\0\0\x02\x60\x97\xff\xfe\x40\xef\xab"
	  "\xff\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\x01"
	  "\x37\x96\x12\x83", 32, 0x0f0c461c, 0xdde51bbf },
	{ "\x3f\xfe\x19\x00\x45\x45\0\x03\x02\0\xf8\xff\xfe\x21\x67\xcf"
	  "\xfe\x80\0\0\0\0\0\0\x02\0\xf8\xff\xfe\x21\x67\xcf"
	  "\xac\xdb\x94\x88", 32, 0x4b61e985, 0x02d1feef },
};

static void hashes(void)
{
	const struct rss_row *row;
	VkdevRssKey key;

	vkdev_rss_key_set(&key, rss_secret);
	for (row = rss_rows; row < rss_rows + sizeof(rss_rows) / sizeof(*row); row++) {
		const uint8_t *in = (const uint8_t *)row->input;

		ktap_expect_eq(vkdev_rss_hash(&key, 0, in, row->addresses), row->alone);
		ktap_expect_eq(vkdev_rss_hash(&key, 0, in, row->addresses + 4),
			       row->with_ports);
	}
}

/*
 * Return the hash of a TCP packet, with the first test vector's addresses, for the given
 * @fields and @input. @back: in the direction of the answer.
 */
static uint32_t hash_of(const char *l3, size_t l3_len, uint8_t fields, uint8_t input,
			bool back)
{
	static VkdevRss rss;
	static const char v4_back[] = "\x45\0\0\x28\0\1\0\0\x40\6\xf6\xcb\xc0\0\2\2\xc0\0\2\1";
	static const char tcp_back[] = "\xc3\x50\1\xbb\0\0\0\1\0\0\0\2\x50\x10\2\0\0\0\0\0";
	struct vktls_rss_ctx cfg = { .input = input };
	uint8_t frame[14 + 40 + 20];
	VkdevWire w;
	uint32_t hash;

	memcpy(cfg.key, rss_secret, sizeof(cfg.key));
	memset(cfg.fields, fields & 3, sizeof(cfg.fields));
	cfg.fields[1] = fields;
	cfg.fields[3] = fields;
	ktap_expect(vkdev_rss_set(&rss, &cfg));
	memcpy(frame, MACS, 12);
	memcpy(frame + 12, l3_len == 40 ? "\x86\xdd" : "\x08\0", 2);
	memcpy(frame + 14, back ? v4_back : l3, l3_len);
	memcpy(frame + 14 + l3_len, back ? tcp_back : TCP_HDR, 20);
	vkdev_wire_parse(frame, 14 + l3_len + 20, &w);
	ktap_expect_eq(vkdev_wire_hash(frame, &w, &rss, &hash),
		       !fields ? 0 : fields & 12 ? VKTLS_RXC_HASH_L4 : VKTLS_RXC_HASH_L3);
	return hash;
}

/*
 * A field that is not selected counts as zeros, so the hash is the XOR of the hashes of
 * single fields.
 */
static void hash_of_fields(void)
{
	static const struct {
		const char *l3;
		size_t len;
	} ip[] = { { V4, 20 }, { V6("\x14", "\6"), 40 } };

	for (int i = 0; i < 2; i++) {
		for (unsigned int all = 0; all < 16; all++) {
			uint32_t sum = 0;

			for (unsigned int one = 1; one < 16; one *= 2)
				sum ^= hash_of(ip[i].l3, ip[i].len, all & one, 0, false);
			ktap_expect_eq(hash_of(ip[i].l3, ip[i].len, all, 0, false), sum);
		}
	}
}

static void hash_is_symmetric(void)
{
	uint32_t plain = hash_of(V4, 20, 15, VKTLS_RSS_PLAIN, false);

	ktap_expect(hash_of(V4, 20, 15, VKTLS_RSS_PLAIN, true) != plain);
	for (uint8_t input = VKTLS_RSS_XOR; input <= VKTLS_RSS_OR_XOR; input++) {
		uint32_t there = hash_of(V4, 20, 15, input, false);

		ktap_expect(there && there != plain);
		ktap_expect_eq(hash_of(V4, 20, 15, input, true), there);
		ktap_expect_eq(hash_of(V4, 20, 3, input, true), hash_of(V4, 20, 3, input, false));
	}
}

static void bad_rss_is_refused(void)
{
	struct vktls_rss_ctx cfg = { .fields = { 3, 15, 3, 15, 15, 15 } };
	static VkdevRss rss;

	ktap_expect(vkdev_rss_set(&rss, &cfg));
	cfg.fields[0] = 4;
	ktap_expect(!vkdev_rss_set(&rss, &cfg));
	cfg.fields[0] = 3;
	cfg.fields[5] = 0x80;
	ktap_expect(!vkdev_rss_set(&rss, &cfg));
	cfg.fields[5] = 0;
	cfg.input = 3;
	ktap_expect(!vkdev_rss_set(&rss, &cfg));
	ktap_expect_eq(rss.fields[5], 15);
}

static VkdevWireSum sum_check(const uint8_t *frame, const VkdevWire *w, size_t len)
{
	uint64_t sum = len < VKDEV_ETH_HDR ? 0 :
		       vkdev_sum_add(0, frame + VKDEV_ETH_HDR, len - VKDEV_ETH_HDR);

	return vkdev_wire_sum_check(frame, w, len, sum);
}

/* Check a frame cut from a packet: it is valid, and the next one in order. */
static void check_segment(const VkdevTso *tso, const uint8_t *data, uint32_t chunk,
			  uint32_t at, bool last)
{
	size_t len = tso->hdr_len + chunk;
	uint8_t *frame = malloc(len);
	VkdevWire w;

	memcpy(frame, tso->hdr, tso->hdr_len);
	memcpy(frame + tso->hdr_len, data, chunk);
	vkdev_wire_parse(frame, len, &w);
	ktap_expect_eq(w.l3 + w.ip_len, len);
	ktap_expect_eq(sum_check(frame, &w, len), VKDEV_WIRE_SUM_OK);
	ktap_expect_eq(vkdev_wire_tcp_seq(frame, &w), 0xfffffff0 + at);
	ktap_expect_eq(frame[w.l4 + 12], 0x50);
	ktap_expect_eq(frame[w.l4 + 13],
		       0x10 | (at ? 0 : 0x80) | (last ? 0x09 : 0));
	if (w.version == 4)
		ktap_expect_eq(vkdev_get_be16(frame + w.l3 + 4),
			       (uint16_t)(0xffff + at / 100));
	free(frame);
}

static void segments(const void *data)
{
	const struct row *row = data;
	uint8_t frame[1500] = { 0 };
	struct prng r = { 4 };
	const uint8_t *part;
	uint32_t chunk, at;
	VkdevWire w;
	VkdevTso tso;

	memcpy(frame, row->frame, row->len);
	prng_fill(&r, frame + row->len, sizeof(frame) - row->len);
	if (row->version == 4)
		vkdev_put_be16(frame + row->l3 + 4, 0xffff);
	vkdev_put_be32(frame + row->l4 + 4, 0xfffffff0);
	frame[row->l4 + 13] = 0x99;
	vkdev_wire_parse(frame, row->len, &w);
	ktap_expect(vkdev_tso_init(&tso, frame, sizeof(frame), &w, 100));
	for (at = 0; vkdev_tso_next(&tso, &part, &chunk); at += chunk)
		check_segment(&tso, part, chunk, at, at + chunk == sizeof(frame) - row->len);
	ktap_expect_eq(at, sizeof(frame) - row->len);
}

/* Run all functions of wire.c on a frame. */
static void handle(uint8_t *frame, size_t len, struct prng *r)
{
	static VkdevRss rss;
	struct VkdevTso tso;
	struct VkdevWire w;
	const uint8_t *data;
	uint32_t hash, chunk, total = 0;

	vkdev_wire_parse(frame, len, &w);
	ktap_expect(w.l3 <= len && w.l4 <= len && w.payload <= len);
	sum_check(frame, &w, len);
	for (int i = 0; i < VKTLS_RSS_TYPES; i++)
		rss.fields[i] = prng_below(r, i == 0 || i == 2 ? 4 : 16);
	rss.odd = 0x3f;
	vkdev_wire_hash(frame, &w, &rss, &hash);
	if (!vkdev_wire_is_tcp(&w) ||
	    !vkdev_tso_init(&tso, frame, len, &w, 1 + prng_below(r, 100)))
		return;
	while (vkdev_tso_next(&tso, &data, &chunk)) {
		ktap_expect(data == frame + w.payload + total);
		total += chunk;
	}
	ktap_expect_eq(total, len - w.payload);
}

/* Cut the frame as a packet of UDP, or of a tunnel with its inner header anywhere. */
static void cut_anything(uint8_t *frame, size_t len, struct prng *r)
{
	struct VkdevTso tso;
	struct VkdevWire w;
	const uint8_t *data;
	uint32_t chunk, total = 0;

	vkdev_wire_parse(frame, len, &w);
	if (prng_below(r, 2) && !vkdev_tso_enter(frame, len, prng_below(r, 256), &w))
		return;
	if (!w.l4 || w.routed || !vkdev_tso_init(&tso, frame, len, &w, 1 + prng_below(r, 100)))
		return;
	while (vkdev_tso_next(&tso, &data, &chunk))
		total += chunk;
	ktap_expect_eq(total, len - w.payload);
	vkdev_wire_parse(frame, len, &w);
	if (vkdev_wire_look_inside(frame, len, &w))
		ktap_expect(w.l4 > w.l3 && w.l3 > w.outer && w.payload <= len);
}

static void survives_mutation(void)
{
	struct prng r = { 3 };
	unsigned int n;

	for (n = 0; n < 200000; n++) {
		const struct row *row =
			&rows[prng_below(&r, sizeof(rows) / sizeof(rows[0]))];
		size_t more = prng_below(&r, 64), i;
		size_t len = prng_below(&r, row->len + more + 1);
		uint8_t *frame = malloc(len);

		prng_fill(&r, frame, len);
		memcpy(frame, row->frame, len < row->len ? len : row->len);
		for (i = prng_below(&r, 4); i && len; i--)
			frame[prng_below(&r, len)] = prng_next(&r);
		handle(frame, len, &r);
		cut_anything(frame, len, &r);
		free(frame);
	}
}

int main(void)
{
	char name[64];
	size_t i;

	ktap_start();
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		ktap_case(rows[i].what, parses, &rows[i]);
	KTAP_RUN(sum_is_never_zero);
	KTAP_RUN(sum_is_right);
	KTAP_RUN(sum_of_ones_is_right);
	KTAP_RUN(sum_outside_is_refused);
	KTAP_RUN(hashes);
	KTAP_RUN(hash_of_fields);
	KTAP_RUN(hash_is_symmetric);
	KTAP_RUN(bad_rss_is_refused);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (!rows[i].tcp)
			continue;
		snprintf(name, sizeof(name), "segments: %s", rows[i].what);
		ktap_case(name, segments, &rows[i]);
	}
	KTAP_RUN(survives_mutation);
	return ktap_finish();
}
