// SPDX-License-Identifier: GPL-2.0-only
/*
 * Flows: addresses and ports of a socket and of a received frame, and the table
 * that finds a receiving context by them. Knows nothing of TLS.
 */
#include <linux/if_ether.h>
#include <linux/if_vlan.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/rhashtable.h>
#include <linux/string.h>
#include <linux/tcp.h>
#include <net/inet_sock.h>
#include <net/ipv6.h>

#include "ktls_rx.h"

/* Smallest size of the table. */
#define FLOWS_MIN 1024

static const struct rhashtable_params vktls_ktls_flow_params = {
	.key_len = sizeof(struct vktls_tls_flow),
	.key_offset = offsetof(struct vktls_ktls_rx_ctx, flow),
	.head_offset = offsetof(struct vktls_ktls_rx_ctx, node),
	.min_size = FLOWS_MIN,
	.automatic_shrinking = true,
};

/**
 * vktls_ktls_flow_add() - let received packets find a context
 * @ktls: device
 * @rx: context, rx->flow filled in
 *
 * Return: 0, -EEXIST or -ENOMEM.
 */
int vktls_ktls_flow_add(struct vktls_ktls *ktls, struct vktls_ktls_rx_ctx *rx)
{
	return rhashtable_lookup_insert_fast(&ktls->flows, &rx->node,
					     vktls_ktls_flow_params);
}

/**
 * vktls_ktls_flow_del() - undo vktls_ktls_flow_add()
 * @ktls: device
 * @rx: context; packets may use it for another RCU grace period
 */
void vktls_ktls_flow_del(struct vktls_ktls *ktls, struct vktls_ktls_rx_ctx *rx)
{
	rhashtable_remove_fast(&ktls->flows, &rx->node, vktls_ktls_flow_params);
}

/**
 * vktls_ktls_flow_find() - context of a received packet
 * @ktls: device
 * @flow: of the packet
 *
 * Context: RCU.
 * Return: the context, or NULL.
 */
struct vktls_ktls_rx_ctx *
vktls_ktls_flow_find(struct vktls_ktls *ktls, const struct vktls_tls_flow *flow)
{
	return rhashtable_lookup(&ktls->flows, flow, vktls_ktls_flow_params);
}

/**
 * vktls_ktls_flow_init() - set up an empty table
 * @ktls: device
 *
 * Return: 0 or errno.
 */
int vktls_ktls_flow_init(struct vktls_ktls *ktls)
{
	return rhashtable_init(&ktls->flows, &vktls_ktls_flow_params);
}

/**
 * vktls_ktls_flow_fini() - undo vktls_ktls_flow_init()
 * @ktls: device; no context is left
 */
void vktls_ktls_flow_fini(struct vktls_ktls *ktls)
{
	rhashtable_destroy(&ktls->flows);
}

/**
 * vktls_ktls_flow_fill() - flow of the packets that a socket receives
 * @flow: to fill in; the peer is the source
 * @sk: connected socket; IPv4 over an IPv6 socket is IPv4 on the wire
 *
 * Return: 0 or -EAFNOSUPPORT.
 */
int vktls_ktls_flow_fill(struct vktls_tls_flow *flow, const struct sock *sk)
{
	const struct inet_sock *inet = inet_sk(sk);
	bool v6 = sk->sk_family == AF_INET6 &&
		  !ipv6_addr_v4mapped(&sk->sk_v6_daddr);

	if (sk->sk_family != AF_INET && sk->sk_family != AF_INET6)
		return -EAFNOSUPPORT;
	memset(flow, 0, sizeof(*flow));
	flow->ip_version = v6 ? 6 : 4;
	memcpy(flow->src_port, &inet->inet_dport, sizeof(flow->src_port));
	memcpy(flow->dst_port, &inet->inet_sport, sizeof(flow->dst_port));
	if (v6) {
		memcpy(flow->src, &sk->sk_v6_daddr, sizeof(flow->src));
		memcpy(flow->dst, &sk->sk_v6_rcv_saddr, sizeof(flow->dst));
	} else {
		memcpy(flow->src, &sk->sk_daddr, sizeof(sk->sk_daddr));
		memcpy(flow->dst, &sk->sk_rcv_saddr, sizeof(sk->sk_rcv_saddr));
	}
	return 0;
}

/*
 * Reads an IPv4 header at @off. Returns the offset of TCP, or 0 if there is none;
 * sets *end to the end of the IP packet.
 */
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
