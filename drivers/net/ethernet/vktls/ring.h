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
struct vktls_dev;

/* A descriptor ring and its completion ring, of one size; all are 16 bytes. */
struct vktls_ring {
	void *desc;
	void *cpl;
	u32 mask;
	u32 cpl_head;		/* next completion to look at; NAPI */
	u8 log2;
	dma_addr_t desc_dma;
	dma_addr_t cpl_dma;
};

/* What a transmit descriptor stands for. */
struct vktls_tx_buf {
	struct sk_buff *skb;	/* on the packet's last descriptor, else NULL */
	DEFINE_DMA_UNMAP_ADDR(addr);
	DEFINE_DMA_UNMAP_LEN(len);	/* 0 = nothing is mapped */
	bool page;		/* mapped as a page */
};

struct vktls_tx_stats {
	u64_stats_t packets;	/* frames on the wire, as far as is known here */
	u64_stats_t bytes;
	u64_stats_t gso_packets;
	u64_stats_t gso_bytes;
	u64_stats_t csum_partial;
	u64_stats_t stop;
	u64_stats_t wake;
	u64_stats_t doorbells;
	u64_stats_t dropped;	/* not given to the NIC */
	u64_stats_t errors;	/* refused by the NIC */
};

struct vktls_tx_ring {
	/* constant while the ring lives */
	struct vktls_qp *qp;
	struct netdev_queue *txq;
	struct vktls_tx_buf *bufs;

	/* producer: under the queue's xmit lock */
	u32 tail ____cacheline_aligned_in_smp;
	u32 rung;		/* tail that the NIC knows */

	/* consumer: NAPI */
	u32 head ____cacheline_aligned_in_smp;

	struct vktls_ring ring;
	struct u64_stats_sync xmit_sync;	/* fields counted by the producer */
	struct u64_stats_sync clean_sync;	/* errors, wake */
	struct vktls_tx_stats stats;
};

/* A page fragment that the NIC may fill. */
struct vktls_rx_buf {
	struct page *page;
	unsigned int offset;
};

struct vktls_rx_stats {
	u64_stats_t packets;
	u64_stats_t bytes;
	u64_stats_t csum_ok;
	u64_stats_t csum_none;
	u64_stats_t csum_bad;
	u64_stats_t alloc_fail;
	u64_stats_t dropped;
	u64_stats_t starved;	/* polls that ended with too few buffers */
};

struct vktls_rx_ring {
	struct vktls_qp *qp;
	struct vktls_rx_buf *bufs;
	struct page_pool *pool;
	unsigned int buf_size;	/* truesize of one buffer */
	unsigned int room;	/* bytes the NIC may write to one buffer */

	u32 tail;		/* NAPI */
	u32 head;
	u32 rung;
	struct sk_buff *skb;	/* frame whose last buffer is still to come */
	bool drop;		/* rest of a frame that is thrown away */

	struct vktls_ring ring;
	struct u64_stats_sync sync;
	struct vktls_rx_stats stats;
};

/* A queue pair: one vector, one NAPI instance, one ring each way. */
struct vktls_qp {
	struct vktls_dev *vd;
	struct napi_struct napi;
	unsigned int index;
	struct vktls_rx_ring rx;
	struct vktls_tx_ring tx;
	struct dim rx_dim, tx_dim;
	u64_stats_t irqs;	/* written by the interrupt handler alone */
	struct u64_stats_sync irq_sync;
	char name[IFNAMSIZ + 16];
};

/* ring.c */
int vktls_ring_alloc(struct device *dev, struct vktls_ring *ring, u8 log2);
void vktls_ring_free(struct device *dev, struct vktls_ring *ring);
int vktls_ring_create(struct vktls_qp *qp, struct vktls_ring *ring, u16 type);
int vktls_ring_destroy(struct vktls_qp *qp, u16 type);
void *vktls_ring_cpl_peek(const struct vktls_ring *ring);

/* tx.c */
netdev_tx_t vktls_tx_xmit(struct sk_buff *skb, struct net_device *netdev);
int vktls_tx_alloc(struct vktls_qp *qp, u8 log2);
void vktls_tx_free(struct vktls_qp *qp);
bool vktls_tx_poll(struct vktls_tx_ring *tx, int budget);
void vktls_tx_drain(struct vktls_tx_ring *tx);

/* rx.c */
int vktls_rx_alloc(struct vktls_qp *qp, u8 log2, unsigned int mtu);
void vktls_rx_free(struct vktls_qp *qp);
bool vktls_rx_fill(struct vktls_rx_ring *rx, gfp_t gfp);
int vktls_rx_poll(struct vktls_rx_ring *rx, int budget);

/* napi.c */
#endif /* VKTLS_RING_H */
