// SPDX-License-Identifier: GPL-2.0-only
/*
 * A whole plaintext record for the device, made in one go: header, payload and
 * room for the tag one behind the other in the socket's page fragment. TCP takes
 * the records of one call together, by reference, and joins each to the record that
 * lies before it in memory. Bytes that TCP does not take at once go to
 * tls_tx.pending (see tx.c).
 */

#include <net/tcp.h>

#include "cipher.h"
#include "offload.h"
#include "tx_append.h"
#include "tx_direct.h"
#include "tx_rec.h"

static_assert(2 * TLS_TX_GATHER <= TLS_TX_SEGS);

/**
 * struct tls_direct - one record
 * @sk:		the socket, locked
 * @tx:		its sending side
 * @rec:	its entry in the list of unacknowledged records
 * @next:	page that the record ends in, if not in the socket's fragment
 * @nr:		pieces, 1 or 2
 * @v:		where the record lies; the header in the first piece
 * @len:	bytes on the wire
 */
struct tls_direct {
	struct sock *sk;
	struct tls_tx *tx;
	struct tls_off_rec *rec;
	struct page_frag next;
	unsigned int nr;
	struct bio_vec v[2];
	u32 len;
};

/* Says where the bytes will be, in two pages at most. */
static bool tls_direct_plan(struct tls_direct *d)
{
	struct page_frag *pfrag = sk_page_frag(d->sk);
	u32 room, rest;

	if (!sk_page_frag_refill(d->sk, pfrag))
		return false;
	room = min(pfrag->size - pfrag->offset, d->len);
	rest = d->len - room;
	bvec_set_page(&d->v[0], pfrag->page, room, pfrag->offset);
	d->nr = 1;
	if (!rest)
		return true;
	if (!skb_page_frag_refill(1, &d->next, d->sk->sk_allocation) ||
	    d->next.size < rest)
		return false;
	bvec_set_page(&d->v[d->nr++], d->next.page, rest, 0);
	return true;
}

/* @ahead: bytes that TCP takes before. The spare is for a rest that TCP leaves. */
static bool tls_direct_prepare(struct tls_direct *d, u32 ahead)
{
	struct tls_tx *tx = d->tx;
	struct sock *sk = d->sk;

	if (!tx->spare)
		tx->spare = kmalloc(sizeof(*tx->spare),
				    sk->sk_allocation | __GFP_ACCOUNT);
	if (!tx->spare || !sk_wmem_schedule(sk, ahead + d->len) ||
	    !tls_direct_plan(d))
		return false;
	d->rec = tls_off_rec_alloc(sk, tx, d->len, ARRAY_SIZE(d->v));
	return d->rec;
}

/* Our pages are mapped. */
static u8 *tls_direct_piece(const struct tls_direct *d, unsigned int i)
{
	return page_address(d->v[i].bv_page) + d->v[i].bv_offset;
}

/* False when the sender's memory faults. @room: bytes of the first piece. */
static bool tls_direct_copy(struct tls_direct *d, u8 *at, u32 room,
			    struct iov_iter *iter, u32 len)
{
	u32 n = min(room, len);

	return _copy_from_iter(at, n, iter) == n &&
	       (n == len || _copy_from_iter(tls_direct_piece(d, 1), len - n,
					    iter) == len - n);
}

/* The content type of TLS 1.3; the tag is the device's to fill in. */
static void tls_direct_end(struct tls_direct *d, u32 off, u8 type)
{
	u32 room = d->v[0].bv_len, n = 0;

	if (off < room) {
		n = min(room, d->len) - off;
		memset(tls_direct_piece(d, 0) + off, 0, n);
	}
	if (off + n < d->len)
		memset(tls_direct_piece(d, 1) + off + n - room, 0,
		       d->len - off - n);
	if (d->tx->aead.fmt.tail_len)
		*(off < room ? tls_direct_piece(d, 0) + off :
			       tls_direct_piece(d, 1) + off - room) = type;
}

static bool tls_direct_fill(struct tls_direct *d, struct iov_iter *payload,
			    u32 len, u8 type)
{
	const struct tls_rec_fmt *fmt = &d->tx->aead.fmt;
	struct tls_context *ctx = &d->tx->ctx->ctx;
	size_t before = iov_iter_count(payload);
	u8 *at = tls_direct_piece(d, 0);

	/* A fragment that is not refilled has room for the header. */
	tls_rec_hdr_build(at, fmt, type, len,
			  ctx->tx.iv + d->tx->aead.cipher->salt_len);
	if (!tls_direct_copy(d, at + fmt->prepend_len,
			     d->v[0].bv_len - fmt->prepend_len, payload, len)) {
		iov_iter_revert(payload, before - iov_iter_count(payload));
		return false;
	}
	tls_direct_end(d, fmt->prepend_len + len, type);
	return true;
}

/* The memory is used: the list gets it, and the batch, which has room. */
static void tls_direct_take(struct tls_direct *d,
			    struct tls_direct_batch *batch)
{
	struct page_frag *pfrag = sk_page_frag(d->sk);
	unsigned int i;

	for (i = 0; i < d->nr; i++) {
		const struct bio_vec *v = &d->v[i];

		tls_off_rec_add_frag(d->rec, v->bv_page, v->bv_offset,
				     v->bv_len);
		tls_segs_add(&batch->segs, TLS_TX_SEGS, v->bv_page,
			     v->bv_offset, v->bv_len);
	}
	if (d->nr == 1) {
		pfrag->offset += d->len;
		return;
	}
	put_page(pfrag->page);
	*pfrag = d->next;
	pfrag->offset = d->v[1].bv_len;
	d->next.page = NULL;
}

/**
 * tls_tx_direct() - make a whole record for the device
 * @sk:		the socket, locked; no record is open
 * @tx:		its sending side; the device encrypts new records
 * @batch:	gets the record; has fewer than TLS_TX_GATHER
 * @payload:	advanced by @len when that was taken
 * @len:	bytes of payload
 * @type:	content type
 *
 * A record that was open is noted when TCP is offered it, one that is made here at
 * once, and the list is in the order of the stream: so nothing may be pending.
 *
 * Return: @len; 0 when it cannot be done in this way; -EAGAIN when TCP is full or
 * records are pending; or the error that broke the stream.
 */
int tls_tx_direct(struct sock *sk, struct tls_tx *tx,
		  struct tls_direct_batch *batch, struct iov_iter *payload,
		  u32 len, u8 type)
{
	const struct tls_rec_fmt *fmt = &tx->aead.fmt;
	struct tls_direct d = {
		.sk = sk,
		.tx = tx,
		.len = fmt->prepend_len + len + fmt->tail_len + fmt->tag_len,
	};
	bool done;

	if (tls_tx_may_seal(tx))
		return tx->error;
	if (!sk_stream_memory_free(sk) || !list_empty(&tx->pending))
		return -EAGAIN;
	done = tls_direct_prepare(&d, batch->len) &&
	       tls_direct_fill(&d, payload, len, type);
	if (done) {
		tls_direct_take(&d, batch);
		tls_off_rec_add(sk, tx, d.rec, batch->len);
		batch->len += d.len;
		tls_tx_advance(tx);
	} else if (d.rec) {
		tls_off_rec_put(d.rec);
	}
	if (d.next.page)
		put_page(d.next.page);
	return done ? len : 0;
}

/* The rest that TCP did not take pends as if it were one record. */
static void tls_batch_pend(struct sock *sk, struct tls_tx *tx,
			   const struct tls_direct_batch *batch, u32 sent)
{
	struct tls_tx_rec *rec = tx->spare;
	unsigned int i;

	tx->spare = NULL;
	memset(rec, 0, offsetof(struct tls_tx_rec, src));
	rec->plain = true;
	rec->wire_len = batch->len;
	rec->sent = sent;
	rec->charged = batch->len - sent;
	sk_mem_charge(sk, rec->charged);
	rec->src.nr = 0;
	rec->out = batch->segs;
	for (i = 0; i < rec->out.nr; i++)
		get_page(rec->out.v[i].bv_page);
	if (sent)
		tls_segs_cut(&rec->out, sent);
	list_add_tail(&rec->list, &tx->pending);
}

/**
 * tls_tx_direct_offer() - give TCP the records
 * @sk:		the socket, locked
 * @tx:		its sending side
 * @batch:	the records; empty afterwards
 * @flags:	MSG_MORE when more follows at once
 *
 * The rest that TCP does not take is pending.
 */
void tls_tx_direct_offer(struct sock *sk, struct tls_tx *tx,
			 struct tls_direct_batch *batch, int flags)
{
	int ret;

	if (!tx->plain)
		tcp_write_collapse_fence(sk);
	tx->plain = true;
	ret = tls_tx_append(sk, batch->segs.v, batch->segs.nr, batch->len,
			    flags | MSG_SENDPAGE_DECRYPTED);
	ret = max(ret, 0);
	if (ret < batch->len)
		tls_batch_pend(sk, tx, batch, ret);
	batch->segs.nr = 0;
	batch->len = 0;
}
