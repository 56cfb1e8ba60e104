// SPDX-License-Identifier: GPL-2.0-only
/*
 * Packets out, the consumer: from completions to freed skbs; and the life of a
 * transmit ring, which begins and ends empty.
 */
#include <linux/dma-mapping.h>
#include <linux/mm.h>
#include <linux/netdevice.h>
#include <net/netdev_queues.h>
#include <net/xdp.h>

#include "trace.h"
#include "tx.h"
#include "vktls.h"

/**
 * vktls_tx_give_back() - unmap a descriptor's memory, and give it to its owner
 * @tx: ring
 * @buf: descriptor with a hold
 *
 * Context: any but hard interrupt.
 */
void vktls_tx_give_back(const struct vktls_tx_ring *tx, struct vktls_tx_buf *buf)
{
	if (buf->hold != TX_HOLD_XDP_POOL)
		dma_unmap_page(tx->dev, buf->addr, buf->len, DMA_TO_DEVICE);
	if (buf->hold == TX_HOLD_PAGE)
		put_page(buf->page);
	else if (buf->frame)
		xdp_return_frame(buf->frame);
	buf->page = NULL;
	buf->hold = TX_HOLD_NONE;
	buf->len = 0;
}

/* Totals of one vktls_tx_release(), without XDP frames. */
struct vktls_tx_freed {
	unsigned int packets, bytes;
};

/* Frees packets and mappings up to @end. */
static struct vktls_tx_freed vktls_tx_release(struct vktls_tx_ring *tx, u32 end,
					      int budget)
{
	struct vktls_tx_freed freed = {};
	struct vktls_tx_buf *buf;
	u32 head;

	for (head = tx->head; head != end; head++) {
		buf = vktls_tx_buf(tx, head);
		vktls_tx_unmap(tx, buf);
		if (!buf->skb)
			continue;
		freed.packets++;
		freed.bytes += buf->skb->len;
		napi_consume_skb(buf->skb, budget);
		buf->skb = NULL;
	}
	WRITE_ONCE(tx->head, end);
	return freed;
}

/* Reports the last packet before @end, to which alone the status applies. */
static void vktls_tx_refused(struct vktls_tx_ring *tx, u32 end, u16 status)
{
	const struct vktls_tx_buf *buf = vktls_tx_buf(tx, end - 1);

	u64_stats_update_begin(&tx->poll_sync);
	u64_stats_inc(&tx->stats[TXS_ERRORS]);
	u64_stats_update_end(&tx->poll_sync);
	if (buf->skb)
		vktls_tx_unsent(tx, buf->skb, buf->replay, status);
}

/*
 * Checks that @done descriptors were given to the NIC and end with a packet. Otherwise
 * memory would be freed while it is mapped, and the stack's queue limits would fail.
 */
static bool vktls_tx_was_sent(const struct vktls_tx_ring *tx, u32 head, u32 done)
{
	const struct vktls_tx_buf *last = vktls_tx_buf(tx, head + done - 1);

	return done && done <= READ_ONCE(tx->rung) - head &&
	       (last->skb || (last->hold > TX_HOLD_PAGE && last->frame));
}

/*
 * Moves @head to the end of the completed packets. Returns false after a completion that
 * cannot be true: the queue pair is marked as broken.
 */
static bool vktls_tx_complete(struct vktls_tx_ring *tx,
			      const struct vktls_tx_cpl *cpl, u32 *head)
{
	u32 done = (le16_to_cpu(cpl->head) - *head) & tx->ring.mask;
	u16 status = le16_to_cpu(cpl->status);

	if (unlikely(!vktls_tx_was_sent(tx, *head, done))) {
		netdev_err(tx->qp->vd->netdev,
			   "queue %u: completion of what was not sent\n",
			   tx->qp->index);
		vktls_ring_break(tx->qp);
		return false;
	}
	trace_vktls_tx_done(tx, done, status);
	*head += done;
	if (unlikely(status))
		vktls_tx_refused(tx, *head, status);
	return true;
}

static void vktls_tx_count_wake(struct vktls_tx_ring *tx)
{
	u64_stats_update_begin(&tx->poll_sync);
	u64_stats_inc(&tx->stats[TXS_WAKE]);
	u64_stats_update_end(&tx->poll_sync);
}

/* Wakes the queue after XDP frames, of which the stack's queue limits do not know. */
static void vktls_tx_wake_after_xdp(struct vktls_tx_ring *tx)
{
	/* Partner of the barrier in vktls_tx_stop_if_full(). */
	smp_mb();
	if (netif_tx_queue_stopped(tx->txq) &&
	    vktls_tx_room(tx) >= vktls_tx_start(tx)) {
		netif_tx_wake_queue(tx->txq);
		vktls_tx_count_wake(tx);
	}
}

/**
 * vktls_tx_poll() - free completed packets
 * @tx: ring
 * @budget: of NAPI, 0 under netpoll
 *
 * Context: NAPI of the queue pair.
 */
void vktls_tx_poll(struct vktls_tx_ring *tx, int budget)
{
	struct vktls_tx_cpl cpl;
	struct vktls_tx_freed freed;
	u32 head = tx->head;

	/* Under netpoll, which may be in a hard interrupt, no XDP frame can be freed. */
	if (unlikely(!budget && READ_ONCE(tx->xdp)))
		return;
	while (vktls_ring_take(&tx->ring, &cpl)) {
		if (!vktls_tx_complete(tx, &cpl, &head))
			break;
		tx->ring.cpl_head++;
	}
	if (head == tx->head)
		return;
	freed = vktls_tx_release(tx, head, budget);
	if (unlikely(!freed.packets)) {
		vktls_tx_wake_after_xdp(tx);
		return;
	}
	/* Barriers within: partner of those in vktls_tx_stop_if_full(). */
	if (!__netif_txq_completed_wake(tx->txq, freed.packets, freed.bytes,
					vktls_tx_room(tx), vktls_tx_start(tx),
					false))
		vktls_tx_count_wake(tx);
}

/**
 * vktls_tx_alloc() - allocate the transmit half of a queue pair
 * @qp: queue pair
 * @log2: descriptors, as a power of two
 *
 * Return: 0 or -ENOMEM.
 */
int vktls_tx_alloc(struct vktls_qp *qp, u8 log2)
{
	struct vktls_tx_ring *tx = &qp->tx;
	int err;

	tx->qp = qp;
	tx->dev = &qp->vd->pdev->dev;
	tx->txq = netdev_get_tx_queue(qp->vd->netdev, qp->index);
	u64_stats_init(&tx->xmit_sync);
	u64_stats_init(&tx->poll_sync);
	tx->bufs = kvcalloc(BIT(log2), sizeof(*tx->bufs), GFP_KERNEL);
	if (!tx->bufs)
		return -ENOMEM;
	tx->copies = dma_alloc_coherent(tx->dev, sizeof(*tx->copies) << log2,
					&tx->copies_dma, GFP_KERNEL);
	if (!tx->copies) {
		err = -ENOMEM;
		goto free_bufs;
	}
	err = vktls_ring_alloc(qp->vd, &tx->ring, log2);
	if (err)
		goto free_copies;
	return 0;

free_copies:
	dma_free_coherent(tx->dev, sizeof(*tx->copies) << log2, tx->copies,
			  tx->copies_dma);
free_bufs:
	kvfree(tx->bufs);
	return err;
}

/**
 * vktls_tx_reset() - free packets that were not completed, and start from zero
 * @tx: ring, deleted in the NIC
 *
 * Context: process; transmission and NAPI are stopped.
 */
void vktls_tx_reset(struct vktls_tx_ring *tx)
{
	const struct vktls_tx_buf *buf;
	u32 index;

	for (index = tx->head; index != tx->tail; index++) {
		buf = vktls_tx_buf(tx, index);
		if (buf->skb)
			vktls_tx_unsent(tx, buf->skb, buf->replay, 0);
	}
	vktls_tx_release(tx, tx->tail, 0);
	netdev_tx_reset_queue(tx->txq);
	tx->head = 0;
	tx->tail = 0;
	tx->rung = 0;
	tx->xdp = false;
}

/**
 * vktls_tx_free() - undo vktls_tx_alloc()
 * @qp: queue pair, stopped
 */
void vktls_tx_free(struct vktls_qp *qp)
{
	struct vktls_tx_ring *tx = &qp->tx;

	dma_free_coherent(tx->dev, sizeof(*tx->copies) << tx->ring.log2, tx->copies,
			  tx->copies_dma);
	vktls_ring_free(qp->vd, &tx->ring);
	kvfree(tx->bufs);
}
