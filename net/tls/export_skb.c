// SPDX-License-Identifier: GPL-2.0-only
/*
 * Exports with the distribution's versions that need other types to be visible than
 * those of export_dev.c, where the scheme is explained.
 */

#include <crypto/aead.h>
#include <crypto/scatterwalk.h>
#include <linux/module.h>
#include <linux/skbuff_ref.h>
#include <linux/skmsg.h>
#include <net/ip6_checksum.h>
#include <net/tls.h>

#include "export.h"

/**
 * tls_encrypt_skb() - encrypt a packet in software, for a driver
 * @skb:	packet of an offloaded socket; consumed
 *
 * Context: softirqs off.
 * Return: the packet to send, its plaintext mark cleared; NULL when it was
 * dropped.
 */
struct sk_buff *tls_encrypt_skb(struct sk_buff *skb)
{
	return tls_fallback(skb->sk, skb);
}
EXPORT_SYMBOL_GPL(tls_encrypt_skb);

/**
 * tls_validate_xmit_skb() - encrypt an outgoing packet if its device cannot
 * @sk:		the socket
 * @dev:	device it is sent through
 * @skb:	the packet
 *
 * Context: RCU, softirqs off.
 * Return: the packet, or an encrypted one in its place, or NULL when it was
 * dropped: TCP sends it again if it is still needed.
 */
struct sk_buff *tls_validate_xmit_skb(struct sock *sk, struct net_device *dev,
				      struct sk_buff *skb)
{
	return tls_fallback_unless(sk, dev, skb);
}
EXPORT_SYMBOL_GPL(tls_validate_xmit_skb);
