// SPDX-License-Identifier: GPL-2.0-only
/*
 * Events of devices: up, down, features, bonds, and contexts that a driver lost.
 * Sockets leave their devices and look for new ones after them.
 */

#include <linux/module.h>
#include <linux/netdevice.h>
#include <net/tcp.h>
#include <net/tls.h>
#include <net/tls_ext.h>

#include "offload.h"
#include "offload_link.h"
#include "offload_tx.h"

/**
 * tls_offload_device_lost() - take all sockets from a device that lost its contexts
 * @dev:	the device
 *
 * The sockets go on in software. tls_dev_del is called for each context.
 *
 * Context: process; under no lock that tls_dev_add or tls_dev_del takes.
 */
void tls_offload_device_lost(struct net_device *dev)
{
	tls_links_retire_dev(dev);
}
EXPORT_SYMBOL_GPL(tls_offload_device_lost);

/**
 * tls_offload_device_ready() - let sockets ask a device that takes contexts again
 * @dev:	the device
 *
 * Sockets that route through it are offered to it at their next record.
 */
void tls_offload_device_ready(struct net_device *dev)
{
	tls_ask_all();
}
EXPORT_SYMBOL_GPL(tls_offload_device_ready);

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

/*
 * Returns whether a bond's slave was added, removed or chosen, or gained or lost
 * its carrier.
 */
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
	/* Wait for destructors: they may still be returning after queueing their work. */
	synchronize_rcu();
	clean_acked_data_flush();
	tls_fallback_fini();
}
