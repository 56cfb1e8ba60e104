// SPDX-License-Identifier: GPL-2.0-only
/*
 * Check if a device would take a direction of a socket: features and state of the
 * device, versions and ciphers of its driver. This file uses no socket.
 */

#include <linux/module.h>
#include <linux/netdevice.h>
#include <linux/rwsem.h>
#include <net/tls.h>
#include <net/tls_ext.h>

#include "offload_policy.h"

#define TLS_CAPS_MAX	8	/* drivers that declare capabilities */

/*
 * Held for reading over tls_dev_add and tls_dev_resync; for writing while links are
 * declared lost and while a driver declares its capabilities.
 */
DECLARE_RWSEM(tls_dev_sem);

static struct {
	const struct tlsdev_ops *ops;
	u32 caps;
	const struct tls_offload_next *next;
} tls_caps[TLS_CAPS_MAX];	/* guarded by tls_dev_sem */

static u32 tls_caps_of(const struct tlsdev_ops *ops)
{
	int i;

	for (i = 0; i < TLS_CAPS_MAX; i++)
		if (tls_caps[i].ops == ops)
			return tls_caps[i].caps;
	return 0;
}

/* Some drivers never look at the version: offer TLS 1.3 only to those that declare it. */
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

/*
 * Returns whether a device is a bond's slave without carrier, which sends nothing.
 */
static bool tls_dev_mute(const struct net_device *dev)
{
	return netif_is_bond_slave(dev) && !netif_carrier_ok(dev);
}

/**
 * tls_dev_judge_state() - judge the state and features of a device
 * @dev:	the device
 * @dir:	direction
 *
 * Context: RCU, or the device is held.
 * Return: 0, or the enum tls_why that speaks against it.
 */
int tls_dev_judge_state(const struct net_device *dev,
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
 * tls_dev_judge() - tell whether a device would take a direction of a socket
 * @dev:	the device
 * @dir:	direction
 * @info:	version and cipher
 *
 * Context: tls_dev_sem is held.
 * Return: 0 when it would, or the reason, an enum tls_why.
 */
int tls_dev_judge(const struct net_device *dev, enum tls_offload_ctx_dir dir,
		  const struct tls_crypto_info *info)
{
	return tls_dev_judge_state(dev, dir) ?: tls_dev_takes(dev, info);
}

/**
 * tls_offload_caps_set() - declare support for more than TLS 1.2 with AES-GCM
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
		tls_caps[slot].next = NULL;
	}
	up_write(&tls_dev_sem);
	return slot < 0 ? -ENOSPC : 0;
}
EXPORT_SYMBOL_GPL(tls_offload_caps_set);

/**
 * tls_offload_next_set() - declare that NICs hold keys of receiving sockets in advance
 * @ops:	the driver's, after tls_offload_caps_set()
 * @next:	operations; valid until tls_offload_caps_set() with 0
 *
 * Return: 0, or -ENOENT.
 */
int tls_offload_next_set(const struct tlsdev_ops *ops,
			 const struct tls_offload_next *next)
{
	int i, err = -ENOENT;

	down_write(&tls_dev_sem);
	for (i = 0; i < TLS_CAPS_MAX; i++) {
		if (tls_caps[i].ops != ops)
			continue;
		tls_caps[i].next = next;
		err = 0;
	}
	up_write(&tls_dev_sem);
	return err;
}
EXPORT_SYMBOL_GPL(tls_offload_next_set);

/**
 * tls_dev_next() - get a driver's operations for keys in advance
 * @dev:	a device with a link that is not lost, so that its driver stays
 *
 * Return: them, or NULL.
 */
const struct tls_offload_next *tls_dev_next(const struct net_device *dev)
{
	int i;

	for (i = 0; i < TLS_CAPS_MAX; i++)
		if (tls_caps[i].ops == dev->tlsdev_ops)
			return tls_caps[i].next;
	return NULL;
}
