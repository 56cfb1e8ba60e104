// SPDX-License-Identifier: GPL-2.0-only
/*
 * Packets out, the producer: from skb to descriptors. A packet's descriptors are
 * all written or none, and the NIC sees them with the doorbell only; the last
 * packet before each doorbell asks for a completion.
 */
#include <linux/dma-mapping.h>
#include <linux/etherdevice.h>
#include <linux/if_vlan.h>
#include <linux/mm.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <linux/unaligned.h>
#include <net/netdev_queues.h>
#include <net/tls.h>

#include "ktls.h"
#include "gso.h"
#include "trace.h"
#include "tx.h"
#include "vktls.h"

/* A packet and the NIC's work on it. */
struct vktls_tx_packet {
	struct sk_buff *skb;
	struct vktls_tx_offload off;
	bool replay;		/* payload is in tx->replay */
};

static void vktls_tx_count(struct vktls_tx_ring *tx, enum vktls_tx_stat stat)
{
	u64_stats_update_begin(&tx->xmit_sync);
	u64_stats_inc(&tx->stats[stat]);
	u64_stats_update_end(&tx->xmit_sync);
}

/**
 * vktls_tx_ring_doorbell() - give the NIC all packets that are in the ring
 * @tx: ring; does nothing when the NIC has them
 *
 * Asks for a completion of the last packet: the NIC does not read its descriptors
 * before the doorbell, so the flag can still be set.
 *
 * Context: under the queue's xmit lock, BH off.
 */
void vktls_tx_ring_doorbell(struct vktls_tx_ring *tx)
{
	if (tx->rung == tx->tail)
		return;
	vktls_tx_desc_at(tx, tx->tail - 1)->flags |= cpu_to_le16(VKTLS_TXD_CPL);
	WRITE_ONCE(tx->rung, tx->tail);
	vktls_tx_count(tx, TXS_DOORBELLS);
	/* writel() inside orders the descriptors before the tail. */
	vktls_write(tx->qp->vd, VKTLS_REG_QP(tx->qp->index) + VKTLS_QP_TX_TAIL,
		    tx->tail & tx->ring.mask);
}

/* Returns the length of all headers of a packet with one of GSO_OTHER. */
static unsigned int vktls_tx_other_headers(const struct sk_buff *skb,
					   struct vktls_tx_offload *off)
{
	if (skb_shinfo(skb)->gso_type & SKB_GSO_UDP_L4)
		return skb_transport_offset(skb) + sizeof(struct udphdr);
	off->inner = skb_inner_network_offset(skb);
	return skb_inner_tcp_all_headers(skb);
}

static unsigned int vktls_tx_headers(const struct sk_buff *skb,
				     struct vktls_tx_offload *off)
{
	if (unlikely(skb_shinfo(skb)->gso_type & GSO_OTHER))
		return vktls_tx_other_headers(skb, off);
	return skb_tcp_all_headers(skb);
}

static void vktls_tx_offload_prepare(struct vktls_tx_packet *pkt, u32 tls_ctx)
{
	struct sk_buff *skb = pkt->skb;
	struct vktls_tx_offload *off = &pkt->off;

	if (skb->ip_summed == CHECKSUM_PARTIAL) {
		off->csum_start = cpu_to_le16(skb_checksum_start_offset(skb));
		off->csum_offset = skb->csum_offset;
		off->flags |= cpu_to_le16(VKTLS_TXO_CSUM);
	}
	if (skb_vlan_tag_present(skb)) {
		off->vlan_tci = cpu_to_le16(skb_vlan_tag_get(skb));
		off->flags |= cpu_to_le16(VKTLS_TXO_VLAN);
	}
	if (skb_is_gso(skb)) {
		off->mss = cpu_to_le16(skb_shinfo(skb)->gso_size);
		off->flags |= cpu_to_le16(VKTLS_TXO_TSO);
	}
	if (tls_ctx != NO_CTX) {
		off->tls_ctx = cpu_to_le32(tls_ctx);
		off->flags |= cpu_to_le16(VKTLS_TXO_TLS);
		if (pkt->replay)
			off->flags |= cpu_to_le16(VKTLS_TXO_REPLAY);
	}
	if (off->flags & cpu_to_le16(VKTLS_TXO_TSO | VKTLS_TXO_TLS))
		off->hdr_len = cpu_to_le16(vktls_tx_headers(skb, off));
	if (off->flags)
		off->flags |= cpu_to_le16(VKTLS_TXD_OFFLOAD);
}

static phys_addr_t vktls_tx_frag_start(const skb_frag_t *frag)
{
	return page_to_phys(skb_frag_page(frag)) + skb_frag_off(frag);
}

/*
 * Returns the bytes from @frag on that are contiguous. Data sent by reference has a
 * fragment for each page, even where pages are contiguous.
 */
static unsigned int vktls_tx_frag_run(const skb_frag_t *frag,
				      const skb_frag_t *end,
				      unsigned int *frags)
{
	unsigned int n = 1, len = skb_frag_size(frag);
	phys_addr_t start;

	if (&frag[1] < end) {
		start = vktls_tx_frag_start(frag);
		while (&frag[n] < end &&
		       vktls_tx_frag_start(&frag[n]) == start + len)
			len += skb_frag_size(&frag[n++]);
	}
	*frags = n;
	return len;
}

/* Returns the index after the last descriptor written, and sets *err. */
static u32 vktls_tx_map_frags(struct vktls_tx_ring *tx,
			      const struct sk_buff *skb, u32 index, int *err)
{
	const skb_frag_t *end, *frag = skb_shinfo(skb)->frags;
	unsigned int n, len;
	dma_addr_t addr;

	for (end = frag + skb_shinfo(skb)->nr_frags; frag < end; frag += n) {
		len = vktls_tx_frag_run(frag, end, &n);
		addr = skb_frag_dma_map(tx->dev, frag, 0, len, DMA_TO_DEVICE);
		*err = vktls_tx_write_mapped(tx, index, addr, len);
		if (*err)
			break;
		index++;
	}
	return index;
}

/*
 * Like vktls_tx_map_frags(), for the records of a replay. The page of each
 * descriptor is held until the descriptor is done.
 */
static u32 vktls_tx_map_plan(struct vktls_tx_ring *tx, u32 index, int *err)
{
	struct vktls_tx_plan *plan = &tx->replay;
	const skb_frag_t *frag;
	dma_addr_t addr;
	unsigned int i;

	for (i = 0; i < plan->num; i++) {
		frag = &plan->frags[i];
		addr = skb_frag_dma_map(tx->dev, frag, 0, skb_frag_size(frag),
					DMA_TO_DEVICE);
		*err = vktls_tx_write_mapped(tx, index, addr,
					     skb_frag_size(frag));
		if (*err)
			break;
		vktls_tx_buf(tx, index)->hold = TX_HOLD_PAGE;
		vktls_tx_buf(tx, index++)->page = skb_frag_page(frag);
	}
	vktls_tx_plan_drop(plan, i);
	return index;
}

static void vktls_tx_write_replay(struct vktls_tx_ring *tx, u32 index)
{
	struct vktls_tx_replay replay = {
		.before = cpu_to_le16(tx->replay.before),
		.after = cpu_to_le16(tx->replay.after),
		.flags = cpu_to_le16(VKTLS_TXD_REPLAY),
	};

	put_unaligned_be64(tx->replay.rec_no, replay.rec_no);
	memcpy(vktls_tx_desc_at(tx, index), &replay, sizeof(replay));
}

/* Writes the offload and replay descriptors. Returns the index after them. */
static u32 vktls_tx_write_control(struct vktls_tx_ring *tx,
				  const struct vktls_tx_packet *pkt, u32 index)
{
	if (pkt->off.flags)
		memcpy(vktls_tx_desc_at(tx, index++), &pkt->off,
		       sizeof(pkt->off));
	if (unlikely(pkt->replay))
		vktls_tx_write_replay(tx, index++);
	return index;
}

/* Returns false if a fragment has no kernel address. */
static bool vktls_tx_copy_frags(const struct sk_buff *skb, u8 *to)
{
	const skb_frag_t *frag = skb_shinfo(skb)->frags;
	const skb_frag_t *end = frag + skb_shinfo(skb)->nr_frags;
	const void *from;

	for (; frag < end; frag++) {
		from = skb_frag_address_safe(frag);
		if (!from)
			return false;
		memcpy(to, from, skb_frag_size(frag));
		to += skb_frag_size(frag);
	}
	return true;
}

/*
 * Copies the headers, or a whole short packet, to memory that is always mapped.
 * Returns the bytes copied, or 0. Plaintext of TLS would stay in that memory, so only
 * the headers of such a packet are copied.
 */
static unsigned int vktls_tx_write_copy(struct vktls_tx_ring *tx, u32 index,
					const struct vktls_tx_packet *pkt,
					unsigned int len)
{
	bool tls = pkt->off.flags & cpu_to_le16(VKTLS_TXO_TLS);
	const struct sk_buff *skb = pkt->skb;
	u32 at = index & tx->ring.mask;
	u8 *to = tx->copies[at];

	if (len > TX_COPY ||
	    (tls && len != le16_to_cpu(pkt->off.hdr_len)))
		return 0;
	memcpy(to, skb->data, len);
	if (skb->len <= TX_COPY && !tls &&
	    vktls_tx_copy_frags(skb, to + len))
		len = skb->len;
	vktls_tx_write(tx, index, tx->copies_dma + at * TX_COPY, len);
	return len;
}

/*
 * Writes the packet's descriptors from the tail on, without moving it. Returns the new
 * tail. A replay takes only the headers from the skb: its payload is part of the
 * records.
 */
static u32 vktls_tx_map(struct vktls_tx_ring *tx,
			const struct vktls_tx_packet *pkt, int *err)
{
	u32 index = vktls_tx_write_control(tx, pkt, tx->tail);
	const struct sk_buff *skb = pkt->skb;
	unsigned int copied, len = skb_headlen(skb);
	dma_addr_t addr;

	*err = 0;
	if (unlikely(pkt->replay))
		len = le16_to_cpu(pkt->off.hdr_len);
	copied = vktls_tx_write_copy(tx, index, pkt, len);
	if (unlikely(!copied)) {
		addr = dma_map_page(tx->dev, virt_to_page(skb->data),
				    offset_in_page(skb->data), len,
				    DMA_TO_DEVICE);
		*err = vktls_tx_write_mapped(tx, index, addr, len);
		if (*err)
			return index;
	}
	if (unlikely(pkt->replay))
		return vktls_tx_map_plan(tx, index + 1, err);
	if (copied == skb->len)
		return index + 1;
	return vktls_tx_map_frags(tx, skb, index + 1, err);
}

static void vktls_tx_unwind(struct vktls_tx_ring *tx, u32 end)
{
	while (end != tx->tail)
		vktls_tx_unmap(tx, vktls_tx_buf(tx, --end));
}

static void vktls_tx_account(struct vktls_tx_ring *tx,
			     const struct vktls_tx_packet *pkt)
{
	unsigned int bytes = pkt->skb->len, segs = 1;

	u64_stats_update_begin(&tx->xmit_sync);
	if (skb_is_gso(pkt->skb)) {
		u64_stats_inc(&tx->stats[TXS_GSO_PACKETS]);
		u64_stats_add(&tx->stats[TXS_GSO_BYTES], bytes);
		segs = max_t(unsigned int, skb_shinfo(pkt->skb)->gso_segs, 1);
		bytes += (segs - 1) * le16_to_cpu(pkt->off.hdr_len);
	}
	u64_stats_add(&tx->stats[TXS_PACKETS], segs);
	u64_stats_add(&tx->stats[TXS_BYTES], bytes);
	if (pkt->off.flags & cpu_to_le16(VKTLS_TXO_CSUM))
		u64_stats_inc(&tx->stats[TXS_CSUM]);
	if (pkt->off.flags & cpu_to_le16(VKTLS_TXO_TLS))
		u64_stats_inc(&tx->stats[TXS_TLS]);
	u64_stats_update_end(&tx->xmit_sync);
}

static void vktls_tx_stop_if_full(struct vktls_tx_ring *tx)
{
	/* Barriers within: partner of those around the wake in vktls_tx_poll(). */
	if (!netif_txq_maybe_stop(tx->txq, vktls_tx_room(tx), TX_STOP,
				  vktls_tx_start(tx)))
		vktls_tx_count(tx, TXS_STOP);
}

static void vktls_tx_publish(struct vktls_tx_ring *tx,
			     const struct vktls_tx_packet *pkt, u32 end)
{
	struct vktls_tx_buf *last = vktls_tx_buf(tx, end - 1);
	unsigned int bytes = pkt->skb->len;
	bool more = netdev_xmit_more();

	vktls_tx_desc_at(tx, end - 1)->flags = cpu_to_le16(VKTLS_TXD_EOP);
	last->skb = pkt->skb;
	last->replay = pkt->replay;
	trace_vktls_tx_post(tx, pkt->skb, end - tx->tail,
			    le16_to_cpu(pkt->off.flags));
	vktls_tx_account(tx, pkt);
	skb_tx_timestamp(pkt->skb);
	WRITE_ONCE(tx->tail, end);
	vktls_tx_stop_if_full(tx);
	if (__netdev_tx_sent_queue(tx->txq, bytes, more))
		vktls_tx_ring_doorbell(tx);
}

/* Sends a packet. Consumes the skb, and the plan of a replay, also on failure. */
static int vktls_tx_send(struct vktls_tx_ring *tx, struct sk_buff *skb,
			 u32 tls_ctx)
{
	struct vktls_tx_packet pkt = { .skb = skb, .replay = tx->replay.num };
	u32 end;
	int err;

	if (MAX_SKB_FRAGS + 2 > VKTLS_TX_MAX_DESCS && !pkt.replay &&
	    skb_shinfo(skb)->nr_frags + 2 > VKTLS_TX_MAX_DESCS &&
	    skb_linearize(skb)) {
		err = -ENOMEM;
		goto free_skb;
	}
	vktls_tx_offload_prepare(&pkt, tls_ctx);
	end = vktls_tx_map(tx, &pkt, &err);
	if (err)
		goto unmap;
	vktls_tx_publish(tx, &pkt, end);
	return 0;

unmap:
	vktls_tx_plan_drop(&tx->replay, 0);
	vktls_tx_unwind(tx, end);
free_skb:
	vktls_tx_unsent(tx, skb, pkt.replay, 0);
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
	u32 tls_ctx = NO_CTX;

	if (unlikely(!netif_txq_maybe_stop(tx->txq, vktls_tx_room(tx),
					   TX_STOP, vktls_tx_start(tx)))) {
		vktls_tx_ring_doorbell(tx);
		return NETDEV_TX_BUSY;
	}
	if (vktls_ktls_wants(skb)) {
		skb = vktls_ktls_tx(tx, skb, &tls_ctx);
		if (!skb)
			goto flush;
	}
	if (!vktls_tx_send(tx, skb, tls_ctx))
		return NETDEV_TX_OK;
	vktls_tx_count(tx, TXS_DROPPED);

flush:
	/* Packets before this one may have waited for its doorbell. */
	vktls_tx_ring_doorbell(tx);
	return NETDEV_TX_OK;
}
