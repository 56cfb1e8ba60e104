// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sockets on devices: which device a socket is offered to, the links between
 * the two, and devices that go away. Whoever takes a link off the list calls
 * tls_dev_del for it, once; a link holds the context and the device until then.
 */

#include <linux/if_vlan.h>
#include <linux/module.h>
#include <linux/netdevice.h>
#include <linux/rwsem.h>
#include <net/dst.h>
#include <net/tls.h>

#include "offload.h"
#include "tls_ext.h"
#include "tls_main.h"

#define TLS_CAPS_MAX	8	/* drivers that say what they can */

/* Held for reading over tls_dev_add and _resync, for writing by a loss. */
static DECLARE_RWSEM(tls_dev_sem);

/* Guards the list and tls_link.sk; taken in softirq by the destructor. */
static DEFINE_SPINLOCK(tls_link_lock);
static LIST_HEAD(tls_links);

static struct {
	const struct tlsdev_ops *ops;
	u32 caps;
} tls_caps[TLS_CAPS_MAX];	/* guarded by tls_dev_sem */

/* Counts events after which a socket without a device may ask again. */
static atomic_t tls_generation = ATOMIC_INIT(1);

/**
 * tls_offload_generation() - has anything changed with devices?
 *
 * Return: a number that differs after a device came up or changed.
 */
u32 tls_offload_generation(void)
{
	return atomic_read(&tls_generation);
}

/**
 * tls_offload_route() - where does the socket send?
 * @sk:		the socket, locked
 *
 * Return: something to compare with the next answer; not to be followed.
 */
const void *tls_offload_route(struct sock *sk)
{
	struct dst_entry *dst;
	const void *dev;

	rcu_read_lock();
	dst = __sk_dst_get(sk);
	dev = dst ? READ_ONCE(dst->dev) : NULL;
	rcu_read_unlock();
	return dev;
}

/* The device under bonds and VLANs; held. */
static struct net_device *tls_dev_get(struct sock *sk,
				      netdevice_tracker *tracker)
{
	struct net_device *dev = NULL;
	struct dst_entry *dst;

	rcu_read_lock();
	dst = __sk_dst_get(sk);
	if (dst)
		dev = READ_ONCE(dst->dev);
	while (dev && is_vlan_dev(dev))
		dev = vlan_dev_real_dev(dev);
	if (dev)
		dev = netdev_sk_get_lowest_dev(dev, sk);
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
static bool tls_dev_takes(const struct net_device *dev,
			  const struct tls_crypto_info *info)
{
	u32 caps = tls_caps_of(dev->tlsdev_ops);

	if (info->version != TLS_1_2_VERSION && !(caps & TLS_OFFLOAD_CAP_13))
		return false;
	switch (info->cipher_type) {
	case TLS_CIPHER_AES_GCM_128:
	case TLS_CIPHER_AES_GCM_256:
		return true;
	case TLS_CIPHER_CHACHA20_POLY1305:
		return caps & TLS_OFFLOAD_CAP_CHACHA;
	default:
		return false;
	}
}

static int tls_dev_usable(const struct net_device *dev,
			  enum tls_offload_ctx_dir dir,
			  const struct tls_crypto_info *info)
{
	netdev_features_t feature = dir == TLS_OFFLOAD_CTX_DIR_TX ?
				    NETIF_F_HW_TLS_TX : NETIF_F_HW_TLS_RX;

	if (!(dev->features & feature) || !dev->tlsdev_ops)
		return -EOPNOTSUPP;
	if (!(dev->flags & IFF_UP))
		return -ENETDOWN;
	return tls_dev_takes(dev, info) ? 0 : -EPROTONOSUPPORT;
}

/**
 * tls_offload_candidate() - is it worth while to prepare for a device?
 * @sk:		the socket, locked
 * @dir:	direction
 *
 * Return: 0, or why not.
 */
int tls_offload_candidate(struct sock *sk, enum tls_offload_ctx_dir dir)
{
	const struct tls_context *ctx = tls_get_ctx(sk);
	netdevice_tracker tracker;
	struct net_device *dev;
	int err;

	dev = tls_dev_get(sk, &tracker);
	if (!dev)
		return -ENODEV;
	down_read(&tls_dev_sem);
	err = tls_dev_usable(dev, dir, dir == TLS_OFFLOAD_CTX_DIR_TX ?
					&ctx->crypto_send.info :
					&ctx->crypto_recv.info);
	up_read(&tls_dev_sem);
	netdev_put(dev, &tracker);
	return err;
}

/**
 * tls_offload_routes_to() - does the socket still send through a device?
 * @sk:		the socket, locked
 * @dev:	the device
 *
 * Return: true when it does, through bonds and VLANs too.
 */
bool tls_offload_routes_to(struct sock *sk, const struct net_device *dev)
{
	netdevice_tracker tracker;
	struct net_device *now = tls_dev_get(sk, &tracker);

	netdev_put(now, &tracker);
	return now == dev;
}

/* Makes the link known, with what a loss must find to undo it. */
static void tls_link_publish(struct sock *sk, struct tls_link *link)
{
	if (link->dir == TLS_OFFLOAD_CTX_DIR_TX) {
		rcu_assign_pointer(link->ctx->netdev, link->dev);
		/* Pairs with the acquire in tls_is_skb_tx_device_offloaded(). */
		smp_store_release(&sk->sk_validate_xmit_skb,
				  tls_validate_xmit_skb);
	}
	tls_offload_count(sock_net(sk), link->dir == TLS_OFFLOAD_CTX_DIR_TX, 1);
	refcount_inc(&link->ctx->refcount);
	WRITE_ONCE(tls_priv(sk)->lost[link->dir], false);
	spin_lock_bh(&tls_link_lock);
	list_add_tail(&link->list, &tls_links);
	link->listed = true;
	link->counted = true;
	spin_unlock_bh(&tls_link_lock);
}

static int tls_link_try(struct sock *sk, struct tls_link *link, u32 seq)
{
	struct tls_context *ctx = link->ctx;
	struct tls_crypto_info *info;
	int err;

	info = link->dir == TLS_OFFLOAD_CTX_DIR_TX ? &ctx->crypto_send.info :
						     &ctx->crypto_recv.info;
	down_read(&tls_dev_sem);
	err = tls_dev_usable(link->dev, link->dir, info);
	if (!err)
		err = link->dev->tlsdev_ops->tls_dev_add(link->dev, sk,
							 link->dir, info, seq);
	if (!err)
		tls_link_publish(sk, link);
	up_read(&tls_dev_sem);
	return err;
}

/**
 * tls_link_add() - offer one direction of a socket to its device
 * @sk:		the socket, locked; the driver's context is in place
 * @dir:	direction
 * @seq:	TCP sequence number where the offload begins
 * @err:	out: why not
 *
 * Return: the link, to be put; NULL when the socket stays in software.
 */
struct tls_link *tls_link_add(struct sock *sk, enum tls_offload_ctx_dir dir,
			      u32 seq, int *err)
{
	struct tls_link *link = kzalloc(sizeof(*link), GFP_KERNEL);

	*err = -ENOMEM;
	if (!link)
		return NULL;
	refcount_set(&link->refs, 2);
	link->dir = dir;
	link->sk = sk;
	link->ctx = tls_get_ctx(sk);
	*err = -ENODEV;
	link->dev = tls_dev_get(sk, &link->tracker);
	if (!link->dev)
		goto free;
	*err = tls_link_try(sk, link, seq);
	if (!*err)
		return link;
	netdev_put(link->dev, &link->tracker);
free:
	kfree(link);
	return NULL;
}

/**
 * tls_link_put() - let go of a link
 * @link:	the link
 */
void tls_link_put(struct tls_link *link)
{
	if (!refcount_dec_and_test(&link->refs))
		return;
	tls_ctx_put(link->ctx);
	kfree(link);
}

/* The device may go at once; the socket notices the loss when it likes. */
static void tls_link_del_listed(struct tls_link *link)
{
	link->dev->tlsdev_ops->tls_dev_del(link->dev, link->ctx, link->dir);
	netdev_put(link->dev, &link->tracker);
	tls_link_put(link);
}

/**
 * tls_link_del() - take a direction from its device
 * @link:	the link; stays valid until put
 *
 * Context: process; no packet may need the device's context any more.
 */
void tls_link_del(struct tls_link *link)
{
	bool listed;

	spin_lock_bh(&tls_link_lock);
	listed = link->listed;
	if (listed)
		list_del(&link->list);
	link->listed = false;
	spin_unlock_bh(&tls_link_lock);
	if (listed)
		tls_link_del_listed(link);
}

static void tls_link_uncount_locked(struct tls_link *link)
{
	if (link->counted)
		tls_offload_count(sock_net(link->sk),
				  link->dir == TLS_OFFLOAD_CTX_DIR_TX, -1);
	link->counted = false;
}

/**
 * tls_link_uncount() - count the socket as software's
 * @link:	its link; the socket is being closed
 */
void tls_link_uncount(struct tls_link *link)
{
	spin_lock_bh(&tls_link_lock);
	tls_link_uncount_locked(link);
	spin_unlock_bh(&tls_link_lock);
}

/**
 * tls_link_drop() - take a direction from its device for good
 * @link:	the link; stays valid until put
 *
 * For receiving: resyncs run under the socket lock, so none is on its way.
 *
 * Context: process; the socket is locked.
 */
void tls_link_drop(struct tls_link *link)
{
	tls_link_uncount(link);
	WRITE_ONCE(link->lost, true);
	tls_link_del(link);
}

/**
 * tls_link_orphan() - the socket is about to be freed
 * @link:	its link
 *
 * Context: any but hard interrupts.
 */
void tls_link_orphan(struct tls_link *link)
{
	spin_lock_bh(&tls_link_lock);
	link->sk = NULL;
	spin_unlock_bh(&tls_link_lock);
}

/* tls_link_lock is held: the socket is there if the link says so. */
static void tls_link_lose(struct tls_link *link)
{
	struct tls_priv *ctx = container_of(link->ctx, struct tls_priv, ctx);
	bool tx = link->dir == TLS_OFFLOAD_CTX_DIR_TX;

	WRITE_ONCE(link->lost, true);
	WRITE_ONCE(ctx->lost[link->dir], true);
	tls_link_uncount_locked(link);
	if (tx && link->sk) {
		RCU_INIT_POINTER(link->ctx->netdev, NULL);
		/* Pairs with tls_is_skb_tx_device_offloaded(). */
		smp_store_release(&link->sk->sk_validate_xmit_skb,
				  tls_validate_xmit_skb_sw);
	}
}

static void tls_links_lose(struct list_head *gone,
			   const struct net_device *dev,
			   const struct tls_link *only)
{
	struct tls_link *link, *next;

	down_write(&tls_dev_sem);
	spin_lock_bh(&tls_link_lock);
	list_for_each_entry_safe(link, next, &tls_links, list) {
		if (only ? link != only : link->dev != dev)
			continue;
		link->listed = false;
		list_move_tail(&link->list, gone);
		tls_link_lose(link);
	}
	spin_unlock_bh(&tls_link_lock);
	up_write(&tls_dev_sem);
}

static void tls_links_retire(const struct net_device *dev,
			     const struct tls_link *only)
{
	struct tls_link *link, *next;
	LIST_HEAD(gone);

	tls_links_lose(&gone, dev, only);
	if (list_empty(&gone))
		return;
	/* One grace period for all: no plaintext is on its way to the device. */
	synchronize_net();
	list_for_each_entry_safe(link, next, &gone, list)
		tls_link_del_listed(link);
}

/**
 * tls_link_retire() - take a direction from a device that still sends for it
 * @link:	the link; stays valid until put
 *
 * Context: process; waits for packets on their way.
 */
void tls_link_retire(struct tls_link *link)
{
	tls_links_retire(NULL, link);
}

/**
 * tls_link_resync() - tell the device where a record begins
 * @link:	the link
 * @sk:		its socket, locked
 * @seq:	TCP sequence number
 * @sn:		record number, 8 bytes big-endian
 *
 * Return: 0 or the driver's error.
 */
int tls_link_resync(struct tls_link *link, struct sock *sk, u32 seq, u8 *sn)
{
	struct net_device *dev = link->dev;
	int err = -ENODEV;

	down_read(&tls_dev_sem);
	if (!link->lost)
		err = dev->tlsdev_ops->tls_dev_resync(dev, sk, seq, sn,
						      link->dir);
	up_read(&tls_dev_sem);
	return err;
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
	tls_links_retire(dev, NULL);
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

static int tls_dev_event(struct notifier_block *nb, unsigned long event,
			 void *ptr)
{
	struct net_device *dev = netdev_notifier_info_to_dev(ptr);

	if (!dev->tlsdev_ops &&
	    !(dev->features & (NETIF_F_HW_TLS_RX | NETIF_F_HW_TLS_TX)))
		return NOTIFY_DONE;

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
