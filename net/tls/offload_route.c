// SPDX-License-Identifier: GPL-2.0-only
/*
 * The device that a socket sends through, under VLANs, macvlans and bonds, and whether
 * its packets get there as TCP made them. It does not know whether that device can do
 * TLS (see offload_policy.c).
 */

#include <linux/netdevice.h>
#include <net/bonding.h>
#include <net/dst.h>
#include <net/sock.h>
#include <net/tls_wire.h>

#include "offload_policy.h"

/* Stands for a route with packets that no device can encrypt. */
static const char tls_route_none;

/**
 * tls_sock_judge() - tell whether any device may encrypt a socket's packets
 * @sk:		the socket, locked or kept from being freed
 *
 * Context: RCU, unless the socket is locked.
 * Return: 0, or the enum tls_why that speaks against it.
 */
int tls_sock_judge(struct sock *sk)
{
	const struct dst_entry *dst = __sk_dst_get(sk);

	if (dst && tls_dst_wraps(dst))
		return TLS_WHY_WRAPS;
	return tls_sk_signs(sk) ? TLS_WHY_SIGNS : 0;
}

/*
 * Returns the slave that carries the socket, or NULL if it is unknown. The bond
 * gives its TLS packets to a direct slave only, and does not look at devices below.
 */
static struct net_device *tls_bond_slave(struct net_device *bond,
					 struct sock *sk)
{
	struct net_device *dev;

	if (BOND_MODE((struct bonding *)netdev_priv(bond)) ==
	    BOND_MODE_ACTIVEBACKUP)
		return bond_option_active_slave_get_rcu(netdev_priv(bond));
	dev = netdev_sk_get_lowest_dev(bond, sk);
	return netdev_master_upper_dev_get_rcu(dev) == bond ? dev : NULL;
}

/**
 * tls_dev_below() - the device under bonds, VLANs and macvlans that a socket sends through
 * @sk:		the socket, locked or kept from being freed
 *
 * Context: RCU.
 * Return: the device, or NULL without a route.
 */
struct net_device *tls_dev_below(struct sock *sk)
{
	struct dst_entry *dst = __sk_dst_get(sk);
	struct net_device *dev = dst ? READ_ONCE(dst->dev) : NULL;

	if (dev)
		dev = tls_dev_straight(dev);
	return dev && netif_is_bond_master(dev) ? tls_bond_slave(dev, sk) : dev;
}

/**
 * tls_offload_route() - identify the device that a socket sends through
 * @sk:		the socket, locked or kept from being freed
 *
 * Return: something to compare with; not to be followed. NULL without a route.
 */
const void *tls_offload_route(struct sock *sk)
{
	const void *route;

	rcu_read_lock();
	route = unlikely(tls_sock_judge(sk)) ? &tls_route_none :
					       (void *)tls_dev_below(sk);
	rcu_read_unlock();
	return route;
}

/**
 * tls_offload_left() - tell whether a socket sends through another device now
 * @sk:		the socket, locked
 * @dev:	the device that it had
 *
 * A socket without a route sends nothing, and keeps its device.
 *
 * Return: true when it does.
 */
bool tls_offload_left(struct sock *sk, const struct net_device *dev)
{
	const struct dst_entry *dst = __sk_dst_get(sk);
	const void *route;

	/* Without a bond and a VLAN, a comparison of two pointers tells it. */
	if (likely(dst && READ_ONCE(dst->dev) == dev && !tls_sock_judge(sk)))
		return false;
	route = tls_offload_route(sk);
	return route && route != dev;
}

/**
 * tls_dev_get() - get hold of the device that the socket sends through
 * @sk:		the socket, locked
 * @tracker:	for netdev_put()
 *
 * Return: the device, or NULL.
 */
struct net_device *tls_dev_get(struct sock *sk, netdevice_tracker *tracker)
{
	struct net_device *dev;

	rcu_read_lock();
	dev = tls_dev_below(sk);
	if (dev)
		netdev_hold(dev, tracker, GFP_ATOMIC);
	rcu_read_unlock();
	return dev;
}
