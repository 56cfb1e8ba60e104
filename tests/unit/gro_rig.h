/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Feeds a stream of frames to gro.c, as the device does, and cuts each joined packet again:
 * the result must be the original frames, byte for byte. Used by gro_test.c and by the
 * fuzzer.
 */
#ifndef GRO_RIG_H
#define GRO_RIG_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vktls_abi.h"
#include "frame/gro.h"
#include "frame/sum.h"

#define GRO_FRAME_MAX	2048

struct gro_rig {
	uint8_t wire[VKTLS_RX_GRO_SEGS][GRO_FRAME_MAX];	/* original frames of the packet */
	size_t len[VKTLS_RX_GRO_SEGS];
	uint8_t packet[VKTLS_RX_GRO_BYTES];
	VkdevGro gro;
	unsigned int packets, frames;	/* packets and frames joined */
};

/* Set the IP and TCP checksums of a frame, if it has these headers. */
static inline void gro_sum(uint8_t *frame, size_t len)
{
	VkdevWire w;

	vkdev_wire_parse(frame, len, &w);
	if (w.version == 4) {
		memset(frame + w.l3 + 10, 0, 2);
		vkdev_wire_sum_fill(frame, w.l3 + (frame[w.l3] & 15) * 4, w.l3, 10);
	}
	if (vkdev_wire_is_tcp(&w) && w.l3 + w.ip_len == len) {
		vkdev_wire_pseudo_store(frame + w.l4 + 16, frame + w.l3, w.version,
					len - w.l4);
		vkdev_wire_sum_fill(frame, len, w.l4, 16);
	}
}

static inline void gro_differs(const struct gro_rig *rig, unsigned int n)
{
	printf("# frame %u of %u is not what came\n", n, rig->gro.segs);
	abort();
}

/*
 * Compare frame @n, cut from the packet, with the original. If all frames had one IPv4
 * identification, it is set before.
 */
static inline void gro_compare(const struct gro_rig *rig, const VkdevTso *tso,
			       const uint8_t *data, uint32_t chunk, unsigned int n)
{
	size_t len = tso->hdr_len + chunk;
	uint8_t frame[GRO_FRAME_MAX];

	if (n >= rig->gro.segs || len != rig->len[n])
		gro_differs(rig, n);
	memcpy(frame, tso->hdr, tso->hdr_len);
	memcpy(frame + tso->hdr_len, data, chunk);
	if (rig->gro.same_id) {
		memcpy(frame + VKDEV_ETH_HDR + 4, rig->gro.hdr + VKDEV_ETH_HDR + 4, 2);
		gro_sum(frame, len);
	}
	if (memcmp(frame, rig->wire[n], len))
		gro_differs(rig, n);
}

static inline void gro_cut(struct gro_rig *rig)
{
	const uint8_t *data;
	unsigned int n = 0;
	uint32_t chunk;
	VkdevWire w;
	VkdevTso tso;
	size_t len;

	vkdev_gro_finish(&rig->gro);
	memcpy(rig->packet, rig->gro.hdr, rig->gro.hdr_len);
	len = rig->gro.hdr_len + rig->gro.payload;
	vkdev_wire_parse(rig->packet, len, &w);
	if (!vkdev_wire_is_tcp(&w) || w.l3 + w.ip_len != len ||
	    !vkdev_tso_init(&tso, rig->packet, len, &w, rig->gro.seg_len))
		gro_differs(rig, 0);
	for (; vkdev_tso_next(&tso, &data, &chunk); n++)
		gro_compare(rig, &tso, data, chunk, n);
	if (n != rig->gro.segs)
		gro_differs(rig, n);
	rig->packets++;
	rig->frames += n;
}

/* End the open packet, as the device does when no more frames are waiting. */
static inline void gro_end(struct gro_rig *rig)
{
	if (rig->gro.segs > 1)
		gro_cut(rig);
	rig->gro.segs = 0;
}

/* Add one frame of up to GRO_FRAME_MAX bytes. Return: true if it was joined to others. */
static inline bool gro_frame(struct gro_rig *rig, const uint8_t *frame, size_t len)
{
	uint64_t sum = vkdev_sum_add(0, frame + VKDEV_ETH_HDR, len - VKDEV_ETH_HDR);
	bool able, joins;
	size_t payload;
	VkdevWire w;

	vkdev_wire_parse(frame, len, &w);
	able = vkdev_wire_sum_check(frame, &w, len, sum) == VKDEV_WIRE_SUM_OK &&
	       vkdev_gro_able(frame, &w, len);
	joins = able && vkdev_gro_fits(&rig->gro, frame, &w, len);
	if (!joins)
		gro_end(rig);
	if (!able)
		return false;
	payload = len - w.payload;
	if (joins)
		vkdev_gro_add(&rig->gro, frame, &w, len);
	else
		vkdev_gro_begin(&rig->gro, frame, &w, len);
	memcpy(rig->wire[rig->gro.segs - 1], frame, len);
	rig->len[rig->gro.segs - 1] = len;
	memcpy(rig->packet + rig->gro.hdr_len + rig->gro.payload - payload,
	       frame + w.payload, payload);
	if (rig->gro.last)
		gro_end(rig);
	return joins;
}

/* Parameters of a frame of the connection. */
struct gro_make {
	uint8_t version;	/* 4 or 6 */
	uint8_t flags;		/* TCP flags */
	uint8_t options;	/* bytes of TCP options, a multiple of 4 */
	uint16_t id;
	uint32_t seq;
	size_t payload;
};

/* Make a frame. Return: its length. */
static inline size_t gro_make(uint8_t *frame, const struct gro_make *m)
{
	uint8_t *ip = frame + VKDEV_ETH_HDR;
	uint8_t *tcp = ip + (m->version == 4 ? 20 : 40);
	size_t l4_len = 20 + m->options + m->payload;
	size_t len = tcp - frame + l4_len;

	memset(frame, 0, len - m->payload);
	memcpy(frame, "\x52\x54\0\1\2\3\x52\x54\0\xa\xb\xc", 12);
	if (m->version == 4) {
		memcpy(frame + 12, "\x08\0\x45\0\0\0\0\0\x40\0\x40\6\0\0\xc0\0\2\1\xc0\0\2\2",
		       22);
		vkdev_put_be16(ip + 2, 20 + l4_len);
		vkdev_put_be16(ip + 4, m->id);
	} else {
		memcpy(frame + 12, "\x86\xdd\x60\0\0\0\0\0\6\x40\x20\1\xd\xb8", 14);
		vkdev_put_be16(ip + 4, l4_len);
	}
	memcpy(tcp, "\1\xbb\xc3\x50", 4);
	vkdev_put_be32(tcp + 4, m->seq);
	tcp[11] = 2;
	tcp[12] = (5 + m->options / 4) << 4;
	tcp[13] = m->flags;
	tcp[14] = 2;
	memset(tcp + 20, 1, m->options);
	for (size_t i = 0; i < m->payload; i++)
		tcp[20 + m->options + i] = m->seq + i;
	gro_sum(frame, len);
	return len;
}

#endif
