// SPDX-License-Identifier: GPL-2.0-only
/*
 * Packets in: page fragments to the NIC, completions to skbs, skbs to GRO. The NIC
 * fills buffers in ring order. A completion of another buffer, or of more bytes than
 * a buffer has, breaks the queue pair and requests a reset.
 */
#include <linux/dma-mapping.h>
#include <linux/etherdevice.h>
#include <linux/if_vlan.h>
#include <net/page_pool/helpers.h>

#include "ktls.h"
#include "qp.h"
#include "rx_gro.h"
#include "trace.h"
#include "vktls.h"
#include "xdp.h"

#define RX_HEADROOM	(NET_SKB_PAD + NET_IP_ALIGN)
#define RX_TAILROOM	SKB_DATA_ALIGN(sizeof(struct skb_shared_info))
/*
 * Size of the page pool, in rings. A reader frees up to a whole socket buffer at
 * once, and a page that does not fit the pool is unmapped and freed.
 */
#define RX_POOL_RINGS	4
/* Free places in the ring at which a refill is worth its doorbell. */
#define RX_FILL_BATCH	16U
/* Largest frame that is copied, so that its buffer is posted again; bytes. */
#define RX_COPY		256U

/* A joined packet fits an skb: one buffer at its head, the others in fragments. */
static_assert(MAX_SKB_FRAGS + 1 >= VKTLS_RX_GRO_BUFS);

static void vktls_rx_count(struct vktls_rx_ring *rx, enum vktls_rx_stat stat,
			   u64 add)
{
	u64_stats_update_begin(&rx->sync);
	u64_stats_add(&rx->stats[stat], add);
	u64_stats_update_end(&rx->sync);
}

static u32 vktls_rx_free_places(const struct vktls_rx_ring *rx)
{
	return rx->ring.mask - (rx->tail - rx->head);
}

/* Returns how many places have no buffer as far as the NIC knows. */
static u32 vktls_rx_unknown_places(const struct vktls_rx_ring *rx)
{
	return rx->ring.mask - (rx->rung - rx->head);
}

static void vktls_rx_post(struct vktls_rx_ring *rx, struct page *page,
			  unsigned int offset)
{
	u32 index = rx->tail & rx->ring.mask;
	struct vktls_rx_buf *buf = &rx->bufs[index];
	struct vktls_rx_desc *desc = rx->ring.desc;

	buf->page = page;
	buf->offset = offset;
	desc += index;
	desc->addr = cpu_to_le64(page_pool_get_dma_addr(page) + offset +
				 rx->headroom);
	desc->len = cpu_to_le32(rx->room);
	desc->reserved = 0;
	rx->tail++;
}

/* Posts all buffers of a page at once: the driver keeps no half-used page. */
static bool vktls_rx_fill_page(struct vktls_rx_ring *rx, gfp_t gfp)
{
	struct page *page = page_pool_alloc_pages(rx->pool, gfp | __GFP_NOWARN);
	unsigned int offset;

	if (unlikely(!page)) {
		vktls_rx_count(rx, RXS_ALLOC_FAIL, 1);
		return false;
	}
	if (rx->per_page > 1)
		page_pool_fragment_page(page, rx->per_page);
	for (offset = 0; offset < PAGE_SIZE; offset += rx->buf_size)
		vktls_rx_post(rx, page, offset);
	return true;
}

static void vktls_rx_ring_doorbell(struct vktls_rx_ring *rx)
{
	if (rx->rung == rx->tail)
		return;
	rx->rung = rx->tail;
	/* writel() inside orders the descriptors before the tail. */
	vktls_write(rx->qp->vd, VKTLS_REG_QP(rx->qp->index) + VKTLS_QP_RX_TAIL,
		    rx->tail & rx->ring.mask);
}

static void vktls_rx_fill(struct vktls_rx_ring *rx, gfp_t gfp)
{
	while (vktls_rx_free_places(rx) >= rx->per_page &&
	       vktls_rx_fill_page(rx, gfp))
		;
	vktls_rx_ring_doorbell(rx);
}

/*
 * Returns whether few buffers are left: without buffers there is no completion, and
 * so no interrupt that would retry the fill.
 */
static bool vktls_rx_starving(const struct vktls_rx_ring *rx)
{
	return rx->tail - rx->head < rx->ring.mask / 4;
}

static void vktls_rx_put_buf(struct vktls_rx_ring *rx, struct vktls_rx_buf *buf)
{
	page_pool_put_full_page(rx->pool, buf->page, true);
	buf->page = NULL;
}

/* Copies the frame and posts its buffer again. On NULL the caller keeps the buffer. */
static struct sk_buff *vktls_rx_copy_buf(struct vktls_rx_ring *rx,
					 const struct vktls_rx_buf *buf,
					 u32 len)
{
	struct sk_buff *skb = napi_alloc_skb(&rx->qp->napi, len);
	dma_addr_t addr = page_pool_get_dma_addr(buf->page);

	if (unlikely(!skb))
		return NULL;
	skb_put_data(skb, page_address(buf->page) + buf->offset + rx->headroom,
		     len);
	dma_sync_single_range_for_device(&rx->qp->vd->pdev->dev, addr,
					 buf->offset + rx->headroom, len,
					 page_pool_get_dma_dir(rx->pool));
	vktls_rx_post(rx, buf->page, buf->offset);
	return skb;
}

static struct sk_buff *vktls_rx_first_buf(struct vktls_rx_ring *rx,
					  const struct vktls_rx_buf *buf,
					  u32 len)
{
	void *va = page_address(buf->page) + buf->offset;
	struct sk_buff *skb;

	skb = napi_build_skb(va, rx->buf_size);
	if (unlikely(!skb))
		return NULL;
	skb_mark_for_recycle(skb);
	skb_reserve(skb, rx->headroom);
	skb_put(skb, len);
	return skb;
}

static bool vktls_rx_next_buf(struct vktls_rx_ring *rx, struct sk_buff *skb,
			      const struct vktls_rx_buf *buf, u32 len)
{
	unsigned int frags = skb_shinfo(skb)->nr_frags;

	if (unlikely(frags == MAX_SKB_FRAGS))
		return false;
	skb_add_rx_frag(skb, frags, buf->page, buf->offset + rx->headroom, len,
			rx->buf_size);
	return true;
}

static struct sk_buff *vktls_rx_begin(struct vktls_rx_ring *rx,
				      const struct vktls_rx_buf *buf, u32 len,
				      bool last)
{
	net_prefetch(page_address(buf->page) + buf->offset + rx->headroom);
	if (unlikely(len < ETH_HLEN))
		return NULL;
	if (len <= RX_COPY && last)
		return vktls_rx_copy_buf(rx, buf, len);
	return vktls_rx_first_buf(rx, buf, len);
}

/* Moves the buffer to the frame's skb, or to the pool if the frame is dropped. */
static void vktls_rx_take_buf(struct vktls_rx_ring *rx,
			      struct vktls_rx_buf *buf, u32 len, bool last)
{
	dma_addr_t addr = page_pool_get_dma_addr(buf->page);

	dma_sync_single_range_for_cpu(&rx->qp->vd->pdev->dev, addr,
				      buf->offset + rx->headroom, len,
				      page_pool_get_dma_dir(rx->pool));
	if (rx->drop) {
		vktls_rx_put_buf(rx, buf);
		return;
	}
	if (!rx->skb) {
		rx->skb = vktls_rx_begin(rx, buf, len, last);
		rx->drop = !rx->skb;
	} else {
		rx->drop = !vktls_rx_next_buf(rx, rx->skb, buf, len);
	}
	if (rx->drop)
		vktls_rx_put_buf(rx, buf);
	buf->page = NULL;
}

static void vktls_rx_set_csum(struct vktls_rx_ring *rx, struct sk_buff *skb,
			      u16 flags, u32 frames)
{
	if (flags & VKTLS_RXC_L4_OK) {
		skb->ip_summed = CHECKSUM_UNNECESSARY;
		vktls_rx_count(rx, RXS_CSUM_OK, frames);
	} else if (flags & VKTLS_RXC_CSUM_BAD) {
		vktls_rx_count(rx, RXS_CSUM_BAD, 1);
	} else {
		vktls_rx_count(rx, RXS_CSUM_NONE, 1);
	}
}

static void vktls_rx_set_hash(struct sk_buff *skb, u16 flags, u32 hash)
{
	if (flags & VKTLS_RXC_HASH_L4)
		skb_set_hash(skb, hash, PKT_HASH_TYPE_L4);
	else if (flags & VKTLS_RXC_HASH_L3)
		skb_set_hash(skb, hash, PKT_HASH_TYPE_L3);
}

static __always_inline void vktls_rx_give(struct vktls_rx_ring *rx,
					  struct sk_buff *skb,
					  const struct vktls_rx_cpl *cpl)
{
	struct net_device *netdev = rx->qp->vd->netdev;
	netdev_features_t features = netdev->features;
	u16 flags = le16_to_cpu(cpl->flags);
	u32 frames = flags & VKTLS_RXC_GRO ? cpl->segs : 1;

	trace_vktls_rx(rx, skb->len, flags);
	if (features & NETIF_F_RXCSUM)
		vktls_rx_set_csum(rx, skb, flags, frames);
	if (features & NETIF_F_RXHASH)
		vktls_rx_set_hash(skb, flags, le32_to_cpu(cpl->hash));
	if (flags & VKTLS_RXC_VLAN)
		__vlan_hwaccel_put_tag(skb, htons(ETH_P_8021Q),
				       le16_to_cpu(cpl->vlan_tci));
	skb_record_rx_queue(skb, rx->qp->index);
	if (flags & VKTLS_RXC_TLS &&
	    unlikely(!vktls_ktls_rx(rx->qp->vd, skb, flags, frames))) {
		kfree_skb(skb);
		return;
	}
	skb->protocol = eth_type_trans(skb, netdev);
	if (flags & VKTLS_RXC_GRO)
		vktls_rx_set_gso(rx, skb, cpl);
	napi_gro_receive(&rx->qp->napi, skb);
}

/**
 * vktls_rx_hand_on() - give a frame to the stack, with what the NIC says of it
 * @rx: ring
 * @skb: frame, from its Ethernet header on; consumed
 * @cpl: the frame's last completion
 *
 * Context: NAPI of the queue pair.
 */
void vktls_rx_hand_on(struct vktls_rx_ring *rx, struct sk_buff *skb,
		      const struct vktls_rx_cpl *cpl)
{
	vktls_rx_give(rx, skb, cpl);
}

static void vktls_rx_deliver(struct vktls_rx_ring *rx,
			     const struct vktls_rx_cpl *cpl)
{
	struct sk_buff *skb = rx->skb;

	rx->skb = NULL;
	if (unlikely(rx->drop || (cpl->flags & cpu_to_le16(VKTLS_RXC_GRO) &&
				  !vktls_rx_gro_sane(skb, cpl)))) {
		rx->drop = false;
		vktls_rx_count(rx, RXS_DROPPED, 1);
		/* NULL when the first buffer already had no skb. */
		kfree_skb(skb);
		return;
	}
	vktls_rx_count(rx, RXS_PACKETS, cpl->flags & cpu_to_le16(VKTLS_RXC_GRO) ?
					cpl->segs : 1);
	vktls_rx_count(rx, RXS_BYTES, skb->len);
	vktls_rx_give(rx, skb, cpl);
}

/**
 * vktls_rx_refuse() - stop the queue pair after a completion that cannot be true
 * @rx: ring
 * @cpl: completion for which vktls_rx_is_next() is false
 *
 * Context: NAPI of the queue pair.
 */
void vktls_rx_refuse(struct vktls_rx_ring *rx, const struct vktls_rx_cpl *cpl)
{
	netdev_err(rx->qp->vd->netdev,
		   "queue %u: buffer %u of %u bytes completed, %u is due\n",
		   rx->qp->index, le16_to_cpu(cpl->index),
		   le16_to_cpu(cpl->len), rx->head & rx->ring.mask);
	vktls_ring_break(rx->qp);
}

static bool vktls_rx_complete(struct vktls_rx_ring *rx,
			      const struct vktls_rx_cpl *cpl)
{
	u32 index = rx->head & rx->ring.mask;
	bool last;

	if (unlikely(!vktls_rx_is_next(rx, cpl))) {
		vktls_rx_refuse(rx, cpl);
		return false;
	}
	last = cpl->flags & cpu_to_le16(VKTLS_RXC_EOP);
	/*
	 * The place is free now, and a copied frame's buffer may be posted in it.
	 */
	rx->head++;
	vktls_rx_take_buf(rx, &rx->bufs[index], le16_to_cpu(cpl->len), last);
	if (last)
		vktls_rx_deliver(rx, cpl);
	return true;
}

/**
 * vktls_rx_take() - take received frames of a ring without XDP
 * @rx: ring
 * @budget: frames that may be handed on, from NAPI
 *
 * Context: NAPI of the queue pair.
 * Return: frames that were handed on.
 */
int vktls_rx_take(struct vktls_rx_ring *rx, int budget)
{
	struct vktls_rx_cpl cpl;
	int frames = 0;

	while (frames < budget && vktls_ring_take(&rx->ring, &cpl)) {
		if (!vktls_rx_complete(rx, &cpl))
			break;
		if (cpl.flags & cpu_to_le16(VKTLS_RXC_EOP))
			frames++;
		rx->ring.cpl_head++;
	}
	return frames;
}

/**
 * vktls_rx_refill() - post buffers for those that were taken
 * @rx: ring
 * @frames: frames that were taken
 * @budget: frames that might have been taken
 *
 * Context: NAPI of the queue pair.
 * Return: @frames; @budget to be called again, as the ring lacks buffers.
 */
int vktls_rx_refill(struct vktls_rx_ring *rx, int frames, int budget)
{
	struct vktls_qp *qp = rx->qp;

	if (vktls_rx_unknown_places(rx) >= RX_FILL_BATCH) {
		vktls_write(qp->vd, VKTLS_REG_QP(qp->index) + VKTLS_QP_RX_CQ,
			    rx->ring.cpl_head & rx->ring.mask);
		vktls_rx_fill(rx, GFP_ATOMIC);
	}
	return unlikely(vktls_rx_starving(rx)) ? budget : frames;
}

/**
 * vktls_rx_start() - post the first buffers
 * @rx: ring, created in the NIC
 *
 * Context: process; NAPI is disabled.
 */
void vktls_rx_start(struct vktls_rx_ring *rx)
{
	vktls_rx_fill(rx, GFP_KERNEL);
}

/**
 * vktls_rx_reset() - take all buffers back, and start from zero
 * @rx: ring, deleted in the NIC
 *
 * Context: process; NAPI is disabled.
 */
void vktls_rx_reset(struct vktls_rx_ring *rx)
{
	for (; rx->head != rx->tail; rx->head++)
		page_pool_put_full_page(rx->pool,
					rx->bufs[rx->head & rx->ring.mask].page,
					false);
	kfree_skb(rx->skb);
	rx->skb = NULL;
	rx->drop = false;
	if (rx->xdp)
		vktls_xdp_ring_reset(rx);
	rx->head = 0;
	rx->tail = 0;
	rx->rung = 0;
}

static struct page_pool *vktls_rx_pool_create(struct vktls_qp *qp, u8 log2)
{
	struct page_pool_params params = {
		.flags = PP_FLAG_DMA_MAP | PP_FLAG_DMA_SYNC_DEV,
		.pool_size = BIT(log2) * RX_POOL_RINGS,
		.nid = dev_to_node(&qp->vd->pdev->dev),
		.dev = &qp->vd->pdev->dev,
		.napi = &qp->napi,
		.netdev = qp->vd->netdev,
		.queue_idx = qp->index,
		.dma_dir = qp->vd->xdp_prog ? DMA_BIDIRECTIONAL :
					      DMA_FROM_DEVICE,
		.max_len = PAGE_SIZE,
	};

	return page_pool_create(&params);
}

/*
 * A receive buffer is half a page if a frame of the largest size fits into that, and a
 * whole page otherwise, so that a jumbo frame takes few buffers. If the NIC joins
 * frames, or a program sees them, buffers are whole pages.
 */
static unsigned int vktls_rx_buf_size(const struct vktls_dev *vd)
{
	const struct net_device *netdev = vd->netdev;
	unsigned int frame = netdev->mtu + ETH_HLEN + VLAN_HLEN;

	if (frame + RX_HEADROOM + RX_TAILROOM <= PAGE_SIZE / 2 &&
	    !(netdev->features & NETIF_F_GRO_HW) && !vd->xdp_prog)
		return PAGE_SIZE / 2;
	return PAGE_SIZE;
}

/**
 * vktls_rx_fits() - look if a ring is as vktls_rx_alloc() would make it now
 * @rx: ring
 *
 * Context: RTNL.
 * Return: true if the interface can keep it.
 */
bool vktls_rx_fits(const struct vktls_rx_ring *rx)
{
	const struct vktls_dev *vd = rx->qp->vd;

	return !rx->xdp == !vd->xdp_prog && rx->buf_size == vktls_rx_buf_size(vd);
}

/**
 * vktls_rx_alloc() - allocate the receive half of a queue pair, no buffers yet
 * @qp: queue pair
 * @log2: descriptors, as a power of two
 *
 * The interface's MTU, features and XDP program count too.
 * Return: 0 or errno.
 */
int vktls_rx_alloc(struct vktls_qp *qp, u8 log2)
{
	struct vktls_rx_ring *rx = &qp->rx;
	int err;

	rx->qp = qp;
	rx->buf_size = vktls_rx_buf_size(qp->vd);
	rx->headroom = qp->vd->xdp_prog ? XDP_ROOM_BEFORE : RX_HEADROOM;
	rx->per_page = PAGE_SIZE / rx->buf_size;
	rx->room = rx->buf_size - rx->headroom - RX_TAILROOM;
	u64_stats_init(&rx->sync);
	rx->bufs = kvcalloc(BIT(log2), sizeof(*rx->bufs), GFP_KERNEL);
	if (!rx->bufs)
		return -ENOMEM;
	rx->pool = vktls_rx_pool_create(qp, log2);
	if (IS_ERR(rx->pool)) {
		err = PTR_ERR(rx->pool);
		goto free_bufs;
	}
	if (qp->vd->xdp_prog) {
		err = vktls_xdp_ring_alloc(rx);
		if (err)
			goto destroy_pool;
	}
	err = vktls_ring_alloc(qp->vd, &rx->ring, log2);
	if (err)
		goto free_xdp;
	return 0;

free_xdp:
	if (rx->xdp)
		vktls_xdp_ring_free(rx);
destroy_pool:
	page_pool_destroy(rx->pool);
free_bufs:
	kvfree(rx->bufs);
	return err;
}

/**
 * vktls_rx_free() - undo vktls_rx_alloc()
 * @qp: queue pair, stopped and without buffers
 */
void vktls_rx_free(struct vktls_qp *qp)
{
	vktls_ring_free(qp->vd, &qp->rx.ring);
	if (qp->rx.xdp)
		vktls_xdp_ring_free(&qp->rx);
	page_pool_destroy(qp->rx.pool);
	kvfree(qp->rx.bufs);
}
