// SPDX-License-Identifier: GPL-2.0-only
/*
 * Receiving: contexts that decrypt, packets that were decrypted, and the way back
 * after the NIC has lost its place in a stream. Packets, events, tls_dev_resync and
 * tls_dev_del of one context come at the same time. One rule holds them apart: who
 * found a context, by flow or by number, under RCU, takes its lock, and touches the
 * socket only if it is still there; tls_dev_del takes it away under that lock.
 */
#include <linux/rhashtable.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/unaligned.h>
#include <net/inet_sock.h>
#include <net/ipv6.h>
#include <net/tcp.h>
#include <net/tls.h>

#include "cmd.h"
#include "ktls_priv.h"
#include "ktls_trace.h"
#include "vktls.h"

/* An event that is this late will not come. */
#define EVENT_DELAY	(HZ / 10)
/* The table of flows grows from here, and never shrinks below. */
#define FLOWS_MIN	1024

static const struct rhashtable_params vktls_ktls_flow_params = {
	.key_len = sizeof(struct vktls_tls_flow),
	.key_offset = offsetof(struct vktls_ktls_rx_ctx, flow),
	.head_offset = offsetof(struct vktls_ktls_rx_ctx, node),
	.min_size = FLOWS_MIN,
	.automatic_shrinking = true,
};

/* See vktls_ktls_slot() in ktls.c. */
static struct vktls_ktls_rx_ctx **
vktls_ktls_rx_slot(struct tls_context *tls_ctx)
{
	return __tls_driver_ctx(tls_ctx, TLS_OFFLOAD_CTX_DIR_RX);
}

/* The peer is the source. IPv4 over an IPv6 socket is IPv4 on the wire. */
static int vktls_ktls_rx_flow(const struct sock *sk,
			      struct vktls_tls_flow *flow)
{
	const struct inet_sock *inet = inet_sk(sk);
	bool v6 = sk->sk_family == AF_INET6 &&
		  !ipv6_addr_v4mapped(&sk->sk_v6_daddr);

	if (sk->sk_family != AF_INET && sk->sk_family != AF_INET6)
		return -EAFNOSUPPORT;
	memset(flow, 0, sizeof(*flow));
	flow->ip_version = v6 ? 6 : 4;
	memcpy(flow->src_port, &inet->inet_dport, sizeof(flow->src_port));
	memcpy(flow->dst_port, &inet->inet_sport, sizeof(flow->dst_port));
	if (v6) {
		memcpy(flow->src, &sk->sk_v6_daddr, sizeof(flow->src));
		memcpy(flow->dst, &sk->sk_v6_rcv_saddr, sizeof(flow->dst));
	} else {
		memcpy(flow->src, &sk->sk_daddr, sizeof(sk->sk_daddr));
		memcpy(flow->dst, &sk->sk_rcv_saddr,
		       sizeof(sk->sk_rcv_saddr));
	}
	return 0;
}

/* Holds ktls->life, which is up. */
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

	err = rhashtable_lookup_insert_fast(&ktls->flows, &rx->node,
					    vktls_ktls_flow_params);
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
		rhashtable_remove_fast(&ktls->flows, &rx->node,
				       vktls_ktls_flow_params);
	return err;
}

/*
 * The default is the one of the three that needs no luck: the NIC asks by an
 * event, which reaches us before or after the packet, and kernel TLS may have gone
 * past the header by then. In this mode it keeps a log.
 */
static enum tls_offload_sync_type
vktls_ktls_rx_mode(const struct vktls_ktls *ktls)
{
	unsigned long flags = READ_ONCE(ktls->flags);

	if (flags & BIT(VKTLS_KTLS_RESYNC_DIRECT))
		return TLS_OFFLOAD_SYNC_TYPE_DRIVER_REQ;
	if (flags & BIT(VKTLS_KTLS_RESYNC_HINT))
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
	rx->base.id = VKTLS_NO_CTX;
	rx->base.rx = true;
	rx->sk = sk;
	rx->mode = vktls_ktls_rx_mode(ktls);
	tls_offload_rx_resync_set_type(sk, rx->mode);
	if (rx->mode == TLS_OFFLOAD_SYNC_TYPE_DRIVER_REQ_ASYNC)
		hw->resync_async = &rx->async;
	return rx;
}

/**
 * vktls_ktls_rx_add() - tls_dev_add for what a socket receives
 * @ktls: device
 * @sk: the socket, locked
 * @info: its key, of a kind that the NIC takes
 * @seq: TCP sequence number at which a record begins; may have gone by
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
	err = vktls_ktls_rx_flow(sk, &rx->flow);
	if (!err)
		err = vktls_ktls_rx_start(ktls, rx, info, seq);
	if (err) {
		tls_offload_rx_resync_set_type(sk,
					       TLS_OFFLOAD_SYNC_TYPE_DRIVER_REQ);
		atomic64_set(&tls_offload_ctx_rx(tls_get_ctx(sk))->resync_req,
			     0);
		kfree_rcu(rx, base.rcu);
		vktls_ktls_count(ktls, err == -ENOSPC ?
				 VKTLS_KTLS_RX_NO_SPACE :
				 VKTLS_KTLS_RX_ADD_FAILED, 1);
		return err;
	}
	WRITE_ONCE(*vktls_ktls_rx_slot(tls_get_ctx(sk)), rx);
	vktls_ktls_count(ktls, VKTLS_KTLS_RX_CTX, 1);
	return 0;
}

/* The search that kernel TLS was told of ends without a result. */
static void vktls_ktls_rx_cancel(struct vktls_ktls *ktls,
				 struct vktls_ktls_rx_ctx *rx)
{
	lockdep_assert_held(&rx->base.lock);
	rx->asked = false;
	if (!rx->started)
		return;
	rx->started = false;
	tls_offload_rx_resync_async_request_cancel(&rx->async);
	vktls_ktls_count(ktls, VKTLS_KTLS_RX_REQ_SKIP, 1);
	trace_vktls_tls_rx_resync(ktls->vd, VKTLS_KTLS_RX_REQ_SKIP,
				  rx->base.id, rx->start, 0);
}

/*
 * A connection that is closed needs nothing that comes for it. One that goes on
 * without the NIC may hold it to have decrypted nothing from here on; the tls.ko of
 * Linux 6.12 does not do that while the interface is up, and ours tells the two
 * apart.
 */
static bool vktls_ktls_rx_lives_on(const struct tls_context *tls_ctx)
{
	return vktls_ktls_ext() && !test_bit(TLS_RX_DEV_CLOSED, &tls_ctx->flags);
}

/**
 * vktls_ktls_rx_del() - tls_dev_del for what a socket receives
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
	rhashtable_remove_fast(&ktls->flows, &rx->node, vktls_ktls_flow_params);
	vktls_ktls_count(ktls, VKTLS_KTLS_RX_DEL, 1);
	kfree_rcu(rx, base.rcu);
}

/* Under the command queue's lock, which comes after that of a context. */
static void vktls_ktls_rx_resync_done(struct vktls_dev *vd, u32 id, int err)
{
	enum vktls_ktls_stat what = err ? VKTLS_KTLS_RX_RES_SKIP :
					  VKTLS_KTLS_RX_RES_OK;
	struct vktls_ktls *ktls = vd->ktls;
	struct vktls_ktls_ctx *ctx;

	vktls_ktls_count(ktls, what, 1);
	trace_vktls_tls_rx_resync(vd, what, id, 0, err);
	if (err != -ENOENT)
		return;
	rcu_read_lock();
	ctx = xa_load(&ktls->ids, id);
	if (ctx && ctx->rx)
		WRITE_ONCE(vktls_ktls_rx_of(ctx)->forgotten, true);
	rcu_read_unlock();
	schedule_work(&ktls->restore_work);
}

/**
 * vktls_ktls_rx_resync() - tls_dev_resync for what a socket receives
 * @ktls: device
 * @tls_ctx: the socket's context
 * @seq: where a record begins; in answer to a direct request, where the
 *	record's header ends
 * @rec_no: which record
 *
 * Context: any but hard interrupt; between tls_dev_add and tls_dev_del.
 * Return: 0 when the NIC will be told, or errno.
 */
int vktls_ktls_rx_resync(struct vktls_ktls *ktls, struct tls_context *tls_ctx,
			 u32 seq, u64 rec_no)
{
	struct vktls_ktls_rx_ctx *rx = READ_ONCE(*vktls_ktls_rx_slot(tls_ctx));
	struct vktls_tls_resync req = {};
	int err = -ENETDOWN;
	unsigned long flags;
	u32 id;

	if (rx->mode == TLS_OFFLOAD_SYNC_TYPE_DRIVER_REQ)
		seq -= TLS_HEADER_SIZE - 1;
	req.tcp_seq = cpu_to_le32(seq);
	put_unaligned_be64(rec_no, req.rec_no);
	spin_lock_irqsave(&rx->base.lock, flags);
	id = rx->base.id;
	req.ctx = cpu_to_le32(id);
	if (id != VKTLS_NO_CTX)
		err = vktls_cmd_post(ktls->vd, VKTLS_CMD_TLS_RESYNC, &req,
				     sizeof(req), vktls_ktls_rx_resync_done,
				     id);
	spin_unlock_irqrestore(&rx->base.lock, flags);
	trace_vktls_tls_resync(ktls->vd, id, seq, rec_no, err);
	if (err)
		vktls_ktls_count(ktls, VKTLS_KTLS_RX_RES_SKIP, 1);
	return err;
}

/**
 * vktls_ktls_rx_gone() - what was asked of a context has no answer any more
 * @ktls: device; life is held
 * @rx: context that the NIC has lost
 *
 * Context: any.
 */
void vktls_ktls_rx_gone(struct vktls_ktls *ktls, struct vktls_ktls_rx_ctx *rx)
{
	unsigned long flags;

	spin_lock_irqsave(&rx->base.lock, flags);
	vktls_ktls_rx_cancel(ktls, rx);
	rx->forgotten = false;
	spin_unlock_irqrestore(&rx->base.lock, flags);
	WRITE_ONCE(ktls->rx_missing, true);
}

/*
 * Where the next record begins only the socket's reader knows. The NIC is given a
 * place that has just gone by, finds that it has missed a header, looks for one
 * and asks, as after any loss. The socket is there: it is on rx_list.
 */
static void vktls_ktls_rx_restore_one(struct vktls_ktls *ktls,
				      struct vktls_ktls_rx_ctx *rx)
{
	const struct tls_context *tls_ctx = tls_get_ctx(rx->sk);
	u32 seq = READ_ONCE(tcp_sk(rx->sk)->rcv_nxt) - 1;

	if (rx->forgotten)
		vktls_ktls_gone(ktls, &rx->base, false);
	if (rx->base.id != VKTLS_NO_CTX)
		return;
	if (!vktls_ktls_rx_nic_add(ktls, rx, &tls_ctx->crypto_recv.info, seq)) {
		vktls_ktls_count(ktls, VKTLS_KTLS_RX_READD, 1);
		return;
	}
	vktls_ktls_count(ktls, VKTLS_KTLS_RX_ADD_FAILED, 1);
	WRITE_ONCE(ktls->rx_missing, true);
}

/**
 * vktls_ktls_rx_restore() - give the NIC again what it has lost
 * @ktls: device; life is held, and up
 *
 * What it does not take comes again with vktls_ktls_audit().
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

/*
 * Kernel TLS was asked about a header that the reader of the socket, who may be
 * megabytes behind, has not come to. A question about a later one in its place
 * would put the answer off, and the next one again. One about what has not been
 * received may be nonsense.
 */
static bool vktls_ktls_rx_waits(const struct vktls_ktls_rx_ctx *rx)
{
	const struct tls_offload_context_rx *hw;
	const struct tcp_sock *tp = tcp_sk(rx->sk);
	s64 req;

	hw = tls_offload_ctx_rx(tls_get_ctx(rx->sk));
	if (rx->mode == TLS_OFFLOAD_SYNC_TYPE_DRIVER_REQ_ASYNC)
		req = atomic64_read(&rx->async.req);
	else
		req = atomic64_read(&hw->resync_req);
	return (req & (RESYNC_REQ | RESYNC_REQ_ASYNC)) == RESYNC_REQ &&
	       !before(rx->question, READ_ONCE(tp->copied_seq)) &&
	       before(rx->question, READ_ONCE(tp->rcv_nxt));
}

static void vktls_ktls_rx_end(struct vktls_ktls *ktls,
			      struct vktls_ktls_rx_ctx *rx, u32 seq)
{
	rx->started = false;
	rx->asked = false;
	rx->question = seq;
	tls_offload_rx_resync_async_request_end(&rx->async, htonl(seq));
	vktls_ktls_count(ktls, VKTLS_KTLS_RX_REQ_END, 1);
	trace_vktls_tls_rx_resync(ktls->vd, VKTLS_KTLS_RX_REQ_END,
				  rx->base.id, seq, 0);
}

static bool vktls_ktls_rx_in_window(const struct vktls_ktls_rx_ctx *rx, u32 seq)
{
	return rx->started && !before(seq, rx->start) && before(seq, rx->end);
}

/*
 * A header that the NIC asks about ends in this packet: kernel TLS notes all of its
 * headers, until the event tells which one it is. That may have come before. More
 * packets may ask meanwhile; the first question is as good as theirs, unless the
 * event was lost.
 */
static void vktls_ktls_rx_window(struct vktls_ktls *ktls,
				 struct vktls_ktls_rx_ctx *rx,
				 const struct vktls_ktls_pkt *pkt)
{
	bool asked = rx->asked;
	u32 seq = rx->asked_seq;

	if (!rx->sk || rx->mode != TLS_OFFLOAD_SYNC_TYPE_DRIVER_REQ_ASYNC ||
	    vktls_ktls_rx_waits(rx))
		return;
	if (rx->started && time_before(jiffies, rx->since + EVENT_DELAY))
		return;
	vktls_ktls_rx_cancel(ktls, rx);
	rx->started = true;
	rx->since = jiffies;
	rx->start = pkt->seq - (TLS_HEADER_SIZE - 1);
	rx->end = pkt->seq + pkt->len;
	tls_offload_rx_resync_async_request_start(&rx->async, htonl(rx->start),
						  rx->end - rx->start);
	vktls_ktls_count(ktls, VKTLS_KTLS_RX_REQ_START, 1);
	trace_vktls_tls_rx_resync(ktls->vd, VKTLS_KTLS_RX_REQ_START,
				  rx->base.id, rx->start, 0);
	if (asked && vktls_ktls_rx_in_window(rx, seq))
		vktls_ktls_rx_end(ktls, rx, seq);
	else
		rx->asked = asked && after(seq, rx->start);
}

static void vktls_ktls_rx_ask(struct vktls_ktls *ktls,
			      const struct vktls_ktls_pkt *pkt)
{
	struct vktls_ktls_rx_ctx *rx;
	unsigned long flags;

	vktls_ktls_count(ktls, VKTLS_KTLS_RX_REQ_PKT, 1);
	rcu_read_lock();
	rx = rhashtable_lookup(&ktls->flows, &pkt->flow,
			       vktls_ktls_flow_params);
	if (rx) {
		spin_lock_irqsave(&rx->base.lock, flags);
		vktls_ktls_rx_window(ktls, rx, pkt);
		spin_unlock_irqrestore(&rx->base.lock, flags);
	}
	rcu_read_unlock();
}

/**
 * vktls_ktls_rx() - tell the stack what the NIC made of a packet's payload
 * @vd: device
 * @skb: packet from its Ethernet header on, not handed on yet
 * @flags: VKTLS_RXC_*, with VKTLS_RXC_TLS
 * @frames: how many it is made of
 *
 * The TCP checksum in a decrypted packet is that of what was received, which the
 * NIC has compared, whether the user wants that or not.
 *
 * Context: NAPI.
 */
void vktls_ktls_rx(struct vktls_dev *vd, struct sk_buff *skb, u16 flags,
		   u32 frames)
{
	struct vktls_ktls *ktls = vd->ktls;
	struct vktls_ktls_pkt pkt;

	if (flags & VKTLS_RXC_TLS_DECRYPTED) {
		skb->decrypted = 1;
		skb->ip_summed = CHECKSUM_UNNECESSARY;
	} else if (flags & VKTLS_RXC_TLS_AUTH) {
		vktls_ktls_count(ktls, VKTLS_KTLS_RX_ERR, 1);
	} else {
		vktls_ktls_count(ktls, VKTLS_KTLS_RX_BYPASSED, frames);
	}
	if (!(flags & (VKTLS_RXC_TLS_DECRYPTED | VKTLS_RXC_TLS_ASK)) ||
	    !vktls_ktls_pkt_parse(skb, &pkt))
		return;
	if (flags & VKTLS_RXC_TLS_DECRYPTED) {
		vktls_ktls_count(ktls, VKTLS_KTLS_RX_DECRYPTED_PACKETS,
				 frames);
		vktls_ktls_count(ktls, VKTLS_KTLS_RX_DECRYPTED_BYTES, pkt.len);
	}
	if (flags & VKTLS_RXC_TLS_ASK)
		vktls_ktls_rx_ask(ktls, &pkt);
}

static void vktls_ktls_rx_asked(struct vktls_ktls *ktls,
				struct vktls_ktls_rx_ctx *rx, u32 seq)
{
	switch (rx->mode) {
	case TLS_OFFLOAD_SYNC_TYPE_DRIVER_REQ:
		if (vktls_ktls_rx_waits(rx))
			break;
		rx->question = seq;
		tls_offload_rx_resync_request(rx->sk, htonl(seq +
						TLS_HEADER_SIZE - 1));
		vktls_ktls_count(ktls, VKTLS_KTLS_RX_REQ_DIRECT, 1);
		break;
	case TLS_OFFLOAD_SYNC_TYPE_DRIVER_REQ_ASYNC:
		if (vktls_ktls_rx_in_window(rx, seq)) {
			vktls_ktls_rx_end(ktls, rx, seq);
			break;
		}
		if (vktls_ktls_rx_waits(rx))
			break;
		rx->asked = true;
		rx->asked_seq = seq;
		break;
	case TLS_OFFLOAD_SYNC_TYPE_CORE_NEXT_HINT:
		/* Kernel TLS hints when it sees ciphertext. */
		break;
	}
}

/**
 * vktls_ktls_asked() - the NIC asks which record begins at a place, if one does
 * @vd: device
 * @id: context
 * @seq: TCP sequence number of what may be a header
 *
 * Context: process.
 */
void vktls_ktls_asked(struct vktls_dev *vd, u32 id, u32 seq)
{
	struct vktls_ktls_rx_ctx *rx;
	struct vktls_ktls_ctx *ctx;

	rcu_read_lock();
	ctx = xa_load(&vd->ktls->ids, id);
	if (ctx && ctx->rx) {
		rx = vktls_ktls_rx_of(ctx);
		spin_lock_irq(&ctx->lock);
		if (rx->sk)
			vktls_ktls_rx_asked(vd->ktls, rx, seq);
		spin_unlock_irq(&ctx->lock);
	}
	rcu_read_unlock();
}

/**
 * vktls_ktls_rx_lost() - count why the NIC has lost its place in a stream
 * @ktls: device
 * @status: VKTLS_ST_*
 */
void vktls_ktls_rx_lost(struct vktls_ktls *ktls, u16 status)
{
	enum vktls_ktls_stat why = VKTLS_KTLS_RX_LOST_GAP;

	if (status == VKTLS_ST_TLS_AUTH)
		why = VKTLS_KTLS_RX_LOST_AUTH;
	else if (status == VKTLS_ST_TLS_HEADER)
		why = VKTLS_KTLS_RX_LOST_HEADER;
	vktls_ktls_count(ktls, why, 1);
}

/**
 * vktls_ktls_events_lost() - answers that the NIC gave may not have come
 * @vd: device
 *
 * Kernel TLS must not note headers for ever. The NIC asks again.
 *
 * Context: process.
 */
void vktls_ktls_events_lost(struct vktls_dev *vd)
{
	struct vktls_ktls *ktls = vd->ktls;
	struct vktls_ktls_ctx *ctx;
	unsigned long id;

	rcu_read_lock();
	xa_for_each(&ktls->ids, id, ctx) {
		if (!ctx->rx)
			continue;
		spin_lock_irq(&ctx->lock);
		vktls_ktls_rx_cancel(ktls, vktls_ktls_rx_of(ctx));
		spin_unlock_irq(&ctx->lock);
	}
	rcu_read_unlock();
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
	return rhashtable_init(&ktls->flows, &vktls_ktls_flow_params);
}

/**
 * vktls_ktls_rx_fini() - undo vktls_ktls_rx_init()
 * @ktls: device; no context is left, and no command either
 */
void vktls_ktls_rx_fini(struct vktls_ktls *ktls)
{
	cancel_work_sync(&ktls->restore_work);
	rhashtable_destroy(&ktls->flows);
}
