// SPDX-License-Identifier: GPL-2.0-only
/*
 * Packets out: from skb to descriptors, and from completions back to freed skbs.
 * A packet's descriptors are all written or none, and the NIC sees them with the
 * doorbell only; the last packet before each doorbell asks for a completion.
 */
#include <linux/dma-mapping.h>
#include <linux/etherdevice.h>
#include <linux/if_vlan.h>
#include <linux/mm.h>
#include <linux/tcp.h>
#include <linux/unaligned.h>
#include <net/netdev_queues.h>
#include <net/tls.h>

#include "ktls.h"
#include "ring.h"
#include "trace.h"
#include "vktls.h"

/* The queue stops below the one and starts again above the other. */
#define TX_STOP_DESCS	VKTLS_TX_MAX_DESCS
#define TX_START_DESCS	min_t(u32, 2 * VKTLS_TX_MAX_DESCS, tx->ring.mask)

/* What one packet needs of the NIC. */
struct tx_packet {
	struct sk_buff *skb;
	struct vktls_tx_offload off;
	bool replay;		/* tx->replay is its payload */
	unsigned int hdr_len;	/* to the end of the TCP header, with TSO */
	unsigned int segs;
};

static struct vktls_tx_desc *tx_desc(struct vktls_tx_ring *tx, u32 index)
{
	struct vktls_tx_desc *desc = tx->ring.desc;

	return &desc[index & tx->ring.mask];
}

static struct vktls_tx_buf *tx_buf(struct vktls_tx_ring *tx, u32 index)
{
	return &tx->bufs[index & tx->ring.mask];
}

static void tx_count(struct vktls_tx_ring *tx, enum vktls_tx_stat stat)
{
	u64_stats_update_begin(&tx->xmit_sync);
	u64_stats_inc(&tx->stats[stat]);
	u64_stats_update_end(&tx->xmit_sync);
}

/*
 * The last descriptor of all is still ours, so the wish for a completion can be
 * put into it when it is known that nothing follows for now.
 */
static void tx_ring_doorbell(struct vktls_tx_ring *tx)
{
	if (tx->rung == tx->tail)
		return;
	tx_desc(tx, tx->tail - 1)->flags |= cpu_to_le16(VKTLS_TXD_CPL);
	tx->rung = tx->tail;
	tx_count(tx, VKTLS_TXS_DOORBELLS);
	/* writel() inside orders the descriptors before the tail. */
	vktls_write(tx->qp->vd, VKTLS_REG_QP(tx->qp->index) + VKTLS_QP_TX_TAIL,
		    tx->tail & tx->ring.mask);
}

static void tx_unmap(struct vktls_tx_ring *tx, struct vktls_tx_buf *buf)
{
	struct device *dev = &tx->qp->vd->pdev->dev;

	if (buf->held)
		put_page(buf->held);
	buf->held = NULL;
	if (buf->page)
		dma_unmap_page(dev, dma_unmap_addr(buf, addr),
			       dma_unmap_len(buf, len), DMA_TO_DEVICE);
	else
		dma_unmap_single(dev, dma_unmap_addr(buf, addr),
				 dma_unmap_len(buf, len), DMA_TO_DEVICE);
	dma_unmap_len_set(buf, len, 0);
}

static void tx_offload_tso(struct tx_packet *pkt)
{
	struct sk_buff *skb = pkt->skb;

	pkt->hdr_len = skb_tcp_all_headers(skb);
	pkt->segs = max_t(unsigned int, skb_shinfo(skb)->gso_segs, 1);
	pkt->off.mss = cpu_to_le16(skb_shinfo(skb)->gso_size);
	pkt->off.hdr_len = cpu_to_le16(pkt->hdr_len);
	pkt->off.flags |= cpu_to_le16(VKTLS_TXO_TSO);
}

static void tx_offload_prepare(struct tx_packet *pkt, u32 tls_ctx)
{
	struct sk_buff *skb = pkt->skb;
	struct vktls_tx_offload *off = &pkt->off;

	if (skb->ip_summed == CHECKSUM_PARTIAL) {
		off->csum_start = cpu_to_le16(skb_checksum_start_offset(skb));
		off->csum_offset = skb->csum_offset;
		off->flags |= cpu_to_le16(VKTLS_TXO_CSUM);
	}
	if (skb_is_gso(skb))
		tx_offload_tso(pkt);
	if (skb_vlan_tag_present(skb)) {
		off->vlan_tci = cpu_to_le16(skb_vlan_tag_get(skb));
		off->flags |= cpu_to_le16(VKTLS_TXO_VLAN);
	}
	if (tls_ctx != VKTLS_NO_CTX) {
		off->tls_ctx = cpu_to_le32(tls_ctx);
		off->hdr_len = cpu_to_le16(skb_tcp_all_headers(skb));
		off->flags |= cpu_to_le16(VKTLS_TXO_TLS);
		if (pkt->replay)
			off->flags |= cpu_to_le16(VKTLS_TXO_REPLAY);
	}
	if (off->flags)
		off->flags |= cpu_to_le16(VKTLS_TXD_OFFLOAD);
}

static void tx_write(struct vktls_tx_ring *tx, u32 index, dma_addr_t addr,
		     unsigned int len, bool page)
{
	struct vktls_tx_desc *desc = tx_desc(tx, index);
	struct vktls_tx_buf *buf = tx_buf(tx, index);

	desc->addr = cpu_to_le64(addr);
	desc->len = cpu_to_le32(len);
	desc->reserved = 0;
	desc->flags = 0;
	dma_unmap_addr_set(buf, addr, addr);
	dma_unmap_len_set(buf, len, len);
	buf->page = page;
	buf->skb = NULL;
	buf->held = NULL;
}

/**
 * vktls_tx_plan_drop() - let go of records that are not replayed
 * @plan: empty afterwards
 * @from: first fragment that is still held
 */
void vktls_tx_plan_drop(struct vktls_tx_plan *plan, unsigned int from)
{
	for (; from < plan->num; from++)
		put_page(skb_frag_page(&plan->frags[from]));
	plan->num = 0;
}

static phys_addr_t tx_frag_start(const skb_frag_t *frag)
{
	return page_to_phys(skb_frag_page(frag)) + skb_frag_off(frag);
}

/*
 * Bytes from @frag on that lie in one piece. What is sent by reference comes in
 * a fragment for each page, also where the pages follow one another.
 */
static unsigned int tx_frag_run(const skb_frag_t *frag, const skb_frag_t *end,
				unsigned int *frags)
{
	phys_addr_t start = tx_frag_start(frag);
	unsigned int n = 0, len = 0;

	do
		len += skb_frag_size(&frag[n++]);
	while (&frag[n] < end && tx_frag_start(&frag[n]) == start + len);
	*frags = n;
	return len;
}

/* Returns the index after the last descriptor written, and sets *err. */
static u32 tx_map_frags(struct vktls_tx_ring *tx, const struct sk_buff *skb,
			u32 index, int *err)
{
	const skb_frag_t *end, *frag = skb_shinfo(skb)->frags;
	struct device *dev = &tx->qp->vd->pdev->dev;
	unsigned int n, len;
	dma_addr_t addr;

	for (end = frag + skb_shinfo(skb)->nr_frags; frag < end; frag += n) {
		len = tx_frag_run(frag, end, &n);
		addr = skb_frag_dma_map(dev, frag, 0, len, DMA_TO_DEVICE);
		*err = dma_mapping_error(dev, addr);
		if (*err)
			break;
		tx_write(tx, index++, addr, len, true);
	}
	return index;
}

/* The same for records; a page that is mapped is let go with its buffer. */
static u32 tx_map_plan(struct vktls_tx_ring *tx, u32 index, int *err)
{
	struct device *dev = &tx->qp->vd->pdev->dev;
	struct vktls_tx_plan *plan = &tx->replay;
	const skb_frag_t *frag;
	dma_addr_t addr;
	unsigned int i;

	for (i = 0; i < plan->num; i++) {
		frag = &plan->frags[i];
		addr = skb_frag_dma_map(dev, frag, 0, skb_frag_size(frag),
					DMA_TO_DEVICE);
		*err = dma_mapping_error(dev, addr);
		if (*err)
			break;
		tx_write(tx, index, addr, skb_frag_size(frag), true);
		tx_buf(tx, index++)->held = skb_frag_page(frag);
	}
	vktls_tx_plan_drop(plan, i);
	return index;
}

static void tx_write_control(struct vktls_tx_ring *tx, u32 index,
			     const void *desc)
{
	struct vktls_tx_buf *buf = tx_buf(tx, index);

	dma_unmap_len_set(buf, len, 0);
	buf->skb = NULL;
	memcpy(tx_desc(tx, index), desc, sizeof(struct vktls_tx_desc));
}

static void tx_write_replay(struct vktls_tx_ring *tx, u32 index)
{
	struct vktls_tx_replay replay = {
		.before = cpu_to_le16(tx->replay.before),
		.after = cpu_to_le16(tx->replay.after),
		.flags = cpu_to_le16(VKTLS_TXD_REPLAY),
	};

	put_unaligned_be64(tx->replay.rec_no, replay.rec_no);
	tx_write_control(tx, index, &replay);
}

/* Offload and replay descriptors; returns the index after them. */
static u32 tx_map_control(struct vktls_tx_ring *tx, const struct tx_packet *pkt,
			  u32 index)
{
	if (pkt->off.flags)
		tx_write_control(tx, index++, &pkt->off);
	if (unlikely(pkt->replay))
		tx_write_replay(tx, index++);
	return index;
}

/* Plaintext of TLS is not left in memory that nobody clears. */
static bool tx_is_small(const struct tx_packet *pkt)
{
	return pkt->skb->len <= VKTLS_TX_SMALL &&
	       !(pkt->off.flags & cpu_to_le16(VKTLS_TXO_TLS));
}

/* False when the kernel has no address for a part. */
static bool tx_copy(const struct sk_buff *skb, u8 *to)
{
	const skb_frag_t *frag = skb_shinfo(skb)->frags;
	const skb_frag_t *end = frag + skb_shinfo(skb)->nr_frags;
	unsigned int len = skb_headlen(skb);
	const void *from;

	memcpy(to, skb->data, len);
	for (; frag < end; frag++) {
		from = skb_frag_address_safe(frag);
		if (!from)
			return false;
		to += len;
		len = skb_frag_size(frag);
		memcpy(to, from, len);
	}
	return true;
}

static bool tx_write_copy(struct vktls_tx_ring *tx, u32 index,
			  const struct sk_buff *skb)
{
	u32 at = index & tx->ring.mask;

	if (!tx_copy(skb, tx->small[at]))
		return false;
	tx_write(tx, index, tx->small_dma + at * VKTLS_TX_SMALL, skb->len,
		 false);
	dma_unmap_len_set(tx_buf(tx, index), len, 0);
	return true;
}

/*
 * Write the packet after the tail; does not move it. Returns the new tail. Of a
 * replay, only the headers are from the skb: its payload is part of the records.
 */
static u32 tx_map(struct vktls_tx_ring *tx, const struct tx_packet *pkt,
		  int *err)
{
	struct device *dev = &tx->qp->vd->pdev->dev;
	const struct sk_buff *skb = pkt->skb;
	u32 index = tx_map_control(tx, pkt, tx->tail);
	unsigned int len = skb_headlen(skb);
	dma_addr_t addr;

	*err = 0;
	if (tx_is_small(pkt) && tx_write_copy(tx, index, skb))
		return index + 1;
	if (pkt->replay)
		len = skb_tcp_all_headers(skb);
	addr = dma_map_single(dev, skb->data, len, DMA_TO_DEVICE);
	*err = dma_mapping_error(dev, addr);
	if (*err)
		return index;
	tx_write(tx, index++, addr, len, false);
	if (pkt->replay)
		return tx_map_plan(tx, index, err);
	return tx_map_frags(tx, skb, index, err);
}

static void tx_unwind(struct vktls_tx_ring *tx, u32 end)
{
	while (end != tx->tail) {
		if (dma_unmap_len(tx_buf(tx, --end), len))
			tx_unmap(tx, tx_buf(tx, end));
	}
}

static void tx_account(struct vktls_tx_ring *tx, const struct tx_packet *pkt)
{
	unsigned int len = pkt->skb->len;
	unsigned int wire = len + (pkt->segs - 1) * pkt->hdr_len;

	u64_stats_update_begin(&tx->xmit_sync);
	u64_stats_add(&tx->stats[VKTLS_TXS_PACKETS], pkt->segs);
	u64_stats_add(&tx->stats[VKTLS_TXS_BYTES], wire);
	if (skb_is_gso(pkt->skb)) {
		u64_stats_inc(&tx->stats[VKTLS_TXS_GSO_PACKETS]);
		u64_stats_add(&tx->stats[VKTLS_TXS_GSO_BYTES], len);
	}
	if (pkt->off.flags & cpu_to_le16(VKTLS_TXO_CSUM))
		u64_stats_inc(&tx->stats[VKTLS_TXS_CSUM]);
	if (pkt->off.flags & cpu_to_le16(VKTLS_TXO_TLS))
		u64_stats_inc(&tx->stats[VKTLS_TXS_TLS]);
	u64_stats_update_end(&tx->xmit_sync);
}

static void tx_stop_if_full(struct vktls_tx_ring *tx)
{
	/* Barriers within: partner of those around the wake in tx_poll. */
	if (!netif_txq_maybe_stop(tx->txq, vktls_tx_room(tx), TX_STOP_DESCS,
				  TX_START_DESCS))
		tx_count(tx, VKTLS_TXS_STOP);
}

static void tx_publish(struct vktls_tx_ring *tx, const struct tx_packet *pkt,
		       u32 end)
{
	unsigned int bytes = pkt->skb->len;
	bool more = netdev_xmit_more();

	tx_desc(tx, end - 1)->flags = cpu_to_le16(VKTLS_TXD_EOP);
	tx_buf(tx, end - 1)->skb = pkt->skb;
	tx_buf(tx, end - 1)->replay = pkt->replay;
	trace_vktls_tx_post(tx, pkt->skb, end - tx->tail,
			    le16_to_cpu(pkt->off.flags));
	tx_account(tx, pkt);
	skb_tx_timestamp(pkt->skb);
	WRITE_ONCE(tx->tail, end);
	tx_stop_if_full(tx);
	if (__netdev_tx_sent_queue(tx->txq, bytes, more))
		tx_ring_doorbell(tx);
}

/* A packet that the NIC did not take, or did not get (status 0). */
static void tx_lost(struct vktls_tx_ring *tx, const struct sk_buff *skb,
		    bool replay, u16 status)
{
	if (replay)
		vktls_ktls_replay_lost(tx->qp->vd, skb, status);
	else
		vktls_ktls_tx_lost(tx->qp->vd, skb, status);
}

/* Consumes the skb, and the plan of a replay, whatever happens. */
static int tx_send(struct vktls_tx_ring *tx, struct sk_buff *skb, u32 tls_ctx)
{
	struct tx_packet pkt = {
		.skb = skb, .segs = 1, .replay = tx->replay.num,
	};
	u32 end;
	int err;

	if (!pkt.replay &&
	    skb_shinfo(skb)->nr_frags + 2 > VKTLS_TX_MAX_DESCS &&
	    skb_linearize(skb)) {
		err = -ENOMEM;
		goto free_skb;
	}
	tx_offload_prepare(&pkt, tls_ctx);
	end = tx_map(tx, &pkt, &err);
	if (err)
		goto unmap;
	tx_publish(tx, &pkt, end);
	return 0;

unmap:
	vktls_tx_plan_drop(&tx->replay, 0);
	tx_unwind(tx, end);
free_skb:
	tx_lost(tx, skb, pkt.replay, 0);
	dev_kfree_skb_any(skb);
	return err;
}

/**
 * vktls_tx_xmit() - ndo_start_xmit
 * @skb: packet
 * @netdev: interface
 *
 * Context: under the queue's xmit lock, BH off.
 * Return: NETDEV_TX_OK, or NETDEV_TX_BUSY with the skb untouched when the ring
 * has no room for the largest packet.
 */
netdev_tx_t vktls_tx_xmit(struct sk_buff *skb, struct net_device *netdev)
{
	struct vktls_dev *vd = netdev_priv(netdev);
	struct vktls_tx_ring *tx = &vd->qp[skb_get_queue_mapping(skb)]->tx;
	u32 tls_ctx = VKTLS_NO_CTX;

	if (unlikely(!netif_txq_maybe_stop(tx->txq, vktls_tx_room(tx), TX_STOP_DESCS,
					   TX_START_DESCS))) {
		tx_ring_doorbell(tx);
		return NETDEV_TX_BUSY;
	}
	if (vktls_ktls_wants(skb)) {
		skb = vktls_ktls_tx(tx, skb, &tls_ctx);
		if (!skb)
			goto flush;
	}
	if (!tx_send(tx, skb, tls_ctx))
		return NETDEV_TX_OK;
	tx_count(tx, VKTLS_TXS_DROPPED);

flush:
	/* Packets before this one may have waited for its doorbell. */
	tx_ring_doorbell(tx);
	return NETDEV_TX_OK;
}

/* Free what lies before @end; adds what it was to packets and bytes. */
static void tx_release(struct vktls_tx_ring *tx, u32 end, int budget,
		       unsigned int *packets, unsigned int *bytes)
{
	struct vktls_tx_buf *buf;
	u32 head;

	for (head = tx->head; head != end; head++) {
		buf = tx_buf(tx, head);
		if (dma_unmap_len(buf, len))
			tx_unmap(tx, buf);
		if (!buf->skb)
			continue;
		*packets += 1;
		*bytes += buf->skb->len;
		napi_consume_skb(buf->skb, budget);
		buf->skb = NULL;
	}
	WRITE_ONCE(tx->head, end);
}

/* The status is that of the last packet before @end alone. */
static void tx_refused(struct vktls_tx_ring *tx, u32 end, u16 status)
{
	const struct vktls_tx_buf *buf = tx_buf(tx, end - 1);

	u64_stats_update_begin(&tx->poll_sync);
	u64_stats_inc(&tx->stats[VKTLS_TXS_ERRORS]);
	u64_stats_update_end(&tx->poll_sync);
	if (buf->skb)
		tx_lost(tx, buf->skb, buf->replay, status);
}

static bool tx_complete(struct vktls_tx_ring *tx,
			const struct vktls_tx_cpl *cpl, int budget,
			unsigned int *packets, unsigned int *bytes)
{
	u32 done = (le16_to_cpu(cpl->head) - tx->head) & tx->ring.mask;
	u16 status = le16_to_cpu(cpl->status);

	if (unlikely(!done || done > READ_ONCE(tx->tail) - tx->head)) {
		netdev_err(tx->qp->vd->netdev,
			   "queue %u: completion of what was not sent\n",
			   tx->qp->index);
		vktls_reset_request(tx->qp->vd, VKTLS_RESET_TX);
		return false;
	}
	trace_vktls_tx_done(tx, done, status);
	if (unlikely(status))
		tx_refused(tx, tx->head + done, status);
	tx_release(tx, tx->head + done, budget, packets, bytes);
	return true;
}

/**
 * vktls_tx_poll() - take what the NIC has completed
 * @tx: ring
 * @budget: of NAPI, 0 under netpoll
 *
 * Context: NAPI of the queue pair.
 */
void vktls_tx_poll(struct vktls_tx_ring *tx, int budget)
{
	unsigned int packets = 0, bytes = 0;
	struct vktls_tx_cpl *cpl;

	while ((cpl = vktls_ring_peek(&tx->ring))) {
		if (!tx_complete(tx, cpl, budget, &packets, &bytes))
			break;
		tx->ring.cpl_head++;
	}
	if (!packets)
		return;
	/* Barriers within: partner of those in tx_stop_if_full. */
	if (!__netif_txq_completed_wake(tx->txq, packets, bytes, vktls_tx_room(tx),
					TX_START_DESCS, false)) {
		u64_stats_update_begin(&tx->poll_sync);
		u64_stats_inc(&tx->stats[VKTLS_TXS_WAKE]);
		u64_stats_update_end(&tx->poll_sync);
	}
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
	struct device *dev = &qp->vd->pdev->dev;
	struct vktls_tx_ring *tx = &qp->tx;
	int err;

	tx->qp = qp;
	tx->txq = netdev_get_tx_queue(qp->vd->netdev, qp->index);
	u64_stats_init(&tx->xmit_sync);
	u64_stats_init(&tx->poll_sync);
	tx->bufs = kvcalloc(BIT(log2), sizeof(*tx->bufs), GFP_KERNEL);
	if (!tx->bufs)
		return -ENOMEM;
	tx->small = dma_alloc_coherent(dev, sizeof(*tx->small) << log2,
				       &tx->small_dma, GFP_KERNEL);
	if (!tx->small) {
		err = -ENOMEM;
		goto free_bufs;
	}
	err = vktls_ring_alloc(qp->vd, &tx->ring, log2);
	if (err)
		goto free_small;
	return 0;

free_small:
	dma_free_coherent(dev, sizeof(*tx->small) << log2, tx->small,
			  tx->small_dma);
free_bufs:
	kvfree(tx->bufs);
	return err;
}

/**
 * vktls_tx_reset() - free what the NIC has not completed, and start from zero
 * @tx: ring that the NIC knows no more
 *
 * Context: process; transmission and NAPI are stopped.
 */
void vktls_tx_reset(struct vktls_tx_ring *tx)
{
	unsigned int packets = 0, bytes = 0;
	u32 index;

	for (index = tx->head; index != tx->tail; index++) {
		if (tx_buf(tx, index)->skb)
			tx_lost(tx, tx_buf(tx, index)->skb,
				tx_buf(tx, index)->replay, 0);
	}
	tx_release(tx, tx->tail, 0, &packets, &bytes);
	netdev_tx_reset_queue(tx->txq);
	tx->head = 0;
	tx->tail = 0;
	tx->rung = 0;
}

/**
 * vktls_tx_free() - undo vktls_tx_alloc()
 * @qp: queue pair, stopped
 */
void vktls_tx_free(struct vktls_qp *qp)
{
	struct vktls_tx_ring *tx = &qp->tx;

	dma_free_coherent(&qp->vd->pdev->dev,
			  sizeof(*tx->small) << tx->ring.log2, tx->small,
			  tx->small_dma);
	vktls_ring_free(qp->vd, &tx->ring);
	kvfree(tx->bufs);
}
