/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _TLS_TX_FRAGS_H
#define _TLS_TX_FRAGS_H

#include <linux/bvec.h>
#include <linux/scatterlist.h>

#include "tls_priv.h"

#define TLS_TX_FRAGS	14	/* struct tls_tx_rec fits 512 bytes */
#define TLS_TX_BLOCK	64U	/* ChaCha20's, and a multiple of AES's */

struct iov_iter;
struct tls_tx_rec;

/**
 * struct tls_frags - bytes of a record, in order
 * @nr:		fragments in use
 * @len:	their bytes
 * @v:		the fragments; each has a reference of its page, except in a record that
 *		was noted (see struct tls_tx_rec)
 */
struct tls_frags {
	unsigned int nr;
	u32 len;
	struct bio_vec v[TLS_TX_FRAGS];
};

/**
 * tls_frags_add() - append bytes of a page
 * @frags:	bytes of a record
 * @max:	fragments that it may have
 * @page:	the page; a fragment that is not joined to the last one holds it
 * @off:	offset in it
 * @len:	bytes
 *
 * Return: 0; -EMSGSIZE when there is no fragment left.
 */
static inline int tls_frags_add(struct tls_frags *frags, unsigned int max,
				struct page *page, u32 off, u32 len)
{
	struct bio_vec *last = frags->nr ? &frags->v[frags->nr - 1] : NULL;

	if (last && last->bv_page == page &&
	    last->bv_offset + last->bv_len == off) {
		last->bv_len += len;
	} else if (frags->nr < max) {
		get_page(page);
		bvec_set_page(&frags->v[frags->nr++], page, len, off);
	} else {
		return -EMSGSIZE;
	}
	frags->len += len;
	return 0;
}

/**
 * tls_frags_put() - let go of all bytes
 * @frags:	bytes of a record; none afterwards
 */
static inline void tls_frags_put(struct tls_frags *frags)
{
	while (frags->nr)
		put_page(frags->v[--frags->nr].bv_page);
	frags->len = 0;
}

/**
 * tls_frags_start() - address of the first byte
 * @frags:	bytes in pages of our own, which are mapped
 *
 * Return: the address, good up to the end of the fragment.
 */
static inline u8 *tls_frags_start(const struct tls_frags *frags)
{
	return page_address(frags->v[0].bv_page) + frags->v[0].bv_offset;
}

/**
 * tls_frags_from_end() - address of one of the last bytes
 * @frags:	bytes in pages of our own, which are mapped
 * @n:		the byte's distance to the end; 1 for the last byte
 *
 * Return: the address, good up to the end of the fragment.
 */
static inline u8 *tls_frags_from_end(const struct tls_frags *frags, u32 n)
{
	const struct bio_vec *v = &frags->v[frags->nr - 1];

	while (n > v->bv_len)
		n -= (v--)->bv_len;
	return page_address(v->bv_page) + v->bv_offset + v->bv_len - n;
}

void tls_frags_cut(struct tls_frags *frags, u32 len, bool put);
void tls_frags_trim(struct tls_frags *frags, u32 len);
unsigned int tls_frags_to_sg(const struct tls_frags *frags, u32 skip,
			     struct scatterlist *sg);

int tls_tx_grow(struct sock *sk, struct tls_tx_rec *rec,
		struct tls_frags *frags, unsigned int max, u32 len, u32 at,
		u32 unit);
int tls_tx_grow_edge(struct sock *sk, struct tls_tx *tx,
		     struct tls_tx_rec *rec, u32 len);
void tls_tx_shrink(struct sock *sk, struct tls_tx_rec *rec,
		   struct tls_frags *frags, u32 len);

#endif /* _TLS_TX_FRAGS_H */
