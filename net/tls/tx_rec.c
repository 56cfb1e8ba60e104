// SPDX-License-Identifier: GPL-2.0-only
/*
 * One outgoing record: gathering its payload from user memory, pipes and page
 * cache. Copied payload is to be encrypted where it lies; foreign pages are read
 * only, and are let go before the record leaves (see tx_encrypt.c). It does not know
 * when records are opened, closed or sent.
 */

#include <net/sock.h>

#include "offload.h"
#include "tx_rec.h"
#include "tx_segs.h"

static struct tls_tx_rec *tls_tx_rec_new(struct sock *sk, struct tls_tx *tx,
					 u8 type)
{
	struct tls_tx_rec *rec = tx->spare;

	tx->spare = NULL;
	if (!rec)
		rec = kmalloc(sizeof(*rec), sk->sk_allocation | __GFP_ACCOUNT);
	if (!rec)
		return NULL;
	memset(rec, 0, offsetof(struct tls_tx_rec, src));
	rec->src.nr = 0;
	rec->out.nr = 0;
	rec->type = type;
	rec->copied = true;
	return rec;
}

/**
 * tls_tx_rec_alloc() - begin a record
 * @sk:		the socket, locked
 * @tx:		its sending side
 * @type:	content type
 * @large:	it is to have its payload encrypted from pages to pages. Then
 *		both are to lie alike in their pages, so that the cipher walks
 *		page by page; so header and tag are elsewhere, where those of
 *		one record follow those of the one before, and TCP sends both
 *		as one fragment.
 *
 * Return: a record with room for its header, or NULL without memory.
 */
struct tls_tx_rec *tls_tx_rec_alloc(struct sock *sk, struct tls_tx *tx,
				    u8 type, bool large)
{
	u32 len = tx->aead.fmt.prepend_len;
	struct tls_tx_rec *rec = tls_tx_rec_new(sk, tx, type);
	int err;

	if (!rec)
		return NULL;
	rec->large = large;
	err = large ? tls_tx_grow_edge(sk, tx, rec, &rec->src, len) :
		      tls_tx_grow(sk, rec, &rec->src, len, 0, 1);
	if (!err)
		return rec;

	tls_tx_rec_free(sk, tx, rec);
	return NULL;
}

/**
 * tls_tx_rec_free() - end a record, sent or not
 * @sk:		the socket, locked
 * @tx:		its sending side
 * @rec:	the record, in no list
 */
void tls_tx_rec_free(struct sock *sk, struct tls_tx *tx,
		     struct tls_tx_rec *rec)
{
	tls_segs_put(&rec->src);
	tls_segs_put(&rec->out);
	tls_epoch_put(rec->epoch);
	sk_mem_uncharge(sk, rec->charged);
	if (tx->spare)
		kfree(rec);
	else
		tx->spare = rec;
}

/* Room for @len bytes in one piece of which no block lies on two pages. */
static bool tls_tx_small_room(struct sock *sk, const struct tls_rec_fmt *fmt,
			      u32 len)
{
	struct page_frag *pfrag = sk_page_frag(sk);
	u32 gap = 0, at;

	if (!sk_page_frag_refill(sk, pfrag))
		return false;
	at = pfrag->offset + fmt->prepend_len;
	if (offset_in_page(at) + len - fmt->prepend_len > PAGE_SIZE)
		gap = -at & (TLS_TX_BLOCK - 1);
	if (pfrag->offset + gap + len > pfrag->size)
		return false;
	pfrag->offset += gap;
	return true;
}

static void tls_tx_small_fill(struct sock *sk, struct tls_tx_rec *rec,
			      u32 total)
{
	struct page_frag *pfrag = sk_page_frag(sk);

	rec->out.nr = 1;
	bvec_set_page(rec->out.v, pfrag->page, total, pfrag->offset);
	get_page(pfrag->page);
	pfrag->offset += total;
}

/**
 * tls_tx_rec_small() - make a whole record of a few bytes
 * @sk:		the socket, locked
 * @tx:		its sending side, with a cipher
 * @type:	content type
 * @iter:	the payload; advanced by @n, or not at all
 * @n:		bytes of payload
 *
 * Header, payload and tag are taken in one piece, which is charged and given to
 * TCP as one.
 *
 * Return: a record to be sealed; NULL when it cannot be had in this way.
 */
struct tls_tx_rec *tls_tx_rec_small(struct sock *sk, struct tls_tx *tx, u8 type,
				    struct iov_iter *iter, u32 n)
{
	const struct tls_rec_fmt *fmt = &tx->aead.fmt;
	u32 total = fmt->prepend_len + n + fmt->tail_len + fmt->tag_len;
	struct tls_tx_rec *rec;
	u8 *at;

	if (!tls_tx_small_room(sk, fmt, total))
		return NULL;
	rec = tls_tx_rec_new(sk, tx, type);
	if (!rec)
		return NULL;
	tls_tx_small_fill(sk, rec, total);
	at = tls_segs_at(&rec->out, fmt->prepend_len);
	if (tls_tx_charge(sk, rec, total) ||
	    !copy_from_iter_full(at, n, iter)) {
		tls_tx_rec_free(sk, tx, rec);
		return NULL;
	}
	if (fmt->tail_len)
		at[n] = type;
	rec->len = n;
	return rec;
}

/* The last segment is kept free for a piece of another page. */
static bool tls_tx_rec_full(const struct tls_tx_rec *rec,
			    const struct page_frag *pfrag)
{
	const struct bio_vec *last = &rec->src.v[rec->src.nr - 1];

	return rec->src.nr >= TLS_TX_SRC &&
	       (last->bv_page != pfrag->page ||
		last->bv_offset + last->bv_len != pfrag->offset);
}

/**
 * tls_tx_rec_copy() - append a copy of the message's next bytes
 * @sk:		the socket, locked
 * @rec:	an open record
 * @msg:	advanced by the bytes taken
 * @n:		at most so many bytes
 *
 * Return: bytes taken, fewer than @n when the rest needs another segment: call
 * again; -EMSGSIZE when the record has no segment left, -ENOMEM, -EFAULT.
 */
int tls_tx_rec_copy(struct sock *sk, struct tls_tx_rec *rec,
		    struct msghdr *msg, u32 n)
{
	struct page_frag *pfrag = sk_page_frag(sk);
	u32 copied;
	int piece;

	/* The copy is encrypted in place: no cipher block may cross a page. */
	piece = tls_tx_piece(sk, rec, pfrag, n, 0,
			     rec->large && !rec->len ? TLS_TX_BLOCK : 1);
	if (piece < 0)
		return piece;
	if (tls_tx_rec_full(rec, pfrag)) {
		tls_tx_piece_undo(sk, rec, piece);
		return -EMSGSIZE;
	}

	copied = copy_page_from_iter(pfrag->page, pfrag->offset, piece,
				     &msg->msg_iter);
	if (copied < piece)
		tls_tx_piece_undo(sk, rec, piece - copied);
	if (!copied)
		return -EFAULT;

	tls_segs_add_held(&rec->src, TLS_TX_SRC, pfrag->page, pfrag->offset,
			  copied);
	pfrag->offset += copied;
	rec->len += copied;
	return copied;
}

/**
 * tls_tx_rec_splice() - append the message's next page by reference
 * @sk:		the socket, locked
 * @rec:	an open record
 * @msg:	a MSG_SPLICE_PAGES message; advanced by the bytes taken
 * @n:		at most so many bytes
 *
 * Return: bytes taken, up to the end of a page; -EMSGSIZE when the record has
 * no segment left, or another error.
 */
int tls_tx_rec_splice(struct sock *sk, struct tls_tx_rec *rec,
		      struct msghdr *msg, u32 n)
{
	struct page *page, **pages = &page;
	ssize_t got;
	size_t off;

	got = iov_iter_extract_pages(&msg->msg_iter, &pages, n, 1, 0, &off);
	if (got <= 0)
		return got ? got : -EIO;
	if (!sendpage_ok(page)) {
		iov_iter_revert(&msg->msg_iter, got);
		return tls_tx_rec_copy(sk, rec, msg, got);
	}
	if (tls_segs_add_held(&rec->src, TLS_TX_SRC, page, off, got) < 0) {
		iov_iter_revert(&msg->msg_iter, got);
		return -EMSGSIZE;
	}
	rec->copied = false;
	rec->len += got;
	return got;
}

static int tls_tx_rec_hold_some(struct tls_tx_rec *rec, struct msghdr *msg,
				u32 want)
{
	struct page *pages[TLS_TX_SRC];
	u32 room = TLS_TX_SRC - rec->src.nr;
	size_t off, len;
	ssize_t got;
	int i;

	if (!room)
		return -EMSGSIZE;
	got = iov_iter_get_pages2(&msg->msg_iter, pages, want, room, &off);
	if (got <= 0)
		return got ? got : -EFAULT;

	for (i = 0, want = got; want; i++, want -= len, off = 0) {
		len = min_t(size_t, want, PAGE_SIZE - off);
		bvec_set_page(&rec->src.v[rec->src.nr++], pages[i], len, off);
	}
	return got;
}

/**
 * tls_tx_rec_hold() - take the caller's own pages as the payload
 * @sk:		the socket, locked
 * @rec:	a record without payload; must be sealed before sendmsg returns
 * @msg:	a message in user memory; advanced by @n, or not at all
 * @n:		bytes to take
 *
 * Return: @n; or an error, after which the bytes are better copied.
 */
int tls_tx_rec_hold(struct sock *sk, struct tls_tx_rec *rec,
		    struct msghdr *msg, u32 n)
{
	u32 done = 0;
	int got;

	while (done < n) {
		got = tls_tx_rec_hold_some(rec, msg, n - done);
		if (got < 0)
			goto undo;
		done += got;
	}
	rec->copied = false;
	rec->len = n;
	return n;

undo:
	while (rec->src.nr > 1)
		put_page(rec->src.v[--rec->src.nr].bv_page);
	iov_iter_revert(&msg->msg_iter, done);
	return got;
}
