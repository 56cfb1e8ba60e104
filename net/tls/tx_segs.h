/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _TLS_TX_SEGS_H
#define _TLS_TX_SEGS_H

#include <linux/bvec.h>
#include <linux/scatterlist.h>

#include "tls_priv.h"

#define TLS_TX_BLOCK	64U	/* ChaCha20's, and a multiple of AES's */

struct tls_tx_rec;

struct tls_segs {
	unsigned int nr;
	struct bio_vec v[TLS_TX_SEGS];	/* each holds one page reference */
};

int tls_segs_add(struct tls_segs *segs, unsigned int max, struct page *page,
		 u32 off, u32 len);
int tls_segs_add_held(struct tls_segs *segs, unsigned int max,
		      struct page *page, u32 off, u32 len);
void tls_segs_put(struct tls_segs *segs);
void tls_segs_cut(struct tls_segs *segs, u32 len);
unsigned int tls_segs_to_sg(const struct tls_segs *segs, u32 skip,
			    struct scatterlist *sg);
u8 *tls_segs_at(const struct tls_segs *segs, u32 off);
void tls_segs_clear(const struct tls_segs *segs, u32 off, u32 len);

int tls_tx_charge(struct sock *sk, struct tls_tx_rec *rec, u32 n);
int tls_tx_piece(struct sock *sk, struct tls_tx_rec *rec,
		 struct page_frag *pfrag, u32 want, u32 at, u32 unit);
void tls_tx_piece_undo(struct sock *sk, struct tls_tx_rec *rec, u32 n);
int tls_tx_grow(struct sock *sk, struct tls_tx_rec *rec,
		struct tls_segs *segs, u32 len, u32 at, u32 unit);
int tls_tx_grow_edge(struct sock *sk, struct tls_tx *tx,
		     struct tls_tx_rec *rec, struct tls_segs *segs, u32 len);

#endif /* _TLS_TX_SEGS_H */
