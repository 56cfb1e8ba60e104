// SPDX-License-Identifier: GPL-2.0-only
/*
 * Calls of functions that only our tls.ko exports: the opt-in to TLS 1.3 and
 * ChaCha20-Poly1305, reports that a NIC has lost its contexts or takes new
 * ones, and that it uses a key that it got in advance. The distribution's tls.ko lacks
 * the symbols, so they are looked up when they are needed. The driver depends on tls.ko:
 * no other tls.ko can be loaded while the driver is.
 */
#include <linux/module.h>
#include <linux/netdevice.h>
#include <net/tls_ext.h>

#include "ktls_priv.h"

static bool vktls_ktls_ext_there; /* our tls.ko is loaded; set before any probe */

/**
 * vktls_ktls_ext_opt_in() - opt in to TLS 1.3 and ChaCha20-Poly1305, or out
 * @ops: TLS operations of the driver
 * @next: operations for keys in advance
 * @in: true to opt in, false to opt out
 *
 * Context: module load, before any probe, or unload.
 */
void vktls_ktls_ext_opt_in(const struct tlsdev_ops *ops,
			   const struct tls_offload_next *next, bool in)
{
	int (*next_set)(const struct tlsdev_ops *ops,
			const struct tls_offload_next *next) =
		symbol_get(tls_offload_next_set);
	u32 caps = in ? TLS_OFFLOAD_CAP_13 | TLS_OFFLOAD_CAP_CHACHA : 0;
	int (*set)(const struct tlsdev_ops *ops, u32 caps) =
		symbol_get(tls_offload_caps_set);

	vktls_ktls_ext_there = set;
	if (!set)
		return;
	if (set(ops, caps))
		pr_warn("vktls: tls.ko does not note what the NIC takes\n");
	else if (in && next_set)
		next_set(ops, next);
	symbol_put(tls_offload_caps_set);
	if (next_set)
		symbol_put(tls_offload_next_set);
}

/**
 * vktls_ktls_ext_key_used() - tell our tls.ko that a NIC uses a key given in advance
 * @sk: the socket
 * @key_no: number of the key
 *
 * Context: between tls_dev_add and tls_dev_del; the context of the receiving side is
 * locked.
 */
void vktls_ktls_ext_key_used(struct sock *sk, u32 key_no)
{
	void (*used)(struct sock *sk, u32 key_no) =
		symbol_get(tls_offload_key_used);

	if (!used)
		return;
	used(sk, key_no);
	symbol_put(tls_offload_key_used);
}

/**
 * vktls_ktls_ext_key_lost() - tell our tls.ko that a NIC has lost a context with keys
 * @sk: the socket
 *
 * Context: as vktls_ktls_ext_key_used(), or rx_mutex is held.
 */
void vktls_ktls_ext_key_lost(struct sock *sk)
{
	void (*lost)(struct sock *sk) = symbol_get(tls_offload_key_lost);

	if (!lost)
		return;
	lost(sk);
	symbol_put(tls_offload_key_lost);
}

/**
 * vktls_ktls_ext() - tell whether the loaded tls.ko is ours
 *
 * Context: any.
 * Return: true if so.
 */
bool vktls_ktls_ext(void)
{
	return vktls_ktls_ext_there;
}

/**
 * vktls_ktls_ext_stop() - tell our tls.ko that a NIC has lost all contexts
 * @netdev: its interface
 *
 * Context: process; RTNL may be held, vktls_ktls.life must not be.
 */
void vktls_ktls_ext_stop(struct net_device *netdev)
{
	void (*lost)(struct net_device *dev) =
		symbol_get(tls_offload_device_lost);

	if (!lost)
		return;
	lost(netdev);
	symbol_put(tls_offload_device_lost);
}

/**
 * vktls_ktls_ext_start() - tell our tls.ko that a NIC takes contexts again
 * @netdev: its interface
 *
 * Context: process.
 */
void vktls_ktls_ext_start(struct net_device *netdev)
{
	void (*ready)(struct net_device *dev) =
		symbol_get(tls_offload_device_ready);

	if (!ready)
		return;
	ready(netdev);
	symbol_put(tls_offload_device_ready);
}
