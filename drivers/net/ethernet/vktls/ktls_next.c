// SPDX-License-Identifier: GPL-2.0-only
/*
 * Keys for receiving that the NIC gets in advance. After a KeyUpdate of the peer, the NIC continues
 * with the next key and reports that by an event; then our tls.ko gives it one more key. The driver
 * stores no key.
 */
#include <linux/string.h>
#include <net/tls.h>
#include <net/tls_ext.h>

#include "cmd.h"
#include "ktls_rx.h"
#include "ktls_trace.h"
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

const struct tls_offload_next vktls_ktls_next = {
	.key = vktls_ktls_next_key,
	.resync = vktls_ktls_next_resync,
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
