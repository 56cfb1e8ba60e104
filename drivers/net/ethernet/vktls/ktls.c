// SPDX-License-Identifier: GPL-2.0-only
/*
 * TLS contexts: their life in the NIC as kernel TLS asks for it, and counters.
 * A context says "in sync" only while the NIC has it and expects the same TCP
 * sequence number; whatever breaks that makes the connection go on in software
 * until kernel TLS offers the next record, at which the NIC is put in sync, or
 * is given the context anew if it has lost it. Knows no packets.
 */
#include <linux/ethtool.h>
#include <linux/jiffies.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/unaligned.h>
#include <net/tls.h>

#include "cmd.h"
#include "ktls.h"
#include "vktls.h"

#define CREATE_TRACE_POINTS
#include "ktls_trace.h"

#define RETRY_MIN	(HZ / 10)
#define RETRY_MAX_LOG2	7		/* RETRY_MIN << 7: 12.8 s */

/* What one kind of kernel key structure says, and where. */
struct vktls_ktls_cipher {
	u16 type;			/* of struct tls_crypto_info */
	u8 abi;				/* VKTLS_CIPHER_* */
	u8 key_len;
	u8 key, salt, iv, rec_seq;	/* offsets in the structure */
};

static const struct vktls_ktls_cipher ktls_ciphers[] = {
	{
		.type = TLS_CIPHER_AES_GCM_128,
		.abi = VKTLS_CIPHER_AES_128_GCM,
		.key_len = TLS_CIPHER_AES_GCM_128_KEY_SIZE,
		.key = offsetof(struct tls12_crypto_info_aes_gcm_128, key),
		.salt = offsetof(struct tls12_crypto_info_aes_gcm_128, salt),
		.iv = offsetof(struct tls12_crypto_info_aes_gcm_128, iv),
		.rec_seq = offsetof(struct tls12_crypto_info_aes_gcm_128,
				    rec_seq),
	},
	{
		.type = TLS_CIPHER_AES_GCM_256,
		.abi = VKTLS_CIPHER_AES_256_GCM,
		.key_len = TLS_CIPHER_AES_GCM_256_KEY_SIZE,
		.key = offsetof(struct tls12_crypto_info_aes_gcm_256, key),
		.salt = offsetof(struct tls12_crypto_info_aes_gcm_256, salt),
		.iv = offsetof(struct tls12_crypto_info_aes_gcm_256, iv),
		.rec_seq = offsetof(struct tls12_crypto_info_aes_gcm_256,
				    rec_seq),
	},
};

static const char ktls_stat_names[][ETH_GSTRING_LEN] = {
	[VKTLS_KTLS_ENCRYPTED_PACKETS] = "tx_tls_encrypted_packets",
	[VKTLS_KTLS_ENCRYPTED_BYTES] = "tx_tls_encrypted_bytes",
	[VKTLS_KTLS_CTX] = "tx_tls_ctx",
	[VKTLS_KTLS_OOO] = "tx_tls_ooo",
	[VKTLS_KTLS_SKIP_NO_SYNC] = "tx_tls_skip_no_sync_data",
	[VKTLS_KTLS_DROP_NO_SYNC] = "tx_tls_drop_no_sync_data",
	[VKTLS_KTLS_DROP_BYPASS] = "tx_tls_drop_bypass_req",
	[VKTLS_KTLS_DROP_TUNNEL] = "tx_tls_drop_tunnel",
	[VKTLS_KTLS_SKIP_ENCRYPTED] = "tx_tls_skip_encrypted",
	[VKTLS_KTLS_DEL] = "tx_tls_del",
	[VKTLS_KTLS_NO_SPACE] = "tx_tls_no_space",
	[VKTLS_KTLS_ADD_FAILED] = "tx_tls_add_failed",
	[VKTLS_KTLS_REFUSED_VERSION] = "tx_tls_refused_version",
	[VKTLS_KTLS_REFUSED_CIPHER] = "tx_tls_refused_cipher",
	[VKTLS_KTLS_RX_REFUSED] = "rx_tls_refused",
	[VKTLS_KTLS_RESYNC_REQ] = "tx_tls_resync_req",
	[VKTLS_KTLS_RESYNC_OK] = "tx_tls_resync_ok",
	[VKTLS_KTLS_RESYNC_FAILED] = "tx_tls_resync_failed",
	[VKTLS_KTLS_READD] = "tx_tls_readd",
	[VKTLS_KTLS_FALLBACK_RETRANSMIT] = "tx_tls_fallback_retransmit",
	[VKTLS_KTLS_FALLBACK_GAP] = "tx_tls_fallback_gap",
	[VKTLS_KTLS_FALLBACK_LOST] = "tx_tls_fallback_lost",
	[VKTLS_KTLS_FALLBACK_BYTES] = "tx_tls_fallback_bytes",
	[VKTLS_KTLS_FALLBACK_FAILED] = "tx_tls_fallback_failed",
	[VKTLS_KTLS_LOST_RESET] = "tx_tls_lost_reset",
	[VKTLS_KTLS_LOST_DEVICE] = "tx_tls_lost_device",
	[VKTLS_KTLS_LOST_UNSENT] = "tx_tls_lost_unsent",
};

static_assert(ARRAY_SIZE(ktls_stat_names) == VKTLS_KTLS_STATS_NUM);

/* For trace points. */
const char *vktls_ktls_stat_name(enum vktls_ktls_stat stat)
{
	return ktls_stat_names[stat];
}

/*
 * The room that kernel TLS leaves for the driver in the socket's context holds
 * one pointer. It is set by tls_dev_add, before any packet can ask for it, and
 * cleared by tls_dev_del, when none asks any more.
 */
static struct vktls_ktls_ctx **ktls_slot(struct tls_context *tls_ctx)
{
	return __tls_driver_ctx(tls_ctx, TLS_OFFLOAD_CTX_DIR_TX);
}

static const struct vktls_ktls_cipher *ktls_cipher_find(u16 type)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(ktls_ciphers); i++) {
		if (ktls_ciphers[i].type == type)
			return &ktls_ciphers[i];
	}
	return NULL;
}

static bool ktls_version_ok(const struct vktls_dev *vd, u16 version)
{
	return version == TLS_1_2_VERSION &&
	       le16_to_cpu(vd->caps.tls_versions) & BIT(VKTLS_VERSION_TLS12);
}

static bool ktls_cipher_ok(const struct vktls_dev *vd, u16 type)
{
	const struct vktls_ktls_cipher *cipher = ktls_cipher_find(type);

	return cipher &&
	       le16_to_cpu(vd->caps.tls_ciphers) & BIT(cipher->abi);
}

static int ktls_check(struct vktls_ktls *ktls,
		      enum tls_offload_ctx_dir direction,
		      const struct tls_crypto_info *info)
{
	enum vktls_ktls_stat why;

	if (direction != TLS_OFFLOAD_CTX_DIR_TX)
		why = VKTLS_KTLS_RX_REFUSED;
	else if (!ktls_version_ok(ktls->vd, info->version))
		why = VKTLS_KTLS_REFUSED_VERSION;
	else if (!ktls_cipher_ok(ktls->vd, info->cipher_type))
		why = VKTLS_KTLS_REFUSED_CIPHER;
	else
		return 0;
	vktls_ktls_count(ktls, why, 1);
	return -EOPNOTSUPP;
}

/*
 * The kernel's structure tells where the stream of records began. The explicit
 * nonce counts along with the record number, so that of any later record follows.
 */
static void ktls_fill_add(struct vktls_tls_add *req,
			  const struct tls_crypto_info *info, u32 seq,
			  u64 rec_no)
{
	const struct vktls_ktls_cipher *c = ktls_cipher_find(info->cipher_type);
	const u8 *from = (const u8 *)info;
	u64 nonce = get_unaligned_be64(from + c->iv) -
		    get_unaligned_be64(from + c->rec_seq) + rec_no;

	memset(req, 0, sizeof(*req));
	req->version = VKTLS_VERSION_TLS12;
	req->cipher = c->abi;
	req->direction = VKTLS_DIR_TX;
	req->tcp_seq = cpu_to_le32(seq);
	put_unaligned_be64(rec_no, req->rec_no);
	memcpy(req->iv, from + c->salt, TLS_CIPHER_AES_GCM_128_SALT_SIZE);
	put_unaligned_be64(nonce, req->iv + TLS_CIPHER_AES_GCM_128_SALT_SIZE);
	memcpy(req->key, from + c->key, c->key_len);
}

static int ktls_nic_del(struct vktls_dev *vd, u32 id)
{
	struct vktls_tls_ref ref = { .ctx = cpu_to_le32(id) };
	int err;

	err = vktls_cmd_exec(vd, VKTLS_CMD_TLS_DEL, &ref, sizeof(ref), NULL, 0);
	trace_vktls_tls_del(vd, id, err);
	if (err && err != -ENODEV)
		netdev_warn(vd->netdev, "TLS context %u stays in the NIC: %d\n",
			    id, err);
	return err;
}

/* Holds ktls->life, which is up. */
static int ktls_nic_add(struct vktls_ktls *ktls, struct vktls_ktls_ctx *ctx,
			const struct tls_crypto_info *info, u32 seq, u64 rec_no)
{
	struct vktls_tls_add req;
	struct vktls_tls_ref ref;
	u32 id;
	int err;

	ktls_fill_add(&req, info, seq, rec_no);
	err = vktls_cmd_exec(ktls->vd, VKTLS_CMD_TLS_ADD, &req, sizeof(req),
			     &ref, sizeof(ref));
	memzero_explicit(&req, sizeof(req));
	id = err ? VKTLS_NO_CTX : le32_to_cpu(ref.ctx);
	trace_vktls_tls_add(ktls->vd, info->cipher_type, id, seq, err);
	if (err)
		return err;
	err = xa_err(xa_store(&ktls->ids, id, ctx, GFP_KERNEL));
	if (err) {
		ktls_nic_del(ktls->vd, id);
		return err;
	}
	ctx->id = id;
	return 0;
}

/* Holds ktls->life, which is up, so the NIC still has what the command named. */
static void ktls_ctx_synced(struct vktls_ktls_ctx *ctx, u32 seq)
{
	unsigned long flags;

	spin_lock_irqsave(&ctx->lock, flags);
	ctx->expected = seq;
	ctx->synced_at = seq;
	ctx->in_sync = true;
	spin_unlock_irqrestore(&ctx->lock, flags);
}

static int ktls_ctx_start(struct vktls_ktls *ktls, struct vktls_ktls_ctx *ctx,
			  const struct tls_crypto_info *info, u32 seq)
{
	const struct vktls_ktls_cipher *c = ktls_cipher_find(info->cipher_type);
	u64 rec_no = get_unaligned_be64((const u8 *)info + c->rec_seq);
	int err = -ENETDOWN;

	down_read(&ktls->life);
	if (ktls->up)
		err = ktls_nic_add(ktls, ctx, info, seq, rec_no);
	if (!err)
		ktls_ctx_synced(ctx, seq);
	up_read(&ktls->life);
	return err;
}

/*
 * The socket's lock is held, and kernel TLS holds off NETDEV_DOWN. Packets of
 * the socket come to vktls_ktls_tx() only after this has returned 0.
 */
static int ktls_dev_add(struct net_device *netdev, struct sock *sk,
			enum tls_offload_ctx_dir direction,
			struct tls_crypto_info *info, u32 seq)
{
	struct vktls_dev *vd = netdev_priv(netdev);
	struct vktls_ktls *ktls = vd->ktls;
	struct vktls_ktls_ctx *ctx;
	int err;

	err = ktls_check(ktls, direction, info);
	if (err)
		return err;
	ctx = kzalloc(sizeof(*ctx), GFP_KERNEL);
	if (!ctx)
		return -ENOMEM;
	spin_lock_init(&ctx->lock);
	ctx->id = VKTLS_NO_CTX;
	err = ktls_ctx_start(ktls, ctx, info, seq);
	if (err) {
		kfree(ctx);
		vktls_ktls_count(ktls, err == -ENOSPC ? VKTLS_KTLS_NO_SPACE :
				 VKTLS_KTLS_ADD_FAILED, 1);
		return err;
	}
	WRITE_ONCE(*ktls_slot(tls_get_ctx(sk)), ctx);
	vktls_ktls_count(ktls, VKTLS_KTLS_CTX, 1);
	return 0;
}

/*
 * No packet that names the context is in a ring by now, without a count of them:
 * a packet holds the socket's write memory until its completion, and the socket
 * is not destroyed before that is back; on NETDEV_DOWN the rings were drained by
 * ndo_stop, which comes first. A packet that named a deleted context all the same
 * would be refused by the NIC, never sent.
 */
static void ktls_dev_del(struct net_device *netdev, struct tls_context *tls_ctx,
			 enum tls_offload_ctx_dir direction)
{
	struct vktls_dev *vd = netdev_priv(netdev);
	struct vktls_ktls *ktls = vd->ktls;
	struct vktls_ktls_ctx *ctx;

	if (direction != TLS_OFFLOAD_CTX_DIR_TX)
		return;
	ctx = *ktls_slot(tls_ctx);
	WRITE_ONCE(*ktls_slot(tls_ctx), NULL);
	down_read(&ktls->life);
	if (ctx->id != VKTLS_NO_CTX) {
		xa_erase(&ktls->ids, ctx->id);
		ktls_nic_del(vd, ctx->id);
	}
	up_read(&ktls->life);
	vktls_ktls_count(ktls, VKTLS_KTLS_DEL, 1);
	/* Packets and events may have found it a moment ago. */
	kfree_rcu(ctx, rcu);
}

/* Holds ktls->life, which is up. */
static int ktls_nic_resync(struct vktls_ktls *ktls, struct vktls_ktls_ctx *ctx,
			   const struct tls_crypto_info *info, u32 seq,
			   u64 rec_no)
{
	struct vktls_tls_resync req = {
		.ctx = cpu_to_le32(ctx->id),
		.tcp_seq = cpu_to_le32(seq),
	};
	int err = -ENOENT;

	put_unaligned_be64(rec_no, req.rec_no);
	if (ctx->id != VKTLS_NO_CTX)
		err = vktls_cmd_exec(ktls->vd, VKTLS_CMD_TLS_RESYNC, &req,
				     sizeof(req), NULL, 0);
	if (err != -ENOENT)
		return err;
	if (ctx->id != VKTLS_NO_CTX)
		xa_erase(&ktls->ids, ctx->id);
	ctx->id = VKTLS_NO_CTX;
	err = ktls_nic_add(ktls, ctx, info, seq, rec_no);
	if (!err)
		vktls_ktls_count(ktls, VKTLS_KTLS_READD, 1);
	return err;
}

/*
 * Kernel TLS tries again at each record until it is told 0, and the sender waits
 * for the command: a NIC that refuses is left alone for longer and longer.
 */
static void ktls_resync_outcome(struct vktls_ktls *ktls,
				struct vktls_ktls_ctx *ctx, int err)
{
	unsigned int shift;

	if (!err) {
		ctx->failures = 0;
		vktls_ktls_count(ktls, VKTLS_KTLS_RESYNC_OK, 1);
		return;
	}
	shift = min(ctx->failures, RETRY_MAX_LOG2);
	ctx->retry_at = jiffies + (RETRY_MIN << shift);
	ctx->failures++;
	vktls_ktls_count(ktls, VKTLS_KTLS_RESYNC_FAILED, 1);
}

/*
 * The socket's lock is held: the record that starts at @seq, on a segment
 * boundary, has not been sent. Segments before it are encrypted in software
 * as "retransmitted", whatever is still queued of them.
 */
static int ktls_dev_resync(struct net_device *netdev, struct sock *sk, u32 seq,
			   u8 *rcd_sn, enum tls_offload_ctx_dir direction)
{
	struct vktls_dev *vd = netdev_priv(netdev);
	struct tls_context *tls_ctx = tls_get_ctx(sk);
	struct vktls_ktls_ctx *ctx = *ktls_slot(tls_ctx);
	u64 rec_no = get_unaligned_be64(rcd_sn);
	struct vktls_ktls *ktls = vd->ktls;
	int err = -ENETDOWN;

	if (direction != TLS_OFFLOAD_CTX_DIR_TX)
		return -EOPNOTSUPP;
	if (ctx->failures && time_before(jiffies, ctx->retry_at))
		return -EAGAIN;
	down_read(&ktls->life);
	if (ktls->up)
		err = ktls_nic_resync(ktls, ctx, &tls_ctx->crypto_send.info,
				      seq, rec_no);
	if (!err)
		ktls_ctx_synced(ctx, seq);
	trace_vktls_tls_resync(vd, ctx->id, seq, rec_no, err);
	up_read(&ktls->life);
	ktls_resync_outcome(ktls, ctx, err);
	return err;
}

static const struct tlsdev_ops ktls_ops = {
	.tls_dev_add = ktls_dev_add,
	.tls_dev_del = ktls_dev_del,
	.tls_dev_resync = ktls_dev_resync,
};

/**
 * vktls_ktls_stop() - declare every context in the NIC lost
 * @vd: device
 *
 * Connections go on in software. Those that live on are given to the NIC again
 * at one of their next records after vktls_ktls_start().
 *
 * Context: RTNL, no packet is being transmitted and none will be before the NIC
 * has forgotten its contexts. Waits for TLS commands, so a command queue that
 * does not answer has been aborted before.
 */
void vktls_ktls_stop(struct vktls_dev *vd)
{
	struct vktls_ktls *ktls = vd->ktls;
	struct vktls_ktls_ctx *ctx;
	unsigned long id, flags;

	down_write(&ktls->life);
	ktls->up = false;
	xa_for_each(&ktls->ids, id, ctx) {
		xa_erase(&ktls->ids, id);
		spin_lock_irqsave(&ctx->lock, flags);
		ctx->in_sync = false;
		ctx->id = VKTLS_NO_CTX;
		spin_unlock_irqrestore(&ctx->lock, flags);
		vktls_ktls_count(ktls, VKTLS_KTLS_LOST_RESET, 1);
		trace_vktls_tls_lost(vd, VKTLS_KTLS_LOST_RESET, id, 0, 0);
	}
	up_write(&ktls->life);
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
	up_write(&vd->ktls->life);
}

/**
 * vktls_ktls_features() - what the NIC can do for TLS
 * @vd: device, capabilities are known
 *
 * Context: RTNL.
 * Return: feature bits for netdev->hw_features.
 */
netdev_features_t vktls_ktls_features(const struct vktls_dev *vd)
{
	u32 need = VKTLS_CAP_TLS_TX | VKTLS_CAP_TX_CSUM;

	return (le32_to_cpu(vd->caps.features) & need) == need ?
	       NETIF_F_HW_TLS_TX : 0;
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

	if (!ktls)
		return -ENOMEM;
	ktls->stats = __alloc_percpu(VKTLS_KTLS_STATS_NUM * sizeof(u64),
				     sizeof(u64));
	if (!ktls->stats) {
		kfree(ktls);
		return -ENOMEM;
	}
	ktls->vd = vd;
	init_rwsem(&ktls->life);
	xa_init(&ktls->ids);
	vd->ktls = ktls;
	vd->netdev->tlsdev_ops = &ktls_ops;
	return 0;
}

/**
 * vktls_ktls_fini() - undo vktls_ktls_init()
 * @vd: device, its netdev no longer registered: no context is left
 *
 * Context: process.
 */
void vktls_ktls_fini(struct vktls_dev *vd)
{
	WARN_ON(!xa_empty(&vd->ktls->ids));
	xa_destroy(&vd->ktls->ids);
	free_percpu(vd->ktls->stats);
	kfree(vd->ktls);
	vd->ktls = NULL;
}

unsigned int vktls_ktls_stats_num(void)
{
	return VKTLS_KTLS_STATS_NUM;
}

void vktls_ktls_stats_names(u8 **data)
{
	unsigned int i;

	for (i = 0; i < VKTLS_KTLS_STATS_NUM; i++)
		ethtool_puts(data, ktls_stat_names[i]);
}

void vktls_ktls_stats_get(struct vktls_dev *vd, u64 *data)
{
	unsigned int i;
	int cpu;

	memset(data, 0, VKTLS_KTLS_STATS_NUM * sizeof(*data));
	for_each_possible_cpu(cpu) {
		const u64 *stats = per_cpu_ptr(vd->ktls->stats, cpu);

		for (i = 0; i < VKTLS_KTLS_STATS_NUM; i++)
			data[i] += READ_ONCE(stats[i]);
	}
}
