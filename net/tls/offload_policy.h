/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _TLS_OFFLOAD_POLICY_H
#define _TLS_OFFLOAD_POLICY_H

#include <linux/if_macvlan.h>
#include <linux/if_vlan.h>
#include <linux/netdevice.h>

#include "tls_priv.h"

/* Reasons for which a direction left its device, in the order of the counters. */
enum tls_left {
	TLS_LEFT_DEVICE,
	TLS_LEFT_REKEY,
	TLS_LEFT_ROUTE,
	TLS_LEFT_PROGRAM,
};

/* Reasons for which a direction has no device, in the order of the counters. */
enum tls_why {
	TLS_WHY_NO_DEVICE = 1,	/* no route, or its device has no TLS offload */
	TLS_WHY_FEATURE,	/* feature of the device is switched off */
	TLS_WHY_DOWN,		/* device is down, or is a bond's slave without carrier */
	TLS_WHY_VERSION,	/* TLS version unknown to the driver */
	TLS_WHY_CIPHER,
	TLS_WHY_WRAPS,		/* IPsec or a tunnel on the route */
	TLS_WHY_SIGNS,		/* TCP-MD5 or TCP-AO */
	TLS_WHY_NOT_WANTED,	/* the program wants none */
	TLS_WHY_NOT_YET,	/* too few bytes so far */
	TLS_WHY_FULL,		/* this and later reasons: the socket asks again later */
	TLS_WHY_MEMORY,
	TLS_WHY_REFUSED,
};

/*
 * Returns the interface below VLANs and macvlans, which gets all of their packets
 * unchanged. A macvlan in bridge mode is not looked through: it gives packets for
 * another macvlan of the host to that macvlan, past every NIC.
 */
static inline struct net_device *tls_dev_straight(struct net_device *dev)
{
	const struct macvlan_dev *macvlan;

	while (dev->priv_flags & (IFF_802_1Q_VLAN | IFF_MACVLAN)) {
		if (is_vlan_dev(dev)) {
			dev = vlan_dev_real_dev(dev);
			continue;
		}
		macvlan = netdev_priv(dev);
		if (READ_ONCE(macvlan->mode) == MACVLAN_MODE_BRIDGE)
			break;
		dev = macvlan->lowerdev;
	}
	return dev;
}

/* Functions of offload_route.c */
int tls_sock_judge(struct sock *sk);
struct net_device *tls_dev_below(struct sock *sk);
const void *tls_offload_route(struct sock *sk);
bool tls_offload_left(struct sock *sk, const struct net_device *dev);
struct net_device *tls_dev_get(struct sock *sk, netdevice_tracker *tracker);

/* Objects and functions of offload_policy.c */
extern struct rw_semaphore tls_dev_sem;
int tls_dev_judge_state(const struct net_device *dev,
			enum tls_offload_ctx_dir dir);
int tls_dev_judge(const struct net_device *dev, enum tls_offload_ctx_dir dir,
		  const struct tls_crypto_info *info);
const struct tls_offload_next *tls_dev_next(const struct net_device *dev);

#endif /* _TLS_OFFLOAD_POLICY_H */
