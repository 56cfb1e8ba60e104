// SPDX-License-Identifier: GPL-2.0-only
/*
 * The step from TCP to IP of a socket that has, or had, a device: the last place
 * where each packet is whole and begins with TCP's header. If the route's MTU is
 * smaller than TCP knew, IP would make fragments, which lose skb->decrypted: the packet
 * gets smaller segments here. If the route wraps packets (IPsec, lightweight tunnels),
 * IP would wrap plaintext: software encrypts the packet here.
 */

#include <linux/mutex.h>
#include <net/inet_connection_sock.h>
#include <net/ip.h>
#include <net/tcp.h>
#include <net/tls.h>
#include <net/tls_wire.h>

#include "offload_tx.h"
#include "stats.h"

#define TLS_OUTPUTS	3	/* for IPv4, for IPv6, for IPv4 over an IPv6 socket */

/* TCP's operations for an address family, with tls_output_xmit() as queue_xmit(). */
struct tls_output {
	struct inet_connection_sock_af_ops ops;
	const struct inet_connection_sock_af_ops *base;
};

static struct tls_output tls_outputs[TLS_OUTPUTS];
static DEFINE_MUTEX(tls_outputs_lock);	/* held while an entry is added */

static const struct inet_connection_sock_af_ops *
tls_output_base(const struct sock *sk)
{
	return container_of(inet_csk(sk)->icsk_af_ops, struct tls_output,
			    ops)->base;
}

static bool tls_output_is_ipv4(const struct inet_connection_sock_af_ops *base)
{
	return base->net_header_len == sizeof(struct iphdr);
}

/*
 * Returns the route of the packet; queue_xmit() will use the same. An IPv4 route that
 * is still good needs no call of rebuild_header().
 */
static const struct dst_entry *
tls_output_route(struct sock *sk, const struct inet_connection_sock_af_ops *base)
{
	struct dst_entry *dst = __sk_dst_get(sk);

	if (likely(dst && tls_output_is_ipv4(base) && dst_check(dst, 0)))
		return dst;
	return base->rebuild_header(sk) ? NULL : __sk_dst_get(sk);
}

/* Returns the largest payload of a segment that IP need not fragment; 0 for any. */
static u32 tls_output_max(const struct sock *sk, const struct sk_buff *skb,
			  const struct dst_entry *dst)
{
	const struct inet_connection_sock *icsk = inet_csk(sk);
	u32 mtu, headers;

	if (!tls_output_is_ipv4(icsk->icsk_af_ops) || ip_dont_fragment(sk, dst))
		return 0;
	headers = sizeof(struct iphdr) + icsk->icsk_ext_hdr_len +
		  tcp_hdrlen(skb);
	mtu = dst_mtu(dst);
	return mtu > headers ? mtu - headers : 1;
}

/* Cuts the packet into the segments that TCP would have made for the route. */
static void tls_output_segment(struct sock *sk, struct sk_buff *skb, u32 max)
{
	u32 payload = skb->len - tcp_hdrlen(skb);
	struct skb_shared_info *shinfo = skb_shinfo(skb);

	if ((skb_is_gso(skb) ? shinfo->gso_size : payload) <= max)
		return;
	shinfo->gso_size = max;
	shinfo->gso_segs = DIV_ROUND_UP(payload, max);
	shinfo->gso_type = sk->sk_gso_type;
	TLS_STAT_INC(sock_net(sk), TLS_MIB_TX_SEGMENTED);
}

/* See inet_connection_sock_af_ops.queue_xmit; the socket is locked. */
static int tls_output_xmit(struct sock *sk, struct sk_buff *skb,
			   struct flowi *fl)
{
	const struct inet_connection_sock_af_ops *base = tls_output_base(sk);
	const struct dst_entry *dst;
	u32 max;

	if (skb->len == tcp_hdrlen(skb))
		return base->queue_xmit(sk, skb, fl);
	dst = tls_output_route(sk, base);
	max = dst ? tls_output_max(sk, skb, dst) : 0;
	if (unlikely(max))
		tls_output_segment(sk, skb, max);
	if (unlikely(!dst || tls_dst_wraps(dst))) {
		skb = tls_fallback_output(sk, skb);
		if (!skb)
			return NET_XMIT_DROP;
	}
	return base->queue_xmit(sk, skb, fl);
}

/* Finds the entry for @base, or fills in a free one. tls_outputs_lock is held. */
static struct tls_output *
tls_output_find(const struct inet_connection_sock_af_ops *base)
{
	struct tls_output *out;

	for (out = tls_outputs; out < &tls_outputs[TLS_OUTPUTS]; out++) {
		if (out->base == base || &out->ops == base)
			return out;
		if (out->base)
			continue;
		out->ops = *base;
		out->ops.queue_xmit = tls_output_xmit;
		out->base = base;
		return out;
	}
	return NULL;
}

/**
 * tls_output_hook() - watch the packets that a socket gives to IP
 * @sk:		the socket, locked
 *
 * Return: 0, or -EOPNOTSUPP if the socket's way to IP is not TCP's own.
 */
int tls_output_hook(struct sock *sk)
{
	struct inet_connection_sock *icsk = inet_csk(sk);
	struct tls_output *out;

	mutex_lock(&tls_outputs_lock);
	out = tls_output_find(icsk->icsk_af_ops);
	mutex_unlock(&tls_outputs_lock);
	if (!out)
		return -EOPNOTSUPP;
	icsk->icsk_af_ops = &out->ops;
	return 0;
}

/**
 * tls_output_unhook() - undo tls_output_hook()
 * @sk:		the socket, of which no packet is left
 */
void tls_output_unhook(struct sock *sk)
{
	if (inet_csk(sk)->icsk_af_ops->queue_xmit == tls_output_xmit)
		inet_csk(sk)->icsk_af_ops = tls_output_base(sk);
}
