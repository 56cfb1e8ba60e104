// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sending of XDP frames: those of the own receive ring (XDP_TX), and those that other interfaces
 * redirect here. They share the transmit rings with the stack, under the lock of the queue. They
 * leave room for the stack's largest packet, so that they never stop the queue.
 */
#include <linux/dma-mapping.h>
#include <net/page_pool/helpers.h>

#include "qp.h"
#include "tx.h"
#include "xdp.h"

static dma_addr_t vktls_xdp_map(const struct vktls_tx_ring *tx,
				struct page *page, unsigned int offset,
				unsigned int len, enum vktls_tx_hold hold)
{
	dma_addr_t addr;

	if (hold != TX_HOLD_XDP_POOL)
		return dma_map_page(tx->dev, page, offset, len, DMA_TO_DEVICE);
	addr = page_pool_get_dma_addr(page) + offset;
	dma_sync_single_for_device(tx->dev, addr, len, DMA_BIDIRECTIONAL);
	return addr;
}

static int vktls_xdp_write(struct vktls_tx_ring *tx, u32 index,
			   struct page *page, unsigned int offset,
			   unsigned int len, enum vktls_tx_hold hold)
{
	dma_addr_t addr = vktls_xdp_map(tx, page, offset, len, hold);
	int err = vktls_tx_write_mapped(tx, index, addr, len);

	if (!err)
		vktls_tx_buf(tx, index)->hold = hold;
	return err;
}

static int vktls_xdp_write_frags(struct vktls_tx_ring *tx, u32 *index,
				 const struct skb_shared_info *info,
				 enum vktls_tx_hold hold)
{
	const skb_frag_t *frag = info->frags;
	const skb_frag_t *end = frag + info->nr_frags;
	int err = 0;

	for (; frag < end && !err; frag++) {
		err = vktls_xdp_write(tx, *index, skb_frag_page(frag),
				      skb_frag_off(frag), skb_frag_size(frag),
				      hold);
		*index += !err;
	}
	return err;
}

static void vktls_xdp_publish(struct vktls_tx_ring *tx, u32 end,
			      struct xdp_frame *frame)
{
	vktls_tx_desc_at(tx, end - 1)->flags = cpu_to_le16(VKTLS_TXD_EOP);
	vktls_tx_buf(tx, end - 1)->frame = frame;
	WRITE_ONCE(tx->tail, end);
	WRITE_ONCE(tx->xdp, true);
	u64_stats_update_begin(&tx->xmit_sync);
	u64_stats_inc(&tx->stats[TXS_PACKETS]);
	u64_stats_add(&tx->stats[TXS_BYTES], xdp_get_frame_len(frame));
	u64_stats_inc(&tx->stats[TXS_XDP]);
	u64_stats_update_end(&tx->xmit_sync);
}

/*
 * Writes the descriptors of a frame, without a doorbell. On success the ring owns the frame.
 *
 * Context: the caller holds the queue's xmit lock.
 */
static int vktls_xdp_post(struct vktls_tx_ring *tx, struct xdp_frame *frame,
			  enum vktls_tx_hold hold)
{
	const struct skb_shared_info *info = NULL;
	u32 descs = 1, index = tx->tail;
	int err;

	if (unlikely(xdp_frame_has_frags(frame))) {
		info = xdp_get_shared_info_from_frame(frame);
		descs += info->nr_frags;
	}
	if (unlikely(descs > VKTLS_TX_MAX_DESCS ||
		     vktls_tx_room(tx) < descs + TX_STOP))
		return -ENOSPC;
	err = vktls_xdp_write(tx, index, virt_to_page(frame->data),
			      offset_in_page(frame->data), frame->len, hold);
	if (err)
		return err;
	index++;
	if (unlikely(info))
		err = vktls_xdp_write_frags(tx, &index, info, hold);
	if (unlikely(err)) {
		while (index != tx->tail)
			vktls_tx_unmap(tx, vktls_tx_buf(tx, --index));
		return err;
	}
	vktls_xdp_publish(tx, index, frame);
	return 0;
}

static int vktls_xdp_post_all(struct vktls_tx_ring *tx, int num,
			      struct xdp_frame **frames)
{
	int sent = 0;

	while (sent < num &&
	       !vktls_xdp_post(tx, frames[sent], TX_HOLD_XDP))
		sent++;
	if (unlikely(sent < num)) {
		u64_stats_update_begin(&tx->xmit_sync);
		u64_stats_add(&tx->stats[TXS_XDP_DROPPED], num - sent);
		u64_stats_update_end(&tx->xmit_sync);
	}
	return sent;
}

/**
 * vktls_xdp_xmit() - ndo_xdp_xmit: send frames of another interface
 * @netdev: interface, up or not
 * @num: number of frames
 * @frames: frames; the caller frees those that are not sent
 * @flags: XDP_XMIT_*
 *
 * A stopped queue is full, or has no ring: queues are stopped whenever queue pairs do not
 * run or change, see netdev.c.
 *
 * Context: NAPI of any interface.
 * Return: number of frames sent, or errno.
 */
int vktls_xdp_xmit(struct net_device *netdev, int num, struct xdp_frame **frames,
		   u32 flags)
{
	unsigned int cpu = smp_processor_id();
	unsigned int queue = cpu % READ_ONCE(netdev->real_num_tx_queues);
	struct netdev_queue *txq = netdev_get_tx_queue(netdev, queue);
	struct vktls_dev *vd = netdev_priv(netdev);
	int sent = 0;

	if (unlikely(flags & ~XDP_XMIT_FLAGS_MASK))
		return -EINVAL;
	if (unlikely(!netif_carrier_ok(netdev)))
		return -ENETDOWN;
	__netif_tx_lock(txq, cpu);
	if (likely(!netif_xmit_frozen_or_drv_stopped(txq) && queue < vd->nqps)) {
		sent = vktls_xdp_post_all(&vd->qp[queue]->tx, num, frames);
		if (flags & XDP_XMIT_FLUSH)
			vktls_tx_ring_doorbell(&vd->qp[queue]->tx);
	}
	__netif_tx_unlock(txq);
	return sent;
}

/**
 * vktls_xdp_tx() - send the frame of a receive ring back: XDP_TX
 * @rx: ring with a whole frame
 *
 * The frame leaves with the doorbell of vktls_xdp_tx_flush().
 *
 * Context: NAPI of the queue pair.
 * Return: true, or false with the frame still in @rx.
 */
bool vktls_xdp_tx(struct vktls_rx_ring *rx)
{
	struct xdp_frame *frame = xdp_convert_buff_to_frame(&rx->xdp->buff);
	struct vktls_tx_ring *tx = &rx->qp->tx;
	int err;

	if (unlikely(!frame))
		return false;
	__netif_tx_lock(tx->txq, smp_processor_id());
	err = vktls_xdp_post(tx, frame, TX_HOLD_XDP_POOL);
	__netif_tx_unlock(tx->txq);
	rx->xdp->sent |= !err;
	return !err;
}

/**
 * vktls_xdp_tx_flush() - ring the doorbell for frames of vktls_xdp_tx()
 * @rx: ring that they came from
 *
 * Context: NAPI of the queue pair.
 */
void vktls_xdp_tx_flush(struct vktls_rx_ring *rx)
{
	struct vktls_tx_ring *tx = &rx->qp->tx;

	if (!rx->xdp->sent)
		return;
	rx->xdp->sent = false;
	__netif_tx_lock(tx->txq, smp_processor_id());
	vktls_tx_ring_doorbell(tx);
	__netif_tx_unlock(tx->txq);
}
