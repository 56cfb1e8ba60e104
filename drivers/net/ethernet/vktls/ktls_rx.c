// SPDX-License-Identifier: GPL-2.0-only
/*
 * Receiving contexts: tls_dev_add, tls_dev_del, and the return of contexts to a
 * NIC that has lost them. Packets, events, tls_dev_resync and tls_dev_del of one context run
 * at the same time: a context found under RCU is locked before its socket is used,
 * and tls_dev_del clears the socket under that lock.
 */
#include <linux/slab.h>
#include <linux/string.h>
#include <net/tcp.h>
#include <net/tls.h>

#include "ktls_rx.h"
#include "vktls.h"

/* Adds a receiving context to the NIC. Caller holds ktls->life; ktls->up is true. */
static int vktls_ktls_rx_nic_add(struct vktls_ktls *ktls,
				 struct vktls_ktls_rx_ctx *rx,
				 const struct tls_crypto_info *info, u32 seq)
{
	struct vktls_tls_add_rx req;
	int err;

	vktls_ktls_key_fill(&req.add, info, VKTLS_DIR_RX, seq,
			    vktls_ktls_key_rec_no(info));
	req.flow = rx->flow;
	err = vktls_ktls_nic_add(ktls, &rx->base, &req);
	memzero_explicit(&req, sizeof(req));
	return err;
}

static int vktls_ktls_rx_start(struct vktls_ktls *ktls,
			       struct vktls_ktls_rx_ctx *rx,
			       const struct tls_crypto_info *info, u32 seq)
{
	int err;

	err = vktls_ktls_flow_add(ktls, rx);
	if (err)
		return err;
	err = -ENETDOWN;
	down_read(&ktls->life);
	if (ktls->up)
		err = vktls_ktls_rx_nic_add(ktls, rx, info, seq);
	if (!err) {
		mutex_lock(&ktls->rx_mutex);
		list_add_tail(&rx->list, &ktls->rx_list);
		mutex_unlock(&ktls->rx_mutex);
	}
	up_read(&ktls->life);
	if (err)
		vktls_ktls_flow_del(ktls, rx);
	return err;
}

/*
 * Without a private flag the mode of resync is the asynchronous one. Only this one always
 * works: the NIC's event may come before or after the packet, and kernel TLS may have read
 * past the header by then. In this mode kernel TLS keeps a log of headers.
 */
static enum tls_offload_sync_type
vktls_ktls_rx_mode(const struct vktls_ktls *ktls)
{
	unsigned long flags = READ_ONCE(ktls->flags);

	if (flags & BIT(KTLS_RESYNC_DIRECT))
		return TLS_OFFLOAD_SYNC_TYPE_DRIVER_REQ;
	if (flags & BIT(KTLS_RESYNC_HINT))
		return TLS_OFFLOAD_SYNC_TYPE_CORE_NEXT_HINT;
	return TLS_OFFLOAD_SYNC_TYPE_DRIVER_REQ_ASYNC;
}

static struct vktls_ktls_rx_ctx *vktls_ktls_rx_alloc(struct vktls_ktls *ktls,
						     struct sock *sk)
{
	struct tls_offload_context_rx *hw = tls_offload_ctx_rx(tls_get_ctx(sk));
	struct vktls_ktls_rx_ctx *rx = kzalloc(sizeof(*rx), GFP_KERNEL);

	if (!rx)
		return NULL;
	spin_lock_init(&rx->base.lock);
	rx->base.id = NO_CTX;
	rx->base.rx = true;
	rx->sk = sk;
	rx->mode = vktls_ktls_rx_mode(ktls);
	tls_offload_rx_resync_set_type(sk, rx->mode);
	if (rx->mode == TLS_OFFLOAD_SYNC_TYPE_DRIVER_REQ_ASYNC)
		hw->resync_async = &rx->async;
	return rx;
}

/**
 * vktls_ktls_rx_add() - tls_dev_add of a receiving socket
 * @ktls: device
 * @sk: the socket, locked
 * @info: its key, of a kind that the NIC takes
 * @seq: TCP sequence number of a record's first byte; may be received already
 *
 * Context: process; sleeps.
 * Return: 0 or errno.
 */
int vktls_ktls_rx_add(struct vktls_ktls *ktls, struct sock *sk,
		      const struct tls_crypto_info *info, u32 seq)
{
	struct vktls_ktls_rx_ctx *rx = vktls_ktls_rx_alloc(ktls, sk);
	int err;

	if (!rx)
		return -ENOMEM;
	err = vktls_ktls_flow_fill(&rx->flow, sk);
	if (!err)
		err = vktls_ktls_rx_start(ktls, rx, info, seq);
	if (err) {
		tls_offload_rx_resync_set_type(sk,
					       TLS_OFFLOAD_SYNC_TYPE_DRIVER_REQ);
		atomic64_set(&tls_offload_ctx_rx(tls_get_ctx(sk))->resync_req,
			     0);
		kfree_rcu(rx, base.rcu);
		vktls_ktls_count(ktls, err == -ENOSPC ?
				 KTLS_RX_NO_SPACE :
				 KTLS_RX_ADD_FAILED, 1);
		return err;
	}
	WRITE_ONCE(*vktls_ktls_rx_slot(tls_get_ctx(sk)), rx);
	vktls_ktls_count(ktls, KTLS_RX_CTX, 1);
	return 0;
}

/*
 * Returns whether the connection continues without the NIC: then no packet may be
 * decrypted after tls_dev_del. While the interface is up, only our tls.ko takes
 * open connections from the NIC; it sets TLS_RX_DEV_CLOSED for connections that
 * end.
 */
static bool vktls_ktls_rx_lives_on(const struct tls_context *tls_ctx)
{
	return vktls_ktls_ext() && !test_bit(TLS_RX_DEV_CLOSED, &tls_ctx->flags);
}

/**
 * vktls_ktls_rx_del() - tls_dev_del of a receiving socket
 * @ktls: device
 * @tls_ctx: the socket's context
 *
 * Context: process; sleeps.
 */
void vktls_ktls_rx_del(struct vktls_ktls *ktls, struct tls_context *tls_ctx)
{
	struct vktls_ktls_rx_ctx *rx = *vktls_ktls_rx_slot(tls_ctx);

	WRITE_ONCE(*vktls_ktls_rx_slot(tls_ctx), NULL);
	mutex_lock(&ktls->rx_mutex);
	list_del(&rx->list);
	mutex_unlock(&ktls->rx_mutex);
	spin_lock_irq(&rx->base.lock);
	vktls_ktls_rx_cancel(ktls, rx);
	rx->sk = NULL;
	spin_unlock_irq(&rx->base.lock);
	vktls_ktls_nic_del(ktls, &rx->base, vktls_ktls_rx_lives_on(tls_ctx));
	vktls_ktls_flow_del(ktls, rx);
	vktls_ktls_count(ktls, KTLS_RX_DEL, 1);
	kfree_rcu(rx, base.rcu);
}

/*
 * Gives the NIC a context again. Only the socket's reader knows the start of the
 * next record. So the NIC gets a sequence number just before the next byte; it
 * finds that a header was missed, searches for the next one, and asks, as after any
 * loss. The socket lives as long as the context is on rx_list. The key in force may
 * change at any time if the NIC had keys in advance: kernel TLS then gives it the
 * context anew.
 */
static void vktls_ktls_rx_restore_one(struct vktls_ktls *ktls,
				      struct vktls_ktls_rx_ctx *rx)
{
	const struct tls_context *tls_ctx = tls_get_ctx(rx->sk);
	u32 seq = READ_ONCE(tcp_sk(rx->sk)->rcv_nxt) - 1;

	if (rx->forgotten)
		vktls_ktls_gone(ktls, &rx->base, false);
	if (rx->base.id != NO_CTX)
		return;
	if (rx->keyed) {
		vktls_ktls_ext_key_lost(rx->sk);
		return;
	}
	if (!vktls_ktls_rx_nic_add(ktls, rx, &tls_ctx->crypto_recv.info, seq)) {
		vktls_ktls_count(ktls, KTLS_RX_READD, 1);
		return;
	}
	vktls_ktls_count(ktls, KTLS_RX_ADD_FAILED, 1);
	WRITE_ONCE(ktls->rx_missing, true);
}

/**
 * vktls_ktls_rx_restore() - give the NIC its lost receiving contexts again
 * @ktls: device; life is held, and up
 *
 * vktls_ktls_audit() retries contexts that the NIC does not take.
 *
 * Context: process; sleeps.
 */
void vktls_ktls_rx_restore(struct vktls_ktls *ktls)
{
	struct vktls_ktls_rx_ctx *rx;

	mutex_lock(&ktls->rx_mutex);
	WRITE_ONCE(ktls->rx_missing, false);
	list_for_each_entry(rx, &ktls->rx_list, list)
		vktls_ktls_rx_restore_one(ktls, rx);
	mutex_unlock(&ktls->rx_mutex);
}

static void vktls_ktls_rx_restore_work(struct work_struct *work)
{
	struct vktls_ktls *ktls = container_of(work, struct vktls_ktls,
					       restore_work);

	down_read(&ktls->life);
	if (ktls->up)
		vktls_ktls_rx_restore(ktls);
	up_read(&ktls->life);
}

/**
 * vktls_ktls_rx_init() - set up for a device that has no contexts yet
 * @ktls: device
 *
 * Return: 0 or errno.
 */
int vktls_ktls_rx_init(struct vktls_ktls *ktls)
{
	mutex_init(&ktls->rx_mutex);
	INIT_LIST_HEAD(&ktls->rx_list);
	INIT_WORK(&ktls->restore_work, vktls_ktls_rx_restore_work);
	return vktls_ktls_flow_init(ktls);
}

/**
 * vktls_ktls_rx_fini() - undo vktls_ktls_rx_init()
 * @ktls: device; no context is left, and no command either
 */
void vktls_ktls_rx_fini(struct vktls_ktls *ktls)
{
	cancel_work_sync(&ktls->restore_work);
	vktls_ktls_flow_fini(ktls);
}
