/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Rings and queue pairs. Indices run freely and are masked when they touch
 * memory or the NIC; one descriptor always stays free, so head == tail is empty.
 */
#ifndef VKTLS_RING_H
#define VKTLS_RING_H

#include <linux/dim.h>
#include <linux/netdevice.h>
#include <linux/u64_stats_sync.h>

#include "vktls_abi.h"

struct page_pool;
struct vktls_config;
struct vktls_dev;
struct vktls_qp;

#define ENTRY_BYTES		16

/*
 * A descriptor ring and its completion ring, of one size. Here and below a semicolon in
 * the comment of a field is followed by the lock or context that guards the field.
 */
struct vktls_ring {
	void *desc;
	void *cpl;
	u32 mask;
	u32 cpl_head;		/* next completion to look at; NAPI */
	u8 log2;
	dma_addr_t desc_dma;
	dma_addr_t cpl_dma;
};

/* Packet data behind a transmit descriptor; all zero while there is none. */
struct vktls_tx_buf {
	struct sk_buff *skb;	/* on the packet's last descriptor, else NULL */
	struct page *held;	/* page that a replay holds; put when unmapped */
	dma_addr_t addr;
	u32 len;		/* bytes mapped at addr; 0 = none */
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
	TXS_WAKE,
	TXS_ERRORS,		/* refused by the NIC */
	TXS_NUM
};

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

struct vktls_totals {
	u64 tx[TXS_NUM];
	u64 rx[RXS_NUM];
	u64 irqs;
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

	/* consumer: NAPI */
	u32 head ____cacheline_aligned_in_smp;
	struct u64_stats_sync poll_sync;

	u64_stats_t stats[TXS_NUM];
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

/* A queue pair: one vector, one NAPI instance, one ring each way. */
struct vktls_qp {
	struct vktls_dev *vd;
	unsigned int index;
	struct napi_struct napi;
	struct vktls_rx_ring rx;
	struct vktls_tx_ring tx;
	struct dim rx_dim, tx_dim;
	u16 events;		/* interrupts; written by the handler */
	u16 dim_events;		/* events at the last sample of net_dim; NAPI */
	struct u64_stats_sync irq_sync;
	u64_stats_t irqs;
	bool broken;		/* neither polled nor armed up to a reset; NAPI */
	u32 watched;		/* completions taken at the last vktls_qp_watch() */
	bool waited;		/* completions were waiting then */
	char name[IFNAMSIZ + 8];
};

/* Functions of ring.c */
int vktls_ring_alloc(struct vktls_dev *vd, struct vktls_ring *ring, u8 log2);
void vktls_ring_free(struct vktls_dev *vd, struct vktls_ring *ring);
int vktls_ring_add(struct vktls_qp *qp, struct vktls_ring *ring, u16 type);
void vktls_ring_del(struct vktls_qp *qp, u16 type);
void vktls_ring_break(struct vktls_qp *qp);

/**
 * vktls_ring_peek() - next completion that the NIC has written
 * @ring: ring to look at; the caller moves cpl_head when done with it
 *
 * Context: NAPI.
 * Return: the completion, all of it valid, or NULL.
 */
static inline void *vktls_ring_peek(const struct vktls_ring *ring)
{
	u8 *cpl = ring->cpl + (ring->cpl_head & ring->mask) * ENTRY_BYTES;
	u8 gen = ring->cpl_head & (ring->mask + 1) ? 0 : VKTLS_GEN;

	if ((READ_ONCE(cpl[ENTRY_BYTES - 1]) & VKTLS_GEN) != gen)
		return NULL;
	/* The NIC writes the generation after the rest of the completion. */
	dma_rmb();
	return cpl;
}

/**
 * vktls_ring_take() - copy of the next completion that the NIC has written
 * @ring: ring to look at; the caller moves cpl_head when done with it
 * @copy: ENTRY_BYTES. Each byte is read once: a NIC that goes on writing
 *	cannot change a completion after its check
 *
 * Context: NAPI.
 * Return: true if there is one.
 */
static inline bool vktls_ring_take(const struct vktls_ring *ring, void *copy)
{
	const u64 *cpl = vktls_ring_peek(ring);
	u64 words[2];

	static_assert(sizeof(words) == ENTRY_BYTES);
	if (!cpl)
		return false;
	words[0] = READ_ONCE(cpl[0]);
	words[1] = READ_ONCE(cpl[1]);
	memcpy(copy, words, sizeof(words));
	return true;
}

/* Functions of tx.c */
netdev_tx_t vktls_tx_xmit(struct sk_buff *skb, struct net_device *netdev);

/* Functions of tx_done.c */
void vktls_tx_poll(struct vktls_tx_ring *tx, int budget);
int vktls_tx_alloc(struct vktls_qp *qp, u8 log2);
void vktls_tx_reset(struct vktls_tx_ring *tx);
void vktls_tx_free(struct vktls_qp *qp);

static inline u32 vktls_tx_room(const struct vktls_tx_ring *tx)
{
	return tx->ring.mask - (READ_ONCE(tx->tail) - READ_ONCE(tx->head));
}

/* Functions of rx.c */
int vktls_rx_alloc(struct vktls_qp *qp, u8 log2);
void vktls_rx_free(struct vktls_qp *qp);
void vktls_rx_start(struct vktls_rx_ring *rx);
void vktls_rx_reset(struct vktls_rx_ring *rx);
int vktls_rx_poll(struct vktls_rx_ring *rx, int budget);

/* Functions of napi.c */
struct vktls_qp **vktls_qps_alloc(struct vktls_dev *vd,
				  const struct vktls_config *cfg);
void vktls_qps_free(struct vktls_qp **qp, unsigned int num);
int vktls_qps_start(struct vktls_qp **qp, unsigned int num);
void vktls_qps_stop(struct vktls_qp **qp, unsigned int num);
void vktls_qp_moderate(struct vktls_qp *qp);
void vktls_qp_watch(struct vktls_qp *qp);
void vktls_qp_totals(struct vktls_qp *qp, struct vktls_totals *sum);

#endif /* VKTLS_RING_H */
