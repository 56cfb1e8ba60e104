/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A transmit ring: its packets, the plan of a replay, and its counters.
 */
#ifndef VKTLS_TX_RING_H
#define VKTLS_TX_RING_H

#include <linux/mm.h>
#include <linux/netdevice.h>
#include <linux/u64_stats_sync.h>

#include "ring.h"

struct xdp_frame;

/* Memory that a descriptor has to give back, besides its mapping */
enum vktls_tx_hold {
	TX_HOLD_NONE,
	TX_HOLD_PAGE,		/* page of a replay */
	TX_HOLD_XDP,		/* XDP frame of another interface */
	TX_HOLD_XDP_POOL,	/* XDP frame of the own page pool, which stays mapped */
};

/* Packet data behind a transmit descriptor; all zero while there is none. */
struct vktls_tx_buf {
	struct sk_buff *skb;	/* on the packet's last descriptor, else NULL */
	union {
		struct page *page;	/* TX_HOLD_PAGE */
		struct xdp_frame *frame; /* TX_HOLD_XDP*: on the last descriptor, else NULL */
	};
	dma_addr_t addr;
	u32 len;		/* bytes at addr to unmap or give back; 0 = none */
	u8 hold;		/* enum vktls_tx_hold */
	bool replay;		/* the packet is a replay, if skb is set */
};

/* Counters of transmission: written by the producer, from WAKE on by NAPI. */
enum vktls_tx_stat {
	TXS_PACKETS,		/* frames on the wire */
	TXS_BYTES,
	TXS_GSO_PACKETS,	/* packets segmented by the NIC */
	TXS_GSO_BYTES,
	TXS_CSUM,		/* packets summed by the NIC */
	TXS_TLS,		/* packets encrypted by the NIC */
	TXS_DOORBELLS,
	TXS_STOP,
	TXS_DROPPED,		/* never given to the NIC */
	TXS_XDP,		/* XDP frames; PACKETS has them too */
	TXS_XDP_DROPPED,	/* redirected frames without room */
	TXS_WAKE,
	TXS_ERRORS,		/* refused by the NIC */
	TXS_NUM
};

/* Descriptors of a replay in addition to its records: offload, replay, headers. */
#define TX_PLAN_EXTRA		3

/* Whole records around a packet's payload; empty for a packet that is no replay. */
struct vktls_tx_plan {
	u64 rec_no;		/* number of the first record */
	u32 before, after;	/* bytes before and after the payload */
	unsigned int num;
	skb_frag_t frags[VKTLS_TX_REPLAY_DESCS - TX_PLAN_EXTRA];
};

/* Empties the plan, and releases the pages of its fragments from @from on. */
static inline void vktls_tx_plan_drop(struct vktls_tx_plan *plan,
				      unsigned int from)
{
	for (; from < plan->num; from++)
		put_page(skb_frag_page(&plan->frags[from]));
	plan->num = 0;
}

/* Largest headers, or packet, that are copied instead of mapped; bytes. */
#define TX_COPY		128

struct vktls_tx_ring {
	struct vktls_qp *qp;
	struct netdev_queue *txq;
	struct vktls_tx_buf *bufs;
	u8 (*copies)[TX_COPY];		/* one for each descriptor */
	dma_addr_t copies_dma;
	struct device *dev;	/* device for DMA mapping */
	struct vktls_ring ring;

	/* producer: under the queue's xmit lock */
	u32 tail ____cacheline_aligned_in_smp;
	u32 rung;		/* tail in the last doorbell */
	struct u64_stats_sync xmit_sync;
	struct vktls_tx_plan replay;	/* plan of the packet being sent */
	bool xdp;		/* XDP frames were sent since the ring's start */

	/* consumer: NAPI */
	u32 head ____cacheline_aligned_in_smp;
	struct u64_stats_sync poll_sync;

	u64_stats_t stats[TXS_NUM];
};

/* Functions of tx.c */
netdev_tx_t vktls_tx_xmit(struct sk_buff *skb, struct net_device *netdev);
void vktls_tx_ring_doorbell(struct vktls_tx_ring *tx);

/* Functions of tx_done.c */
void vktls_tx_poll(struct vktls_tx_ring *tx, int budget);
int vktls_tx_alloc(struct vktls_qp *qp, u8 log2);
void vktls_tx_reset(struct vktls_tx_ring *tx);
void vktls_tx_free(struct vktls_qp *qp);

static inline u32 vktls_tx_room(const struct vktls_tx_ring *tx)
{
	return tx->ring.mask - (READ_ONCE(tx->tail) - READ_ONCE(tx->head));
}

#endif /* VKTLS_TX_RING_H */
