// SPDX-License-Identifier: GPL-2.0-only
/*
 * TLS: tlsdev_ops, the life of sending contexts, start and stop with the function.
 * Receiving contexts are in ktls_rx.c. A sending context is in sync only while the
 * NIC has it and expects the same TCP sequence number. Otherwise software encrypts
 * the connection until kernel TLS offers its next record; there the NIC is
 * resynced, or gets the context anew if it has forgotten it. Knows no packets.
 */
#include <linux/jiffies.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/unaligned.h>
#include <net/tls.h>
#include <net/tls_wire.h>

#include "cmd.h"
#include "ktls_rx.h"
#include "ktls_tx.h"
#include "vktls.h"

#include "ktls_trace.h"

#define RETRY_MIN	(HZ / 10)
#define RETRY_MAX_LOG2	7		/* RETRY_MIN << 7: 12.8 s */

/*
 * Refuses a socket under IPsec or TCP-MD5: both would work on plaintext, because
 * the NIC encrypts after them.
 */
static int vktls_ktls_check_sock(struct vktls_ktls *ktls, bool rx,
				 const struct sock *sk)
{
	const struct dst_entry *dst = __sk_dst_get(sk);

	if (dst && tls_dst_wraps(dst))
		vktls_ktls_count(ktls, rx ? KTLS_RX_REFUSED_ROUTE :
				 KTLS_REFUSED_ROUTE, 1);
	else if (tls_sk_signs(sk))
		vktls_ktls_count(ktls, rx ? KTLS_RX_REFUSED_SIGNED :
				 KTLS_REFUSED_SIGNED, 1);
	else
		return 0;
	return -EOPNOTSUPP;
}

static int vktls_ktls_check(struct vktls_ktls *ktls, const struct sock *sk,
			    enum tls_offload_ctx_dir direction,
			    const struct tls_crypto_info *info)
{
	bool rx = direction == TLS_OFFLOAD_CTX_DIR_RX;

	switch (vktls_ktls_key_check(ktls->vd, info)) {
	case 0:
		return vktls_ktls_check_sock(ktls, rx, sk);
	case -EPROTO:
		vktls_ktls_count(ktls, rx ? KTLS_RX_REFUSED_VERSION :
				 KTLS_REFUSED_VERSION, 1);
		break;
	default:
		vktls_ktls_count(ktls, rx ? KTLS_RX_REFUSED_CIPHER :
				 KTLS_REFUSED_CIPHER, 1);
	}
	return -EOPNOTSUPP;
}

/* Adds a sending context to the NIC. Caller holds ktls->life; ktls->up is true. */
static int vktls_ktls_nic_add_tx(struct vktls_ktls *ktls,
				 struct vktls_ktls_tx_ctx *tx,
				 const struct tls_crypto_info *info, u32 seq,
				 u64 rec_no)
{
	struct vktls_tls_add_rx req;
	int err;

	vktls_ktls_key_fill(&req.add, info, VKTLS_DIR_TX, seq, rec_no);
	err = vktls_ktls_nic_add(ktls, &tx->base, &req);
	memzero_explicit(&req.add, sizeof(req.add));
	return err;
}

/* Notes that the NIC expects @seq next. Caller holds ktls->life; ktls->up is true. */
static void vktls_ktls_ctx_synced(struct vktls_ktls_tx_ctx *tx, u32 seq)
{
	unsigned long flags;

	spin_lock_irqsave(&tx->base.lock, flags);
	tx->expected = seq;
	tx->synced_at = seq;
	tx->in_sync = true;
	spin_unlock_irqrestore(&tx->base.lock, flags);
}

static int vktls_ktls_ctx_start(struct vktls_ktls *ktls,
				struct vktls_ktls_tx_ctx *tx,
				const struct tls_crypto_info *info, u32 seq)
{
	int err = -ENETDOWN;

	down_read(&ktls->life);
	if (ktls->up)
		err = vktls_ktls_nic_add_tx(ktls, tx, info, seq,
					    vktls_ktls_key_rec_no(info));
	if (!err)
		vktls_ktls_ctx_synced(tx, seq);
	up_read(&ktls->life);
	return err;
}

static int vktls_ktls_tx_add(struct vktls_ktls *ktls, struct sock *sk,
			     const struct tls_crypto_info *info, u32 seq)
{
	struct vktls_ktls_tx_ctx *tx;
	int err;

	tx = kzalloc(sizeof(*tx), GFP_KERNEL);
	if (!tx)
		return -ENOMEM;
	spin_lock_init(&tx->base.lock);
	tx->base.id = NO_CTX;
	err = vktls_ktls_ctx_start(ktls, tx, info, seq);
	if (err) {
		kfree(tx);
		vktls_ktls_count(ktls, err == -ENOSPC ? KTLS_NO_SPACE :
				 KTLS_ADD_FAILED, 1);
		return err;
	}
	WRITE_ONCE(*vktls_ktls_tx_slot(tls_get_ctx(sk)), tx);
	vktls_ktls_count(ktls, KTLS_CTX, 1);
	return 0;
}

/*
 * Called under the socket's lock; kernel TLS holds off NETDEV_DOWN. No packet of
 * the socket comes to vktls_ktls_tx() before this function has returned 0.
 */
static int vktls_ktls_dev_add(struct net_device *netdev, struct sock *sk,
			      enum tls_offload_ctx_dir direction,
			      struct tls_crypto_info *info, u32 seq)
{
	struct vktls_dev *vd = netdev_priv(netdev);
	int err;

	if (READ_ONCE(vd->ktls->flags) & BIT(KTLS_DRAIN))
		return -EBUSY;
	err = vktls_ktls_check(vd->ktls, sk, direction, info);
	if (err)
		return err;
	if (direction == TLS_OFFLOAD_CTX_DIR_RX)
		return vktls_ktls_rx_add(vd->ktls, sk, info, seq);
	return vktls_ktls_tx_add(vd->ktls, sk, info, seq);
}

/*
 * No packet in a ring names the context any more, and no count of such packets is
 * needed for that. A packet holds write memory of its socket until its completion,
 * and a socket is destroyed only after all of that memory is released. On
 * NETDEV_DOWN, ndo_stop has emptied the rings before. The NIC would refuse, not
 * send, a packet that names a deleted context.
 */
static void vktls_ktls_tx_del(struct vktls_ktls *ktls,
			      struct tls_context *tls_ctx)
{
	struct vktls_ktls_tx_ctx *tx = *vktls_ktls_tx_slot(tls_ctx);

	WRITE_ONCE(*vktls_ktls_tx_slot(tls_ctx), NULL);
	vktls_ktls_nic_del(ktls, &tx->base, false);
	vktls_ktls_count(ktls, KTLS_DEL, 1);
	/* A packet or an event may still use the context under RCU. */
	kfree_rcu(tx, base.rcu);
}

static void vktls_ktls_dev_del(struct net_device *netdev,
			       struct tls_context *tls_ctx,
			       enum tls_offload_ctx_dir direction)
{
	struct vktls_dev *vd = netdev_priv(netdev);

	if (direction == TLS_OFFLOAD_CTX_DIR_RX)
		vktls_ktls_rx_del(vd->ktls, tls_ctx);
	else
		vktls_ktls_tx_del(vd->ktls, tls_ctx);
}

/*
 * Runs the command for a resync. The record has the newest key, of which the context
 * has another number than kernel TLS if the NIC got the context after a new key.
 */
static int vktls_ktls_cmd_resync(struct vktls_ktls *ktls,
				 struct vktls_ktls_tx_ctx *tx, u32 seq,
				 u64 rec_no)
{
	u32 key_no = tx->key_no - tx->key_first;
	struct vktls_tls_resync_key req = {
		.resync.ctx = cpu_to_le32(tx->base.id),
		.resync.tcp_seq = cpu_to_le32(seq),
		.key_no = cpu_to_le32(key_no),
	};

	put_unaligned_be64(rec_no, req.resync.rec_no);
	return vktls_cmd_exec(ktls->vd,
			      key_no ? VKTLS_CMD_TLS_RESYNC_KEY :
				       VKTLS_CMD_TLS_RESYNC, &req,
			      key_no ? sizeof(req) : sizeof(req.resync), NULL,
			      0);
}

/* Resyncs a context in the NIC. Caller holds ktls->life; ktls->up is true. */
static int vktls_ktls_nic_resync(struct vktls_ktls *ktls,
				 struct vktls_ktls_tx_ctx *tx,
				 const struct tls_crypto_info *info, u32 seq,
				 u64 rec_no)
{
	int err = -ENOENT;

	if (tx->base.id != NO_CTX)
		err = vktls_ktls_cmd_resync(ktls, tx, seq, rec_no);
	if (err != -ENOENT)
		return err;
	vktls_ktls_gone(ktls, &tx->base, false);
	err = vktls_ktls_nic_add_tx(ktls, tx, info, seq, rec_no);
	if (err)
		return err;
	tx->key_first = tx->key_no;
	vktls_ktls_count(ktls, KTLS_READD, 1);
	return 0;
}

/*
 * Kernel TLS retries at each record until tls_dev_resync returns 0, and the sender
 * waits for the command. So the pause after a failure doubles with each failure.
 */
static void vktls_ktls_resync_outcome(struct vktls_ktls *ktls,
				      struct vktls_ktls_tx_ctx *tx, int err)
{
	unsigned int shift;

	if (!err) {
		tx->failures = 0;
		vktls_ktls_count(ktls, KTLS_RESYNC_OK, 1);
		return;
	}
	shift = min(tx->failures, RETRY_MAX_LOG2);
	tx->retry_at = jiffies + (RETRY_MIN << shift);
	tx->failures++;
	vktls_ktls_count(ktls, KTLS_RESYNC_FAILED, 1);
}

/*
 * Called under the socket's lock, before the record that starts at @seq, on a
 * segment boundary, is sent. Segments before @seq that still wait in a queue count
 * as retransmissions from now on: software encrypts them.
 */
static int vktls_ktls_tx_resync(struct vktls_ktls *ktls,
				struct tls_context *tls_ctx, u32 seq,
				u64 rec_no)
{
	struct vktls_ktls_tx_ctx *tx = *vktls_ktls_tx_slot(tls_ctx);
	int err = -ENETDOWN;

	if (tx->failures && time_before(jiffies, tx->retry_at))
		return -EAGAIN;
	down_read(&ktls->life);
	if (ktls->up)
		err = vktls_ktls_nic_resync(ktls, tx,
					    &tls_ctx->crypto_send.info, seq,
					    rec_no);
	if (!err)
		vktls_ktls_ctx_synced(tx, seq);
	trace_vktls_tls_resync(ktls->vd, tx->base.id, seq, rec_no, err);
	up_read(&ktls->life);
	vktls_ktls_resync_outcome(ktls, tx, err);
	return err;
}

static int vktls_ktls_dev_resync(struct net_device *netdev, struct sock *sk,
				 u32 seq, u8 *rcd_sn,
				 enum tls_offload_ctx_dir direction)
{
	struct vktls_dev *vd = netdev_priv(netdev);
	struct tls_context *tls_ctx = tls_get_ctx(sk);
	u64 rec_no = get_unaligned_be64(rcd_sn);

	if (direction == TLS_OFFLOAD_CTX_DIR_RX)
		return vktls_ktls_rx_resync(vd->ktls, tls_ctx, seq, rec_no, 0);
	return vktls_ktls_tx_resync(vd->ktls, tls_ctx, seq, rec_no);
}

static const struct tlsdev_ops vktls_tlsdev_ops = {
	.tls_dev_add = vktls_ktls_dev_add,
	.tls_dev_del = vktls_ktls_dev_del,
	.tls_dev_resync = vktls_ktls_dev_resync,
};

/**
 * vktls_ktls_stop() - declare every context in the NIC lost
 * @vd: device
 *
 * Connections continue in software. After vktls_ktls_start(), the NIC gets their
 * contexts again: a sending context at one of the next records, a receiving context
 * at once. Our tls.ko is told, so that it counts the connections as software's.
 *
 * Context: RTNL, no packet is being transmitted and none will be before the NIC
 * has forgotten its contexts. Waits for TLS commands, so a command queue that
 * does not answer has been aborted before.
 */
void vktls_ktls_stop(struct vktls_dev *vd)
{
	struct vktls_ktls *ktls = vd->ktls;
	struct vktls_ktls_ctx *ctx;
	unsigned long id;

	down_write(&ktls->life);
	ktls->up = false;
	xa_for_each(&ktls->ids, id, ctx)
		vktls_ktls_gone(ktls, ctx, true);
	atomic_set(&ktls->surplus, 0);
	WRITE_ONCE(ktls->rx_stray, false);
	up_write(&ktls->life);
	vktls_ktls_ext_stop(vd->netdev);
}

/**
 * vktls_ktls_start() - the NIC takes contexts
 * @vd: device
 *
 * Context: RTNL; may sleep.
 */
void vktls_ktls_start(struct vktls_dev *vd)
{
	down_write(&vd->ktls->life);
	vd->ktls->up = true;
	downgrade_write(&vd->ktls->life);
	vktls_ktls_rx_restore(vd->ktls);
	up_read(&vd->ktls->life);
	vktls_ktls_ext_start(vd->netdev);
}

static netdev_features_t vktls_ktls_feature(u32 caps, u32 need,
					    netdev_features_t feature)
{
	return (caps & need) == need ? feature : 0;
}

/**
 * vktls_ktls_features() - TLS features of the NIC
 * @vd: device, capabilities are known
 *
 * Context: RTNL.
 * Return: feature bits for netdev->hw_features.
 */
netdev_features_t vktls_ktls_features(const struct vktls_dev *vd)
{
	u32 caps = le32_to_cpu(vd->caps.features);

	return vktls_ktls_feature(caps, VKTLS_CAP_TLS_TX | VKTLS_CAP_TX_CSUM,
				  NETIF_F_HW_TLS_TX) |
	       vktls_ktls_feature(caps, VKTLS_CAP_TLS_RX | VKTLS_CAP_RX_CSUM,
				  NETIF_F_HW_TLS_RX);
}

const char vktls_ktls_flag_names[KTLS_FLAGS][ETH_GSTRING_LEN] = {
	[KTLS_REPLAY_ONLY] = "tls-tx-replay-only",
	[KTLS_FALLBACK_ONLY] = "tls-tx-fallback-only",
	[KTLS_RESYNC_DIRECT] = "tls-rx-resync-direct",
	[KTLS_RESYNC_HINT] = "tls-rx-resync-hint",
	[KTLS_DRAIN] = "tls-drain",
};

u32 vktls_ktls_flags_get(struct vktls_dev *vd)
{
	return vd->ktls->flags;
}

/*
 * Moves all connections from the NIC to software, or (@on is false) allows them to
 * return. A tls_dev_add that read the flag before it was set has ended before the
 * connections are moved.
 */
static void vktls_ktls_drain(struct vktls_dev *vd, bool on)
{
	if (on)
		vktls_ktls_ext_stop(vd->netdev);
	else
		vktls_ktls_ext_start(vd->netdev);
}

/*
 * Sets the private flags. At most one flag of each pair may be set; by default none
 * is.
 */
int vktls_ktls_flags_set(struct vktls_dev *vd, u32 flags)
{
	u32 tx = BIT(KTLS_REPLAY_ONLY) | BIT(KTLS_FALLBACK_ONLY);
	u32 rx = BIT(KTLS_RESYNC_DIRECT) | BIT(KTLS_RESYNC_HINT);

	u32 drain = (flags ^ vd->ktls->flags) & BIT(KTLS_DRAIN);

	if ((flags & tx) == tx || (flags & rx) == rx)
		return -EINVAL;
	if (drain && !vktls_ktls_ext())
		return -EOPNOTSUPP;
	WRITE_ONCE(vd->ktls->flags, flags);
	if (drain)
		vktls_ktls_drain(vd, flags & drain);
	return 0;
}

/**
 * vktls_ktls_register() - opt in to TLS 1.3 and ChaCha20-Poly1305
 *
 * Version and cipher of each key are checked against the NIC's capabilities, so
 * one opt-in serves all NICs.
 *
 * Context: module load, before any probe.
 */
void vktls_ktls_register(void)
{
	vktls_ktls_ext_opt_in(&vktls_tlsdev_ops, &vktls_ktls_next, true);
}

/**
 * vktls_ktls_unregister() - undo vktls_ktls_register()
 *
 * Context: module unload, no device is left.
 */
void vktls_ktls_unregister(void)
{
	vktls_ktls_ext_opt_in(&vktls_tlsdev_ops, NULL, false);
}

/**
 * vktls_ktls_init() - set up for a device that has no contexts yet
 * @vd: device, its netdev not yet registered
 *
 * Context: process.
 * Return: 0 or -ENOMEM.
 */
int vktls_ktls_init(struct vktls_dev *vd)
{
	struct vktls_ktls *ktls = kzalloc(sizeof(*ktls), GFP_KERNEL);
	int err = -ENOMEM;

	if (!ktls)
		return -ENOMEM;
	ktls->stats = __alloc_percpu(KTLS_STATS_NUM * sizeof(u64),
				     sizeof(u64));
	if (!ktls->stats)
		goto free_ktls;
	err = vktls_ktls_rx_init(ktls);
	if (err)
		goto free_stats;
	ktls->vd = vd;
	init_rwsem(&ktls->life);
	xa_init(&ktls->ids);
	ktls->limit[false] = INT_MAX;
	ktls->limit[true] = INT_MAX;
	vd->ktls = ktls;
	vd->netdev->tlsdev_ops = &vktls_tlsdev_ops;
	return 0;

free_stats:
	free_percpu(ktls->stats);
free_ktls:
	kfree(ktls);
	return err;
}

/**
 * vktls_ktls_fini() - undo vktls_ktls_init()
 * @vd: device, its netdev no longer registered: no context is left
 *
 * Context: process.
 */
void vktls_ktls_fini(struct vktls_dev *vd)
{
	struct vktls_ktls *ktls = vd->ktls;

	WARN_ON(!xa_empty(&ktls->ids));
	xa_destroy(&ktls->ids);
	vktls_ktls_rx_fini(ktls);
	free_percpu(ktls->stats);
	kfree(ktls);
	vd->ktls = NULL;
}
