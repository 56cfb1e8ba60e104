// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which packets the NIC can cut: TCP, UDP, and TCP in one tunnel. All others are cut by
 * the stack. The stack's GSO type of a packet says too little: tunnels may be nested, and
 * headers may have options.
 */
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>
#include <net/vxlan.h>

#include "gso.h"

/* Longest headers between the outer and the inner IP header; bytes. */
#define GSO_GRE_MAX	(8 + ETH_HLEN)		/* GRE with a key, Ethernet */
#define GSO_IP6_MAX	(sizeof(struct ipv6hdr) + 8)	/* with tunnel options */

/* Returns whether an IP header is without options, and right before @proto. */
static bool vktls_gso_plain_ip(const void *ip, u8 proto)
{
	const struct ipv6hdr *ip6 = ip;
	const struct iphdr *ip4 = ip;

	if (ip4->version == 4)
		return ip4->ihl == sizeof(*ip4) / 4 && ip4->protocol == proto;
	return ip4->version == 6 && ip6->nexthdr == proto;
}

/*
 * Returns whether nothing but one tunnel is between the two IP headers. Of nested tunnels
 * the stack keeps the offsets of the outermost header and of the innermost; the distance
 * between these is longer than the headers of one tunnel.
 */
static bool vktls_gso_one_tunnel(const struct sk_buff *skb)
{
	unsigned int type = skb_shinfo(skb)->gso_type & GSO_TUNNEL;
	int outer = skb_network_offset(skb);
	int inner = skb_inner_network_offset(skb);
	int l4 = skb_transport_offset(skb);
	int mac = skb_inner_mac_header(skb) - skb->data;

	switch (type) {
	case SKB_GSO_GRE:
		return inner - l4 >= 4 && inner - l4 <= GSO_GRE_MAX;
	case SKB_GSO_IPXIP4:
		return inner - outer == ip_hdr(skb)->ihl * 4;
	case SKB_GSO_IPXIP6:
		return inner - outer >= (int)sizeof(struct ipv6hdr) &&
		       inner - outer <= (int)GSO_IP6_MAX;
	case SKB_GSO_UDP_TUNNEL:
	case SKB_GSO_UDP_TUNNEL_CSUM:
		return mac - l4 == sizeof(struct udphdr) + sizeof(struct vxlanhdr) &&
		       inner - mac >= ETH_HLEN && inner - mac <= VLAN_ETH_HLEN;
	default:
		return false;
	}
}

static bool vktls_gso_can_cut_tunnel(const struct sk_buff *skb)
{
	return skb_inner_network_offset(skb) <= U8_MAX &&
	       vktls_gso_plain_ip(skb_inner_network_header(skb), IPPROTO_TCP) &&
	       vktls_gso_one_tunnel(skb);
}

/**
 * vktls_gso_can_cut_other() - tell whether the NIC can cut a packet of UDP or of a tunnel
 * @skb: packet with one of GSO_OTHER, or encapsulated
 *
 * Context: any.
 * Return: true if it can.
 */
bool vktls_gso_can_cut_other(const struct sk_buff *skb)
{
	bool udp = skb_shinfo(skb)->gso_type & SKB_GSO_UDP_L4;

	if (udp)
		return !skb->encapsulation &&
		       vktls_gso_plain_ip(skb_network_header(skb), IPPROTO_UDP);
	return skb->encapsulation && vktls_gso_can_cut_tunnel(skb);
}
