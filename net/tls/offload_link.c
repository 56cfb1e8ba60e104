// SPDX-License-Identifier: GPL-2.0-only
/*
 * Links between sockets and devices, one for each direction. The code that takes a
 * link off tls_links calls tls_dev_del for it, exactly once; until then the link
 * holds references to the context and the device. The context has space for the
 * state of one driver in each direction, so a direction gets no new link before
 * tls_dev_del of the old one has returned.
 */

#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/netdevice.h>
#include <linux/wait_bit.h>
#include <net/tls.h>

#include "ctx.h"
#include "lazy.h"
#include "offload_link.h"
#include "trace.h"
#include "work.h"

/* Guards the list and tls_link.sk; taken in softirq by the destructor. */
static DEFINE_SPINLOCK(tls_link_lock);
static LIST_HEAD(tls_links);
static LIST_HEAD(tls_links_leaving);	/* tls_dev_del comes after a grace period */

/*
 * Enables the link, and adds it to the list, so that the loss of the device finds
 * it.
 */
static void tls_link_publish(struct sock *sk, struct tls_link *link)
{
	if (link->dir == TLS_OFFLOAD_CTX_DIR_TX) {
		rcu_assign_pointer(link->ctx->netdev, link->dev);
		/* Pairs with the acquire in tls_is_skb_tx_device_offloaded(). */
		smp_store_release(&sk->sk_validate_xmit_skb,
				  tls_validate_xmit_skb);
	}
	tls_stats_count_device(sock_net(sk),
			       link->dir == TLS_OFFLOAD_CTX_DIR_TX, 1);
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
	u64 start = ktime_get_ns();
	int err;

	info = link->dir == TLS_OFFLOAD_CTX_DIR_TX ? &ctx->crypto_send.info :
						     &ctx->crypto_recv.info;
	down_read(&tls_dev_sem);
	err = tls_dev_judge(link->dev, link->dir, info);
	if (!err)
		err = link->dev->tlsdev_ops->tls_dev_add(link->dev, sk,
							 link->dir, info, seq);
	if (!err) {
		tls_lazy_count_setup(link->dir, ktime_get_ns() - start);
		tls_link_publish(sk, link);
	}
	up_read(&tls_dev_sem);
	return err;
}

/**
 * tls_link_add() - offer one direction of a socket to its device
 * @sk:		the socket, locked; the driver's context is in place
 * @dir:	direction
 * @seq:	TCP sequence number where the offload begins
 * @err:	out: the reason for NULL, an enum tls_why or an error
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
	*err = TLS_WHY_NO_DEVICE;
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
 * tls_link_put() - drop a reference to a link
 * @link:	the link
 */
void tls_link_put(struct tls_link *link)
{
	if (!refcount_dec_and_test(&link->refs))
		return;
	tls_ctx_put(link->ctx);
	kfree(link);
}

/* Calls tls_dev_del; the socket reads link->gone at its next record. */
static void tls_link_del_listed(struct tls_link *link)
{
	link->dev->tlsdev_ops->tls_dev_del(link->dev, link->ctx, link->dir);
	tls_ask_room();
	netdev_put(link->dev, &link->tracker);
	/* Pairs with tls_link_gone(): the driver's state is free again. */
	smp_store_release(&link->gone, true);
	tls_link_put(link);
}

/**
 * tls_link_gone() - tell whether the direction may be given to another device
 * @link:	a link that was lost
 *
 * Return: true once tls_dev_del has returned; another task may have called it.
 */
bool tls_link_gone(const struct tls_link *link)
{
	/* Pairs with tls_link_del_listed(). */
	return smp_load_acquire(&link->gone);
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
		tls_stats_count_device(sock_net(link->sk),
				       link->dir == TLS_OFFLOAD_CTX_DIR_TX, -1);
	link->counted = false;
}

/**
 * tls_link_uncount() - stop counting a socket as offloaded
 * @link:	link of the socket, which is being closed
 */
void tls_link_uncount(struct tls_link *link)
{
	spin_lock_bh(&tls_link_lock);
	tls_link_uncount_locked(link);
	spin_unlock_bh(&tls_link_lock);
}

/* Counts that software encrypts new records from now on. tls_link_lock is held. */
static void tls_link_leave(struct tls_link *link, enum tls_left reason)
{
	struct tls_priv *ctx = container_of(link->ctx, struct tls_priv, ctx);
	bool tx = link->dir == TLS_OFFLOAD_CTX_DIR_TX;

	WRITE_ONCE(ctx->lost[link->dir], true);
	if (!link->counted)
		return;
	tls_link_uncount_locked(link);
	TLS_STAT_INC(sock_net(link->sk),
		     (tx ? TLS_MIB_TX_LEFT : TLS_MIB_RX_LEFT) + reason);
	trace_tls_device_left(link->sk, link->dir, reason);
}

/**
 * tls_link_drain() - give a device no new records; it goes on with the old ones
 * @link:	link of a socket that is locked
 * @reason:	why
 *
 * From now on the statistics count the socket as encrypted by software;
 * tls_link_retire() does not count it again.
 */
void tls_link_drain(struct tls_link *link, enum tls_left reason)
{
	spin_lock_bh(&tls_link_lock);
	tls_link_leave(link, reason);
	spin_unlock_bh(&tls_link_lock);
}

/* Declares a link lost. tls_link_lock is held, so link->sk is valid or NULL. */
static void tls_link_lose(struct tls_link *link, enum tls_left reason)
{
	bool tx = link->dir == TLS_OFFLOAD_CTX_DIR_TX;

	WRITE_ONCE(link->lost, true);
	tls_link_leave(link, reason);
	if (tx && link->sk) {
		RCU_INIT_POINTER(link->ctx->netdev, NULL);
		/* Pairs with tls_is_skb_tx_device_offloaded(). */
		smp_store_release(&link->sk->sk_validate_xmit_skb,
				  tls_validate_xmit_skb_sw);
	}
}

/**
 * tls_link_drop() - take a receiving side from its device for good
 * @link:	the link; stays valid until put
 * @reason:	why
 *
 * Resyncs run under the socket lock, so none is on its way.
 *
 * Context: process; the socket is locked.
 */
void tls_link_drop(struct tls_link *link, enum tls_left reason)
{
	spin_lock_bh(&tls_link_lock);
	tls_link_lose(link, reason);
	spin_unlock_bh(&tls_link_lock);
	tls_link_del(link);
}

/**
 * tls_link_orphan() - part a link from its socket, which is about to be freed
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

static bool tls_link_on(const struct tls_link *link, const void *dev)
{
	return link->dev == dev;
}

/*
 * Returns whether a socket sends through a device that its bond does not use any
 * more. A bond sends a packet marked for a device through that device even without
 * carrier. The socket would wait for ever for an acknowledgment, and never look at
 * its route, so it must be taken back here.
 */
static bool tls_link_stray(const struct tls_link *link, const void *unused)
{
	const void *route;

	if (!link->sk)
		return false;
	if (netif_is_bond_slave(link->dev) && !netif_carrier_ok(link->dev))
		return true;
	route = tls_offload_route(link->sk);
	return route && route != link->dev;
}

static void tls_links_retire(bool (*match)(const struct tls_link *link,
					   const void *arg),
			     const void *arg, enum tls_left reason)
{
	struct tls_link *link, *next;
	LIST_HEAD(gone);

	down_write(&tls_dev_sem);
	spin_lock_bh(&tls_link_lock);
	list_for_each_entry_safe(link, next, &tls_links, list) {
		if (!match(link, arg))
			continue;
		link->listed = false;
		list_move_tail(&link->list, &gone);
		tls_link_lose(link, reason);
	}
	spin_unlock_bh(&tls_link_lock);
	up_write(&tls_dev_sem);
	if (list_empty(&gone))
		return;

	/* After this, no packet with plaintext is on its way to the device. */
	synchronize_net();
	list_for_each_entry_safe(link, next, &gone, list)
		tls_link_del_listed(link);
}

static void tls_link_leave_work(struct work_struct *work)
{
	struct tls_link *link = container_of(to_rcu_work(work), struct tls_link,
					     leave);

	refcount_inc(&link->refs);
	tls_link_del_listed(link);
	spin_lock_bh(&tls_link_lock);
	list_del(&link->list);
	spin_unlock_bh(&tls_link_lock);
	wake_up_var(&tls_links_leaving);
	tls_link_put(link);
}

/**
 * tls_link_retire() - take a direction from a device that still sends for it
 * @link:	the link of a socket that is locked; stays valid until put
 * @reason:	why
 *
 * The device is told in its own time, after packets on their way; see
 * tls_link_gone(). The cost does not depend on the number of sockets.
 */
void tls_link_retire(struct tls_link *link, enum tls_left reason)
{
	spin_lock_bh(&tls_link_lock);
	if (link->listed) {
		link->listed = false;
		list_move_tail(&link->list, &tls_links_leaving);
		tls_link_lose(link, reason);
		INIT_RCU_WORK(&link->leave, tls_link_leave_work);
		tls_work_queue_rcu(&link->leave);
	}
	spin_unlock_bh(&tls_link_lock);
}

static bool tls_links_left(const struct net_device *dev)
{
	const struct tls_link *link;
	bool left = true;

	spin_lock_bh(&tls_link_lock);
	list_for_each_entry(link, &tls_links_leaving, list)
		left &= link->dev != dev;
	spin_unlock_bh(&tls_link_lock);
	return left;
}

/**
 * tls_links_retire_dev() - take all sockets from a device
 * @dev:	the device
 *
 * No call to its driver is left when this returns.
 *
 * Context: process.
 */
void tls_links_retire_dev(const struct net_device *dev)
{
	tls_links_retire(tls_link_on, dev, TLS_LEFT_DEVICE);
	/* Pairs with tls_link_leave_work(). */
	wait_var_event(&tls_links_leaving, tls_links_left(dev));
}

/**
 * tls_links_retire_strays() - take back sockets that a changed bond moved elsewhere
 *
 * Context: process.
 */
void tls_links_retire_strays(void)
{
	tls_links_retire(tls_link_stray, NULL, TLS_LEFT_ROUTE);
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
