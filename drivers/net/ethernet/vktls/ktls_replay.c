// SPDX-License-Identifier: GPL-2.0-only
/*
 * Replay of retransmissions: the choice between NIC and software, and the records that
 * the NIC needs. The NIC gets whole records from kernel TLS's list of unacknowledged
 * ones, and only records that it encrypted completely since its last resync. The NIC
 * knows by their place in the stream which key they have; behind a new key record
 * numbers begin again. A replay does not move the context in the NIC. A lossy flow
 * would make the NIC read each record many times: software encrypts the
 * retransmissions of such a flow until the rate falls.
 */
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <net/tcp.h>
#include <net/tls.h>

#include "ktls_tx.h"
#include "ktls_trace.h"
#include "qp.h"
#include "vktls.h"

/* A flow is lossy above 1/8 of its bytes retransmitted, and good below 1/32. */
#define RATE_LOSSY	8
#define RATE_GOOD	32
/* Time without replays after the NIC has refused one. */
#define PAUSE		(1 * HZ)

/* Copy of a context's state in the NIC, taken under its lock. */
struct vktls_ktls_replay_view {
	u32 id;
	u32 from, to;		/* range that the NIC encrypted; TCP sequence */
};

/*
 * Returns the context of the packet's socket, or NULL: the socket may have moved to
 * another device, or left this one, while the packet waited. Caller holds RCU.
 */
struct vktls_ktls_tx_ctx *vktls_ktls_tx_ctx(const struct vktls_dev *vd,
					    const struct sk_buff *skb)
{
	struct vktls_ktls_tx_ctx **slot;

	if (!tls_is_skb_tx_device_offloaded(skb) ||
	    rcu_access_pointer(tls_get_ctx(skb->sk)->netdev) != vd->netdev)
		return NULL;
	slot = tls_driver_ctx(skb->sk, TLS_OFFLOAD_CTX_DIR_TX);
	return READ_ONCE(*slot);
}

/**
 * vktls_ktls_replay_rate() - choose a policy by the rate of retransmission
 * @ktls: device
 * @ctx: context, locked; its byte counts start anew
 */
void vktls_ktls_replay_rate(struct vktls_ktls *ktls,
			    struct vktls_ktls_tx_ctx *ctx)
{
	u32 all = ctx->sent + ctx->again;

	if (!ctx->lossy && ctx->again > all / RATE_LOSSY) {
		ctx->lossy = true;
		vktls_ktls_count(ktls, KTLS_POLICY_SOFTWARE, 1);
		trace_vktls_tls_policy(ktls->vd, KTLS_POLICY_SOFTWARE,
				       ctx->base.id, ctx->expected);
	} else if (ctx->lossy && ctx->again < all / RATE_GOOD) {
		ctx->lossy = false;
		vktls_ktls_count(ktls, KTLS_POLICY_REPLAY, 1);
		trace_vktls_tls_policy(ktls->vd, KTLS_POLICY_REPLAY,
				       ctx->base.id, ctx->expected);
	}
	ctx->sent = 0;
	ctx->again = 0;
}

/*
 * After a refused replay software encrypts retransmissions until ctx->replay_at,
 * and the refused bytes until they are acknowledged: a second refusal would stop the
 * connection.
 */
static bool vktls_ktls_replay_paused(struct vktls_ktls_tx_ctx *ctx,
				     const struct sock *sk, u32 seq)
{
	if (!ctx->paused)
		return false;
	if (time_before(jiffies, ctx->replay_at) ||
	    before(seq, ctx->refused_end))
		return true;
	if (!before(READ_ONCE(tcp_sk(sk)->snd_una), ctx->refused_end))
		ctx->paused = false;
	return false;
}

/* Returns 0 if the NIC may replay, otherwise the counter of the reason. */
static enum vktls_ktls_stat
vktls_ktls_replay_may(struct vktls_ktls *ktls, struct vktls_ktls_tx_ctx *ctx,
		      const struct sock *sk, u32 seq,
		      struct vktls_ktls_replay_view *view)
{
	u32 caps = le32_to_cpu(ktls->vd->caps.features);
	unsigned long mode = READ_ONCE(ktls->flags), flags;
	enum vktls_ktls_stat why = 0;

	spin_lock_irqsave(&ctx->base.lock, flags);
	view->id = ctx->base.id;
	view->from = ctx->synced_at;
	view->to = ctx->expected;
	if (mode & BIT(KTLS_FALLBACK_ONLY) ||
	    !(caps & VKTLS_CAP_TLS_REPLAY))
		why = KTLS_REPLAY_NO_MODE;
	else if (view->id == NO_CTX)
		why = KTLS_REPLAY_NO_CTX;
	else if (vktls_ktls_replay_paused(ctx, sk, seq))
		why = KTLS_REPLAY_NO_PAUSE;
	else if (ctx->lossy && !(mode & BIT(KTLS_REPLAY_ONLY)))
		why = KTLS_REPLAY_NO_RATE;
	spin_unlock_irqrestore(&ctx->base.lock, flags);
	return why;
}

/* Adds a record's fragments to the plan. Caller holds the lock of the records. */
static enum vktls_ktls_stat
vktls_ktls_replay_hold(struct vktls_tx_plan *plan,
		       struct tls_record_info *record)
{
	int i;

	if (plan->num + record->num_frags > ARRAY_SIZE(plan->frags))
		return KTLS_REPLAY_NO_ROOM;
	for (i = 0; i < record->num_frags; i++) {
		if (!skb_frag_size(&record->frags[i]))
			continue;
		plan->frags[plan->num++] = record->frags[i];
		get_page(skb_frag_page(&record->frags[i]));
	}
	return 0;
}

/* Adds @record, which must hold sequence number @at, to the plan. */
static enum vktls_ktls_stat
vktls_ktls_replay_record(struct vktls_tx_plan *plan,
			 struct tls_record_info *record,
			 const struct vktls_ktls_replay_view *v, u32 at)
{
	u32 start;

	if (!record || tls_record_is_start_marker(record))
		return KTLS_REPLAY_NO_RECORD;
	start = tls_record_start_seq(record);
	if (before(start, v->from))
		return KTLS_REPLAY_NO_OLD;
	if (after(record->end_seq, v->to))
		return KTLS_REPLAY_NO_OPEN;
	if (!plan->num)
		plan->before = at - start;
	else if (start != at)
		return KTLS_REPLAY_NO_RECORD;
	return vktls_ktls_replay_hold(plan, record);
}

/*
 * Collects all records of a packet, with a reference on each page, because
 * acknowledgments may free the records once the lock is released.
 */
static enum vktls_ktls_stat
vktls_ktls_replay_collect(struct vktls_tx_plan *plan, const struct sk_buff *skb,
			  const struct vktls_ktls_replay_view *view, u32 seq,
			  u32 len)
{
	struct tls_offload_context_tx *tx =
		tls_offload_ctx_tx(tls_get_ctx(skb->sk));
	u32 at = seq, end = seq + len;
	struct tls_record_info *record;
	enum vktls_ktls_stat why = 0;
	unsigned long flags;
	u64 rec_no, next = 0;

	spin_lock_irqsave(&tx->lock, flags);
	for (; !why && before(at, end); next = rec_no + 1) {
		record = tls_get_record(tx, at, &rec_no);
		why = vktls_ktls_replay_record(plan, record, view, at);
		if (why)
			break;
		if (at == seq)
			plan->rec_no = rec_no;
		else if (rec_no && rec_no != next)
			why = KTLS_REPLAY_NO_RECORD;
		at = record->end_seq;
	}
	spin_unlock_irqrestore(&tx->lock, flags);
	plan->after = at - end;
	return why;
}

/* Returns whether records and control descriptors fit the limit and the ring. */
static bool vktls_ktls_replay_fits(const struct vktls_tx_ring *tx)
{
	u32 need = tx->replay.num + TX_PLAN_EXTRA;

	return need <= VKTLS_TX_REPLAY_DESCS && need <= vktls_tx_room(tx);
}

/**
 * vktls_ktls_replay() - prepare a replay of a segment, if the NIC may do it
 * @tx: ring; its plan is filled in, or empty if software must encrypt
 * @ctx: context
 * @skb: the segment, plaintext
 * @seq: its TCP sequence number
 * @len: its payload
 * @id: context for the NIC
 *
 * Context: under the queue's xmit lock and RCU.
 * Return: true if the NIC replays it; otherwise the reason was counted.
 */
bool vktls_ktls_replay(struct vktls_tx_ring *tx, struct vktls_ktls_tx_ctx *ctx,
		       const struct sk_buff *skb, u32 seq, u32 len, u32 *id)
{
	struct vktls_ktls *ktls = tx->qp->vd->ktls;
	struct vktls_tx_plan *plan = &tx->replay;
	struct vktls_ktls_replay_view view;
	enum vktls_ktls_stat why;

	why = vktls_ktls_replay_may(ktls, ctx, skb->sk, seq, &view);
	if (!why)
		why = vktls_ktls_replay_collect(plan, skb, &view, seq, len);
	if (!why && !vktls_ktls_replay_fits(tx))
		why = KTLS_REPLAY_NO_ROOM;
	if (why) {
		vktls_tx_plan_drop(plan, 0);
		vktls_ktls_count(ktls, why, 1);
		trace_vktls_tls_policy(ktls->vd, why, view.id, seq);
		return false;
	}
	*id = view.id;
	vktls_ktls_count(ktls, KTLS_REPLAY_PACKETS, 1);
	vktls_ktls_count(ktls, KTLS_REPLAY_BYTES, len);
	trace_vktls_tls_replay(ktls->vd, view.id, seq, len, plan->rec_no,
			       plan->before, plan->after);
	return true;
}

/**
 * vktls_ktls_replay_unsent() - handle a replay that did not leave
 * @vd: device
 * @skb: the packet; not freed yet
 * @status: VKTLS_ST_* with which the NIC refused it, or 0 when it did not get it
 *
 * TCP sends the segment again. After a refusal software will encrypt it.
 *
 * Context: any.
 */
void vktls_ktls_replay_unsent(struct vktls_dev *vd, const struct sk_buff *skb,
			      u16 status)
{
	enum vktls_ktls_stat what = status ? KTLS_REPLAY_REFUSED :
					     KTLS_REPLAY_UNSENT;
	u32 seq = ntohl(tcp_hdr(skb)->seq);
	u32 end = seq + skb->len - skb_tcp_all_headers(skb);
	struct vktls_ktls_tx_ctx *ctx;
	unsigned long flags;

	vktls_ktls_count(vd->ktls, what, 1);
	rcu_read_lock();
	ctx = vktls_ktls_tx_ctx(vd, skb);
	if (ctx && status) {
		spin_lock_irqsave(&ctx->base.lock, flags);
		ctx->paused = true;
		ctx->replay_at = jiffies + PAUSE;
		ctx->refused_end = end;
		spin_unlock_irqrestore(&ctx->base.lock, flags);
		trace_vktls_tls_policy(vd, what, ctx->base.id, seq);
	}
	rcu_read_unlock();
}
