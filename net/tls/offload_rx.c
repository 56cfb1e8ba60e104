// SPDX-License-Identifier: GPL-2.0-only
/*
 * Records that a device decrypted, whole or in part, and helping a device that
 * lost its place to find it again. Whether a byte is decrypted is told by its
 * packet alone; a record that is so in part is made ciphertext again and then
 * decrypted here, since the device has verified none of it.
 */

#include <linux/module.h>
#include <net/tcp.h>
#include <net/tls.h>

#include "aead.h"
#include "offload.h"
#include "reasm.h"
#include "rx_rec.h"
#include "tls_main.h"
#include "trace.h"

enum tls_off_state {
	TLS_OFF_CIPHER	= BIT(0),	/* some bytes are ciphertext */
	TLS_OFF_PLAIN	= BIT(1),	/* some bytes are decrypted */
};

static void tls_off_rx_try(struct sock *sk, struct tls_rx *rx)
{
	struct tls_context *ctx = tls_get_ctx(sk);
	struct tls_link *link;
	u32 seq = tcp_sk(sk)->copied_seq;
	int err;

	rx->generation = tls_offload_generation();
	if (tls_offload_candidate(sk, TLS_OFFLOAD_CTX_DIR_RX))
		return;

	tls_key_refresh(ctx, false);
	rx->hw.resync_type = TLS_OFFLOAD_SYNC_TYPE_DRIVER_REQ;
	rx->hw.resync_nh_reset = 1;
	rx->hw.resync_nh_do_now = 0;
	atomic64_set(&rx->hw.resync_req, 0);
	memset(rx->hw.driver_state, 0, sizeof(rx->hw.driver_state));
	link = tls_link_add(sk, TLS_OFFLOAD_CTX_DIR_RX, seq, &err);
	trace_tls_device_offload_set(sk, TLS_OFFLOAD_CTX_DIR_RX, seq,
				     ctx->rx.rec_seq, err);
	if (!link)
		return;
	if (rx->offloaded)
		TLS_STAT_INC(sock_net(sk), TLS_MIB_RX_DEVICE_AGAIN);
	rx->link = link;
	rx->offloaded = true;
	ctx->rx_conf = TLS_HW;
	tls_offload_hook(sk);
}

/**
 * tls_offload_rx_start() - a receiving side got its first key
 * @sk:		the socket, locked
 * @rx:		its receiving side
 */
void tls_offload_rx_start(struct sock *sk, struct tls_rx *rx)
{
	tls_off_rx_try(sk, rx);
}

static void tls_off_rx_unlink(struct sock *sk, struct tls_rx *rx)
{
	tls_link_put(rx->link);
	rx->link = NULL;
	tls_get_ctx(sk)->rx_conf = TLS_SW;
}

/**
 * tls_offload_rx_close() - the socket is not read any more
 * @sk:		the socket, locked by its owner
 * @rx:		its receiving side
 */
void tls_offload_rx_close(struct sock *sk, struct tls_rx *rx)
{
	if (!rx->link)
		return;
	set_bit(TLS_RX_DEV_CLOSED, &tls_get_ctx(sk)->flags);
	tls_link_drop(rx->link);
	tls_off_rx_unlink(sk, rx);
}

/**
 * tls_offload_rx_check() - a reader is about to look at a new record
 * @sk:		the socket, locked by its owner
 * @rx:		its receiving side
 */
void tls_offload_rx_check(struct sock *sk, struct tls_rx *rx)
{
	if (rx->link && READ_ONCE(rx->link->lost)) {
		tls_off_rx_unlink(sk, rx);
		trace_tls_device_left(sk, TLS_OFFLOAD_CTX_DIR_RX,
				      TLS_LEFT_DEVICE);
	}
	if (!rx->link && !rx->copy &&
	    rx->generation != tls_offload_generation())
		tls_off_rx_try(sk, rx);
}

/**
 * tls_offload_rx_rekey() - the key has changed
 * @sk:		the socket, locked by its owner
 * @rx:		its receiving side, with the new key
 */
void tls_offload_rx_rekey(struct sock *sk, struct tls_rx *rx)
{
	if (rx->link) {
		tls_link_drop(rx->link);
		tls_off_rx_unlink(sk, rx);
		trace_tls_device_left(sk, TLS_OFFLOAD_CTX_DIR_RX,
				      TLS_LEFT_REKEY);
	}
	/* A device begins at a header; see tls_offload_rx_check(). */
	rx->generation = tls_offload_generation() - 1;
	tls_offload_rx_check(sk, rx);
}

static void tls_off_rx_send(struct sock *sk, struct tls_rx *rx, u32 seq,
			    u8 *sn)
{
	struct tls_link *link = rx->link;

	trace_tls_device_rx_resync_send(sk, seq, sn, rx->hw.resync_type);
	rcu_read_lock();
	/* A loss waits for us before it calls tls_dev_del. */
	if (!READ_ONCE(link->lost)) {
		link->dev->tlsdev_ops->tls_dev_resync(link->dev, sk, seq, sn,
						      link->dir);
		TLS_STAT_INC(sock_net(sk), LINUX_MIB_TLSRXDEVICERESYNC);
	}
	rcu_read_unlock();
}

/* The device asked whether a header ends at a sequence number. */
static bool tls_off_rx_asked(struct tls_rx *rx, u32 *seq)
{
	s64 req = atomic64_read(&rx->hw.resync_req);

	*seq += TLS_REC_HDR_LEN - 1;
	return req & RESYNC_REQ && (u32)(req >> 32) == *seq &&
	       atomic64_try_cmpxchg(&rx->hw.resync_req, &req,
				    req & ~(s64)RESYNC_REQ);
}

/* While the device searches, headers in its window are noted. */
static void tls_off_rx_note(struct tls_offload_resync_async *async, s64 req,
			    u32 seq)
{
	u32 start = req >> 32;
	u32 end = start + ((req >> 16) & 0xffff);

	/* Searched for too long: the device may ask again. */
	if (async->rcd_delta == U16_MAX) {
		atomic64_try_cmpxchg(&async->req, &req, 0);
		return;
	}
	if (!before(seq, start) && !after(seq, end) &&
	    async->loglen < TLS_DEVICE_RESYNC_ASYNC_LOGMAX &&
	    async->loglen == async->rcd_delta)
		async->log[async->loglen++] = seq;
	if (async->loglen)
		async->rcd_delta++;
}

/* Returns how many records ago the header at the device's answer was. */
static int tls_off_rx_answer(struct tls_offload_resync_async *async, s64 req,
			     u32 seq)
{
	u32 want = req >> 32;
	int ago = -1;
	u16 i;

	for (i = 0; i < async->loglen; i++)
		if (async->log[i] == want)
			ago = async->rcd_delta - i;
	if (ago < 0 && want == seq)
		ago = 0;
	async->loglen = 0;
	async->rcd_delta = 0;
	if (ago >= 0 && !atomic64_try_cmpxchg(&async->req, &req, 0))
		ago = -1;
	return ago;
}

static bool tls_off_rx_searched(struct tls_rx *rx, u32 *seq, u8 *sn)
{
	struct tls_offload_resync_async *async = rx->hw.resync_async;
	s64 req;
	int ago;

	if (!async)
		return false;
	req = atomic64_read(&async->req);
	if (likely(!(req & RESYNC_REQ)))
		return false;
	if (req & RESYNC_REQ_ASYNC) {
		tls_off_rx_note(async, req, *seq);
		return false;
	}
	ago = tls_off_rx_answer(async, req, *seq);
	if (ago < 0)
		return false;
	*seq = req >> 32;
	tls_rec_counter_add(sn, -(u64)ago);
	return true;
}

/* The next header can be foretold while it has not arrived. */
static bool tls_off_rx_foretell(struct sock *sk, struct tls_rx *rx, u32 *seq,
				u8 *sn)
{
	u32 have = tcp_inq(sk);

	if (!rx->hw.resync_nh_do_now)
		return false;
	if (have > rx->rec.full_len) {
		trace_tls_device_rx_resync_nh_delay(sk, have,
						    rx->rec.full_len);
		return false;
	}
	rx->hw.resync_nh_do_now = 0;
	*seq += rx->rec.full_len;
	tls_rec_counter_add(sn, 1);
	return true;
}

/**
 * tls_offload_rx_header() - the header of the front record was parsed
 * @sk:		the socket, locked by its owner or in softirq
 * @rx:		its receiving side
 */
void tls_offload_rx_header(struct sock *sk, struct tls_rx *rx)
{
	u32 seq = tcp_sk(sk)->copied_seq;
	u8 sn[TLS_REC_SEQ_LEN];
	bool send = false;

	if (!rx->link || rx->copy)
		return;
	memcpy(sn, tls_get_ctx(sk)->rx.rec_seq, sizeof(sn));
	switch (rx->hw.resync_type) {
	case TLS_OFFLOAD_SYNC_TYPE_DRIVER_REQ:
		send = tls_off_rx_asked(rx, &seq);
		break;
	case TLS_OFFLOAD_SYNC_TYPE_CORE_NEXT_HINT:
		send = tls_off_rx_foretell(sk, rx, &seq, sn);
		break;
	case TLS_OFFLOAD_SYNC_TYPE_DRIVER_REQ_ASYNC:
		send = tls_off_rx_searched(rx, &seq, sn);
		break;
	}
	if (send)
		tls_off_rx_send(sk, rx, seq, sn);
}

/* Records come as ciphertext: hint at a header, less often each time. */
static void tls_off_rx_hint(struct sock *sk, struct tls_rx *rx)
{
	if (rx->hw.resync_type != TLS_OFFLOAD_SYNC_TYPE_CORE_NEXT_HINT ||
	    rx->hw.resync_nh_do_now)
		return;
	if (rx->hw.resync_nh_reset) {
		rx->hw.resync_nh_reset = 0;
		rx->hw.resync_nh.decrypted_failed = 1;
		rx->hw.resync_nh.decrypted_tgt = TLS_DEVICE_RESYNC_NH_START_IVAL;
		return;
	}
	if (++rx->hw.resync_nh.decrypted_failed <=
	    rx->hw.resync_nh.decrypted_tgt)
		return;
	if (rx->hw.resync_nh.decrypted_tgt < TLS_DEVICE_RESYNC_NH_MAX_IVAL)
		rx->hw.resync_nh.decrypted_tgt *= 2;
	else
		rx->hw.resync_nh.decrypted_tgt += TLS_DEVICE_RESYNC_NH_MAX_IVAL;
	rx->hw.resync_nh_do_now = 1;
	trace_tls_device_rx_resync_nh_schedule(sk);
	if (!rx->copy)
		tls_offload_rx_header(sk, rx);
}

static u8 tls_off_skb_state(const struct sk_buff *skb)
{
	return skb_is_decrypted(skb) ? TLS_OFF_PLAIN : TLS_OFF_CIPHER;
}

/**
 * tls_offload_rx_copied() - part of the front record leaves TCP's queue
 * @rx:		receiving side
 * @skb:	the segment it comes from
 *
 * Return: 0, or -ENOBUFS when the record changes its state too often.
 */
int tls_offload_rx_copied(struct tls_rx *rx, const struct sk_buff *skb)
{
	bool decrypted = skb_is_decrypted(skb);

	if (decrypted == (rx->flips & 1))
		return 0;
	if (rx->flips == TLS_RX_FLIPS)
		return -ENOBUFS;
	rx->flip[rx->flips++] = rx->copy->len;
	return 0;
}

/* Where the state of the record's bytes from @off on ends, and what it is. */
static u32 tls_off_rx_run(struct sock *sk, const struct tls_rx *rx, u32 off,
			  u32 end, u8 *state)
{
	struct sk_buff *skb;
	u32 skip, i;

	if (rx->copy) {
		for (i = 0; i < rx->flips && rx->flip[i] <= off; i++)
			;
		*state = i & 1 ? TLS_OFF_PLAIN : TLS_OFF_CIPHER;
		return i < rx->flips ? min_t(u32, end, rx->flip[i]) : end;
	}
	skb = tls_reasm_next(sk, NULL, tcp_sk(sk)->copied_seq + off, &skip);
	if (!skb) {
		*state = TLS_OFF_CIPHER;
		return end;
	}
	*state = tls_off_skb_state(skb);
	return min(end, off + skb->len - skip);
}

static u8 tls_off_rx_state(struct sock *sk, const struct tls_rx *rx)
{
	u32 off, end = rx->rec.full_len;
	u8 state = 0, one;

	for (off = 0; off < end && state != (TLS_OFF_PLAIN | TLS_OFF_CIPHER);) {
		off = tls_off_rx_run(sk, rx, off, end, &one);
		state |= one;
	}
	return state;
}

/* Copies the body as it came to @buf. */
static u8 *tls_off_rx_body(struct sock *sk, const struct tls_rx *rx, u32 len)
{
	u8 *buf = kmalloc(len, sk->sk_allocation);

	if (buf && tls_reasm_read(sk, rx, rx->aead.fmt.prepend_len, buf, len)) {
		kfree_sensitive(buf);
		buf = NULL;
	}
	return buf;
}

/* Only the parts that the device decrypted are taken from @sealed. */
static void tls_off_rx_patch(struct sock *sk, const struct tls_rx *rx,
			     u8 *body, const u8 *sealed)
{
	u32 base = rx->aead.fmt.prepend_len;
	u32 off = base, next, end = base + rx->rec.body_len;
	u8 state;

	for (; off < end; off = next) {
		next = tls_off_rx_run(sk, rx, off, end, &state);
		if (state == TLS_OFF_PLAIN)
			memcpy(body + off - base, sealed + off - base,
			       next - off);
	}
}

static int tls_off_rx_crypt(struct sock *sk, struct tls_rx *rx, u8 *buf,
			    bool seal)
{
	const struct tls_rec_fmt *fmt = &rx->aead.fmt;
	struct tls_context *ctx = tls_get_ctx(sk);
	u32 len = rx->rec.body_len, assoc;
	struct scatterlist sg[2];

	assoc = tls_rec_aad(rx->aead.aad, fmt, rx->rec.type, len,
			    ctx->rx.rec_seq);
	sg_init_table(sg, ARRAY_SIZE(sg));
	sg_set_buf(&sg[0], rx->aead.aad, assoc);
	sg_set_buf(&sg[1], buf, len + fmt->tag_len);
	if (tls_rx_nonce(sk, rx))
		return -EBADMSG;
	return seal ? tls_aead_seal(&rx->aead, sg, sg, assoc, len) :
		      tls_aead_open(&rx->aead, sg, sg, assoc,
				    len + fmt->tag_len);
}

/*
 * All ciphers offered to devices xor a key stream over the text, so sealing
 * the whole makes ciphertext of what is decrypted, and that much is kept.
 */
static int tls_off_rx_mend(struct sock *sk, struct tls_rx *rx,
			   struct sk_buff *skb)
{
	u32 len = rx->rec.body_len + rx->aead.fmt.tag_len;
	u8 *body = tls_off_rx_body(sk, rx, len);
	u8 *sealed = tls_off_rx_body(sk, rx, len);
	int err = -ENOMEM;

	if (!body || !sealed)
		goto free;
	err = tls_off_rx_crypt(sk, rx, sealed, true);
	if (err)
		goto free;
	tls_off_rx_patch(sk, rx, body, sealed);
	err = tls_off_rx_crypt(sk, rx, body, false);
	if (!err)
		err = skb_store_bits(skb, 0, body, rx->rec.body_len);
	if (!err)
		TLS_STAT_INC(sock_net(sk), TLS_MIB_RX_DEVICE_MENDED);
free:
	kfree_sensitive(sealed);
	kfree_sensitive(body);
	return err;
}

static int tls_off_rx_copy(struct sock *sk, struct tls_rx *rx,
			   struct sk_buff *skb)
{
	u32 off, n;
	u8 buf[256];

	for (off = 0; off < skb->len; off += n) {
		n = min_t(u32, skb->len - off, sizeof(buf));
		if (tls_reasm_read(sk, rx, rx->aead.fmt.prepend_len + off, buf,
				   n) ||
		    skb_store_bits(skb, off, buf, n))
			return -EBADMSG;
	}
	return 0;
}

/* Tells once for each record what the device made of it. */
static u8 tls_off_rx_judge(struct sock *sk, struct tls_rx *rx)
{
	if (!rx->offloaded)
		return TLS_OFF_CIPHER;
	if (rx->state)
		return rx->state;

	rx->state = tls_off_rx_state(sk, rx);
	trace_tls_device_decrypted(sk, tcp_sk(sk)->copied_seq,
				   tls_get_ctx(sk)->rx.rec_seq,
				   rx->rec.full_len,
				   rx->state & TLS_OFF_CIPHER,
				   rx->state & TLS_OFF_PLAIN);
	if (rx->state & TLS_OFF_PLAIN)
		rx->hw.resync_nh_reset = 1;
	else if (rx->link)
		tls_off_rx_hint(sk, rx);
	return rx->state;
}

/**
 * tls_offload_rx_to_skb() - get what the device did of the front record
 * @sk:		the socket, locked by its owner
 * @rx:		its receiving side; the record is complete
 * @skb:	room for the body
 *
 * Return: 0 with the body in @skb; 1 when the device did nothing; an error.
 */
int tls_offload_rx_to_skb(struct sock *sk, struct tls_rx *rx,
			  struct sk_buff *skb)
{
	switch (tls_off_rx_judge(sk, rx)) {
	case TLS_OFF_CIPHER:
		return 1;
	case TLS_OFF_PLAIN:
		return tls_off_rx_copy(sk, rx, skb);
	default:
		return tls_off_rx_mend(sk, rx, skb);
	}
}

static int tls_off_rx_copy_iter(struct sock *sk, const struct tls_rx *rx,
				struct iov_iter *iter, u32 len)
{
	u32 seq = tcp_sk(sk)->copied_seq + rx->aead.fmt.prepend_len;
	struct sk_buff *skb = NULL;
	u32 skip, n;

	if (rx->copy)
		return skb_copy_datagram_iter(rx->copy,
					      rx->aead.fmt.prepend_len, iter,
					      len);
	for (; len; len -= n, seq += n) {
		skb = tls_reasm_next(sk, skb, seq, &skip);
		if (!skb)
			return -EFAULT;
		n = min(len, skb->len - skip);
		if (skb_copy_datagram_iter(skb, skip, iter, n))
			return -EFAULT;
	}
	return 0;
}

/**
 * tls_offload_rx_to_iter() - copy what the device decrypted to the reader
 * @sk:		the socket, locked by its owner
 * @rx:		its receiving side; the record is complete
 * @iter:	destination; advanced by the payload on success only
 * @len:	bytes of payload when there is no padding; there is room for them
 *
 * Return: 0; 1 when the device did nothing; -EAGAIN when it takes more than
 * copying.
 */
int tls_offload_rx_to_iter(struct sock *sk, struct tls_rx *rx,
			   struct iov_iter *iter, u32 len)
{
	size_t before = iov_iter_count(iter);
	u8 state = tls_off_rx_judge(sk, rx), type;

	if (state == TLS_OFF_CIPHER)
		return 1;
	if (state != TLS_OFF_PLAIN)
		return -EAGAIN;
	if (rx->aead.fmt.tail_len &&
	    (tls_reasm_read(sk, rx, rx->aead.fmt.prepend_len + len, &type, 1) ||
	     type != TLS_REC_DATA))
		return -EAGAIN;
	if (!tls_off_rx_copy_iter(sk, rx, iter, len))
		return 0;
	iov_iter_revert(iter, before - iov_iter_count(iter));
	return -EAGAIN;
}
