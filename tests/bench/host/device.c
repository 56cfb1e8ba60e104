// SPDX-License-Identifier: GPL-2.0-only
/*
 * Nanoseconds that the device model takes for a packet, without QEMU and guest:
 * for the TLS engine, for the packet path around it, and for the crypto library
 * alone, in one run. One line for each figure:
 *
 *	LIBRARY WORK DIRECTION BYTES NS_PER_BYTE NS_PER_PACKET
 *
 * "raw" encrypts or decrypts messages of this length with the library (whole
 * records, if packets are larger). "floor" adds the work that no card can leave out:
 * the checksum of each frame, and for received frames the copy into the card.
 * "engine" is vkdev_tls_tx() or vkdev_tls_rx() on a stream of 16 KiB records. "path"
 * adds the device's other work on each packet, without QEMU's: headers, checksums,
 * hash, flow lookup, segmentation, and the copy of a received frame. As in the card,
 * payload is encrypted from the guest's memory and decrypted into it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "raw.h"
#include "stream.h"
#include "vktls_abi.h"
#include "frame/flow.h"
#include "frame/sum.h"
#include "frame/tso.h"
#include "frame/wire.h"

#define RECORDS		16
#define RECORD		16384
#define RECORD_WIRE	(RECORD + STREAM_OVERHEAD)
#define STREAM		(RECORDS * RECORD_WIRE)
#define MSS		1448
#define SUPER		(45 * MSS)	/* size of a packet that TCP makes of 64 KiB */
#define L2_L3		(14 + 20)
#define HEADERS		(L2_L3 + 32)

static uint8_t stream[STREAM];		/* records as the sender made them */
static uint8_t work[STREAM]; /* stream after the engine has changed it */
static uint8_t heads[STREAM / MSS + 1][HEADERS]; /* headers of each packet */
static uint8_t frames[STREAM + sizeof(heads)];	/* heads and stream, as received */
static uint8_t packet[HEADERS + SUPER];	/* buffer of the transmit queue */
/* RSS of TCP over IPv4 by addresses and ports. */
static const struct vktls_rss_ctx rss_cfg = { .key = { 1, 2, 3 }, .fields = { 0, 15 } };
static VkdevRss rss;
uint32_t device_sink; /* not static, which makes the compiler keep stores */

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/*
 * Write Ethernet, IPv4 and TCP headers (with timestamps) for @len bytes of
 * payload. The TCP checksum is left open.
 */
static void headers(uint8_t *p, uint32_t seq, size_t len)
{
	uint16_t ip_len = HEADERS - 14 + len;

	memset(p, 0, HEADERS);
	p[12] = 8;
	p[14] = 0x45;
	vkdev_put_be16(p + 16, ip_len);
	p[22] = 64;
	p[23] = VKDEV_IPPROTO_TCP;
	vkdev_put_be32(p + 26, 0xc0000201);
	vkdev_put_be32(p + 30, 0xc0000202);
	vkdev_put_be32(p + L2_L3 + 4, seq);
	p[L2_L3 + 12] = 8 << 4;
	vkdev_wire_sum_fill(p + 14, 20, 0, 10);
}

/*
 * Prepare the headers of packets, and the received frames, before time is
 * measured.
 */
static void lay_packets(size_t size)
{
	uint8_t *frame = frames;
	size_t at, n, i = 0;

	for (at = 0; at < STREAM; at += n, i++) {
		n = least(size, STREAM - at);
		headers(heads[i], at, n);
		memcpy(frame, heads[i], HEADERS);
		memcpy(frame + HEADERS, stream + at, n);
		frame += HEADERS + n;
	}
}

static struct raw *raw;
static VkdevFlowTable *flows;
static VkdevTlsCtx *ctx;

static void raw_tx(size_t size)
{
	size_t len = least(size, RECORD_WIRE) - STREAM_OVERHEAD, at;

	for (at = 0; at + len + STREAM_OVERHEAD <= STREAM; at += len + STREAM_OVERHEAD)
		raw_seal(raw, stream, stream, work + at, len);
}

static void raw_rx(size_t size)
{
	size_t len = least(size, RECORD_WIRE) - STREAM_OVERHEAD, at;
	uint8_t tag[STREAM_TAG];

	for (at = 0; at + len + STREAM_OVERHEAD <= STREAM; at += len + STREAM_OVERHEAD)
		raw_open(raw, stream, stream, stream + at, work + at, len, tag);
}

static void floor_tx(size_t size)
{
	size_t at, n;

	raw_tx(size);
	for (at = 0; at < STREAM; at += n) {
		n = least(MSS, STREAM - at);
		device_sink += vkdev_sum_add(0, work + at, n);
	}
}

static void floor_rx(size_t size)
{
	size_t len = least(size, RECORD_WIRE) - STREAM_OVERHEAD, at, n;
	uint8_t tag[STREAM_TAG];

	for (at = 0; at + len + STREAM_OVERHEAD <= STREAM; at += n) {
		n = len + STREAM_OVERHEAD;
		device_sink += vkdev_sum_copy(0, packet + HEADERS, stream + at, n);
		raw_open(raw, stream, stream, packet + HEADERS, work + at, len, tag);
	}
}

static void engine_tx(size_t size)
{
	VkdevTlsCount count;
	size_t at, n;

	for (at = 0; at < STREAM; at += n) {
		n = least(size, STREAM - at);
		if (vkdev_tls_tx(ctx, at, work + at, n, &count) != VKTLS_ST_OK)
			stream_die("the engine refused a packet");
	}
}

static void engine_rx(size_t size)
{
	VkdevTlsRxResult result;
	size_t at, n;

	for (at = 0; at < STREAM; at += n) {
		n = least(size, STREAM - at);
		if (vkdev_tls_rx(ctx, at, stream + at, work + at, n, &result) != VKTLS_ST_OK ||
		    !result.decrypted)
			stream_die("the engine did not decrypt a packet");
	}
}

static void segment(const VkdevWire *wire, size_t n)
{
	const uint8_t *data;
	uint32_t chunk;
	VkdevTso tso;

	vkdev_tso_init(&tso, packet, HEADERS + n, wire, MSS);
	while (vkdev_tso_next(&tso, &data, &chunk))
		device_sink += tso.hdr[L2_L3 + 16];
}

static void path_tx(size_t size)
{
	VkdevTlsCount count;
	VkdevWire wire;
	struct iovec from;
	size_t at, n, i = 0;

	for (at = 0; at < STREAM; at += n, i++) {
		n = least(size, STREAM - at);
		from = (struct iovec) { stream + at, n };
		memcpy(packet, heads[i], HEADERS);
		vkdev_wire_parse(packet, HEADERS + n, &wire);
		if (wire.payload != HEADERS ||
		    vkdev_tls_tx_from(ctx, at, &from, packet + wire.payload, n,
				      &count) != VKTLS_ST_OK)
			stream_die("the path refused a packet");
		if (size > MSS)
			segment(&wire, n);
		else
			vkdev_wire_sum_fill(packet, HEADERS + n, wire.l4, 16);
	}
}

static void path_rx(size_t size)
{
	const uint8_t *frame = frames;
	VkdevTlsRxResult result;
	struct vktls_tls_flow flow;
	VkdevWire wire;
	uint32_t hash;
	uint64_t sum;
	size_t at, n;

	for (at = 0; at < STREAM; at += n, frame += HEADERS + n) {
		n = least(size, STREAM - at);
		memcpy(packet, frame, VKDEV_ETH_HDR);
		sum = vkdev_sum_copy(0, packet + VKDEV_ETH_HDR, frame + VKDEV_ETH_HDR,
				     HEADERS - VKDEV_ETH_HDR + n);
		vkdev_wire_parse(packet, HEADERS + n, &wire);
		device_sink += vkdev_wire_sum_check(packet, &wire, HEADERS + n, sum);
		device_sink += vkdev_wire_hash(packet, &wire, &rss, &hash);
		vkdev_flow_of(packet, &wire, &flow);
		if (vkdev_flow_find(flows, &flow) ||
		    vkdev_tls_rx(ctx, at, packet + HEADERS, work + at, n, &result) !=
		    VKTLS_ST_OK || !result.decrypted)
			stream_die("the path did not decrypt a packet");
	}
}

struct figure {
	const char *what;
	unsigned int direction;
	void (*pass)(size_t size);
	size_t size;
	uint64_t best;
};

static struct figure figures[] = {
	{ "raw", VKTLS_DIR_TX, raw_tx, MSS },
	{ "floor", VKTLS_DIR_TX, floor_tx, MSS },
	{ "engine", VKTLS_DIR_TX, engine_tx, MSS },
	{ "path", VKTLS_DIR_TX, path_tx, MSS },
	{ "raw", VKTLS_DIR_TX, raw_tx, SUPER },
	{ "floor", VKTLS_DIR_TX, floor_tx, SUPER },
	{ "engine", VKTLS_DIR_TX, engine_tx, SUPER },
	{ "path", VKTLS_DIR_TX, path_tx, SUPER },
	{ "raw", VKTLS_DIR_RX, raw_rx, MSS },
	{ "floor", VKTLS_DIR_RX, floor_rx, MSS },
	{ "engine", VKTLS_DIR_RX, engine_rx, MSS },
	{ "path", VKTLS_DIR_RX, path_rx, MSS },
	{ "raw", VKTLS_DIR_RX, raw_rx, SUPER },
	{ "floor", VKTLS_DIR_RX, floor_rx, SUPER },
	{ "engine", VKTLS_DIR_RX, engine_rx, SUPER },
	{ "path", VKTLS_DIR_RX, path_rx, SUPER },
};

#define FIGURES	(sizeof(figures) / sizeof(figures[0]))

/*
 * Prepare the stream for a direction: plaintext to send, or records to
 * receive, sealed by the engine.
 */
static void prepare(unsigned int direction)
{
	stream_lay(stream, RECORDS, RECORD, 0);
	memcpy(work, stream, STREAM);
	ctx = stream_ctx(VKTLS_DIR_TX, 0);
	if (direction == VKTLS_DIR_TX)
		return;
	engine_tx(SUPER);
	vkdev_tls_del(ctx);
	memcpy(stream, work, STREAM);
	ctx = stream_ctx(direction, 0);
}

/* Add the flow of the packets' headers to the flow table, for context 0. */
static void flow_prepare(void)
{
	uint8_t secret[VKDEV_FLOW_SECRET];
	struct vktls_tls_flow flow;
	VkdevWire wire;

	memset(secret, 0x5a, sizeof(secret));
	headers(packet, 0, MSS);
	vkdev_wire_parse(packet, HEADERS + MSS, &wire);
	vkdev_flow_of(packet, &wire, &flow);
	flows = vkdev_flow_alloc(1024, secret);
	if (!flows || !vkdev_flow_add(flows, 0, &flow))
		stream_die("no table of flows");
}

static void measure(struct figure *figure)
{
	uint64_t start;

	memset(stream, 0x5a, STREAM);
	prepare(figure->direction);
	lay_packets(figure->size);
	start = clock_ns();
	figure->pass(figure->size);
	clock_best(&figure->best, clock_ns() - start);
	vkdev_tls_del(ctx);
}

int main(int argc, char **argv)
{
	unsigned int passes = argc > 1 ? atoi(argv[1]) : 300, i, n;
	const struct figure *f;
	double ns;

	raw = raw_alloc(stream_key);
	if (!raw)
		stream_die("no crypto library");
	vkdev_rss_set(&rss, &rss_cfg);
	flow_prepare();
	/*
	 * The figures take turns, so that a change of the CPU's clock affects
	 * all alike.
	 */
	for (n = 0; n < passes; n++)
		for (i = 0; i < FIGURES; i++)
			measure(&figures[i]);
	for (f = figures; f < figures + FIGURES; f++) {
		ns = (double)f->best / STREAM;
		printf("%s %s %s %zu %.4f %.1f\n", raw_name, f->what,
		       f->direction == VKTLS_DIR_TX ? "tx" : "rx", f->size, ns, ns * f->size);
	}
	return 0;
}
