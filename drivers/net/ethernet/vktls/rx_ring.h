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
	unsigned int buf_size;	/* truesize of one buffer */
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
int vktls_rx_poll(struct vktls_rx_ring *rx, int budget);

#endif /* VKTLS_RX_RING_H */
