// SPDX-License-Identifier: GPL-2.0-only
/*
 * Packets that the NIC has joined from several frames: are they possible, and how the
 * stack is told to cut them again. The rest of the driver takes them as packets like
 * any other.
 */
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <net/ipv6.h>
#include <compat/vktls.h>

#include "qp.h"
#include "rx_gro.h"
#include "vktls.h"

/* Offsets in the packet, from its Ethernet header on. */
struct vktls_gro_headers {
	u32 outer;	/* IP header around the last one; 0 = none */
	u32 l3;		/* last IP header */
	u32 l4;		/* TCP header */
	u32 payload;
};

/* Returns the IP protocol after an IPv4 header, and moves *at behind it; -1 if short. */
static int vktls_gro_pass_ipv4(const struct sk_buff *skb, u32 *at)
{
	const struct iphdr *ip = (const void *)skb->data + *at;

	if (*at + sizeof(*ip) > skb_headlen(skb) || ip->version != 4 ||
	    ip->ihl != sizeof(*ip) / 4)
		return -1;
	*at += sizeof(*ip);
	return ip->protocol;
}

/* The same for an IPv6 header with its extension headers. */
static int vktls_gro_pass_ipv6(const struct sk_buff *skb, u32 *at)
{
	const struct ipv6hdr *ip = (const void *)skb->data + *at;
	const struct ipv6_opt_hdr *ext;
	int next;

	if (*at + sizeof(*ip) > skb_headlen(skb) || ip->version != 6)
		return -1;
	*at += sizeof(*ip);
	next = ip->nexthdr;
	while (next == NEXTHDR_HOP || next == NEXTHDR_ROUTING ||
	       next == NEXTHDR_DEST) {
		ext = (const void *)skb->data + *at;
		if (*at + sizeof(*ext) > skb_headlen(skb))
			return -1;
		next = ext->nexthdr;
		*at += ipv6_optlen(ext);
	}
	return next;
}

static int vktls_gro_pass_ip(const struct sk_buff *skb, bool v6, u32 *at)
{
	return v6 ? vktls_gro_pass_ipv6(skb, at) : vktls_gro_pass_ipv4(skb, at);
}

/* Finds the headers. Returns false if they are not those of a joined packet. */
static bool vktls_gro_find(const struct sk_buff *skb,
			   struct vktls_gro_headers *h)
{
	__be16 proto = ((const struct ethhdr *)skb->data)->h_proto;
	const struct tcphdr *th;
	u32 at = ETH_HLEN;
	int next;

	if (proto != htons(ETH_P_IP) && proto != htons(ETH_P_IPV6))
		return false;
	h->outer = 0;
	h->l3 = at;
	next = vktls_gro_pass_ip(skb, proto == htons(ETH_P_IPV6), &at);
	if (next == IPPROTO_IPIP || next == IPPROTO_IPV6) {
		h->outer = h->l3;
		h->l3 = at;
		next = vktls_gro_pass_ip(skb, next == IPPROTO_IPV6, &at);
	}
	h->l4 = at;
	th = (const void *)skb->data + at;
	if (next != IPPROTO_TCP || at + sizeof(*th) > skb_headlen(skb) ||
	    th->doff < sizeof(*th) / 4)
		return false;
	h->payload = at + th->doff * 4;
	return true;
}

/**
 * vktls_rx_gro_sane() - look if a packet can be one that the NIC joined
 * @skb: packet, from its Ethernet header on
 * @cpl: the packet's last completion, with VKTLS_RXC_GRO
 *
 * Return: true if the headers are there, and the NIC's number of frames is the one that
 * GSO will compute from the payload.
 */
bool vktls_rx_gro_sane(const struct sk_buff *skb,
		       const struct vktls_rx_cpl *cpl)
{
	u32 seg_len = le16_to_cpu(cpl->seg_len);
	struct vktls_gro_headers h;

	return vktls_gro_find(skb, &h) && cpl->segs > 1 && seg_len &&
	       skb->len > h.payload &&
	       DIV_ROUND_UP(skb->len - h.payload, seg_len) == cpl->segs;
}

/* Counts a joined packet, with the headers that joining removed. */
static void vktls_gro_count(struct vktls_rx_ring *rx, u32 bytes, u32 frames,
			    u32 hdr_len)
{
	u32 more = (frames - 1) * hdr_len;

	u64_stats_update_begin(&rx->sync);
	u64_stats_add(&rx->stats[RXS_BYTES], more);
	u64_stats_inc(&rx->stats[RXS_GRO_PACKETS]);
	u64_stats_add(&rx->stats[RXS_GRO_BYTES], bytes);
	u64_stats_add(&rx->stats[RXS_GRO_WIRE_PACKETS], frames);
	u64_stats_add(&rx->stats[RXS_GRO_WIRE_BYTES], bytes + more);
	u64_stats_update_end(&rx->sync);
}

/* Marks IP in IP. Offsets count from the Ethernet header, which is @base. */
static unsigned int vktls_gro_encapsulate(struct sk_buff *skb, u8 *base,
					  const struct vktls_gro_headers *h,
					  bool v4)
{
	skb->encapsulation = 1;
	skb_set_inner_ipproto(skb, v4 ? IPPROTO_IPIP : IPPROTO_IPV6);
	skb_set_inner_network_header(skb, base + h->l3 - skb->data);
	skb_set_inner_transport_header(skb, base + h->l4 - skb->data);
	return skb->protocol == htons(ETH_P_IP) ? SKB_GSO_IPXIP4 :
						  SKB_GSO_IPXIP6;
}

/* Returns the SKB_GSO_* for identifications that did not change. */
static unsigned int vktls_gro_fixed_ids(const struct vktls_gro_headers *h,
					u16 flags)
{
	unsigned int type = 0;

	if (flags & VKTLS_RXC_GRO_OUTER_ID)
		type |= COMPAT_GSO_FIXEDID_OUTER;
	if (flags & VKTLS_RXC_GRO_ID)
		type |= h->outer ? SKB_GSO_TCP_FIXEDID_INNER :
				   SKB_GSO_TCP_FIXEDID;
	return type;
}

/**
 * vktls_rx_set_gso() - make a joined packet a GSO packet, so that it can be cut again
 * @rx: ring
 * @skb: packet for which vktls_rx_gro_sane() is true, after eth_type_trans()
 * @cpl: the packet's last completion
 *
 * The NIC left the sum of the pseudo header in place of the checksum.
 *
 * Context: NAPI of the queue pair.
 */
void vktls_rx_set_gso(struct vktls_rx_ring *rx, struct sk_buff *skb,
		      const struct vktls_rx_cpl *cpl)
{
	struct skb_shared_info *info = skb_shinfo(skb);
	struct vktls_gro_headers h;
	const struct tcphdr *th;
	u8 *base;
	bool v4;

	skb_push(skb, ETH_HLEN);
	base = skb->data;
	vktls_gro_find(skb, &h);
	skb_pull(skb, ETH_HLEN);
	v4 = base[h.l3] >> 4 == 4;
	th = (const void *)base + h.l4;
	info->gso_size = le16_to_cpu(cpl->seg_len);
	info->gso_segs = cpl->segs;
	info->gso_type = (v4 ? SKB_GSO_TCPV4 : SKB_GSO_TCPV6) |
			 vktls_gro_fixed_ids(&h, le16_to_cpu(cpl->flags));
	if (th->cwr)
		info->gso_type |= SKB_GSO_TCP_ACCECN;
	if (h.outer)
		info->gso_type |= vktls_gro_encapsulate(skb, base, &h, v4);
	skb->ip_summed = CHECKSUM_PARTIAL;
	skb->csum_start = base + h.l4 - skb->head;
	skb->csum_offset = offsetof(struct tcphdr, check);
	vktls_gro_count(rx, skb->len + ETH_HLEN, cpl->segs, h.payload);
}
