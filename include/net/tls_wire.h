/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Checks that tls.ko and drivers share: whether an outgoing packet of an offloaded TLS
 * socket is still as TCP made it, or was cut or wrapped since, and whether a NIC may
 * encrypt for a socket at all, or IP would wrap or TCP sign the plaintext.
 */
#ifndef _NET_TLS_WIRE_H
#define _NET_TLS_WIRE_H

#include <linux/if_vlan.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/skbuff.h>
#include <linux/tcp.h>
#include <net/dst.h>
#include <net/ip.h>
#include <net/ip6_checksum.h>
#include <net/ipv6.h>
#include <net/lwtunnel.h>
#include <net/tcp.h>
#include <net/xfrm.h>

static inline bool __tls_wire_is_tcp6(const struct sk_buff *skb)
{
	u8 next = ipv6_hdr(skb)->nexthdr;
	__be16 frag = 0;

	return ipv6_skip_exthdr(skb, skb_network_offset(skb) +
				sizeof(struct ipv6hdr), &next, &frag) >= 0 &&
	       next == IPPROTO_TCP && !frag;
}

/**
 * tls_wire_is_tcp() - tell whether a packet is IP, TCP and payload, not cut
 * @skb:	packet with its network header set, VLAN tags allowed
 *
 * Return: false for an IP fragment, and if something stands between IP and TCP,
 * or before IP.
 */
static inline bool tls_wire_is_tcp(const struct sk_buff *skb)
{
	switch (vlan_get_protocol(skb)) {
	case htons(ETH_P_IP):
		return ip_hdr(skb)->protocol == IPPROTO_TCP &&
		       !ip_is_fragment(ip_hdr(skb));
	case htons(ETH_P_IPV6):
		return likely(ipv6_hdr(skb)->nexthdr == IPPROTO_TCP) ||
		       __tls_wire_is_tcp6(skb);
	default:
		return false;
	}
}

/**
 * tls_wire_is_fragment() - tell whether a packet is an IPv4 fragment
 * @skb:	packet with its network header set, VLAN tags allowed
 *
 * The fragments that IPv4 makes keep the socket and lose skb->decrypted. IPv6 makes
 * none of TCP.
 *
 * Return: true if so.
 */
static inline bool tls_wire_is_fragment(const struct sk_buff *skb)
{
	return vlan_get_protocol(skb) == htons(ETH_P_IP) &&
	       ip_is_fragment(ip_hdr(skb));
}

/**
 * tls_wire_csum_partial() - leave the TCP checksum to the device
 * @skb:	packet for which tls_wire_is_tcp() is true, before its encryption
 *
 * A checksum that was made already is that of the plaintext.
 *
 * Return: 0, or -ENOMEM if the headers are shared and cannot be copied.
 */
static inline int tls_wire_csum_partial(struct sk_buff *skb)
{
	unsigned int len = skb->len - skb_transport_offset(skb);
	struct tcphdr *th;

	if (likely(skb->ip_summed == CHECKSUM_PARTIAL))
		return 0;
	if (skb_cow_head(skb, 0))
		return -ENOMEM;
	th = tcp_hdr(skb);
	if (ip_hdr(skb)->version == 4)
		th->check = ~tcp_v4_check(len, ip_hdr(skb)->saddr,
					  ip_hdr(skb)->daddr, 0);
	else
		th->check = ~tcp_v6_check(len, &ipv6_hdr(skb)->saddr,
					  &ipv6_hdr(skb)->daddr, 0);
	skb->ip_summed = CHECKSUM_PARTIAL;
	skb->csum_start = skb_transport_header(skb) - skb->head;
	skb->csum_offset = offsetof(struct tcphdr, check);
	return 0;
}

/**
 * tls_dst_wraps() - tell whether a route puts each packet into another one
 * @dst:	the route
 *
 * IPsec and lightweight tunnels wrap packets between TCP and the device.
 *
 * Return: true if so.
 */
static inline bool tls_dst_wraps(const struct dst_entry *dst)
{
	return dst_xfrm(dst) || lwtunnel_output_redirect(dst->lwtstate) ||
	       lwtunnel_xmit_redirect(dst->lwtstate);
}

/**
 * tls_sk_signs() - tell whether TCP signs the segments of a socket
 * @sk:		the socket
 *
 * TCP-MD5 (RFC 2385) and TCP-AO (RFC 5925) cover the payload that TCP sees, which
 * with an offload is the plaintext.
 *
 * Return: true if the socket has had a key for either.
 */
static inline bool tls_sk_signs(const struct sock *sk)
{
	bool signs = false;

#ifdef CONFIG_TCP_MD5SIG
	signs = signs || rcu_access_pointer(tcp_sk(sk)->md5sig_info);
#endif
#ifdef CONFIG_TCP_AO
	signs = signs || rcu_access_pointer(tcp_sk(sk)->ao_info);
#endif
	return signs;
}

#endif /* _NET_TLS_WIRE_H */
