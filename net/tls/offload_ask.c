// SPDX-License-Identifier: GPL-2.0-only
/*
 * Decides when a socket without a device looks for one, and stores the reason if
 * none takes it. offload_link.c handles sockets that have a device.
 */

#include <linux/netdevice.h>
#include <net/tcp.h>
#include <net/tls.h>
#include <uapi/linux/tls_ext.h>

#include "offload.h"
#include "offload_policy.h"
#include "sysctl.h"
#include "trace.h"

#define TLS_RETRY_MIN	HZ	/* time to the next try after a first refusal */
#define TLS_RETRY_MAX	(64 * HZ)

static_assert(TLS_MIB_TX_WHY + TLS_WHY_REFUSED == TLS_MIB_TX_LEFT);
static_assert(TLS_MIB_TX_LEFT + TLS_LEFT_PROGRAM + 1 == TLS_MIB_RX_WHY);

/* Number of device events so far. After each, a socket without a device asks for one again. */
static atomic_t tls_generation = ATOMIC_INIT(1);

/* Contexts deleted since a device was full; each lets one socket ask again. */
static atomic_t tls_room;

/* Runs the cheap checks, under RCU, so that no reference to the device is taken. */
static int tls_dev_judge_quickly(struct sock *sk, enum tls_offload_ctx_dir dir)
{
	struct net_device *dev;
	int why;

	rcu_read_lock();
	dev = tls_dev_below(sk);
	why = dev ? tls_dev_judge_state(dev, dir) : TLS_WHY_NO_DEVICE;
	why = why ?: tls_sock_judge(sk);
	rcu_read_unlock();
	return why;
}

static u32 tls_ask_place(const struct sock *sk, enum tls_offload_ctx_dir dir)
{
	return dir == TLS_OFFLOAD_CTX_DIR_TX ? tcp_sk(sk)->write_seq :
					       tcp_sk(sk)->copied_seq;
}

/*
 * Returns 0 if program and administrator let the direction ask a device now, else
 * an enum tls_why.
 */
static int tls_ask_judge(struct sock *sk, struct tls_ask *ask,
			 enum tls_offload_ctx_dir dir)
{
	const struct tls_priv *priv = tls_priv(sk);
	u32 place = tls_ask_place(sk, dir);

	if (priv->want[dir] == TLS_EXT_OFFLOAD_NEVER)
		return TLS_WHY_NOT_WANTED;
	if (ask->warm || priv->want[dir] != TLS_EXT_OFFLOAD_DEFAULT) {
		ask->lazy = false;
		return 0;
	}
	if (!ask->lazy)
		ask->lazy_end = place + tls_lazy_bytes(sock_net(sk), dir,
						       priv->lazy_bytes[dir]);
	ask->lazy = before(place, ask->lazy_end);
	ask->warm = !ask->lazy;
	return ask->lazy ? TLS_WHY_NOT_YET : 0;
}

/**
 * tls_offload_look() - tell whether the route's device would take a direction
 * @sk:		the socket, locked
 * @ask:	state of the direction; notes that it has asked
 * @dir:	direction
 * @info:	version and cipher
 *
 * Return: 0 when it would, or the reason, an enum tls_why.
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

	why = tls_ask_judge(sk, ask, dir) ?: tls_dev_judge_quickly(sk, dir);
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
 * tls_ask_done() - note that a socket has got its device
 * @ask:	state of the direction
 */
void tls_ask_done(struct tls_ask *ask)
{
	ask->backoff = 0;
	ask->why = 0;
	ask->full = false;
}

/**
 * tls_ask_all() - have all sockets without a device look at their next record
 */
void tls_ask_all(void)
{
	atomic_inc(&tls_generation);
}

/**
 * tls_ask_again() - have a socket look for a device at its next record
 * @ask:	state of the direction
 */
void tls_ask_again(struct tls_ask *ask)
{
	ask->generation = atomic_read(&tls_generation) - 1;
}

/* Converts a driver's error; most mean the same to a socket, TLS_WHY_REFUSED. */
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
 * tls_ask_failed() - count why a socket got no device, and set the time to ask again
 * @sk:		the socket, locked
 * @ask:	state of the direction
 * @dir:	direction
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
	ask->why = why;
	ask->full = why == TLS_WHY_FULL;
	if (ask->full)
		atomic_set(&tls_room, 0);
	/* For other reasons the socket waits for a device event or a new route. */
	if (why < TLS_WHY_FULL && why != TLS_WHY_DOWN)
		return;
	ask->backoff = clamp(ask->backoff * 2, TLS_RETRY_MIN, TLS_RETRY_MAX);
	ask->retry = (jiffies + ask->backoff) | 1;
}

/**
 * tls_ask_room() - let a socket ask again, as a device has deleted a context
 *
 * Each deleted context lets one socket that found a device full ask again. If all
 * of them asked, all but one would be refused.
 */
void tls_ask_room(void)
{
	atomic_inc_unless_negative(&tls_room);
}

/**
 * tls_ask_due() - tell whether a socket should look for a device now
 * @sk:		the socket, locked
 * @ask:	state of the direction
 * @dir:	direction
 *
 * Return: true when something has changed since it asked last, or it is time to ask again.
 */
bool tls_ask_due(struct sock *sk, const struct tls_ask *ask,
		 enum tls_offload_ctx_dir dir)
{
	/* First, because it is cheap: most short connections stop here. */
	if (ask->lazy)
		return !before(tls_ask_place(sk, dir), ask->lazy_end);
	if (ask->generation != atomic_read(&tls_generation) ||
	    ask->route != tls_offload_route(sk))
		return true;
	if (ask->full && atomic_dec_if_positive(&tls_room) >= 0)
		return true;
	return ask->retry && time_after(jiffies, ask->retry);
}
