// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which device a socket is offered to, what the device is asked for, and when
 * a socket that got none asks again. Events of devices arrive here. It does not
 * know what becomes of a socket that has a device (see offload_link.c).
 */

#include <linux/if_vlan.h>
#include <linux/module.h>
#include <linux/netdevice.h>
#include <linux/rwsem.h>
#include <net/bonding.h>
#include <net/dst.h>
#include <net/tls.h>

#include "offload.h"
#include "tls_ext.h"
#include "trace.h"

#define TLS_CAPS_MAX	8	/* drivers that say what they can */
#define TLS_RETRY_MIN	HZ	/* after a refusal */
#define TLS_RETRY_MAX	(64 * HZ)

static struct {
	const struct tlsdev_ops *ops;
	u32 caps;
} tls_caps[TLS_CAPS_MAX];	/* guarded by tls_dev_sem */

static_assert(TLS_MIB_TX_WHY + TLS_WHY_REFUSED == TLS_MIB_TX_LEFT);
static_assert(TLS_MIB_TX_LEFT + TLS_LEFT_ROUTE + 1 == TLS_MIB_RX_WHY);

/* Counts events after which a socket without a device may ask again. */
static atomic_t tls_generation = ATOMIC_INIT(1);

/* Contexts that devices forgot since one of them was full. */
static atomic_t tls_room;

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

/* The device under bonds and VLANs; RCU is held. */
static struct net_device *tls_dev_below(struct sock *sk)
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

static u32 tls_caps_of(const struct tlsdev_ops *ops)
{
	int i;

	for (i = 0; i < TLS_CAPS_MAX; i++)
		if (tls_caps[i].ops == ops)
			return tls_caps[i].caps;
	return 0;
}

/* Drivers exist that never look at the version: they are shown 1.2 alone. */
static int tls_dev_takes(const struct net_device *dev,
			 const struct tls_crypto_info *info)
{
	u32 caps = tls_caps_of(dev->tlsdev_ops);

	if (info->version != TLS_1_2_VERSION && !(caps & TLS_OFFLOAD_CAP_13))
		return TLS_WHY_VERSION;
	switch (info->cipher_type) {
	case TLS_CIPHER_AES_GCM_128:
	case TLS_CIPHER_AES_GCM_256:
		return 0;
	case TLS_CIPHER_CHACHA20_POLY1305:
		return caps & TLS_OFFLOAD_CAP_CHACHA ? 0 : TLS_WHY_CIPHER;
	default:
		return TLS_WHY_CIPHER;
	}
}

/* A slave without carrier sends nothing, whatever the bond makes of it. */
static bool tls_dev_mute(const struct net_device *dev)
{
	return netif_is_bond_slave(dev) && !netif_carrier_ok(dev);
}

static int tls_dev_judge_state(const struct net_device *dev,
			       enum tls_offload_ctx_dir dir)
{
	netdev_features_t feature = dir == TLS_OFFLOAD_CTX_DIR_TX ?
				    NETIF_F_HW_TLS_TX : NETIF_F_HW_TLS_RX;

	if (!dev->tlsdev_ops)
		return TLS_WHY_NO_DEVICE;
	if (!(dev->features & feature))
		return TLS_WHY_FEATURE;
	if (!(dev->flags & IFF_UP) || tls_dev_mute(dev))
		return TLS_WHY_DOWN;
	return 0;
}

/**
 * tls_dev_judge() - would a device take a direction of a socket?
 * @dev:	the device
 * @dir:	direction
 * @info:	version and cipher
 *
 * Context: tls_dev_sem is held.
 * Return: 0, or the enum tls_why that speaks against it.
 */
int tls_dev_judge(const struct net_device *dev, enum tls_offload_ctx_dir dir,
		  const struct tls_crypto_info *info)
{
	return tls_dev_judge_state(dev, dir) ?: tls_dev_takes(dev, info);
}

/* The same where no one holds the device: what speaks against most of them. */
static int tls_dev_judge_quickly(struct sock *sk, enum tls_offload_ctx_dir dir)
{
	struct net_device *dev;
	int why;

	rcu_read_lock();
	dev = tls_dev_below(sk);
	why = dev ? tls_dev_judge_state(dev, dir) : TLS_WHY_NO_DEVICE;
	rcu_read_unlock();
	return why;
}

/**
 * tls_offload_look() - is it worth while to prepare for a device?
 * @sk:		the socket, locked
 * @ask:	of the direction: it has asked now
 * @dir:	direction
 * @info:	version and cipher
 *
 * Return: 0, or the enum tls_why that speaks against it.
 */
int tls_offload_look(struct sock *sk, struct tls_ask *ask,
		     enum tls_offload_ctx_dir dir,
		     const struct tls_crypto_info *info)
{
	netdevice_tracker tracker;
	struct net_device *dev;
	int why;

	ask->generation = atomic_read(&tls_generation);
	ask->route = tls_offload_route(sk);
	ask->retry = 0;

	why = tls_dev_judge_quickly(sk, dir);
	if (why)
		return why;
	dev = tls_dev_get(sk, &tracker);
	if (!dev)
		return TLS_WHY_NO_DEVICE;
	down_read(&tls_dev_sem);
	why = tls_dev_judge(dev, dir, info);
	up_read(&tls_dev_sem);
	netdev_put(dev, &tracker);
	return why;
}

/**
 * tls_ask_done() - a socket has got its device
 * @ask:	of one of its directions
 */
void tls_ask_done(struct tls_ask *ask)
{
	ask->backoff = 0;
	ask->full = false;
}

/**
 * tls_ask_again() - have a socket look for a device at its next record
 * @ask:	of one of its directions
 */
void tls_ask_again(struct tls_ask *ask)
{
	ask->generation = atomic_read(&tls_generation) - 1;
}

/* What a driver says is told apart as far as it makes a difference. */
static enum tls_why tls_why_of(int err)
{
	switch (err) {
	case -ENOSPC:
		return TLS_WHY_FULL;
	case -ENOMEM:
		return TLS_WHY_MEMORY;
	default:
		return err < 0 ? TLS_WHY_REFUSED : err;
	}
}

/**
 * tls_ask_failed() - a socket has got no device: count it, and when to ask again
 * @sk:		the socket, locked
 * @ask:	of one of its directions
 * @dir:	which
 * @err:	an enum tls_why, or a driver's error
 */
void tls_ask_failed(struct sock *sk, struct tls_ask *ask,
		    enum tls_offload_ctx_dir dir, int err)
{
	bool tx = dir == TLS_OFFLOAD_CTX_DIR_TX;
	enum tls_why why = tls_why_of(err);

	TLS_STAT_INC(sock_net(sk), (tx ? TLS_MIB_TX_WHY : TLS_MIB_RX_WHY) +
				   why - 1);
	trace_tls_device_none(sk, dir, why, err);
	ask->full = why == TLS_WHY_FULL;
	if (ask->full)
		atomic_set(&tls_room, 0);
	/* Down, switched off, or cannot do it: only an event changes that. */
	if (why < TLS_WHY_FULL && why != TLS_WHY_DOWN)
		return;
	ask->backoff = clamp(ask->backoff * 2, TLS_RETRY_MIN, TLS_RETRY_MAX);
	ask->retry = (jiffies + ask->backoff) | 1;
}

/**
 * tls_ask_room() - a device has forgotten a context
 *
 * One socket that found a device full asks again at once for each of these,
 * and the others do not: they would all be refused.
 */
void tls_ask_room(void)
{
	atomic_inc_unless_negative(&tls_room);
}

/**
 * tls_ask_due() - should a socket without a device look for one?
 * @sk:		the socket, locked
 * @ask:	of one of its directions
 *
 * Return: true when it may be luckier than the last time.
 */
bool tls_ask_due(struct sock *sk, const struct tls_ask *ask)
{
	if (ask->generation != atomic_read(&tls_generation) ||
	    ask->route != tls_offload_route(sk))
		return true;
	if (ask->full && atomic_dec_if_positive(&tls_room) >= 0)
		return true;
	return ask->retry && time_after(jiffies, ask->retry);
}

/**
 * tls_offload_device_lost() - a device forgot all contexts
 * @dev:	the device
 *
 * Its sockets go on in software. tls_dev_del is called for each context.
 *
 * Context: process; under no lock that tls_dev_add or tls_dev_del takes.
 */
void tls_offload_device_lost(struct net_device *dev)
{
	tls_links_retire_dev(dev);
}
EXPORT_SYMBOL_GPL(tls_offload_device_lost);

/**
 * tls_offload_device_ready() - a device takes contexts again
 * @dev:	the device
 *
 * Sockets that route through it are offered to it at their next record.
 */
void tls_offload_device_ready(struct net_device *dev)
{
	atomic_inc(&tls_generation);
}
EXPORT_SYMBOL_GPL(tls_offload_device_ready);

/**
 * tls_offload_caps_set() - a driver says what it takes beyond TLS 1.2 AES-GCM
 * @ops:	the driver's, as in its devices
 * @caps:	TLS_OFFLOAD_CAP_*; 0 before the driver goes away
 *
 * Return: 0, or -ENOSPC.
 */
int tls_offload_caps_set(const struct tlsdev_ops *ops, u32 caps)
{
	int i, slot = -1;

	down_write(&tls_dev_sem);
	for (i = 0; i < TLS_CAPS_MAX; i++)
		if (tls_caps[i].ops == ops || (slot < 0 && !tls_caps[i].ops))
			slot = i;
	if (slot >= 0) {
		tls_caps[slot].ops = caps ? ops : NULL;
		tls_caps[slot].caps = caps;
	}
	up_write(&tls_dev_sem);
	return slot < 0 ? -ENOSPC : 0;
}
EXPORT_SYMBOL_GPL(tls_offload_caps_set);

static bool tls_dev_ops_whole(const struct net_device *dev)
{
	const struct tlsdev_ops *ops = dev->tlsdev_ops;

	return ops && ops->tls_dev_add && ops->tls_dev_del &&
	       (ops->tls_dev_resync || !(dev->features & NETIF_F_HW_TLS_RX));
}

static int tls_dev_own_event(struct net_device *dev, unsigned long event)
{
	switch (event) {
	case NETDEV_REGISTER:
	case NETDEV_FEAT_CHANGE:
		if (!netif_is_bond_master(dev) && !tls_dev_ops_whole(dev))
			return NOTIFY_BAD;
		fallthrough;
	case NETDEV_UP:
		tls_offload_device_ready(dev);
		return NOTIFY_DONE;
	case NETDEV_DOWN:
		tls_offload_device_lost(dev);
		return NOTIFY_DONE;
	default:
		return NOTIFY_DONE;
	}
}

/* A slave came, went, or its carrier did, or the bond has chosen another. */
static bool tls_dev_bond_changed(const struct net_device *dev,
				 unsigned long event)
{
	switch (event) {
	case NETDEV_BONDING_FAILOVER:
		return true;
	case NETDEV_CHANGE:
	case NETDEV_CHANGELOWERSTATE:
		return netif_is_bond_slave(dev);
	case NETDEV_CHANGEUPPER:
		return dev->tlsdev_ops;
	default:
		return false;
	}
}

static int tls_dev_event(struct notifier_block *nb, unsigned long event,
			 void *ptr)
{
	struct net_device *dev = netdev_notifier_info_to_dev(ptr);

	if (tls_dev_bond_changed(dev, event)) {
		tls_links_retire_strays();
		tls_offload_device_ready(dev);
	}
	if (!dev->tlsdev_ops &&
	    !(dev->features & (NETIF_F_HW_TLS_RX | NETIF_F_HW_TLS_TX)))
		return NOTIFY_DONE;
	return tls_dev_own_event(dev, event);
}

static struct notifier_block tls_dev_notifier = {
	.notifier_call = tls_dev_event,
};

/**
 * tls_offload_init() - begin to watch devices
 *
 * Return: 0 or an error.
 */
int tls_offload_init(void)
{
	int err = tls_fallback_init();

	if (err)
		return err;
	err = register_netdevice_notifier(&tls_dev_notifier);
	if (err)
		tls_fallback_fini();
	return err;
}

/**
 * tls_offload_fini() - undo tls_offload_init(); no socket is left
 */
void tls_offload_fini(void)
{
	unregister_netdevice_notifier(&tls_dev_notifier);
	/* The destructor queued its work last; it may still be returning. */
	synchronize_rcu();
	clean_acked_data_flush();
	tls_fallback_fini();
}
