// SPDX-License-Identifier: GPL-2.0-only
/*
 * Finding whole records in TCP's receive queue. Records stay in that queue
 * until they are decrypted; only one that the receive window cannot hold is
 * copied out. Segments may overlap, so each byte is found by its sequence
 * number. Headers are parsed here, and bytes that a device decrypted are told from
 * others; nothing else of a record is looked at.
 */

#include <net/tcp.h>
#include <trace/events/sock.h>

#include "offload.h"
#include "reasm.h"
#include "work.h"

#define TLS_GATHER_SGS	16	/* pieces that are copied at a time */

/**
 * tls_reasm_next() - find the segment that holds a sequence number
 * @sk:		the socket, locked
 * @skb:	where to begin; NULL for the front of the queue
 * @seq:	TCP sequence number
 * @off:	offset of @seq in the segment
 *
 * Return: the first such segment, or NULL.
 */
struct sk_buff *tls_reasm_next(struct sock *sk, struct sk_buff *skb, u32 seq,
			       u32 *off)
{
	struct sk_buff_head *queue = &sk->sk_receive_queue;

	if (!skb)
		skb = skb_peek(queue);
	while (skb) {
		*off = seq - TCP_SKB_CB(skb)->seq;
		if (*off < skb->len)
			return skb;
		skb = skb_queue_is_last(queue, skb) ? NULL :
		      skb_queue_next(queue, skb);
	}
	return NULL;
}

/**
 * tls_reasm_read() - read bytes of the front record
 * @sk:		the socket, locked
 * @rx:		its receiving side
 * @off:	offset in the record
 * @buf:	destination
 * @len:	bytes
 *
 * Return: 0, or -ENODATA when they did not arrive yet.
 */
int tls_reasm_read(struct sock *sk, const struct tls_rx *rx, u32 off, u8 *buf,
		   u32 len)
{
	u32 seq = tcp_sk(sk)->copied_seq + off;
	struct sk_buff *skb = NULL;
	u32 skip, n;

	if (rx->copy)
		return skb_copy_bits(rx->copy, off, buf, len) ? -ENODATA : 0;

	for (; len; len -= n, buf += n, seq += n) {
		skb = tls_reasm_next(sk, skb, seq, &skip);
		if (!skb)
			return -ENODATA;
		n = min(len, skb->len - skip);
		if (skb_copy_bits(skb, skip, buf, n))
			return -ENODATA;
	}
	return 0;
}

/**
 * tls_rx_abort() - break the receiving side for good
 * @sk:		the socket, locked by its owner or in softirq
 * @rx:		its receiving side
 * @err:	error of all reads from now on
 */
void tls_rx_abort(struct sock *sk, struct tls_rx *rx, int err)
{
	if (rx->error)
		return;
	WRITE_ONCE(rx->error, err);
	WRITE_ONCE(sk->sk_err, -err);
	/* Pairs with smp_rmb() in tcp_poll(). */
	smp_wmb();
	sk_error_report(sk);
}

static void tls_reasm_parse(struct sock *sk, struct tls_rx *rx)
{
	u8 hdr[TLS_REC_HDR_LEN];
	int err;

	if (tls_reasm_read(sk, rx, 0, hdr, sizeof(hdr)))
		return;
	err = tls_rec_hdr_parse(&rx->rec, &rx->aead.fmt, hdr);
	if (err) {
		/* Before the error: tls_rx_readable() reads both without a lock. */
		WRITE_ONCE(rx->framing, true);
		tls_rx_abort(sk, rx, err);
		return;
	}
	tls_offload_rx_header(sk, rx);
}

/**
 * tls_reasm_check() - tell whether the front record is complete
 * @sk:		the socket, locked by its owner or in softirq
 * @rx:		its receiving side
 *
 * Return: true when it is; a bad header breaks the stream for good.
 */
bool tls_reasm_check(struct sock *sk, struct tls_rx *rx)
{
	u32 have;

	if (rx->ready || rx->error)
		return rx->ready;

	have = rx->copy ? rx->copy->len : tcp_inq(sk);
	if (!rx->rec.full_len && have >= TLS_REC_HDR_LEN)
		tls_reasm_parse(sk, rx);
	if (rx->rec.full_len && have >= rx->rec.full_len)
		WRITE_ONCE(rx->ready, true);
	return rx->ready;
}

/**
 * tls_reasm_stuck() - tell whether the front record cannot fit TCP's queue
 * @sk:		the socket, locked by its owner or in softirq
 * @rx:		its receiving side
 *
 * Return: true when TCP's window is smaller than the missing part of the record.
 */
bool tls_reasm_stuck(const struct sock *sk, const struct tls_rx *rx)
{
	const struct tcp_sock *tp = tcp_sk(sk);
	u32 have = tp->rcv_nxt - tp->copied_seq;

	if (!rx->rec.full_len || rx->ready || rx->error || !have)
		return false;
	return rx->copy || tcp_rmem_pressure(sk) ||
	       have + tcp_receive_window(tp) < rx->rec.full_len;
}

static u8 tls_skb_state(const struct sk_buff *skb)
{
	return skb_is_decrypted(skb) ? TLS_RX_PLAIN : TLS_RX_CIPHER;
}

static int tls_reasm_flips_grow(struct tls_rx *rx, gfp_t gfp)
{
	u16 room = rx->flip_room ? rx->flip_room * 2 : 8, *flip;

	flip = krealloc_array(rx->flip, room, sizeof(*flip), gfp);
	if (!flip)
		return -ENOMEM;
	rx->flip = flip;
	rx->flip_room = room;
	return 0;
}

/*
 * Notes the state of a part of the front record that leaves TCP's queue, from @skb
 * on.
 */
static int tls_reasm_flip(struct sock *sk, struct tls_rx *rx,
			  const struct sk_buff *skb)
{
	bool decrypted = skb_is_decrypted(skb);

	if (decrypted == (rx->flips & 1))
		return 0;
	if (rx->flips == rx->flip_room &&
	    tls_reasm_flips_grow(rx, sk->sk_allocation))
		return -ENOMEM;
	rx->flip[rx->flips++] = rx->copy->len;
	return 0;
}

static int tls_reasm_copy_begin(struct sock *sk, struct tls_rx *rx)
{
	int err;

	rx->copy = alloc_skb_with_frags(0, rx->rec.full_len,
					PAGE_ALLOC_COSTLY_ORDER, &err,
					sk->sk_allocation);
	if (!rx->copy)
		return -ENOMEM;
	TLS_STAT_INC(sock_net(sk), TLS_MIB_RX_COPY);
	return 0;
}

static int tls_reasm_copy_some(struct sk_buff *copy, struct sk_buff *skb,
			       u32 skip, u32 n)
{
	struct skb_seq_state st;
	u32 done = 0, len, at = copy->len;
	const u8 *data;
	int err = 0;

	copy->data_len += n;
	copy->len += n;
	skb_prepare_seq_read(skb, skip, skip + n, &st);
	while (!err && (len = skb_seq_read(done, &data, &st))) {
		len = min(len, n - done);
		err = skb_store_bits(copy, at + done, data, len);
		done += len;
	}
	skb_abort_seq_read(&st);
	return err;
}

/**
 * tls_reasm_pull() - take the front record out of TCP's queue, if it does not fit
 * @sk:		the socket, locked by its owner
 * @rx:		its receiving side
 * @force:	also if the record fits the window
 *
 * Return: 0 or -ENOMEM, after which it may be tried again.
 */
int tls_reasm_pull(struct sock *sk, struct tls_rx *rx, bool force)
{
	struct tcp_sock *tp = tcp_sk(sk);
	struct sk_buff *skb;
	u32 skip, n;
	int err;

	/* The fragments are there; skb->len says how much of them is filled. */
	if (!force && !tls_reasm_stuck(sk, rx))
		return 0;
	if (!rx->copy) {
		err = tls_reasm_copy_begin(sk, rx);
		if (err)
			return err;
	}

	while (rx->copy->len < rx->rec.full_len) {
		skb = tls_reasm_next(sk, NULL, tp->copied_seq, &skip);
		if (!skb)
			break;
		n = min(skb->len - skip, rx->rec.full_len - rx->copy->len);
		if (tls_reasm_flip(sk, rx, skb))
			return -ENOMEM;
		err = tls_reasm_copy_some(rx->copy, skb, skip, n);
		if (err) {
			tls_rx_abort(sk, rx, -EBADMSG);
			return err;
		}
		tcp_read_done(sk, n);
	}
	tls_reasm_check(sk, rx);
	return 0;
}

/**
 * tls_reasm_done() - go to the next record after one was decrypted
 * @sk:		the socket, locked by its owner
 * @rx:		its receiving side
 */
void tls_reasm_done(struct sock *sk, struct tls_rx *rx)
{
	u32 len = rx->rec.full_len;

	WRITE_ONCE(rx->ready, false);
	rx->rec.full_len = 0;
	rx->state = 0;
	rx->flips = 0;
	if (rx->copy) {
		kfree_skb(rx->copy);
		rx->copy = NULL;
	} else {
		tcp_read_done(sk, len);
	}
	tls_reasm_check(sk, rx);
}

/**
 * tls_reasm_drop() - free a record that was copied out of TCP's queue
 * @rx:		the receiving side
 */
void tls_reasm_drop(struct tls_rx *rx)
{
	kfree_skb(rx->copy);
	rx->copy = NULL;
	kfree(rx->flip);
	rx->flip = NULL;
	rx->flip_room = 0;
}

/**
 * tls_reasm_run() - find the end of bytes in one state in the front record
 * @sk:		the socket, locked by its owner
 * @rx:		its receiving side; the record is complete
 * @off:	offset of the first byte in the record
 * @end:	offset behind the last byte of interest
 * @state:	out: TLS_RX_PLAIN when a device decrypted the bytes, else
 *		TLS_RX_CIPHER
 *
 * Return: the offset behind the run, at most @end.
 */
u32 tls_reasm_run(struct sock *sk, const struct tls_rx *rx, u32 off, u32 end,
		  u8 *state)
{
	struct sk_buff *skb;
	u32 skip, i;

	if (rx->copy) {
		for (i = 0; i < rx->flips && rx->flip[i] <= off; i++)
			;
		*state = i & 1 ? TLS_RX_PLAIN : TLS_RX_CIPHER;
		return i < rx->flips ? min_t(u32, end, rx->flip[i]) : end;
	}
	skb = tls_reasm_next(sk, NULL, tcp_sk(sk)->copied_seq + off, &skip);
	if (!skb) {
		*state = TLS_RX_CIPHER;
		return end;
	}
	*state = tls_skb_state(skb);
	return min(end, off + skb->len - skip);
}

/* A part of the stream that is being described in a table. */
struct tls_sg_fill {
	struct scatterlist *sg;
	u32 used, room;		/* entries of @sg */
	u32 len;		/* bytes that are not described yet */
};

static void tls_sg_add(struct tls_sg_fill *fill, struct page *page, u32 at,
		       u32 size)
{
	u32 n = min(fill->len, size);

	sg_set_page(&fill->sg[fill->used++], page, n, at);
	fill->len -= n;
}

/* Describes bytes of a packet from @off on; frag_list, made by GRO, is one level deep. */
static void tls_sg_skb(struct tls_sg_fill *fill, const struct sk_buff *skb,
		       u32 off)
{
	const skb_frag_t *frag = skb_shinfo(skb)->frags;
	const skb_frag_t *end = frag + skb_shinfo(skb)->nr_frags;
	const struct sk_buff *next;
	u32 head = skb_headlen(skb);

	if (off < head) {
		tls_sg_add(fill, virt_to_page(skb->data + off),
			   offset_in_page(skb->data + off), head - off);
		off = head;
	}
	off -= head;
	for (; frag < end && off >= skb_frag_size(frag); frag++)
		off -= skb_frag_size(frag);
	for (; frag < end && fill->len && fill->used < fill->room; frag++) {
		tls_sg_add(fill, skb_frag_page(frag), skb_frag_off(frag) + off,
			   skb_frag_size(frag) - off);
		off = 0;
	}
	skb_walk_frags(skb, next) {
		if (!fill->len || fill->used == fill->room)
			return;
		if (off < next->len) {
			tls_sg_skb(fill, next, off);
			off = next->len;
		}
		off -= next->len;
	}
}

/*
 * Describes bytes of the stream, as many as @fill has room for; the length ends at
 * @end.
 */
static int tls_sg_stream(struct sock *sk, const struct tls_rx *rx,
			 struct tls_sg_fill *fill, u32 end)
{
	u32 seq = tcp_sk(sk)->copied_seq + end, skip;
	struct sk_buff *skb = NULL;

	if (rx->copy)
		tls_sg_skb(fill, rx->copy, end - fill->len);
	while (!rx->copy && fill->len && fill->used < fill->room) {
		skb = tls_reasm_next(sk, skb, seq - fill->len, &skip);
		if (!skb)
			return -ENODATA;
		tls_sg_skb(fill, skb, skip);
	}
	return fill->used ? 0 : -ENODATA;
}

/**
 * tls_reasm_sg() - describe a part of the front record
 * @sk:		the socket, locked by its owner
 * @rx:		its receiving side; the record is complete
 * @sg:		out: a table, initialised
 * @room:	its entries
 * @off:	offset in the record
 * @len:	bytes
 *
 * Return: entries used; -EMSGSIZE when there were too few, -ENODATA.
 */
int tls_reasm_sg(struct sock *sk, const struct tls_rx *rx,
		 struct scatterlist *sg, u32 room, u32 off, u32 len)
{
	struct tls_sg_fill fill = { .sg = sg, .room = room, .len = len };
	int err = tls_sg_stream(sk, rx, &fill, off + len);

	if (err)
		return err;
	return fill.len ? -EMSGSIZE : fill.used;
}

/* A place in memory that a table describes. */
struct tls_sg_at {
	struct scatterlist *sg;
	u32 off;		/* in @sg */
};

static u32 tls_sg_left(const struct tls_sg_at *at)
{
	return min_t(u32, at->sg->length - at->off,
		     PAGE_SIZE - offset_in_page(at->sg->offset + at->off));
}

static void tls_sg_skip(struct tls_sg_at *at, u32 n)
{
	at->off += n;
	if (at->off == at->sg->length) {
		at->sg++;
		at->off = 0;
	}
}

/* Copies the memory of @n entries at @from to @to, a piece of a page at a time. */
static void tls_sg_copy(struct tls_sg_at *to, struct scatterlist *from, u32 n)
{
	struct tls_sg_at at = { .sg = from };
	u32 src, dst, part;

	while (at.sg < from + n) {
		src = at.sg->offset + at.off;
		dst = to->sg->offset + to->off;
		part = min(tls_sg_left(&at), tls_sg_left(to));
		memcpy_page(sg_page(to->sg) + (dst >> PAGE_SHIFT),
			    offset_in_page(dst),
			    sg_page(at.sg) + (src >> PAGE_SHIFT),
			    offset_in_page(src), part);
		tls_sg_skip(&at, part);
		tls_sg_skip(to, part);
	}
}

/**
 * tls_reasm_gather() - copy a part of the front record to scattered memory
 * @sk:		the socket, locked by its owner
 * @rx:		its receiving side; the record is complete
 * @dst:	destination, an array of entries for @len bytes
 * @off:	offset in the record
 * @len:	bytes
 *
 * Return: 0 or -ENODATA.
 */
int tls_reasm_gather(struct sock *sk, const struct tls_rx *rx,
		     struct scatterlist *dst, u32 off, u32 len)
{
	struct tls_sg_at to = { .sg = dst };
	struct scatterlist src[TLS_GATHER_SGS];
	struct tls_sg_fill fill = {
		.sg = src,
		.room = TLS_GATHER_SGS,
		.len = len,
	};
	int err = 0;

	sg_init_table(src, TLS_GATHER_SGS);
	while (!err && fill.len) {
		fill.used = 0;
		err = tls_sg_stream(sk, rx, &fill, off + len);
		tls_sg_copy(&to, src, fill.used);
	}
	return err;
}

/**
 * tls_reasm_work() - gather a record that nobody reads
 * @work:	in struct tls_rx
 */
void tls_reasm_work(struct work_struct *work)
{
	struct tls_rx *rx = container_of(to_delayed_work(work), struct tls_rx,
					 work);
	struct sock *sk = rx->ctx->ctx.sk;

	lock_sock(sk);
	if (tls_reasm_pull(sk, rx, false) == -ENOMEM)
		tls_work_queue(&rx->work, TLS_WORK_RETRY);
	else if (rx->ready)
		rx->data_ready(sk);
	release_sock(sk);
}

/**
 * tls_reasm_data_ready() - wake the reader when a whole record has arrived
 * @sk:		the socket
 *
 * Context: softirq, or the owner's backlog; the socket lock is held.
 */
void tls_reasm_data_ready(struct sock *sk)
{
	struct tls_rx *rx = tls_rx(sk);

	trace_sk_data_ready(sk);
	if (tls_reasm_check(sk, rx))
		rx->data_ready(sk);
	else if (tls_reasm_stuck(sk, rx))
		tls_work_queue(&rx->work, 0);
}
