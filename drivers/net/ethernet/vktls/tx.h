/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Shared by the producers of a transmit ring (tx.c, xdp_tx.c) and its consumer (tx_done.c):
 * the state of each descriptor, and the limits at which the queue stops and starts.
 */
#ifndef VKTLS_TX_H
#define VKTLS_TX_H

#include <linux/dma-mapping.h>
#include <linux/mm.h>

#include "ktls.h"
#include "qp.h"

/*
 * Limits in free descriptors: the queue stops below TX_STOP, and starts again
 * at vktls_tx_start().
 */
#define TX_STOP		VKTLS_TX_MAX_DESCS

static inline u32 vktls_tx_start(const struct vktls_tx_ring *tx)
{
	return min_t(u32, 2 * VKTLS_TX_MAX_DESCS, tx->ring.mask);
}

static inline struct vktls_tx_buf *vktls_tx_buf(const struct vktls_tx_ring *tx,
						u32 index)
{
	return &tx->bufs[index & tx->ring.mask];
}

static inline struct vktls_tx_desc *
vktls_tx_desc_at(const struct vktls_tx_ring *tx, u32 index)
{
	struct vktls_tx_desc *desc = tx->ring.desc;

	return &desc[index & tx->ring.mask];
}

static inline void vktls_tx_write(struct vktls_tx_ring *tx, u32 index,
				  dma_addr_t addr, unsigned int len)
{
	struct vktls_tx_desc *desc = vktls_tx_desc_at(tx, index);

	desc->addr = cpu_to_le64(addr);
	desc->len = cpu_to_le32(len);
	desc->reserved = 0;
	desc->flags = 0;
}

/* Writes a descriptor of memory that is mapped for it alone. */
static inline int vktls_tx_write_mapped(struct vktls_tx_ring *tx, u32 index,
					dma_addr_t addr, unsigned int len)
{
	struct vktls_tx_buf *buf = vktls_tx_buf(tx, index);

	if (dma_mapping_error(tx->dev, addr))
		return -ENOMEM;
	vktls_tx_write(tx, index, addr, len);
	buf->addr = addr;
	buf->len = len;
	return 0;
}

/* Function of tx_done.c: vktls_tx_unmap() of a descriptor that holds something */
void vktls_tx_give_back(const struct vktls_tx_ring *tx,
			struct vktls_tx_buf *buf);

/* Undoes the mapping that a descriptor has of its own, if any. */
static inline void vktls_tx_unmap(const struct vktls_tx_ring *tx,
				  struct vktls_tx_buf *buf)
{
	if (!buf->len)
		return;
	if (unlikely(buf->hold)) {
		vktls_tx_give_back(tx, buf);
		return;
	}
	dma_unmap_page(tx->dev, buf->addr, buf->len, DMA_TO_DEVICE);
	buf->len = 0;
}

/* Reports a packet that the NIC refused, or did not get (status 0). */
static inline void vktls_tx_unsent(const struct vktls_tx_ring *tx,
				   const struct sk_buff *skb, bool replay,
				   u16 status)
{
	if (replay)
		vktls_ktls_replay_unsent(tx->qp->vd, skb, status);
	else
		vktls_ktls_tx_unsent(tx->qp->vd, skb, status);
}

#endif /* VKTLS_TX_H */
