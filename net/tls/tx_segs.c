// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory of one outgoing record: pieces of the socket's page fragment, and of a page
 * for headers and tags, charged to the socket and listed in order of the wire.
 */

#include <net/sock.h>

#include "tx_rec.h"
#include "tx_segs.h"

/**
 * tls_segs_add() - append bytes of a page
 * @segs:	segments of a record, or of several
 * @max:	segments that it may have
 * @page:	the page
 * @off:	offset in it
 * @len:	bytes
 *
 * Return: 1 when they were joined to the last segment, 0 when they are a new one,
 * -EMSGSIZE when there is no room for it.
 */
int tls_segs_add(struct tls_segs *segs, unsigned int max, struct page *page,
		 u32 off, u32 len)
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

/**
 * tls_segs_add_held() - append bytes of a page, with a reference
 * @segs:	segments of a record
 * @max:	segments that it may have
 * @page:	the page
 * @off:	offset in it
 * @len:	bytes
 *
 * Return: as tls_segs_add(); only a new segment takes a reference.
 */
int tls_segs_add_held(struct tls_segs *segs, unsigned int max,
		      struct page *page, u32 off, u32 len)
{
	int ret = tls_segs_add(segs, max, page, off, len);

	if (!ret)
		get_page(page);
	return ret;
}

/**
 * tls_segs_put() - let go of all segments
 * @segs:	segments of a record; none afterwards
 */
void tls_segs_put(struct tls_segs *segs)
{
	while (segs->nr)
		put_page(segs->v[--segs->nr].bv_page);
}

/**
 * tls_segs_cut() - let go of the first bytes
 * @segs:	segments of a record
 * @len:	bytes, fewer than they have
 */
void tls_segs_cut(struct tls_segs *segs, u32 len)
{
	struct bio_vec *v = segs->v;

	for (; len >= v->bv_len; len -= v++->bv_len)
		put_page(v->bv_page);
	v->bv_offset += len;
	v->bv_len -= len;
	segs->nr -= v - segs->v;
	memmove(segs->v, v, segs->nr * sizeof(*v));
}

/**
 * tls_segs_to_sg() - describe the segments as a scatterlist
 * @segs:	segments of a record
 * @skip:	bytes at the record's beginning that are left out
 * @sg:		destination, initialised, with an entry for each segment
 *
 * Return: entries used, of which none is marked as the last.
 */
unsigned int tls_segs_to_sg(const struct tls_segs *segs, u32 skip,
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

/**
 * tls_segs_at() - address of a byte
 * @segs:	segments of our own pages, which are mapped
 * @off:	the byte's offset in the record
 *
 * Return: the address, good up to the end of the segment.
 */
u8 *tls_segs_at(const struct tls_segs *segs, u32 off)
{
	const struct bio_vec *v = segs->v;

	while (off >= v->bv_len)
		off -= v++->bv_len;
	return page_address(v->bv_page) + v->bv_offset + off;
}

/**
 * tls_segs_clear() - set bytes to zero
 * @segs:	segments of our own pages, which are mapped
 * @off:	offset of the first byte in the record
 * @len:	how many
 */
void tls_segs_clear(const struct tls_segs *segs, u32 off, u32 len)
{
	const struct bio_vec *v = segs->v;
	u32 n;

	while (off >= v->bv_len)
		off -= v++->bv_len;
	for (; len; len -= n, off = 0, v++) {
		n = min(len, v->bv_len - off);
		memset(page_address(v->bv_page) + v->bv_offset + off, 0, n);
	}
}

/**
 * tls_tx_charge() - charge memory of a record to its socket
 * @sk:		the socket, locked
 * @rec:	the record
 * @n:		bytes
 *
 * Return: 0 or -ENOMEM.
 */
int tls_tx_charge(struct sock *sk, struct tls_tx_rec *rec, u32 n)
{
	if (!sk_wmem_schedule(sk, n))
		return -ENOMEM;
	sk_mem_charge(sk, n);
	rec->charged += n;
	return 0;
}

/**
 * tls_tx_piece() - get one piece of the socket's page fragment
 * @sk:		the socket, locked
 * @rec:	the record that is charged
 * @pfrag:	sk_page_frag(); the piece begins at its offset, which the caller
 *		advances
 * @want:	bytes, at most
 * @at:		the offset that is wished for, modulo @unit
 * @unit:	a power of two; 1 when any offset will do
 *
 * Return: bytes to be had, -ENOMEM.
 */
int tls_tx_piece(struct sock *sk, struct tls_tx_rec *rec,
		 struct page_frag *pfrag, u32 want, u32 at, u32 unit)
{
	u32 gap;

	if (!sk_page_frag_refill(sk, pfrag))
		return -ENOMEM;
	gap = (at - pfrag->offset) & (unit - 1);
	if (pfrag->offset + gap < pfrag->size)
		pfrag->offset += gap;
	want = min(want, pfrag->size - pfrag->offset);
	return tls_tx_charge(sk, rec, want) ?: want;
}

/**
 * tls_tx_piece_undo() - give bytes back that were charged and not used
 * @sk:		the socket, locked
 * @rec:	the record that was charged
 * @n:		bytes
 */
void tls_tx_piece_undo(struct sock *sk, struct tls_tx_rec *rec, u32 n)
{
	rec->charged -= n;
	sk_mem_uncharge(sk, n);
}

/**
 * tls_tx_grow() - append room of the socket's page fragment
 * @sk:		the socket, locked
 * @rec:	the record that is charged
 * @segs:	its segments
 * @len:	bytes
 * @at:		where the first piece is to begin, see tls_tx_piece()
 * @unit:	see tls_tx_piece()
 *
 * Return: 0; -ENOMEM, with a part of it appended.
 */
int tls_tx_grow(struct sock *sk, struct tls_tx_rec *rec,
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

/**
 * tls_tx_grow_edge() - append room that lies apart from any payload
 * @sk:		the socket, locked
 * @tx:		its sending side, which owns the page
 * @rec:	the record that is charged
 * @segs:	its segments
 * @len:	bytes of a header, or of type and tag; less than a page
 *
 * Return: 0 or -ENOMEM, with nothing appended.
 */
int tls_tx_grow_edge(struct sock *sk, struct tls_tx *tx,
		     struct tls_tx_rec *rec, struct tls_segs *segs, u32 len)
{
	struct page_frag *edges = &tx->edges;

	if (!tls_tx_edges_refill(edges, len, sk->sk_allocation) ||
	    tls_tx_charge(sk, rec, len))
		return -ENOMEM;
	if (tls_segs_add_held(segs, TLS_TX_SEGS, edges->page, edges->offset,
			      len) < 0) {
		tls_tx_piece_undo(sk, rec, len);
		return -ENOMEM;
	}
	edges->offset += len;
	return 0;
}
