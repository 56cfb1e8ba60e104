/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A receive ring: its buffers and its counters.
 */
#ifndef VKTLS_RX_RING_H
#define VKTLS_RX_RING_H

#include <linux/skbuff.h>
#include <linux/u64_stats_sync.h>

#include "ring.h"

struct page_pool;
struct vktls_xdp;

enum vktls_rx_stat {
	RXS_PACKETS,		/* frames on the wire */
	RXS_BYTES,
	RXS_GRO_PACKETS,	/* packets joined from several frames by the NIC */
	RXS_GRO_BYTES,
	RXS_GRO_WIRE_PACKETS,		/* frames joined to GRO_PACKETS; PACKETS has them too */
	RXS_GRO_WIRE_BYTES,
	RXS_CSUM_OK,
	RXS_CSUM_NONE,
	RXS_CSUM_BAD,
	RXS_ALLOC_FAIL,
	RXS_DROPPED,		/* frames without an skb */
	/* Frames that a program saw, by what became of them; PACKETS has them too. */
	RXS_XDP_PASS,
	RXS_XDP_DROP,
	RXS_XDP_TX,
	RXS_XDP_REDIRECT,
	RXS_XDP_ABORTED,	/* XDP_ABORTED, or no verdict that exists */
	RXS_XDP_ERRORS,		/* could not be sent, redirected, or seen by the program */
	RXS_XDP_TLS_DROP,	/* decrypted by the NIC, and to be sent or redirected */
	RXS_NUM
};

/* A page fragment for the NIC to fill. */
struct vktls_rx_buf {
	struct page *page;
	unsigned int offset;
};

/* Fields that change are guarded by NAPI. */
struct vktls_rx_ring {
	struct vktls_qp *qp;
	struct vktls_rx_buf *bufs;
	struct page_pool *pool;
	struct vktls_ring ring;
	struct vktls_xdp *xdp;	/* NULL: buffers have no room for a program */
	unsigned int buf_size;	/* truesize of one buffer */
	unsigned int headroom;	/* bytes before a frame */
	unsigned int per_page;	/* buffers in a page */
	unsigned int room;	/* bytes that the NIC may write to one buffer */

	u32 tail;
	u32 head;
	u32 rung;
	struct sk_buff *skb;	/* frame still without its last buffer */
	bool drop;		/* drop buffers up to the end of the frame */

	struct u64_stats_sync sync;
	u64_stats_t stats[RXS_NUM];
};

/* Functions of rx.c */
int vktls_rx_alloc(struct vktls_qp *qp, u8 log2);
void vktls_rx_free(struct vktls_qp *qp);
void vktls_rx_start(struct vktls_rx_ring *rx);
void vktls_rx_reset(struct vktls_rx_ring *rx);
int vktls_rx_take(struct vktls_rx_ring *rx, int budget);
int vktls_rx_refill(struct vktls_rx_ring *rx, int frames, int budget);
bool vktls_rx_fits(const struct vktls_rx_ring *rx);
void vktls_rx_refuse(struct vktls_rx_ring *rx, const struct vktls_rx_cpl *cpl);
void vktls_rx_hand_on(struct vktls_rx_ring *rx, struct sk_buff *skb,
		      const struct vktls_rx_cpl *cpl);

/* Returns whether a completion can be true: the next buffer, with bytes that fit it. */
static inline bool vktls_rx_is_next(const struct vktls_rx_ring *rx,
				    const struct vktls_rx_cpl *cpl)
{
	return le16_to_cpu(cpl->index) == (rx->head & rx->ring.mask) &&
	       le16_to_cpu(cpl->len) <= rx->room && rx->head != rx->tail;
}

#endif /* VKTLS_RX_RING_H */
