// SPDX-License-Identifier: GPL-2.0-only
/*
 * A whole plaintext record for the device, made in one go: header, payload and
 * room for the tag one behind the other in the socket's page fragment. A small
 * one TCP then appends to its packets as if it copied the bytes to where they
 * are: that is cheaper than a fragment for each record. The others go to TCP by
 * reference, and so does what it does not take at once (see tx.c).
 */

#include <net/tcp.h>

#include "cipher.h"
#include "offload.h"
#include "tls_main.h"
#include "tx_direct.h"
#include "tx_rec.h"

/* TCP leaves a page that has less room than this when it begins to copy. */
#define TLS_FRAG_MIN	32U
#define TLS_TAIL_MAX	(1 + 16)	/* content type, tag */
#define TLS_SMALL	4096U		/* bytes on the wire */

/**
 * struct tls_direct - one record
 * @sk:		the socket, locked
 * @tx:		its sending side
 * @rec:	what the list of unacknowledged records has of it
 * @pfrag:	the socket's page fragment
 * @next:	where the record goes on; without a page when it ends in @pfrag
 * @room:	bytes up to there
 * @len:	bytes on the wire
 * @sent:	bytes that TCP has taken
 * @error:	what ended the stream within the record, or 0
 */
struct tls_direct {
	struct sock *sk;
	struct tls_tx *tx;
	struct tls_off_rec *rec;
	struct page_frag *pfrag;
	struct page_frag next;
	u32 room;
	u32 len;
	u32 sent;
	int error;
};

/* Bytes that TCP would fill of a page before it takes another. */
static u32 tls_frag_room(const struct page_frag *pfrag)
{
	return pfrag->size - pfrag->offset - (TLS_FRAG_MIN - 1);
}

/* Says where the bytes will be, in two pages at most. */
static bool tls_direct_plan(struct tls_direct *d)
{
	struct page_frag *pfrag = d->pfrag;

	if (!sk_page_frag_refill(d->sk, pfrag))
		return false;
	d->room = min(tls_frag_room(pfrag), d->len);
	if (d->room < d->len &&
	    (!skb_page_frag_refill(TLS_FRAG_MIN, &d->next,
				   d->sk->sk_allocation) ||
	     tls_frag_room(&d->next) < d->len - d->room))
		return false;
	tls_off_rec_add_frag(d->rec, pfrag->page, pfrag->offset, d->room);
	if (d->room < d->len)
		tls_off_rec_add_frag(d->rec, d->next.page, 0,
				     d->len - d->room);
	return true;
}

static bool tls_direct_prepare(struct tls_direct *d)
{
	struct tls_tx *tx = d->tx;
	struct sock *sk = d->sk;

	if (!tx->spare)
		tx->spare = kmalloc(sizeof(*tx->spare), sk->sk_allocation);
	if (!tx->spare || !sk_wmem_schedule(sk, d->len))
		return false;
	d->rec = tls_off_rec_alloc(sk, tx, d->len, 2);
	return d->rec && tls_direct_plan(d);
}

static void tls_direct_turn(struct tls_direct *d)
{
	put_page(d->pfrag->page);
	*d->pfrag = d->next;
	d->next.page = NULL;
	d->room = d->len;
}

/* Where the next bytes go, at most *@len; the pages are our own, thus mapped. */
static void *tls_direct_next(struct tls_direct *d, u32 *len)
{
	struct page_frag *pfrag = d->pfrag;
	void *at;

	if (!d->room)
		tls_direct_turn(d);
	*len = min(*len, d->room);
	at = page_address(pfrag->page) + pfrag->offset;
	pfrag->offset += *len;
	d->room -= *len;
	return at;
}

/* False when the sender's memory faults. */
static bool tls_direct_put(struct tls_direct *d, struct iov_iter *iter, u32 len)
{
	void *at;
	u32 n;

	for (; len; len -= n) {
		n = len;
		at = tls_direct_next(d, &n);
		if (_copy_from_iter(at, n, iter) != n)
			return false;
	}
	return true;
}

static void tls_direct_put_buf(struct tls_direct *d, const u8 *buf, u32 len)
{
	void *at;
	u32 n;

	for (; len; buf += n, len -= n) {
		n = len;
		at = tls_direct_next(d, &n);
		memcpy(at, buf, n);
	}
}

static bool tls_direct_fill(struct tls_direct *d, struct iov_iter *payload,
			    u32 len, u8 type)
{
	const struct tls_rec_fmt *fmt = &d->tx->aead.fmt;
	struct tls_context *ctx = &d->tx->ctx->ctx;
	u8 head[TLS_REC_MAX_PREPEND], tail[TLS_TAIL_MAX] = { type };
	size_t before = iov_iter_count(payload);

	tls_rec_hdr_build(head, fmt, type, len,
			  ctx->tx.iv + d->tx->aead.cipher->salt_len);
	tls_direct_put_buf(d, head, fmt->prepend_len);
	if (!tls_direct_put(d, payload, len)) {
		iov_iter_revert(payload, before - iov_iter_count(payload));
		return false;
	}
	/* The tag is the device's to fill in. */
	tls_direct_put_buf(d, tail, fmt->tail_len + fmt->tag_len);
	return true;
}

/*
 * TCP copies the record onto itself and so makes it a part of its packet. There
 * was room for a byte, so there is for a small record.
 */
static void tls_direct_append(struct tls_direct *d, int flags)
{
	struct msghdr msg = {
		.msg_flags = MSG_DONTWAIT | MSG_NOSIGNAL |
			     MSG_SENDPAGE_DECRYPTED | flags,
	};
	struct page_frag *pfrag = d->pfrag;
	u32 end = pfrag->offset, at = end - d->len;
	struct sock *sk = d->sk;
	int ret, limit = sk->sk_sndbuf;
	struct kvec vec = {
		.iov_base = page_address(pfrag->page) + at,
		.iov_len = d->len,
	};

	pfrag->offset = at;
	iov_iter_kvec(&msg.msg_iter, ITER_SOURCE, &vec, 1, d->len);
	WRITE_ONCE(sk->sk_sndbuf, INT_MAX);
	ret = tcp_sendmsg_locked(sk, &msg, d->len);
	WRITE_ONCE(sk->sk_sndbuf, limit);
	d->sent = max(ret, 0);
	/* Nothing may be made of a record that is not where the list says. */
	if (WARN_ON_ONCE(pfrag->offset != at + d->sent))
		d->error = -EIO;
	pfrag->offset = end;
}

/* TCP takes the rest by reference. */
static void tls_direct_pend(struct tls_direct *d)
{
	const struct tls_record_info *info = &d->rec->info;
	struct tls_tx_rec *rec = d->tx->spare;
	int i;

	d->tx->spare = NULL;
	memset(rec, 0, offsetof(struct tls_tx_rec, src));
	rec->plain = true;
	rec->wire_len = d->len;
	rec->sent = d->sent;
	rec->charged = d->len - d->sent;
	sk_mem_charge(d->sk, rec->charged);
	rec->src.nr = 0;
	rec->out.nr = info->num_frags;
	for (i = 0; i < info->num_frags; i++) {
		const skb_frag_t *frag = &info->frags[i];

		get_page(skb_frag_page(frag));
		bvec_set_page(&rec->out.v[i], skb_frag_page(frag),
			      skb_frag_size(frag), skb_frag_off(frag));
	}
	list_add_tail(&rec->list, &d->tx->pending);
}

static void tls_direct_send(struct tls_direct *d, int flags)
{
	struct tls_tx *tx = d->tx;

	if (!tx->plain)
		tcp_write_collapse_fence(d->sk);
	tx->plain = true;
	tls_off_rec_add(d->sk, tx, d->rec, tls_off_pending(tx));
	tls_tx_advance(tx);
	if (d->len <= TLS_SMALL && d->rec->info.num_frags == 1 &&
	    list_empty(&tx->pending))
		tls_direct_append(d, flags);
	if (d->sent < d->len)
		tls_direct_pend(d);
}

/*
 * A record that was open is noted when TCP is offered it, one that is made here at
 * once, and the list is in the order of the stream.
 */
static bool tls_direct_overtakes(const struct tls_tx *tx)
{
	return !list_empty(&tx->pending) &&
	       list_last_entry(&tx->pending, struct tls_tx_rec, list)->epoch;
}

/**
 * tls_tx_direct() - make a whole record for the device
 * @sk:		the socket, locked; no record is open, those that wait for TCP are
 *		for the device
 * @tx:		its sending side, whose new records the device encrypts
 * @payload:	advanced by @len when that was taken
 * @len:	bytes of payload
 * @type:	content type
 * @flags:	MSG_MORE when more follows at once
 *
 * Return: @len, with the record in TCP or to be pushed; 0 when it cannot be done
 * in this way; -EAGAIN when TCP is full, or must be offered first what waits; -EIO,
 * or what broke the stream before.
 */
int tls_tx_direct(struct sock *sk, struct tls_tx *tx, struct iov_iter *payload,
		  u32 len, u8 type, int flags)
{
	const struct tls_rec_fmt *fmt = &tx->aead.fmt;
	struct tls_direct d = {
		.sk = sk,
		.tx = tx,
		.pfrag = sk_page_frag(sk),
		.len = fmt->prepend_len + len + fmt->tail_len + fmt->tag_len,
	};
	bool done;

	if (tx->error)
		return tx->error;
	if (!sk_stream_memory_free(sk) || tls_direct_overtakes(tx))
		return -EAGAIN;
	done = tls_direct_prepare(&d) &&
	       tls_direct_fill(&d, payload, len, type);
	if (done)
		tls_direct_send(&d, flags);
	else if (d.rec)
		tls_off_rec_put(d.rec);
	if (d.next.page)
		put_page(d.next.page);
	/* Else it may be that the key's last number is used up: sent all the same. */
	if (d.error)
		tx->error = d.error;
	return done ? d.error ?: len : 0;
}
