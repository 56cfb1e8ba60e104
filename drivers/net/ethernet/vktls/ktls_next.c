// SPDX-License-Identifier: GPL-2.0-only
/*
 * Keys that the NIC gets in advance. After a KeyUpdate of the peer, the NIC continues with
 * the next key and reports that by an event; then our tls.ko gives it one more key. For
 * sending, our tls.ko gives a key with the place in the stream where it begins, and tells
 * later which older keys are not needed any more. The driver stores no key.
 */
#include <linux/string.h>
#include <net/tls.h>
#include <net/tls_ext.h>

#include "cmd.h"
#include "ktls_rx.h"
#include "ktls_trace.h"
#include "ktls_tx.h"
#include "vktls.h"

static u32 vktls_ktls_ctx_id(struct vktls_ktls_ctx *ctx)
{
	u32 id;

	spin_lock_irq(&ctx->lock);
	id = ctx->id;
	spin_unlock_irq(&ctx->lock);
	return id;
}

/* Caller holds ktls->life; ktls->up is true. */
static int vktls_ktls_next_cmd(struct vktls_ktls *ktls,
			       struct vktls_ktls_rx_ctx *rx,
			       const struct tls_crypto_info *info, u32 key_no)
{
	u32 id = vktls_ktls_ctx_id(&rx->base);
	struct vktls_tls_next req = {
		.ctx = cpu_to_le32(id),
		.key_no = cpu_to_le32(key_no),
	};
	int err;

	if (id == NO_CTX)
		return -ENOENT;
	vktls_ktls_key_fill_next(&req, info);
	/* Set before the NIC can use the key: from then on a resync has to name the key. */
	WRITE_ONCE(rx->keyed, true);
	err = vktls_cmd_exec(ktls->vd, VKTLS_CMD_TLS_NEXT, &req, sizeof(req),
			     NULL, 0);
	memzero_explicit(&req, sizeof(req));
	return err;
}

static int vktls_ktls_next_key(struct net_device *netdev,
			       struct tls_context *tls_ctx,
			       const struct tls_crypto_info *info, u32 key_no)
{
	struct vktls_dev *vd = netdev_priv(netdev);
	struct vktls_ktls *ktls = vd->ktls;
	int err = -ENETDOWN;

	if (!(le32_to_cpu(vd->caps.features) & VKTLS_CAP_TLS_RX_NEXT))
		return -EOPNOTSUPP;
	down_read(&ktls->life);
	if (ktls->up)
		err = vktls_ktls_next_cmd(ktls, *vktls_ktls_rx_slot(tls_ctx),
					  info, key_no);
	up_read(&ktls->life);
	vktls_ktls_count(ktls, err ? KTLS_RX_KEYS_REFUSED : KTLS_RX_KEYS, 1);
	return err;
}

static int vktls_ktls_next_resync(struct net_device *netdev, struct sock *sk,
				  u32 seq, u64 rec_no, u32 key_no)
{
	struct vktls_dev *vd = netdev_priv(netdev);

	return vktls_ktls_rx_resync(vd->ktls, tls_get_ctx(sk), seq, rec_no,
				    key_no);
}

static int vktls_ktls_next_tx_cmd(struct vktls_ktls *ktls, u32 id,
				  const struct tls_crypto_info *info, u32 seq,
				  u32 key_no)
{
	struct vktls_tls_next_tx req = {
		.next.ctx = cpu_to_le32(id),
		.next.key_no = cpu_to_le32(key_no),
		.tcp_seq = cpu_to_le32(seq),
	};
	int err;

	vktls_ktls_key_fill_next(&req.next, info);
	err = vktls_cmd_exec(ktls->vd, VKTLS_CMD_TLS_NEXT_TX, &req, sizeof(req),
			     NULL, 0);
	memzero_explicit(&req, sizeof(req));
	return err;
}

/*
 * Caller holds ktls->life; ktls->up is true. If the NIC has lost the context, the next
 * resync adds it again, with the newest key.
 */
static int vktls_ktls_next_tx(struct vktls_ktls *ktls,
			      struct vktls_ktls_tx_ctx *tx,
			      const struct tls_crypto_info *info, u32 seq,
			      u32 key_no)
{
	u32 id = vktls_ktls_ctx_id(&tx->base);
	int err = -ENOENT;

	if (id != NO_CTX)
		err = vktls_ktls_next_tx_cmd(ktls, id, info, seq,
					     key_no - tx->key_first);
	if (err == -ENOENT) {
		vktls_ktls_gone(ktls, &tx->base, false);
		err = 0;
	}
	if (!err)
		tx->key_no = key_no;
	return err;
}

static int vktls_ktls_next_tx_key(struct net_device *netdev,
				  struct tls_context *tls_ctx,
				  const struct tls_crypto_info *info, u32 seq,
				  u32 key_no)
{
	struct vktls_dev *vd = netdev_priv(netdev);
	struct vktls_ktls *ktls = vd->ktls;
	int err = -ENETDOWN;

	/* The NIC takes the first record under a key for number 0. */
	if (!(le32_to_cpu(vd->caps.features) & VKTLS_CAP_TLS_TX_NEXT) ||
	    vktls_ktls_key_rec_no(info))
		return -EOPNOTSUPP;
	down_read(&ktls->life);
	if (ktls->up)
		err = vktls_ktls_next_tx(ktls, *vktls_ktls_tx_slot(tls_ctx),
					 info, seq, key_no);
	up_read(&ktls->life);
	vktls_ktls_count(ktls, err ? KTLS_KEYS_REFUSED : KTLS_KEYS, 1);
	return err;
}

/* If the command fails, the next one, or tls_dev_del, wipes the keys. */
static void vktls_ktls_next_tx_wiped(struct vktls_dev *vd, u32 id, int err)
{
	if (err && err != -ENOENT)
		vktls_ktls_count(vd->ktls, KTLS_KEYS_KEPT, 1);
}

/* The socket is locked, so the command is not waited for. */
static void vktls_ktls_next_tx_done(struct net_device *netdev,
				    struct tls_context *tls_ctx, u32 key_no)
{
	struct vktls_ktls_tx_ctx *tx = *vktls_ktls_tx_slot(tls_ctx);
	struct vktls_dev *vd = netdev_priv(netdev);
	struct vktls_tls_key_ref ref = {
		.key_no = cpu_to_le32(key_no - tx->key_first),
	};
	struct vktls_ktls *ktls = vd->ktls;
	u32 id;

	/* The context may be younger than these keys. */
	if ((s32)(key_no - tx->key_first) <= 0)
		return;
	down_read(&ktls->life);
	id = vktls_ktls_ctx_id(&tx->base);
	ref.ctx = cpu_to_le32(id);
	if (ktls->up && id != NO_CTX &&
	    vktls_cmd_defer(vd, VKTLS_CMD_TLS_KEY_DONE, &ref, sizeof(ref),
			    vktls_ktls_next_tx_wiped, id))
		vktls_ktls_count(ktls, KTLS_KEYS_KEPT, 1);
	up_read(&ktls->life);
}

const struct tls_offload_next vktls_ktls_next = {
	.key = vktls_ktls_next_key,
	.resync = vktls_ktls_next_resync,
	.tx_key = vktls_ktls_next_tx_key,
	.tx_done = vktls_ktls_next_tx_done,
};

static void vktls_ktls_next_used(struct vktls_ktls *ktls,
				 struct vktls_ktls_rx_ctx *rx, u32 key_no)
{
	vktls_ktls_ext_key_used(rx->sk, key_no);
}

/**
 * vktls_ktls_key_used() - tell kernel TLS that the NIC uses a key given in advance
 * @vd: device
 * @id: context
 * @key_no: number of the key
 *
 * Context: process.
 */
void vktls_ktls_key_used(struct vktls_dev *vd, u32 id, u32 key_no)
{
	vktls_ktls_rx_event(vd, id, vktls_ktls_next_used, key_no);
}
