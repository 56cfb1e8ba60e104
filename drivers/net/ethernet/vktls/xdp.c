// SPDX-License-Identifier: GPL-2.0-only
/*
 * XDP: conditions for a program, and its run on each received frame. A frame that the NIC decrypted
 * is never sent or redirected. This file does not know transmit rings.
 */
#include <linux/bpf_trace.h>
#include <linux/dma-mapping.h>
#include <linux/etherdevice.h>
#include <linux/filter.h>
#include <linux/if_vlan.h>
#include <net/page_pool/helpers.h>
#include <compat/vktls.h>

#include "qp.h"
#include "xdp.h"

/* Largest frame in one buffer, and the MTU for it. The frame may have two VLAN tags. */
#define XDP_ROOM	(PAGE_SIZE - XDP_ROOM_BEFORE - \
			 SKB_DATA_ALIGN(sizeof(struct skb_shared_info)))
#define XDP_MTU_MAX	((unsigned int)(XDP_ROOM - ETH_HLEN - 2 * VLAN_HLEN))

static void vktls_xdp_count(struct vktls_rx_ring *rx, enum vktls_rx_stat stat)
{
	u64_stats_update_begin(&rx->sync);
	u64_stats_inc(&rx->stats[stat]);
	u64_stats_update_end(&rx->sync);
}

/* Returns an skb made of the frame's buffers; NULL leaves them in @buff. */
static struct sk_buff *vktls_xdp_build_skb(const struct xdp_buff *buff)
{
	const struct skb_shared_info *info = xdp_get_shared_info_from_buff(buff);
	unsigned int meta = buff->data - buff->data_meta;
	unsigned int frags = 0, bytes = 0;
	struct sk_buff *skb;

	/* Read first, because napi_build_skb() clears the shared info. */
	if (unlikely(xdp_buff_has_frags(buff))) {
		frags = info->nr_frags;
		bytes = info->xdp_frags_size;
	}
	skb = napi_build_skb(buff->data_hard_start, buff->frame_sz);
	if (unlikely(!skb))
		return NULL;
	skb_mark_for_recycle(skb);
	skb_reserve(skb, buff->data - buff->data_hard_start);
	__skb_put(skb, buff->data_end - buff->data);
	if (meta)
		skb_metadata_set(skb, meta);
	if (unlikely(frags))
		xdp_update_skb_frags_info(skb, frags, bytes,
					  frags * buff->frame_sz,
					  xdp_buff_get_skb_flags(buff));
	return skb;
}

static void vktls_xdp_pass(struct vktls_rx_ring *rx)
{
	struct sk_buff *skb = vktls_xdp_build_skb(&rx->xdp->buff);

	if (likely(skb)) {
		vktls_rx_hand_on(rx, skb, rx->xdp->cpl);
		return;
	}
	vktls_xdp_count(rx, RXS_DROPPED);
	xdp_return_buff(&rx->xdp->buff);
}

/*
 * Carries out XDP_TX or XDP_REDIRECT. If that is impossible, frees the frame. Returns the counter
 * for the frame.
 */
static enum vktls_rx_stat vktls_xdp_send(struct vktls_rx_ring *rx,
					 struct bpf_prog *prog, u32 act)
{
	struct net_device *netdev = rx->qp->vd->netdev;
	u16 flags = le16_to_cpu(rx->xdp->cpl->flags);

	if (unlikely(flags & VKTLS_RXC_TLS_DECRYPTED)) {
		trace_xdp_exception(netdev, prog, act);
		xdp_return_buff(&rx->xdp->buff);
		return RXS_XDP_TLS_DROP;
	}
	if (act == XDP_TX && likely(vktls_xdp_tx(rx)))
		return RXS_XDP_TX;
	if (act == XDP_REDIRECT &&
	    likely(!xdp_do_redirect(netdev, &rx->xdp->buff, prog))) {
		rx->xdp->redirected = true;
		return RXS_XDP_REDIRECT;
	}
	trace_xdp_exception(netdev, prog, act);
	xdp_return_buff(&rx->xdp->buff);
	return RXS_XDP_ERRORS;
}

/*
 * Runs the program on a whole frame, and carries out its verdict. Returns the counter for the
 * frame.
 */
static enum vktls_rx_stat vktls_xdp_run(struct vktls_rx_ring *rx,
					struct bpf_prog *prog)
{
	struct net_device *netdev = rx->qp->vd->netdev;
	u32 act = bpf_prog_run_xdp(prog, &rx->xdp->buff);

	switch (act) {
	case XDP_PASS:
		vktls_xdp_pass(rx);
		return RXS_XDP_PASS;
	case XDP_TX:
	case XDP_REDIRECT:
		return vktls_xdp_send(rx, prog, act);
	case XDP_DROP:
		xdp_return_buff(&rx->xdp->buff);
		return RXS_XDP_DROP;
	default:
		bpf_warn_invalid_xdp_action(netdev, prog, act);
		fallthrough;
	case XDP_ABORTED:
		trace_xdp_exception(netdev, prog, act);
		xdp_return_buff(&rx->xdp->buff);
		return RXS_XDP_ABORTED;
	}
}

/*
 * Returns whether the frame can be handled. A joined frame cannot: the NIC was told not to join. A
 * frame in several buffers cannot if the program sees only one buffer.
 */
static bool vktls_xdp_sane(const struct vktls_xdp *xdp,
			   const struct bpf_prog *prog)
{
	return !(xdp->cpl->flags & cpu_to_le16(VKTLS_RXC_GRO)) &&
	       (!xdp_buff_has_frags(&xdp->buff) || !prog ||
		prog->aux->xdp_has_frags);
}

/* Handles a whole frame; @prog is NULL while the program is being removed. */
static void vktls_xdp_frame(struct vktls_rx_ring *rx, struct bpf_prog *prog)
{
	unsigned int len = xdp_get_buff_len(&rx->xdp->buff);
	enum vktls_rx_stat stat = RXS_XDP_PASS;

	if (unlikely(!vktls_xdp_sane(rx->xdp, prog))) {
		xdp_return_buff(&rx->xdp->buff);
		stat = RXS_XDP_ERRORS;
	} else if (likely(prog)) {
		stat = vktls_xdp_run(rx, prog);
	} else {
		vktls_xdp_pass(rx);
	}
	u64_stats_update_begin(&rx->sync);
	u64_stats_inc(&rx->stats[stat]);
	u64_stats_inc(&rx->stats[RXS_PACKETS]);
	u64_stats_add(&rx->stats[RXS_BYTES], len);
	u64_stats_update_end(&rx->sync);
}

/* Adds a buffer to the frame. Returns false if it does not fit. */
static bool vktls_xdp_add_buf(struct vktls_rx_ring *rx,
			      const struct vktls_rx_buf *buf, u32 len)
{
	struct vktls_xdp *xdp = rx->xdp;

	if (unlikely(xdp->open))
		return xdp_buff_add_frag(&xdp->buff, page_to_netmem(buf->page),
					 buf->offset + rx->headroom, len,
					 rx->buf_size);
	if (unlikely(len < ETH_HLEN))
		return false;
	xdp_init_buff(&xdp->buff, rx->buf_size, &xdp->rxq);
	xdp_prepare_buff(&xdp->buff, page_address(buf->page) + buf->offset,
			 rx->headroom, len, true);
	xdp->open = true;
	return true;
}

static void vktls_xdp_take_buf(struct vktls_rx_ring *rx,
			       struct vktls_rx_buf *buf, u32 len)
{
	struct vktls_xdp *xdp = rx->xdp;

	dma_sync_single_range_for_cpu(&rx->qp->vd->pdev->dev,
				      page_pool_get_dma_addr(buf->page),
				      buf->offset + rx->headroom, len,
				      page_pool_get_dma_dir(rx->pool));
	if (likely(!xdp->drop))
		xdp->drop = !vktls_xdp_add_buf(rx, buf, len);
	if (unlikely(xdp->drop))
		page_pool_put_full_page(rx->pool, buf->page, true);
	buf->page = NULL;
}

/* Handles or drops the frame, after its last buffer was taken. */
static void vktls_xdp_end(struct vktls_rx_ring *rx, struct bpf_prog *prog,
			  const struct vktls_rx_cpl *cpl)
{
	struct vktls_xdp *xdp = rx->xdp;

	if (likely(!xdp->drop)) {
		xdp->open = false;
		xdp->cpl = cpl;
		vktls_xdp_frame(rx, prog);
		return;
	}
	vktls_xdp_ring_reset(rx);
	vktls_xdp_count(rx, RXS_DROPPED);
}

/**
 * vktls_xdp_poll() - take received frames of a ring with XDP
 * @rx: ring
 * @budget: frames that may be handled, from NAPI
 *
 * Context: NAPI of the queue pair.
 * Return: frames that were handled.
 */
int vktls_xdp_poll(struct vktls_rx_ring *rx, int budget)
{
	struct bpf_prog *prog = READ_ONCE(rx->qp->vd->xdp_prog);
	struct vktls_rx_cpl cpl;
	int frames = 0;

	while (frames < budget && vktls_ring_take(&rx->ring, &cpl)) {
		if (unlikely(!vktls_rx_is_next(rx, &cpl))) {
			vktls_rx_refuse(rx, &cpl);
			break;
		}
		vktls_xdp_take_buf(rx, &rx->bufs[rx->head & rx->ring.mask],
				   le16_to_cpu(cpl.len));
		rx->head++;
		rx->ring.cpl_head++;
		if (!(cpl.flags & cpu_to_le16(VKTLS_RXC_EOP)))
			continue;
		vktls_xdp_end(rx, prog, &cpl);
		frames++;
	}
	vktls_xdp_tx_flush(rx);
	if (rx->xdp->redirected)
		xdp_do_flush();
	rx->xdp->redirected = false;
	return frames;
}

/* Hints for programs */

static const struct vktls_xdp *vktls_xdp_of(const struct xdp_md *ctx)
{
	static_assert(!offsetof(struct vktls_xdp, buff));
	return (const void *)ctx;
}

static __be16 vktls_xdp_ethertype(const struct vktls_xdp *xdp)
{
	const struct ethhdr *eth = xdp->buff.data_hard_start + XDP_ROOM_BEFORE;

	return eth->h_proto;
}

/* The NIC's hash of the frame as received, before the program changed it. */
static int vktls_xdp_rx_hash(const struct xdp_md *ctx, u32 *hash,
			     enum xdp_rss_hash_type *type)
{
	const struct vktls_xdp *xdp = vktls_xdp_of(ctx);
	u16 flags = le16_to_cpu(xdp->cpl->flags);
	int bits = 0;

	if (!(xdp->rxq.dev->features & NETIF_F_RXHASH) ||
	    !(flags & (VKTLS_RXC_HASH_L4 | VKTLS_RXC_HASH_L3)))
		return -ENODATA;
	if (flags & VKTLS_RXC_HASH_L4)
		bits |= XDP_RSS_L4;
	if (vktls_xdp_ethertype(xdp) == htons(ETH_P_IP))
		bits |= XDP_RSS_L3_IPV4;
	else if (vktls_xdp_ethertype(xdp) == htons(ETH_P_IPV6))
		bits |= XDP_RSS_L3_IPV6;
	*hash = le32_to_cpu(xdp->cpl->hash);
	*type = bits;
	return 0;
}

static int vktls_xdp_rx_vlan_tag(const struct xdp_md *ctx, __be16 *proto, u16 *tci)
{
	const struct vktls_rx_cpl *cpl = vktls_xdp_of(ctx)->cpl;

	if (!(cpl->flags & cpu_to_le16(VKTLS_RXC_VLAN)))
		return -ENODATA;
	*proto = htons(ETH_P_8021Q);
	*tci = le16_to_cpu(cpl->vlan_tci);
	return 0;
}

/* The hints that the driver supports. */
const struct xdp_metadata_ops vktls_xdp_metadata_ops = {
	.xmo_rx_hash = vktls_xdp_rx_hash,
	.xmo_rx_vlan_tag = vktls_xdp_rx_vlan_tag,
};

static bool vktls_xdp_prog_takes_mtu(const struct bpf_prog *prog,
				     unsigned int mtu)
{
	return !prog || prog->aux->xdp_has_frags || mtu <= XDP_MTU_MAX;
}

/**
 * vktls_xdp_takes_mtu() - tell whether the program can run with an MTU
 * @vd: device
 * @mtu: bytes
 *
 * Context: RTNL.
 * Return: true if it can, or if there is no program.
 */
bool vktls_xdp_takes_mtu(const struct vktls_dev *vd, unsigned int mtu)
{
	return vktls_xdp_prog_takes_mtu(vd->xdp_prog, mtu);
}

/**
 * vktls_xdp_check() - refuse a program that cannot run
 * @vd: device
 * @prog: the program
 * @extack: gets the reason
 *
 * Context: RTNL.
 * Return: 0 or errno.
 */
int vktls_xdp_check(const struct vktls_dev *vd, const struct bpf_prog *prog,
		    struct netlink_ext_ack *extack)
{
	if (!vktls_xdp_prog_takes_mtu(prog, vd->netdev->mtu)) {
		NL_SET_ERR_MSG_FMT_MOD(extack,
				       "a program without fragments needs an MTU of %u or less",
				       XDP_MTU_MAX);
		return -EINVAL;
	}
	if (!vd->xdp_prog && netif_running(vd->netdev) && !vd->active) {
		NL_SET_ERR_MSG_MOD(extack, "the NIC is being started again");
		return -ENETDOWN;
	}
	return 0;
}
