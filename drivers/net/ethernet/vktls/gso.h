/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Segmentation that the NIC can do, see gso.c.
 */
#ifndef VKTLS_GSO_H
#define VKTLS_GSO_H

#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/netdev_features.h>
#include <linux/skbuff.h>

#define GSO_TUNNEL		(SKB_GSO_GRE | SKB_GSO_IPXIP4 |		\
				 SKB_GSO_IPXIP6 | SKB_GSO_UDP_TUNNEL |	\
				 SKB_GSO_UDP_TUNNEL_CSUM)
#define GSO_TUNNEL_FEATURES	(NETIF_F_GSO_GRE | NETIF_F_GSO_IPXIP4 |	\
				 NETIF_F_GSO_IPXIP6 |			\
				 NETIF_F_GSO_UDP_TUNNEL |		\
				 NETIF_F_GSO_UDP_TUNNEL_CSUM)

/* GSO types other than TCP behind plain IP. */
#define GSO_OTHER	(SKB_GSO_UDP_L4 | GSO_TUNNEL)

bool vktls_gso_can_cut_other(const struct sk_buff *skb);

/*
 * Returns whether the NIC can cut the packet, if it is to be cut. IP options and
 * extension headers can name an address that TCP's checksum covers in place of the
 * header's (source routes, home addresses), and be longer than the NIC can repeat.
 */
static inline bool vktls_gso_can_cut(const struct sk_buff *skb)
{
	unsigned int type = skb_shinfo(skb)->gso_type;

	if (!type)
		return true;
	if (unlikely(type & GSO_OTHER || skb->encapsulation))
		return vktls_gso_can_cut_other(skb);
	if (type & SKB_GSO_TCPV4)
		return ip_hdr(skb)->ihl == sizeof(struct iphdr) / 4;
	return !(type & SKB_GSO_TCPV6) ||
	       ipv6_hdr(skb)->nexthdr == IPPROTO_TCP;
}

#endif /* VKTLS_GSO_H */
