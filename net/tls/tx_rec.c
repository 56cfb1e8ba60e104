// SPDX-License-Identifier: GPL-2.0-only
/*
 * One outgoing record: gathering its payload from user memory, pipes and page
 * cache, and sealing it. Copied payload is encrypted where it lies; foreign
 * pages are read only, and are let go before the record leaves. It does not
 * know when records are opened, closed or sent.
 */

#include <net/sock.h>

#include "aead.h"
#include "offload.h"
#include "tx_rec.h"

#define TLS_TX_BLOCK	64U	/* ChaCha20's, and a multiple of AES's */

/* Returns 1 when the bytes were joined to the last segment, 0 for a new one. */
static int tls_segs_add(struct tls_segs *segs, unsigned int max,
			struct page *page, u32 off, u32 len)
{
	struct bio_vec *last = segs->nr ? &segs->v[segs->nr - 1] : NULL;

	if (last && last->bv_page == page &&
	    last->bv_offset + last->bv_len == off) {
		last->bv_len += len;
		return 1;
	}
	if (segs->nr >= max)
		return -EMSGSIZE;
	bvec_set_page(&segs->v[segs->nr++], page, len, off);
	return 0;
}

static int tls_segs_add_held(struct tls_segs *segs, unsigned int max,
			     struct page *page, u32 off, u32 len)
{
	int ret = tls_segs_add(segs, max, page, off, len);

	if (!ret)
		get_page(page);
	return ret;
}

static void tls_segs_put(struct tls_segs *segs)
{
	while (segs->nr)
		put_page(segs->v[--segs->nr].bv_page);
}

/* Entries for the bytes behind the first @skip. */
static unsigned int tls_segs_to_sg(const struct tls_segs *segs, u32 skip,
				   struct scatterlist *sg)
{
	unsigned int i, n = 0;

	for (i = 0; i < segs->nr; i++) {
		const struct bio_vec *v = &segs->v[i];

		if (skip >= v->bv_len) {
			skip -= v->bv_len;
			continue;
		}
		sg_set_page(&sg[n++], v->bv_page, v->bv_len - skip,
			    v->bv_offset + skip);
		skip = 0;
	}
	return n;
}

/* Address of a wire byte; all pages behind it are our own, thus mapped. */
static u8 *tls_segs_at(const struct tls_segs *segs, u32 off)
{
	const struct bio_vec *v = segs->v;

	while (off >= v->bv_len)
		off -= v++->bv_len;
	return page_address(v->bv_page) + v->bv_offset + off;
}

static int tls_tx_charge(struct sock *sk, struct tls_tx_rec *rec, u32 n)
{
	if (!sk_wmem_schedule(sk, n))
		return -ENOMEM;
	sk_mem_charge(sk, n);
	rec->charged += n;
	return n;
}

/*
 * One piece of the socket's page fragment, charged to the socket. It begins at
 * an offset that is @at modulo @unit, a power of two, if there is room.
 */
static int tls_tx_piece(struct sock *sk, struct tls_tx_rec *rec,
			struct page_frag *pfrag, u32 want, u32 at, u32 unit)
{
	u32 gap;

	if (!sk_page_frag_refill(sk, pfrag))
		return -ENOMEM;
	gap = (at - pfrag->offset) & (unit - 1);
	if (pfrag->offset + gap < pfrag->size)
		pfrag->offset += gap;
	return tls_tx_charge(sk, rec, min(want, pfrag->size - pfrag->offset));
}

static void tls_tx_piece_undo(struct sock *sk, struct tls_tx_rec *rec, u32 n)
{
	rec->charged -= n;
	sk_mem_uncharge(sk, n);
}

/* @at and @unit are for the first piece, see tls_tx_piece(). */
static int tls_tx_grow(struct sock *sk, struct tls_tx_rec *rec,
		       struct tls_segs *segs, u32 len, u32 at, u32 unit)
{
	struct page_frag *pfrag = sk_page_frag(sk);
	int n;

	for (; len; len -= n, unit = 1) {
		n = tls_tx_piece(sk, rec, pfrag, len, at, unit);
		if (n < 0)
			return n;
		if (tls_segs_add_held(segs, TLS_TX_SEGS, pfrag->page,
				      pfrag->offset, n) < 0) {
			tls_tx_piece_undo(sk, rec, n);
			return -ENOMEM;
		}
		pfrag->offset += n;
	}
	return 0;
}

static bool tls_tx_edges_refill(struct page_frag *edges, u32 want, gfp_t gfp)
{
	if (edges->page && edges->offset + want <= edges->size)
		return true;
	if (edges->page && page_ref_count(edges->page) > 1) {
		put_page(edges->page);
		edges->page = NULL;
	}
	if (!edges->page)
		edges->page = alloc_page(gfp);
	edges->offset = 0;
	edges->size = PAGE_SIZE;
	return edges->page;
}

/* The header or the end of a record whose payload lies apart from both. */
static int tls_tx_grow_edge(struct sock *sk, struct tls_tx *tx,
			    struct tls_tx_rec *rec, struct tls_segs *segs,
			    u32 len)
{
	struct page_frag *edges = &tx->edges;

	if (!tls_tx_edges_refill(edges, len, sk->sk_allocation) ||
	    tls_tx_charge(sk, rec, len) < 0)
		return -ENOMEM;
	if (tls_segs_add_held(segs, TLS_TX_SEGS, edges->page, edges->offset,
			      len) < 0) {
		tls_tx_piece_undo(sk, rec, len);
		return -ENOMEM;
	}
	edges->offset += len;
	return 0;
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
	struct tls_tx_rec *rec = tx->spare;
	int err;

	tx->spare = NULL;
	if (!rec)
		rec = kmalloc(sizeof(*rec), sk->sk_allocation);
	if (!rec)
		return NULL;

	memset(rec, 0, offsetof(struct tls_tx_rec, src));
	rec->src.nr = 0;
	rec->out.nr = 0;
	rec->type = type;
	rec->copied = true;
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

/* The last segment is kept free for a piece whose page differs. */
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
 * @msg:	advanced by what was taken
 * @n:		at most so many bytes
 *
 * Return: bytes taken, fewer when the next segment is another one; -EMSGSIZE
 * when the record has no segment left, -ENOMEM, -EFAULT.
 */
int tls_tx_rec_copy(struct sock *sk, struct tls_tx_rec *rec,
		    struct msghdr *msg, u32 n)
{
	struct page_frag *pfrag = sk_page_frag(sk);
	u32 copied;
	int piece;

	/* Encrypted in its place, so no block is to lie on two pages. */
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
 * @msg:	a MSG_SPLICE_PAGES message; advanced by what was taken
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

/* Payload stays where it is; only the tail and the tag are added. */
static int tls_tx_rec_close_in_place(struct sock *sk, struct tls_tx *tx,
				     struct tls_tx_rec *rec)
{
	const struct tls_rec_fmt *fmt = &tx->aead.fmt;
	u32 end = fmt->tail_len + fmt->tag_len;
	int err;

	rec->out = rec->src;
	if (rec->large && !rec->copied)
		err = tls_tx_grow_edge(sk, tx, rec, &rec->out, end);
	else
		err = tls_tx_grow(sk, rec, &rec->out, end, 0, 1);
	if (!err && fmt->tail_len)
		*tls_segs_at(&rec->out, fmt->prepend_len + rec->len) =
			rec->type;
	return err;
}

static int tls_tx_rec_close_apart(struct sock *sk, struct tls_tx *tx,
				  struct tls_tx_rec *rec)
{
	const struct tls_rec_fmt *fmt = &tx->aead.fmt;
	u32 end = fmt->tail_len + fmt->tag_len;
	struct bio_vec *src = rec->src.v;
	int err;

	tls_segs_add_held(&rec->out, TLS_TX_SEGS, src->bv_page, src->bv_offset,
			  fmt->prepend_len);
	if (!rec->large)
		return tls_tx_grow(sk, rec, &rec->out, rec->len + end, 0, 1);
	err = tls_tx_grow(sk, rec, &rec->out, rec->len, src[1].bv_offset,
			  PAGE_SIZE);
	return err ?: tls_tx_grow_edge(sk, tx, rec, &rec->out, end);
}

/* As it was before it was closed; the first @shared segments are the source's. */
static void tls_tx_rec_reopen(struct sock *sk, struct tls_tx_rec *rec,
			      unsigned int shared, u32 charged)
{
	while (rec->out.nr > shared)
		put_page(rec->out.v[--rec->out.nr].bv_page);
	rec->out.nr = 0;
	tls_tx_piece_undo(sk, rec, rec->charged - charged);
}

/*
 * Does no block of the cipher lie on two pages? The crypto API takes memory for
 * one that does. Without memory it stops there, and what lies before, encrypted
 * in its place, could neither be sent nor encrypted again.
 */
static bool tls_tx_rec_by_blocks(const struct tls_segs *segs, u32 skip, u32 len)
{
	const struct bio_vec *v = segs->v;
	u32 off, n;

	for (; len; v++, len -= n) {
		off = v->bv_offset + min(skip, v->bv_len);
		n = min(v->bv_offset + v->bv_len - off, len);
		skip -= off - v->bv_offset;
		if (offset_in_page(off) + n > PAGE_SIZE && off % TLS_TX_BLOCK)
			return false;
		if (n < len && n % TLS_TX_BLOCK)
			return false;
	}
	return true;
}

/* Lays out the bytes of the wire; the source has none left if it becomes them. */
static int tls_tx_rec_close(struct sock *sk, struct tls_tx *tx,
			    struct tls_tx_rec *rec)
{
	const struct tls_rec_fmt *fmt = &tx->aead.fmt;
	u32 charged = rec->charged;
	int err;

	if (rec->plain || rec->copied) {
		err = tls_tx_rec_close_in_place(sk, tx, rec);
		if (!err && (rec->plain ||
			     tls_tx_rec_by_blocks(&rec->out, fmt->prepend_len,
						  rec->len + fmt->tail_len))) {
			rec->src.nr = 0;
			return 0;
		}
		tls_tx_rec_reopen(sk, rec, rec->src.nr, charged);
		if (err)
			return err;
	}
	err = tls_tx_rec_close_apart(sk, tx, rec);
	if (err)
		tls_tx_rec_reopen(sk, rec, 0, charged);
	return err;
}

/* Source and destination of one record: additional data, content, type, tag. */
struct tls_tx_sg {
	struct scatterlist dst[TLS_TX_SEGS + 1];
	struct scatterlist src[TLS_TX_SEGS + 2];
};

static struct scatterlist *tls_tx_rec_to_sg(struct tls_tx *tx,
					    const struct tls_tx_rec *rec,
					    struct tls_tx_sg *sg, u32 assoc)
{
	struct tls_aead *aead = &tx->aead;
	const struct tls_rec_fmt *fmt = &aead->fmt;
	u32 skip = 0, first = 0, n;

	/* The additional data of TLS 1.3 is the header, where it lies. */
	sg_init_table(sg->dst, rec->out.nr + 1);
	if (!fmt->is_13) {
		sg_set_buf(sg->dst, aead->aad, assoc);
		skip = fmt->prepend_len;
		first = 1;
	}
	n = first + tls_segs_to_sg(&rec->out, skip, sg->dst + first);
	sg_mark_end(&sg->dst[n - 1]);
	if (!rec->src.nr)
		return sg->dst;

	sg_init_table(sg->src, rec->src.nr + 2);
	if (first)
		sg_set_buf(sg->src, aead->aad, assoc);
	n = first + tls_segs_to_sg(&rec->src, skip, sg->src + first);
	aead->tail = rec->type;
	if (fmt->tail_len)
		sg_set_buf(&sg->src[n++], &aead->tail, 1);
	sg_mark_end(&sg->src[n - 1]);
	return sg->src;
}

static int tls_tx_rec_encrypt(struct tls_tx *tx, struct tls_tx_rec *rec)
{
	struct tls_context *ctx = &tx->ctx->ctx;
	struct tls_aead *aead = &tx->aead;
	struct scatterlist *src;
	struct tls_tx_sg sg;
	u32 assoc, len;

	len = rec->len + aead->fmt.tail_len;
	assoc = tls_rec_aad(aead->aad, &aead->fmt, rec->type, len,
			    ctx->tx.rec_seq);
	tls_aead_iv(aead, ctx->tx.iv, ctx->tx.rec_seq);
	src = tls_tx_rec_to_sg(tx, rec, &sg, assoc);
	return tls_aead_seal(aead, src, sg.dst, assoc, len);
}

/**
 * tls_tx_advance() - the next record takes the next number
 * @tx:		the sending side
 */
void tls_tx_advance(struct tls_tx *tx)
{
	struct tls_context *ctx = &tx->ctx->ctx;
	const struct tls_aead *aead = &tx->aead;

	if (aead->fmt.explicit_len)
		tls_rec_counter_inc(ctx->tx.iv + aead->cipher->salt_len,
				    aead->fmt.explicit_len);
	if (tls_rec_counter_inc(ctx->tx.rec_seq, TLS_REC_SEQ_LEN))
		tx->error = -EBADMSG;
}

/**
 * tls_tx_rec_seal() - make wire bytes of a record
 * @sk:		the socket, locked
 * @tx:		its sending side
 * @rec:	the open record; may be sealed again after -ENOMEM
 *
 * The record takes the next number. With @rec->plain the payload is left to
 * the device.
 *
 * Return: 0; -ENOMEM, with nothing changed; another error ends the stream.
 */
int tls_tx_rec_seal(struct sock *sk, struct tls_tx *tx,
		    struct tls_tx_rec *rec)
{
	const struct tls_rec_fmt *fmt = &tx->aead.fmt;
	struct tls_context *ctx = &tx->ctx->ctx;
	u32 charged = rec->charged;
	int err;

	if (tx->error)
		return tx->error;
	err = tls_tx_rec_close(sk, tx, rec);
	if (err)
		return err;

	rec->wire_len = fmt->prepend_len + rec->len + fmt->tail_len +
			fmt->tag_len;
	rec->sn = get_unaligned_be64(ctx->tx.rec_seq);
	tls_rec_hdr_build(tls_segs_at(&rec->out, 0), fmt, rec->type, rec->len,
			  ctx->tx.iv + tx->aead.cipher->salt_len);
	if (!rec->plain) {
		err = tls_tx_rec_encrypt(tx, rec);
		if (err == -ENOMEM && rec->src.nr) {
			tls_tx_rec_reopen(sk, rec, 0, charged);
			return err;
		}
		tls_segs_put(&rec->src);
	}
	if (err)
		tx->error = err;
	else
		tls_tx_advance(tx);
	return err;
}
