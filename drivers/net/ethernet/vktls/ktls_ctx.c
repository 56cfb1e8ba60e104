// SPDX-License-Identifier: GPL-2.0-only
/*
 * A TLS context in the NIC, of either direction: the commands that add and delete
 * it, the table of contexts by number, and the loss of a context by the NIC. Knows
 * no socket and no packet.
 */
#include <linux/string.h>

#include "cmd.h"
#include "ktls_rx.h"
#include "ktls_trace.h"
#include "ktls_tx.h"
#include "vktls.h"

/**
 * vktls_ktls_cmd_del() - have the NIC delete a context
 * @ktls: device
 * @id: its number
 *
 * Context: process; sleeps.
 * Return: 0 or errno; -ENOENT if there was none.
 */
int vktls_ktls_cmd_del(struct vktls_ktls *ktls, u32 id)
{
	struct vktls_tls_ref ref = { .ctx = cpu_to_le32(id) };
	int err;

	err = vktls_cmd_exec(ktls->vd, VKTLS_CMD_TLS_DEL, &ref, sizeof(ref),
			     NULL, 0);
	trace_vktls_tls_del(ktls->vd, id, err);
	return err;
}

static int vktls_ktls_cmd_add(struct vktls_ktls *ktls, bool rx,
			      const struct vktls_tls_add_rx *req, u32 *id)
{
	struct vktls_tls_ref ref;
	int err;

	err = vktls_cmd_exec(ktls->vd,
			     rx ? VKTLS_CMD_TLS_ADD_RX : VKTLS_CMD_TLS_ADD, req,
			     rx ? sizeof(*req) : sizeof(req->add), &ref,
			     sizeof(ref));
	*id = err ? NO_CTX : le32_to_cpu(ref.ctx);
	/*
	 * The number is no place of the table: vktls_ktls_audit() will find the
	 * context and delete it.
	 */
	if (!err && *id >= le32_to_cpu(ktls->vd->caps.tls_contexts)) {
		err = -EBADMSG;
		WRITE_ONCE(ktls->rx_stray, true);
	}
	trace_vktls_tls_add(ktls->vd, &req->add, *id, err);
	return err;
}

static void vktls_ktls_ctx_set_id(struct vktls_ktls_ctx *ctx, u32 id)
{
	unsigned long flags;

	spin_lock_irqsave(&ctx->lock, flags);
	ctx->id = id;
	spin_unlock_irqrestore(&ctx->lock, flags);
}

/*
 * Enters a context in the table. Another one in its place is lost: the NIC has
 * forgotten that context, and uses the place again.
 */
static int vktls_ktls_ids_put(struct vktls_ktls *ktls,
			      struct vktls_ktls_ctx *ctx, u32 id)
{
	struct vktls_ktls_ctx *old;
	int err;

	rcu_read_lock();
	old = xa_store(&ktls->ids, id, ctx, GFP_ATOMIC | __GFP_NOWARN);
	err = xa_err(old);
	if (!err && old)
		vktls_ktls_gone(ktls, old, false);
	rcu_read_unlock();
	if (err)
		return err;
	vktls_ktls_ctx_set_id(ctx, id);
	return 0;
}

/* Returns the number that the context had, or NO_CTX. */
static u32 vktls_ktls_ids_take(struct vktls_ktls *ktls,
			       struct vktls_ktls_ctx *ctx)
{
	unsigned long flags;
	u32 id;

	spin_lock_irqsave(&ctx->lock, flags);
	id = ctx->id;
	ctx->id = NO_CTX;
	spin_unlock_irqrestore(&ctx->lock, flags);
	if (id == NO_CTX)
		return id;
	xa_cmpxchg(&ktls->ids, id, ctx, NULL, GFP_ATOMIC);
	atomic_dec(&ktls->held[ctx->rx]);
	return id;
}

/* If the command failed, vktls_ktls_audit() retries the deletion. */
static void vktls_ktls_deleted(struct vktls_ktls *ktls, u32 id, bool rx,
			       int err)
{
	if (!err || err == -ENOENT)
		return;
	vktls_ktls_count(ktls, rx ? KTLS_RX_DEL_FAILED :
				    KTLS_DEL_FAILED, 1);
	atomic_inc(&ktls->surplus);
	WRITE_ONCE(ktls->sweep_at, id);
	if (rx)
		WRITE_ONCE(ktls->rx_stray, true);
}

static void vktls_ktls_tx_deleted(struct vktls_dev *vd, u32 id, int err)
{
	trace_vktls_tls_del(vd, id, err);
	vktls_ktls_deleted(vd->ktls, id, false, err);
}

static void vktls_ktls_rx_deleted(struct vktls_dev *vd, u32 id, int err)
{
	trace_vktls_tls_del(vd, id, err);
	vktls_ktls_deleted(vd->ktls, id, true, err);
}

static void vktls_ktls_del_now(struct vktls_ktls *ktls, u32 id, bool rx)
{
	vktls_ktls_deleted(ktls, id, rx, vktls_ktls_cmd_del(ktls, id));
}

static void vktls_ktls_del_soon(struct vktls_ktls *ktls, u32 id, bool rx)
{
	struct vktls_tls_ref ref = { .ctx = cpu_to_le32(id) };

	if (vktls_cmd_defer(ktls->vd, VKTLS_CMD_TLS_DEL, &ref, sizeof(ref),
			    rx ? vktls_ktls_rx_deleted : vktls_ktls_tx_deleted,
			    id))
		vktls_ktls_del_now(ktls, id, rx);
}

/**
 * vktls_ktls_nic_add() - put a context into the NIC
 * @ktls: life is held, and up
 * @ctx: context that the NIC does not have
 * @req: request for the NIC; the flow is used by receiving contexts only
 *
 * Context: process; sleeps.
 * Return: 0 or errno: -ENOSPC when the NIC is full, or vktls_ktls_limit() is reached.
 */
int vktls_ktls_nic_add(struct vktls_ktls *ktls, struct vktls_ktls_ctx *ctx,
		       const struct vktls_tls_add_rx *req)
{
	atomic_t *held = &ktls->held[ctx->rx];
	int err = -ENOSPC;
	u32 id;

	if (atomic_inc_return(held) > READ_ONCE(ktls->limit[ctx->rx]))
		goto give_back;
	err = vktls_ktls_cmd_add(ktls, ctx->rx, req, &id);
	if (err)
		goto give_back;
	err = vktls_ktls_ids_put(ktls, ctx, id);
	if (err)
		goto del;
	return 0;

del:
	vktls_ktls_del_now(ktls, id, ctx->rx);
give_back:
	atomic_dec(held);
	return err;
}

/**
 * vktls_ktls_held() - number of TLS contexts of one direction in the NIC
 * @vd: device
 * @rx: receiving contexts, or sending ones
 *
 * Return: that number.
 */
u32 vktls_ktls_held(const struct vktls_dev *vd, bool rx)
{
	return atomic_read(&vd->ktls->held[rx]);
}

/**
 * vktls_ktls_limit() - limit the TLS contexts of one direction
 * @vd: device
 * @rx: receiving contexts, or sending ones
 * @limit: most contexts that are added from now on; those that exist stay
 */
void vktls_ktls_limit(struct vktls_dev *vd, bool rx, u32 limit)
{
	WRITE_ONCE(vd->ktls->limit[rx], limit);
}

/**
 * vktls_ktls_nic_del() - take a context out of the NIC, if it is there
 * @ktls: device
 * @ctx: context
 * @now: delete the context before this function returns; otherwise the command
 *	is deferred, and the context may stay in the NIC, unused, for a second
 *
 * Context: process; sleeps.
 */
void vktls_ktls_nic_del(struct vktls_ktls *ktls, struct vktls_ktls_ctx *ctx,
			bool now)
{
	u32 id;

	down_read(&ktls->life);
	id = vktls_ktls_ids_take(ktls, ctx);
	if (id != NO_CTX && now)
		vktls_ktls_del_now(ktls, id, ctx->rx);
	else if (id != NO_CTX)
		vktls_ktls_del_soon(ktls, id, ctx->rx);
	up_read(&ktls->life);
}

/* Marks a context as out of sync. Returns whether it was in sync. */
static bool vktls_ktls_tx_unsync(struct vktls_ktls_tx_ctx *tx)
{
	unsigned long flags;
	bool was;

	spin_lock_irqsave(&tx->base.lock, flags);
	was = tx->in_sync;
	tx->in_sync = false;
	spin_unlock_irqrestore(&tx->base.lock, flags);
	return was;
}

/**
 * vktls_ktls_gone() - note that the NIC has lost a context
 * @ktls: device; life is held
 * @ctx: context that was in the NIC
 * @reset: the NIC lost all contexts in a reset; otherwise it forgot this one
 *
 * Software takes over the connection until the NIC has a context for it again. A
 * forgotten sending context is not counted if it was already out of sync.
 *
 * Context: process, or RCU.
 */
void vktls_ktls_gone(struct vktls_ktls *ktls, struct vktls_ktls_ctx *ctx,
		     bool reset)
{
	enum vktls_ktls_stat why = reset ? KTLS_LOST_RESET :
					   KTLS_LOST_FORGOTTEN;
	bool counts = true;
	u32 id;

	if (ctx->rx) {
		why = reset ? KTLS_RX_LOST_RESET :
			      KTLS_RX_LOST_FORGOTTEN;
		vktls_ktls_rx_gone(ktls, vktls_ktls_rx_of(ctx));
	} else {
		counts = vktls_ktls_tx_unsync(vktls_ktls_tx_of(ctx)) || reset;
	}
	id = vktls_ktls_ids_take(ktls, ctx);
	if (id == NO_CTX || !counts)
		return;
	vktls_ktls_count(ktls, why, 1);
	trace_vktls_tls_lost(ktls->vd, why, id, 0, 0);
}
