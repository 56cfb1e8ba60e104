// SPDX-License-Identifier: GPL-2.0-only
/*
 * One outgoing record: takes in payload from user memory, pipes and page cache.
 * Copied payload lies behind the header as on the wire, and is encrypted there.
 * Foreign pages are only read: they are encrypted into other memory (tx_encrypt.c),
 * but with a device they are the wire's bytes themselves. It does not know when
 * records are opened, sealed or sent.
 */

#include <net/sock.h>

#include "offload.h"
#include "tx_frags.h"
#include "tx_rec.h"

/* Fragments for header and payload; two more are reserved for type and tag. */
#define TLS_TX_WIRE_MAX	(TLS_TX_FRAGS - 2)

/**
 * tls_tx_rec_alloc() - begin a record
 * @sk:		the socket, locked
 * @tx:		its sending side
 *
 * Return: a record without bytes, or NULL without memory.
 */
struct tls_tx_rec *tls_tx_rec_alloc(struct sock *sk, struct tls_tx *tx)
{
	struct tls_tx_rec *rec;

	if (tx->spares) {
		rec = tx->spare[--tx->spares];
	} else {
		rec = kmalloc(sizeof(*rec), sk->sk_allocation | __GFP_ACCOUNT);
		if (!rec)
			return NULL;
	}
	memset(rec, 0, offsetof(struct tls_tx_rec, wire.v));
	rec->src.nr = 0;
	rec->src.len = 0;
	return rec;
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
	if (!rec->noted)
		tls_frags_put(&rec->wire);
	if (rec->src.nr)
		tls_frags_put(&rec->src);
	if (rec->charged)
		sk_mem_uncharge(sk, rec->charged);
	if (tx->spares < ARRAY_SIZE(tx->spare))
		tx->spare[tx->spares++] = rec;
	else
		kfree(rec);
}

/**
 * tls_tx_rec_free_spare() - free the memory that is kept for the next records
 * @tx:		a sending side that sends no more
 */
void tls_tx_rec_free_spare(struct tls_tx *tx)
{
	while (tx->spares)
		kfree(tx->spare[--tx->spares]);
}

/**
 * tls_tx_rec_apart() - move the payload of a record from @rec->wire to @rec->src
 * @sk:		the socket, locked
 * @rec:	an open record
 * @head:	bytes of its header, which stay in @rec->wire
 *
 * Needed for payload that is encrypted into other memory.
 */
void tls_tx_rec_apart(struct sock *sk, struct tls_tx_rec *rec, u32 head)
{
	tls_tx_shrink(sk, rec, &rec->wire, head + rec->len);
	rec->src = rec->wire;
	get_page(rec->wire.v[0].bv_page);
	tls_frags_cut(&rec->src, head, true);
	rec->wire.v[0].bv_len = head;
	rec->wire.nr = 1;
	rec->wire.len = head;
}

/* Makes room for the header alone: foreign pages follow. */
static int tls_tx_rec_head(struct sock *sk, struct tls_tx *tx,
			   struct tls_tx_rec *rec)
{
	u32 len = tx->aead.fmt.prepend_len;

	if (rec->wire.len)
		return 0;
	return rec->edged ? tls_tx_grow_edge(sk, tx, rec, len) :
			    tls_tx_grow(sk, rec, &rec->wire, TLS_TX_FRAGS, len,
					0, 1);
}

/*
 * Writes @len bytes of a message from offset @off on, into pages of our own, which are
 * mapped. Returns the bytes written: fewer when the sender's memory faults.
 */
static u32 tls_frags_copy(const struct tls_frags *frags, u32 off,
			  struct iov_iter *from, u32 len)
{
	const struct bio_vec *v = frags->v;
	u32 n, got, left = len;

	while (off >= v->bv_len)
		off -= v++->bv_len;
	for (; left; off = 0, v++) {
		n = min(left, v->bv_len - off);
		got = _copy_from_iter(page_address(v->bv_page) + v->bv_offset +
				      off, n, from);
		left -= got;
		if (got < n)
			break;
	}
	return len - left;
}

/**
 * tls_tx_rec_copy() - append a copy of the message's next bytes
 * @sk:		the socket, locked
 * @tx:		its sending side
 * @rec:	an open record
 * @msg:	advanced by the bytes taken
 * @n:		number of bytes to append
 * @last:	the record ends with these bytes
 *
 * Room for the header comes with the first bytes, room for the tag with the last.
 *
 * Return: bytes taken, fewer than @n when the sender's memory faults in between;
 * -EMSGSIZE when the record has no fragment left, -ENOMEM, -EFAULT.
 */
int tls_tx_rec_copy(struct sock *sk, struct tls_tx *tx, struct tls_tx_rec *rec,
		    struct msghdr *msg, u32 n, bool last)
{
	const struct tls_rec_fmt *fmt = &tx->aead.fmt;
	struct tls_frags *frags = rec->src.nr ? &rec->src : &rec->wire;
	u32 at, end, head = 0, copied;
	int err;

	if (!rec->wire.len && rec->edged) {
		err = tls_tx_grow_edge(sk, tx, rec, fmt->prepend_len);
		if (err)
			return err;
	} else if (!rec->wire.len) {
		head = fmt->prepend_len;
	}
	at = frags->len + head;
	end = last && !rec->src.nr ? fmt->tail_len + fmt->tag_len : 0;
	/*
	 * Bytes that are encrypted in place should have no block of the cipher on
	 * two pages.
	 */
	err = tls_tx_grow(sk, rec, frags, end ? TLS_TX_FRAGS : TLS_TX_WIRE_MAX,
			  head + n + end, -head,
			  rec->len || rec->plain ? 1 : TLS_TX_BLOCK);
	if (err)
		return err;
	copied = tls_frags_copy(frags, at, &msg->msg_iter, n);
	rec->len += copied;
	if (likely(copied == n))
		return n;
	tls_tx_shrink(sk, rec, frags, at + copied);
	return copied ?: -EFAULT;
}

static int tls_tx_rec_splice_page(struct sock *sk, struct tls_tx *tx,
				  struct tls_tx_rec *rec, struct msghdr *msg,
				  u32 n)
{
	struct tls_frags *frags = rec->plain ? &rec->wire : &rec->src;
	struct page *page, **pages = &page;
	ssize_t got;
	size_t off;

	got = iov_iter_extract_pages(&msg->msg_iter, &pages, n, 1, 0, &off);
	if (got <= 0)
		return got ? got : -EIO;
	if (!sendpage_ok(page)) {
		iov_iter_revert(&msg->msg_iter, got);
		return tls_tx_rec_copy(sk, tx, rec, msg, got, false);
	}
	if (!rec->plain && rec->len && !rec->src.nr)
		tls_tx_rec_apart(sk, rec, tx->aead.fmt.prepend_len);
	if (tls_frags_add(frags, TLS_TX_WIRE_MAX, page, off, got)) {
		iov_iter_revert(&msg->msg_iter, got);
		return -EMSGSIZE;
	}
	rec->len += got;
	return got;
}

/**
 * tls_tx_rec_splice() - append the message's next pages by reference
 * @sk:		the socket, locked
 * @tx:		its sending side
 * @rec:	an open record
 * @msg:	a MSG_SPLICE_PAGES message; advanced by the bytes taken
 * @n:		at most so many bytes
 *
 * Return: bytes taken; when there are none -EMSGSIZE if the record has no fragment
 * left, or another error.
 */
int tls_tx_rec_splice(struct sock *sk, struct tls_tx *tx,
		      struct tls_tx_rec *rec, struct msghdr *msg, u32 n)
{
	int err = tls_tx_rec_head(sk, tx, rec);
	u32 done = 0;

	while (!err && done < n) {
		err = tls_tx_rec_splice_page(sk, tx, rec, msg, n - done);
		if (err > 0) {
			done += err;
			err = 0;
		}
	}
	return done ?: err;
}

static int tls_tx_rec_hold_some(struct tls_tx_rec *rec, struct msghdr *msg,
				u32 want)
{
	struct tls_frags *src = &rec->src;
	struct page *pages[TLS_TX_FRAGS];
	size_t off, len;
	ssize_t got;
	int i;

	if (src->nr == TLS_TX_FRAGS)
		return -EMSGSIZE;
	got = iov_iter_get_pages2(&msg->msg_iter, pages, want,
				  TLS_TX_FRAGS - src->nr, &off);
	if (got <= 0)
		return got ? got : -EFAULT;

	for (i = 0, want = got; want; i++, want -= len, off = 0) {
		len = min_t(size_t, want, PAGE_SIZE - off);
		bvec_set_page(&src->v[src->nr++], pages[i], len, off);
		src->len += len;
	}
	return got;
}

/**
 * tls_tx_rec_hold() - take the caller's own pages as the payload
 * @sk:		the socket, locked
 * @tx:		its sending side
 * @rec:	a record without payload; must be sealed before sendmsg returns
 * @msg:	a message in user memory; advanced by @n, or not at all
 * @n:		bytes to take
 *
 * Return: @n; or an error, after which the bytes are better copied.
 */
int tls_tx_rec_hold(struct sock *sk, struct tls_tx *tx, struct tls_tx_rec *rec,
		    struct msghdr *msg, u32 n)
{
	int got = tls_tx_rec_head(sk, tx, rec);

	while (got >= 0 && rec->src.len < n)
		got = tls_tx_rec_hold_some(rec, msg, n - rec->src.len);
	if (got < 0) {
		iov_iter_revert(&msg->msg_iter, rec->src.len);
		tls_frags_put(&rec->src);
		return got;
	}
	rec->held = true;
	rec->len = n;
	return n;
}
