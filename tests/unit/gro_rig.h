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
#include "frame/tso.h"

#define GRO_FRAME_MAX	2048

struct gro_rig {
	uint8_t wire[VKTLS_RX_GRO_SEGS][GRO_FRAME_MAX];	/* original frames of the packet */
	size_t len[VKTLS_RX_GRO_SEGS];
	uint8_t packet[VKTLS_RX_GRO_IP_BYTES];
	uint32_t modes;			/* VKTLS_PORT_RX_GRO_* */
	VkdevGro gro;
	unsigned int packets, frames;	/* packets and frames joined */
};

static inline void gro_sum_ipv4(uint8_t *frame, size_t l3)
{
	memset(frame + l3 + 10, 0, 2);
	vkdev_wire_sum_fill(frame, l3 + (frame[l3] & 15) * 4, l3, 10);
}

/* Set the IP and TCP checksums of a frame, if it has these headers. */
static inline void gro_sum(uint8_t *frame, size_t len)
{
	VkdevWire w;

	vkdev_wire_parse(frame, len, &w);
	if (w.version == 4)
		gro_sum_ipv4(frame, w.l3);
	if (vkdev_wire_look_inside(frame, len, &w) && w.version == 4)
		gro_sum_ipv4(frame, w.l3);
	if (vkdev_wire_is_tcp(&w) && w.l3 + w.ip_len <= len) {
		len = w.l3 + w.ip_len;
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

/* Write the length and the identification of frame @n to its first IP header. */
static inline void gro_fix_outer(const struct gro_rig *rig, uint8_t *frame, size_t len,
				 unsigned int n)
{
	const uint8_t *first = rig->gro.hdr + VKDEV_ETH_HDR;
	uint8_t *ip = frame + VKDEV_ETH_HDR;

	if (ip[0] >> 4 == 6) {
		vkdev_put_be16(ip + 4, len - VKDEV_ETH_HDR - 40);
		return;
	}
	vkdev_put_be16(ip + 2, len - VKDEV_ETH_HDR);
	vkdev_put_be16(ip + 4, vkdev_get_be16(first + 4) +
			       (rig->gro.same_outer_id ? 0 : n));
}

/*
 * Compare frame @n, cut from the packet, with the original. Fields that the device does
 * not write when it cuts are set before, as the host would: equal identifications, CWR in
 * all frames, the outer header of IP in IP.
 */
static inline void gro_compare(const struct gro_rig *rig, const VkdevTso *tso,
			       const uint8_t *data, uint32_t chunk, unsigned int n)
{
	const VkdevGro *gro = &rig->gro;
	size_t len = tso->hdr_len + chunk;
	uint8_t frame[GRO_FRAME_MAX];

	if (n >= gro->segs || len != rig->len[n])
		gro_differs(rig, n);
	memcpy(frame, tso->hdr, tso->hdr_len);
	memcpy(frame + tso->hdr_len, data, chunk);
	frame[gro->l4 + 13] |= gro->hdr[gro->l4 + 13] & 0x80;
	if (gro->same_id)
		memcpy(frame + gro->l3 + 4, gro->hdr + gro->l3 + 4, 2);
	if (gro->l3 != VKDEV_ETH_HDR)
		gro_fix_outer(rig, frame, len, n);
	gro_sum(frame, len);
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
	vkdev_wire_look_inside(rig->packet, len, &w);
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
	if (rig->modes & VKTLS_PORT_RX_GRO_IP)
		vkdev_wire_look_inside(frame, len, &w);
	able = vkdev_wire_sum_check(frame, &w, len, sum) == VKDEV_WIRE_SUM_OK &&
	       vkdev_gro_able(frame, &w, len, rig->modes);
	joins = able && vkdev_gro_fits(&rig->gro, frame, &w);
	if (!joins)
		gro_end(rig);
	if (!able)
		return false;
	len = w.l3 + w.ip_len;
	payload = len - w.payload;
	if (joins)
		vkdev_gro_add(&rig->gro, frame, &w);
	else
		vkdev_gro_begin(&rig->gro, frame, &w, rig->modes);
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
	uint8_t outer;		/* version of the IP header before it; 0 = none */
	uint16_t outer_id;
	uint8_t ext;		/* type of an IPv6 extension header; 0 = none */
};

#define GRO_MAKE(v, f, o, i, s, p, ...)						\
	{ .version = (v), .flags = (f), .options = (o), .id = (i), .seq = (s),	\
	  .payload = (p), __VA_ARGS__ }

/* Put an IP header before the packet that the frame has. Return: the new length. */
static inline size_t gro_wrap(uint8_t *frame, size_t len, const struct gro_make *m)
{
	size_t hdr = m->outer == 4 ? 20 : 40;
	uint8_t *ip = frame + VKDEV_ETH_HDR;

	memmove(ip + hdr, ip, len - VKDEV_ETH_HDR);
	memset(ip, 0, hdr);
	len += hdr;
	if (m->outer == 4) {
		memcpy(frame + 12, "\x08\0\x45", 3);
		vkdev_put_be16(ip + 2, len - VKDEV_ETH_HDR);
		vkdev_put_be16(ip + 4, m->outer_id);
		ip[6] = 0x40;
		ip[9] = m->version == 4 ? 4 : 41;
	} else {
		memcpy(frame + 12, "\x86\xdd\x60", 3);
		vkdev_put_be16(ip + 4, len - VKDEV_ETH_HDR - 40);
		ip[6] = m->version == 4 ? 4 : 41;
	}
	return len;
}

/* Put an extension header of 8 bytes behind the IPv6 header. Return: the new length. */
static inline size_t gro_extend(uint8_t *frame, size_t len, uint8_t type)
{
	uint8_t *ip = frame + VKDEV_ETH_HDR, *ext = ip + 40;

	memmove(ext + 8, ext, len - VKDEV_ETH_HDR - 40);
	memcpy(ext, "\6\0\0\0\0\0\0\0", 8);
	ip[6] = type;
	vkdev_put_be16(ip + 4, vkdev_get_be16(ip + 4) + 8);
	return len + 8;
}

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
	if (m->ext)
		len = gro_extend(frame, len, m->ext);
	if (m->outer)
		len = gro_wrap(frame, len, m);
	gro_sum(frame, len);
	return len;
}

#endif
