// SPDX-License-Identifier: GPL-2.0-only
/*
 * The TLS hook of the transmit path: the choice, for each segment of an offloaded
 * connection, between encryption by the NIC and by software. A segment that kernel
 * TLS marked as plaintext leaves here with a context for the NIC, or encrypted, or
 * is dropped. ktls_replay.c chooses for retransmissions, ktls_plain.c tells plaintext
 * from ciphertext. Does not write to rings, and runs no commands.
 */
#include <linux/tcp.h>
#include <net/tcp.h>
#include <net/tls.h>
#include <net/tls_wire.h>

#include "ktls_rx.h"
#include "ktls_trace.h"
#include "ktls_tx.h"
#include "qp.h"
#include "vktls.h"

/* Distance, in bytes, within which two sequence numbers of a context compare. */
#define SYNC_WINDOW	BIT(30)

/* Bytes of a stream between two measurements of its retransmission rate. */
#define RATE_BYTES	(256 * 1024)

/*
 * Kernel TLS takes one request at a time; ctx->lock keeps two CPUs from making two.
 * The next request is possible after tls_dev_resync has answered this one, so a
 * context that is out of sync again by then asks with a later segment.
 */
static void vktls_ktls_tx_ask_resync(struct vktls_ktls *ktls, struct sock *sk,
				     u32 seq, u32 expected)
{
	if (tls_offload_tx_resync_pending(sk))
		return;
	tls_offload_tx_resync_request(sk, seq, expected);
	vktls_ktls_count(ktls, KTLS_RESYNC_REQ, 1);
}

/*
 * Decides how a plaintext segment is encrypted. The NIC gets the in-order segments
 * of a stream. A segment before the expected byte is a retransmission: the caller
 * chooses replay or software, and the context stays in sync. A segment after the
 * expected byte means that an earlier one was dropped on its way here (by a qdisc,
 * by a full ring): it may never come, so the context needs a resync.
 */
static enum vktls_ktls_stat vktls_ktls_tx_judge(struct vktls_ktls *ktls,
						struct vktls_ktls_tx_ctx *ctx,
						struct sock *sk, u32 seq,
						u32 len, u32 *id)
{
	enum vktls_ktls_stat verdict = KTLS_FALLBACK_LOST;
	unsigned long flags;

	spin_lock_irqsave(&ctx->base.lock, flags);
	if (likely(ctx->in_sync && seq == ctx->expected)) {
		verdict = KTLS_ENCRYPTED_PACKETS;
		*id = ctx->base.id;
		ctx->expected += len;
		if (ctx->expected - ctx->synced_at > SYNC_WINDOW)
			ctx->synced_at = ctx->expected - SYNC_WINDOW;
	} else if (ctx->in_sync && before(seq, ctx->expected)) {
		verdict = KTLS_FALLBACK_RETRANSMIT;
	} else if (ctx->in_sync) {
		verdict = KTLS_FALLBACK_GAP;
		ctx->in_sync = false;
	}
	if (!ctx->in_sync && !ctx->unparsed)
		vktls_ktls_tx_ask_resync(ktls, sk, seq, ctx->expected);
	if (verdict == KTLS_FALLBACK_RETRANSMIT)
		ctx->again += len;
	else
		ctx->sent += len;
	if (unlikely(ctx->sent + ctx->again >= RATE_BYTES))
		vktls_ktls_replay_rate(ktls, ctx);
	spin_unlock_irqrestore(&ctx->base.lock, flags);
	return verdict;
}

/*
 * Returns whether kernel TLS still has the record of @seq. If not, *why is the
 * counter of the reason.
 */
static bool vktls_ktls_tx_has_record(struct tls_context *tls_ctx, u32 seq,
				     enum vktls_ktls_stat *why)
{
	struct tls_offload_context_tx *tx = tls_offload_ctx_tx(tls_ctx);
	struct tls_record_info *record;
	unsigned long flags;
	u64 rec_no;

	spin_lock_irqsave(&tx->lock, flags);
	record = tls_get_record(tx, seq, &rec_no);
	if (!record)
		*why = KTLS_DROP_NO_SYNC;
	else if (tls_record_is_start_marker(record))
		*why = KTLS_DROP_BYPASS;
	else
		*why = KTLS_FALLBACK_FAILED;
	spin_unlock_irqrestore(&tx->lock, flags);
	return *why == KTLS_FALLBACK_FAILED;
}

/*
 * Encrypts a segment in software, or drops it. By the contract of kernel TLS, a
 * marked segment that begins before the first record is sent unchanged; but it is
 * plaintext, so it is dropped.
 */
static struct sk_buff *vktls_ktls_tx_fallback(struct vktls_ktls *ktls,
					      struct sk_buff *skb, u32 seq,
					      u32 len)
{
	struct tls_context *tls_ctx = tls_get_ctx(skb->sk);
	enum vktls_ktls_stat why;
	struct sk_buff *nskb;

	if (vktls_ktls_tx_has_record(tls_ctx, seq, &why)) {
		nskb = tls_encrypt_skb(skb);
		if (nskb) {
			/* No device behind this one may encrypt it again. */
			nskb->decrypted = 0;
			vktls_ktls_count(ktls, KTLS_FALLBACK_BYTES, len);
			return nskb;
		}
	} else {
		kfree_skb(skb);
	}
	vktls_ktls_count(ktls, why, 1);
	trace_vktls_tls_bypass(ktls->vd, why, seq, len);
	return NULL;
}

static struct sk_buff *vktls_ktls_tx_marked(struct vktls_tx_ring *tx,
					    struct sk_buff *skb, u32 seq,
					    u32 len, u32 *id)
{
	struct vktls_ktls *ktls = tx->qp->vd->ktls;
	struct vktls_ktls_tx_ctx *ctx = vktls_ktls_tx_ctx(ktls->vd, skb);
	enum vktls_ktls_stat verdict = KTLS_FALLBACK_LOST;

	if (ctx)
		verdict = vktls_ktls_tx_judge(ktls, ctx, skb->sk, seq, len, id);
	if (verdict == KTLS_ENCRYPTED_PACKETS) {
		vktls_ktls_count(ktls, verdict, 1);
		vktls_ktls_count(ktls, KTLS_ENCRYPTED_BYTES, len);
		return skb;
	}
	vktls_ktls_count(ktls, KTLS_OOO, 1);
	if (ctx && verdict != KTLS_FALLBACK_GAP &&
	    vktls_ktls_replay(tx, ctx, skb, seq, len, id))
		return skb;
	vktls_ktls_count(ktls, verdict, 1);
	trace_vktls_tls_bypass(ktls->vd, verdict, seq, len);
	return vktls_ktls_tx_fallback(ktls, skb, seq, len);
}

/* Removes the mark. If the NIC refuses the packet, no context falls out of sync. */
static struct sk_buff *vktls_ktls_tx_unmark(struct sk_buff *skb)
{
	skb->decrypted = 0;
	return skb;
}

static struct sk_buff *vktls_ktls_tx_drop(struct vktls_ktls *ktls,
					  struct sk_buff *skb,
					  enum vktls_ktls_stat why)
{
	vktls_ktls_count(ktls, why, 1);
	trace_vktls_tls_bypass(ktls->vd, why, 0, skb->len);
	kfree_skb(skb);
	return NULL;
}

/*
 * Sends TCP's own packet, whole. With the mark, the payload is plaintext, unless an
 * interface on the way had it encrypted; see vktls_ktls_tx(). Without the mark, the
 * payload was sent before the offload began, or software has encrypted it, or the
 * packet was copied and lost the mark. A copy gets the mark back.
 */
static struct sk_buff *vktls_ktls_tx_tcp(struct vktls_tx_ring *tx,
					 struct sk_buff *skb, u32 *id)
{
	struct vktls_ktls *ktls = tx->qp->vd->ktls;
	u32 hdr_len = skb_tcp_all_headers(skb);
	u32 seq = ntohl(tcp_hdr(skb)->seq);
	enum vktls_ktls_stat what;

	what = skb_is_decrypted(skb) ?
	       vktls_ktls_plain_marked(skb, seq, hdr_len) :
	       vktls_ktls_plain_unmarked(skb, seq, hdr_len);
	switch (what) {
	case KTLS_PLAIN_UNMARKED:
		vktls_ktls_count(ktls, what, 1);
		skb->decrypted = 1;
		fallthrough;
	case KTLS_ENCRYPTED_PACKETS:
		if (tls_wire_csum_partial(skb))
			return vktls_ktls_tx_drop(ktls, skb,
						  KTLS_FALLBACK_FAILED);
		return vktls_ktls_tx_marked(tx, skb, seq, skb->len - hdr_len,
					    id);
	case KTLS_SKIP_ENCRYPTED:
		vktls_ktls_count(ktls, what, 1);
		return vktls_ktls_tx_unmark(skb);
	case KTLS_SKIP_NO_SYNC:
		if (tls_is_skb_tx_device_offloaded(skb))
			vktls_ktls_count(ktls, what, 1);
		return skb;
	default:
		return vktls_ktls_tx_drop(ktls, skb, what);
	}
}

/*
 * Sends or drops a packet that was cut or wrapped after TCP made it. Neither NIC
 * nor software can encrypt such a packet. A tunnel with an interface of its own is
 * no problem: kernel TLS has encrypted the packet in front of that interface.
 */
static struct sk_buff *vktls_ktls_tx_other(struct vktls_ktls *ktls,
					   struct sk_buff *skb)
{
	enum vktls_ktls_stat what = vktls_ktls_plain_wrapped(skb);

	if (what == KTLS_SKIP_ENCRYPTED)
		vktls_ktls_count(ktls, what, 1);
	else if (what != KTLS_ENCRYPTED_PACKETS)
		return vktls_ktls_tx_drop(ktls, skb, what);
	return vktls_ktls_tx_unmark(skb);
}

/**
 * vktls_ktls_tx() - choose NIC or software for a packet of an offloaded connection
 * @tx: transmit ring, with room for the packet: there is no way back after this
 * @skb: packet for which vktls_ktls_wants() is true; consumed if another one, or
 *	none, is returned
 * @id: context for the NIC to encrypt with, or NO_CTX to send as it is
 *
 * A packet without payload leaves unchanged.
 *
 * The mark does not prove plaintext. If the packet passed another interface on its
 * way here (bridge, VLAN, tunnel), kernel TLS has encrypted it, and the tls.ko of
 * Linux 6.12 leaves the mark. A second encryption with the same key and nonce would
 * restore the plaintext. If the connection left the NIC while the packet waited in a
 * queue, software encrypts it. A marked packet without a socket was decrypted by a NIC, and
 * sent back by the kernel's own XDP.
 *
 * Context: under the queue's xmit lock; bottom halves or interrupts off.
 * Return: packet to send; NULL if it cannot be encrypted and was dropped.
 */
struct sk_buff *vktls_ktls_tx(struct vktls_tx_ring *tx, struct sk_buff *skb,
			      u32 *id)
{
	u32 hdr_len;

	*id = NO_CTX;
	if (unlikely(!skb->sk))
		return vktls_ktls_tx_drop(tx->qp->vd->ktls, skb,
					  KTLS_DROP_BYPASS);
	if (unlikely(!tls_wire_is_tcp(skb)))
		return vktls_ktls_tx_other(tx->qp->vd->ktls, skb);
	hdr_len = skb_tcp_all_headers(skb);
	if (skb->len == hdr_len)
		return vktls_ktls_tx_unmark(skb);
	if (unlikely(hdr_len > skb_headlen(skb)))
		return vktls_ktls_tx_drop(tx->qp->vd->ktls, skb,
					  KTLS_DROP_TUNNEL);
	return vktls_ktls_tx_tcp(tx, skb, id);
}

/*
 * Notes that the NIC is out of sync, with status VKTLS_ST_* or 0 and the sequence
 * number up to which it has encrypted. A late report of an error that happened
 * before the last resync carries a sequence number from before that, and is void.
 *
 * The NIC finds no TCP behind an IPv6 routing header. Such a header is an option of the
 * socket, so all later packets have it, and software encrypts them.
 */
static void vktls_ktls_tx_lose(struct vktls_ktls *ktls,
			       struct vktls_ktls_tx_ctx *ctx,
			       enum vktls_ktls_stat why, u16 status, u32 seq)
{
	unsigned long flags;
	bool lost;
	u32 id;

	spin_lock_irqsave(&ctx->base.lock, flags);
	if (status == VKTLS_ST_TLS_NOT_TCP)
		ctx->unparsed = true;
	lost = ctx->in_sync && !before(seq, ctx->synced_at);
	if (lost) {
		ctx->in_sync = false;
		if (before(seq, ctx->expected))
			ctx->expected = seq;
	}
	id = ctx->base.id;
	spin_unlock_irqrestore(&ctx->base.lock, flags);
	if (!lost)
		return;
	vktls_ktls_count(ktls, why, 1);
	trace_vktls_tls_lost(ktls->vd, why, id, status, seq);
}

/**
 * vktls_ktls_tx_unsent() - handle a packet that did not leave the NIC
 * @vd: device
 * @skb: packet that vktls_ktls_tx() returned; not freed yet
 * @status: VKTLS_ST_* with which the NIC refused it, or 0 when it did not get it
 *
 * If the NIC was to encrypt the packet, its context is out of sync: software
 * encrypts the connection up to a resync.
 *
 * Context: any.
 */
void vktls_ktls_tx_unsent(struct vktls_dev *vd, const struct sk_buff *skb,
			  u16 status)
{
	enum vktls_ktls_stat why = KTLS_LOST_UNSENT;
	struct vktls_ktls_tx_ctx *ctx;

	if (!skb_is_decrypted(skb))
		return;
	if (status)
		why = status == VKTLS_ST_NOENT ? KTLS_LOST_FORGOTTEN :
						 KTLS_LOST_DEVICE;
	rcu_read_lock();
	ctx = vktls_ktls_tx_ctx(vd, skb);
	if (ctx)
		vktls_ktls_tx_lose(vd->ktls, ctx, why, status,
				   ntohl(tcp_hdr(skb)->seq));
	rcu_read_unlock();
}

/**
 * vktls_ktls_lost() - handle the NIC's report that a context is out of sync
 * @vd: device
 * @id: context
 * @status: VKTLS_ST_*, the reason
 * @seq: TCP sequence that the NIC expects
 *
 * Context: process.
 */
void vktls_ktls_lost(struct vktls_dev *vd, u32 id, u16 status, u32 seq)
{
	struct vktls_ktls *ktls = vd->ktls;
	struct vktls_ktls_ctx *ctx;

	rcu_read_lock();
	ctx = xa_load(&ktls->ids, id);
	if (ctx && ctx->rx)
		vktls_ktls_rx_count_lost(ktls, status);
	else if (ctx)
		vktls_ktls_tx_lose(ktls, vktls_ktls_tx_of(ctx),
				   KTLS_LOST_DEVICE, status, seq);
	rcu_read_unlock();
}
