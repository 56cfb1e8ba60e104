// SPDX-License-Identifier: GPL-2.0-only
/*
 * Resync of receiving contexts, after the NIC has lost its place in a stream: the
 * NIC's question, the answer of kernel TLS, and the flags of received packets. A
 * context is found under RCU, by flow or by number; its socket is used only under
 * the context's lock, and only while rx->sk is set.
 */
#include <linux/string.h>
#include <linux/unaligned.h>
#include <net/tcp.h>
#include <net/tls.h>

#include "cmd.h"
#include "ktls_rx.h"
#include "ktls_trace.h"
#include "vktls.h"

/* An event later than this is taken for lost. */
#define EVENT_DELAY (HZ / 10)

/**
 * vktls_ktls_rx_cancel() - close the window without an answer
 * @ktls: device
 * @rx: context, locked
 *
 * Kernel TLS stops to log headers for the context.
 */
void vktls_ktls_rx_cancel(struct vktls_ktls *ktls, struct vktls_ktls_rx_ctx *rx)
{
	lockdep_assert_held(&rx->base.lock);
	rx->asked = false;
	if (!rx->started)
		return;
	rx->started = false;
	tls_offload_rx_resync_async_request_cancel(&rx->async);
	vktls_ktls_count(ktls, KTLS_RX_REQ_SKIP, 1);
	trace_vktls_tls_rx_resync(ktls->vd, KTLS_RX_REQ_SKIP, rx->base.id,
				  rx->start, 0);
}

/*
 * Outcome of the resync command. The command queue's lock is held, so no context may
 * be locked here: that order would be the reverse of the usual one.
 */
static void vktls_ktls_rx_resync_done(struct vktls_dev *vd, u32 id, int err)
{
	enum vktls_ktls_stat what = err ? KTLS_RX_RES_SKIP :
					  KTLS_RX_RES_OK;
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
 * vktls_ktls_rx_resync() - tls_dev_resync of a receiving socket
 * @ktls: device
 * @tls_ctx: the socket's context
 * @seq: TCP sequence number of a record's first byte; in answer to a direct
 *	request, of the last byte of its header
 * @rec_no: number of that record
 * @key_no: number of its key, if the NIC was given keys in advance
 *
 * Context: any but hard interrupt; between tls_dev_add and tls_dev_del.
 * Return: 0 when the NIC will be told, or errno.
 */
int vktls_ktls_rx_resync(struct vktls_ktls *ktls, struct tls_context *tls_ctx,
			 u32 seq, u64 rec_no, u32 key_no)
{
	struct vktls_ktls_rx_ctx *rx = READ_ONCE(*vktls_ktls_rx_slot(tls_ctx));
	struct vktls_tls_resync_key req = { .key_no = cpu_to_le32(key_no) };
	bool keyed = READ_ONCE(rx->keyed);
	int err = -ENETDOWN;
	unsigned long flags;
	u32 id;

	if (rx->mode == TLS_OFFLOAD_SYNC_TYPE_DRIVER_REQ)
		seq -= TLS_HEADER_SIZE - 1;
	req.resync.tcp_seq = cpu_to_le32(seq);
	put_unaligned_be64(rec_no, req.resync.rec_no);
	spin_lock_irqsave(&rx->base.lock, flags);
	id = rx->base.id;
	req.resync.ctx = cpu_to_le32(id);
	if (id != NO_CTX)
		err = vktls_cmd_post(ktls->vd,
				     keyed ? VKTLS_CMD_TLS_RESYNC_KEY :
					     VKTLS_CMD_TLS_RESYNC, &req,
				     keyed ? sizeof(req) : sizeof(req.resync),
				     vktls_ktls_rx_resync_done, id);
	spin_unlock_irqrestore(&rx->base.lock, flags);
	trace_vktls_tls_resync(ktls->vd, id, seq, rec_no, err);
	if (err)
		vktls_ktls_count(ktls, KTLS_RX_RES_SKIP, 1);
	return err;
}

/**
 * vktls_ktls_rx_gone() - end a resync whose context the NIC has lost
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
 * Returns whether kernel TLS still works on its last question: the reader of the
 * socket, perhaps megabytes behind, has not reached that header. A newer question
 * would replace it and put off the answer, again and again. A question about bytes
 * that TCP has not received may be nonsense, and may be replaced.
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
	vktls_ktls_count(ktls, KTLS_RX_REQ_END, 1);
	trace_vktls_tls_rx_resync(ktls->vd, KTLS_RX_REQ_END, rx->base.id,
				  seq, 0);
}

static bool vktls_ktls_rx_in_window(const struct vktls_ktls_rx_ctx *rx, u32 seq)
{
	return rx->started && !before(seq, rx->start) && before(seq, rx->end);
}

/*
 * Opens a window: the header that the NIC asks about ends in this packet, and kernel
 * TLS logs all headers of the packet until the event names one. The event may have
 * come before the packet. Later packets that ask do not open a second window, unless
 * the event of the first is overdue.
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
	vktls_ktls_count(ktls, KTLS_RX_REQ_START, 1);
	trace_vktls_tls_rx_resync(ktls->vd, KTLS_RX_REQ_START,
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

	vktls_ktls_count(ktls, KTLS_RX_REQ_PKT, 1);
	rcu_read_lock();
	rx = vktls_ktls_flow_find(ktls, &pkt->flow);
	if (rx) {
		spin_lock_irqsave(&rx->base.lock, flags);
		vktls_ktls_rx_window(ktls, rx, pkt);
		spin_unlock_irqrestore(&rx->base.lock, flags);
	}
	rcu_read_unlock();
}

/* Returns whether a decrypted packet belongs to no context of the driver. */
static bool vktls_ktls_rx_is_stray(struct vktls_ktls *ktls,
				   const struct vktls_ktls_pkt *pkt)
{
	bool found;

	rcu_read_lock();
	found = vktls_ktls_flow_find(ktls, &pkt->flow);
	rcu_read_unlock();
	return !found;
}

/*
 * Marks a packet as decrypted. Returns false to drop it, so that the peer sends it
 * again and TCP gets the ciphertext.
 */
static bool vktls_ktls_rx_decrypted(struct vktls_ktls *ktls,
				    struct sk_buff *skb,
				    const struct vktls_ktls_pkt *pkt,
				    u32 frames)
{
	if (unlikely(READ_ONCE(ktls->rx_stray)) &&
	    vktls_ktls_rx_is_stray(ktls, pkt)) {
		vktls_ktls_count(ktls, KTLS_RX_DROP_STRAY, frames);
		return false;
	}
	skb->decrypted = 1;
	skb->ip_summed = CHECKSUM_UNNECESSARY;
	vktls_ktls_count(ktls, KTLS_RX_DECRYPTED_PACKETS, frames);
	vktls_ktls_count(ktls, KTLS_RX_DECRYPTED_BYTES, pkt->len);
	return true;
}

/**
 * vktls_ktls_rx() - mark a packet by the NIC's work on its TLS payload
 * @vd: device
 * @skb: packet from its Ethernet header on, not handed on yet
 * @flags: VKTLS_RXC_*, with VKTLS_RXC_TLS
 * @frames: number of frames joined in it
 *
 * The TCP checksum of a decrypted packet is that of the ciphertext. The NIC has
 * verified it, even with RXCSUM off.
 *
 * A context whose deletion failed, or whose place is unknown, may decrypt packets
 * of a connection that is software's. Such packets are dropped; TCP sends them
 * again, and vktls_ktls_audit() deletes the context meanwhile.
 *
 * Context: NAPI.
 * Return: true to hand the packet on, false to drop it.
 */
bool vktls_ktls_rx(struct vktls_dev *vd, struct sk_buff *skb, u16 flags,
		   u32 frames)
{
	struct vktls_ktls *ktls = vd->ktls;
	struct vktls_ktls_pkt pkt;
	bool parsed = false;

	if (flags & (VKTLS_RXC_TLS_DECRYPTED | VKTLS_RXC_TLS_ASK))
		parsed = vktls_ktls_pkt_parse(skb, &pkt);
	if (flags & VKTLS_RXC_TLS_DECRYPTED) {
		if (!parsed ||
		    !vktls_ktls_rx_decrypted(ktls, skb, &pkt, frames))
			return false;
	} else if (flags & VKTLS_RXC_TLS_AUTH) {
		vktls_ktls_count(ktls, KTLS_RX_ERR, 1);
	} else {
		vktls_ktls_count(ktls, KTLS_RX_BYPASSED, frames);
	}
	if (parsed && flags & VKTLS_RXC_TLS_ASK)
		vktls_ktls_rx_ask(ktls, &pkt);
	return true;
}

static void vktls_ktls_rx_asked(struct vktls_ktls *ktls,
				struct vktls_ktls_rx_ctx *rx, u32 seq)
{
	switch (rx->mode) {
	case TLS_OFFLOAD_SYNC_TYPE_DRIVER_REQ:
		if (vktls_ktls_rx_waits(rx))
			break;
		rx->question = seq;
		tls_offload_rx_resync_request(rx->sk,
					      htonl(seq + TLS_HEADER_SIZE - 1));
		vktls_ktls_count(ktls, KTLS_RX_REQ_DIRECT, 1);
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
		/*
		 * Kernel TLS finds the next header without a question when it sees
		 * ciphertext.
		 */
		break;
	}
}

/**
 * vktls_ktls_rx_event() - handle an event about a receiving context
 * @vd: device
 * @id: context
 * @handle: called with the context's lock held and its socket set
 * @arg: third argument of @handle
 *
 * Context: process.
 */
void vktls_ktls_rx_event(struct vktls_dev *vd, u32 id,
			 void (*handle)(struct vktls_ktls *ktls,
					struct vktls_ktls_rx_ctx *rx, u32 arg),
			 u32 arg)
{
	struct vktls_ktls_rx_ctx *rx;
	struct vktls_ktls_ctx *ctx;

	rcu_read_lock();
	ctx = xa_load(&vd->ktls->ids, id);
	if (ctx && ctx->rx) {
		rx = vktls_ktls_rx_of(ctx);
		spin_lock_irq(&ctx->lock);
		if (rx->sk)
			handle(vd->ktls, rx, arg);
		spin_unlock_irq(&ctx->lock);
	}
	rcu_read_unlock();
}

/**
 * vktls_ktls_asked() - pass the NIC's question about a record on to kernel TLS
 * @vd: device
 * @id: context
 * @seq: TCP sequence number of a possible header
 *
 * Context: process.
 */
void vktls_ktls_asked(struct vktls_dev *vd, u32 id, u32 seq)
{
	vktls_ktls_rx_event(vd, id, vktls_ktls_rx_asked, seq);
}

/**
 * vktls_ktls_rx_count_lost() - count the reason of a lost place in a stream
 * @ktls: device
 * @status: VKTLS_ST_*
 */
void vktls_ktls_rx_count_lost(struct vktls_ktls *ktls, u16 status)
{
	enum vktls_ktls_stat why = KTLS_RX_LOST_GAP;

	if (status == VKTLS_ST_TLS_AUTH)
		why = KTLS_RX_LOST_AUTH;
	else if (status == VKTLS_ST_TLS_HEADER)
		why = KTLS_RX_LOST_HEADER;
	else if (status == VKTLS_ST_TLS_KEY)
		why = KTLS_RX_LOST_KEY;
	vktls_ktls_count(ktls, why, 1);
}

/**
 * vktls_ktls_events_missed() - end all windows after an overflow of events
 * @vd: device
 *
 * The events that end the windows may be among the lost ones, and kernel TLS would log
 * headers without end. The NIC asks again.
 *
 * Context: process.
 */
void vktls_ktls_events_missed(struct vktls_dev *vd)
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
