// SPDX-License-Identifier: GPL-2.0-only
/*
 * The device that a socket sends through, under VLANs and bonds. It does not
 * know whether that device can do TLS (see offload_policy.c).
 */

#include <linux/if_vlan.h>
#include <linux/netdevice.h>
#include <net/bonding.h>
#include <net/dst.h>
#include <net/sock.h>

#include "offload_policy.h"

/* The slave that carries the socket; NULL when that cannot be told. */
static struct net_device *tls_bond_slave(struct net_device *bond,
					 struct sock *sk)
{
	struct net_device *dev;

	if (BOND_MODE((struct bonding *)netdev_priv(bond)) ==
	    BOND_MODE_ACTIVEBACKUP)
		return bond_option_active_slave_get_rcu(netdev_priv(bond));
	dev = netdev_sk_get_lowest_dev(bond, sk);
	return dev == bond ? NULL : dev;
}

/**
 * tls_dev_below() - the device under bonds and VLANs that a socket sends through
 * @sk:		the socket, locked or kept from being freed
 *
 * Context: RCU.
 * Return: the device, or NULL without a route.
 */
struct net_device *tls_dev_below(struct sock *sk)
{
	struct dst_entry *dst = __sk_dst_get(sk);
	struct net_device *dev = dst ? READ_ONCE(dst->dev) : NULL;

	for (;;) {
		if (dev && is_vlan_dev(dev))
			dev = vlan_dev_real_dev(dev);
		else if (dev && netif_is_bond_master(dev))
			dev = tls_bond_slave(dev, sk);
		else
			return dev;
	}
}

/**
 * tls_offload_route() - which device does the socket send through?
 * @sk:		the socket, locked or kept from being freed
 *
 * Return: something to compare with; not to be followed. NULL without a route.
 */
const void *tls_offload_route(struct sock *sk)
{
	const void *dev;

	rcu_read_lock();
	dev = tls_dev_below(sk);
	rcu_read_unlock();
	return dev;
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
