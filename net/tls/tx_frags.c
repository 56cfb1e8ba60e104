// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory of one outgoing record: pieces of the socket's page fragment, and of a page
 * for headers and tags, charged to the socket and listed in order of the stream.
 */

#include <linux/uio.h>
#include <net/sock.h>

#include "tx_frags.h"
#include "tx_rec.h"

#define TLS_TX_PIECE_MIN	32	/* least rest of a page fragment to use; holds any header */

/**
 * tls_frags_cut() - remove the first bytes
 * @frags:	bytes of a record
 * @len:	how many; at most all
 * @put:	let go of their pages
 */
void tls_frags_cut(struct tls_frags *frags, u32 len, bool put)
{
	struct bio_vec *v = frags->v, *end = v + frags->nr;

	frags->len -= len;
	for (; v < end && len >= v->bv_len; len -= v++->bv_len)
		if (put)
			put_page(v->bv_page);
	if (len) {
		v->bv_offset += len;
		v->bv_len -= len;
	}
	frags->nr = end - v;
	memmove(frags->v, v, frags->nr * sizeof(*v));
}

/**
 * tls_frags_trim() - let go of the last bytes
 * @frags:	bytes of a record
 * @len:	how many stay
 */
void tls_frags_trim(struct tls_frags *frags, u32 len)
{
	struct bio_vec *last;

	while (frags->len > len) {
		last = &frags->v[frags->nr - 1];
		if (frags->len - len < last->bv_len) {
			last->bv_len -= frags->len - len;
			frags->len = len;
			return;
		}
		frags->len -= last->bv_len;
		put_page(last->bv_page);
		frags->nr--;
	}
}

/**
 * tls_frags_to_sg() - describe the bytes as a scatterlist
 * @frags:	bytes of a record
 * @skip:	bytes at the beginning that are left out
 * @sg:		destination, initialised, with an entry for each fragment
 *
 * Return: entries used, of which none is marked as the last.
 */
unsigned int tls_frags_to_sg(const struct tls_frags *frags, u32 skip,
			     struct scatterlist *sg)
{
	unsigned int i, n = 0;

	for (i = 0; i < frags->nr; i++) {
		const struct bio_vec *v = &frags->v[i];

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

static bool tls_tx_charge(struct sock *sk, struct tls_tx_rec *rec, u32 n)
{
	if (!sk_wmem_schedule(sk, n))
		return false;
	sk_mem_charge(sk, n);
	rec->charged += n;
	return true;
}

/**
 * tls_tx_shrink() - give the last bytes back, and their charge
 * @sk:		the socket, locked
 * @rec:	the record that was charged
 * @frags:	its bytes
 * @len:	how many stay
 */
void tls_tx_shrink(struct sock *sk, struct tls_tx_rec *rec,
		   struct tls_frags *frags, u32 len)
{
	rec->charged -= frags->len - len;
	sk_mem_uncharge(sk, frags->len - len);
	tls_frags_trim(frags, len);
}

/**
 * tls_tx_grow() - append room of the socket's page fragment
 * @sk:		the socket, locked
 * @rec:	the record that is charged
 * @frags:	its bytes
 * @max:	fragments that it may have
 * @len:	bytes of room
 * @at:		offset that the room is to begin at, modulo @unit, if it does not
 *		lie in one page anyway
 * @unit:	a power of two; 1 when any offset will do
 *
 * Return: 0; -ENOMEM or -EMSGSIZE, with nothing appended.
 */
int tls_tx_grow(struct sock *sk, struct tls_tx_rec *rec,
		struct tls_frags *frags, unsigned int max, u32 len, u32 at,
		u32 unit)
{
	struct page_frag *pfrag = sk_page_frag(sk);
	u32 n, gap, left = len;
	int err = 0;

	if (!tls_tx_charge(sk, rec, len))
		return -ENOMEM;
	for (; left; left -= n, unit = 1) {
		if (!sk_page_frag_refill(sk, pfrag)) {
			err = -ENOMEM;
			break;
		}
		gap = (at - pfrag->offset) & (unit - 1);
		if (gap && offset_in_page(pfrag->offset) + left > PAGE_SIZE &&
		    pfrag->offset + gap + TLS_TX_PIECE_MIN <= pfrag->size)
			pfrag->offset += gap;
		n = min_t(u32, left, pfrag->size - pfrag->offset);
		err = tls_frags_add(frags, max, pfrag->page, pfrag->offset, n);
		if (err)
			break;
		pfrag->offset += n;
	}
	if (err) {
		rec->charged -= left;
		sk_mem_uncharge(sk, left);
		tls_tx_shrink(sk, rec, frags, frags->len - (len - left));
	}
	return err;
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
 * tls_tx_grow_edge() - append space in the page for headers and tags
 * @sk:		the socket, locked
 * @tx:		its sending side, which owns the page
 * @rec:	the record that is charged
 * @len:	bytes of a header, or of type and tag; less than a page
 *
 * Return: 0; -ENOMEM or -EMSGSIZE, with nothing appended.
 */
int tls_tx_grow_edge(struct sock *sk, struct tls_tx *tx,
		     struct tls_tx_rec *rec, u32 len)
{
	struct page_frag *edges = &tx->edges;

	if (!tls_tx_edges_refill(edges, len, sk->sk_allocation) ||
	    !sk_wmem_schedule(sk, len))
		return -ENOMEM;
	if (tls_frags_add(&rec->wire, TLS_TX_FRAGS, edges->page, edges->offset,
			  len))
		return -EMSGSIZE;
	sk_mem_charge(sk, len);
	rec->charged += len;
	edges->offset += len;
	return 0;
}
