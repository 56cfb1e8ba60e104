// SPDX-License-Identifier: GPL-2.0-only
/*
 * Headers of a received frame: which flow it belongs to and where its TCP payload
 * is. Knows nothing of TLS.
 */
#include <linux/if_ether.h>
#include <linux/if_vlan.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/string.h>
#include <linux/tcp.h>
#include <net/ipv6.h>

#include "ktls_priv.h"

/* From @off on: IPv4 with TCP. Returns where TCP begins, or 0; *end of the packet. */
static u32 vktls_ktls_pkt_parse_v4(const struct sk_buff *skb, u32 off, u32 *end,
				   struct vktls_tls_flow *flow)
{
	const struct iphdr *ip;
	struct iphdr buf;

	ip = skb_header_pointer(skb, off, sizeof(buf), &buf);
	if (!ip || ip->protocol != IPPROTO_TCP)
		return 0;
	flow->ip_version = 4;
	memcpy(flow->src, &ip->saddr, sizeof(ip->saddr));
	memcpy(flow->dst, &ip->daddr, sizeof(ip->daddr));
	*end = off + ntohs(ip->tot_len);
	return off + ip->ihl * 4;
}

static u32 vktls_ktls_pkt_parse_v6(const struct sk_buff *skb, u32 off, u32 *end,
				   struct vktls_tls_flow *flow)
{
	const struct ipv6hdr *ip;
	struct ipv6hdr buf;
	__be16 frag = 0;
	u8 next;
	int tcp;

	ip = skb_header_pointer(skb, off, sizeof(buf), &buf);
	if (!ip)
		return 0;
	next = ip->nexthdr;
	tcp = ipv6_skip_exthdr(skb, off + sizeof(*ip), &next, &frag);
	if (tcp < 0 || next != IPPROTO_TCP || frag)
		return 0;
	flow->ip_version = 6;
	memcpy(flow->src, &ip->saddr, sizeof(flow->src));
	memcpy(flow->dst, &ip->daddr, sizeof(flow->dst));
	*end = off + sizeof(*ip) + ntohs(ip->payload_len);
	return tcp;
}

/**
 * vktls_ktls_pkt_parse() - find the TCP payload of a frame
 * @skb: frame from its Ethernet header on
 * @pkt: to fill in
 *
 * Return: false if it is not TCP, or is not whole.
 */
bool vktls_ktls_pkt_parse(const struct sk_buff *skb, struct vktls_ktls_pkt *pkt)
{
	__be16 proto = ((const struct ethhdr *)skb->data)->h_proto;
	const struct vlan_hdr *vlan;
	const struct tcphdr *th;
	struct vlan_hdr vbuf;
	struct tcphdr tbuf;
	u32 off = ETH_HLEN, end;

	memset(&pkt->flow, 0, sizeof(pkt->flow));
	while (eth_type_vlan(proto)) {
		vlan = skb_header_pointer(skb, off, sizeof(vbuf), &vbuf);
		if (!vlan)
			return false;
		proto = vlan->h_vlan_encapsulated_proto;
		off += VLAN_HLEN;
	}
	if (proto == htons(ETH_P_IP))
		off = vktls_ktls_pkt_parse_v4(skb, off, &end, &pkt->flow);
	else if (proto == htons(ETH_P_IPV6))
		off = vktls_ktls_pkt_parse_v6(skb, off, &end, &pkt->flow);
	else
		return false;
	th = off ? skb_header_pointer(skb, off, sizeof(tbuf), &tbuf) : NULL;
	if (!th || end > skb->len || off + th->doff * 4 > end)
		return false;
	memcpy(pkt->flow.src_port, &th->source, sizeof(th->source));
	memcpy(pkt->flow.dst_port, &th->dest, sizeof(th->dest));
	pkt->seq = ntohl(th->seq);
	pkt->len = end - off - th->doff * 4;
	return true;
}
