/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _TLS_TX_FRAGS_H
#define _TLS_TX_FRAGS_H

#include <linux/bvec.h>
#include <linux/scatterlist.h>

#include "tls_priv.h"

#define TLS_TX_FRAGS	14	/* so that struct tls_tx_rec has 512 bytes */
#define TLS_TX_BLOCK	64U	/* ChaCha20's, and a multiple of AES's */

struct iov_iter;
struct tls_tx_rec;

/**
 * struct tls_frags - bytes of a record, in order
 * @nr:		fragments in use
 * @len:	their bytes
 * @v:		the fragments; each holds a reference of its page
 */
struct tls_frags {
	unsigned int nr;
	u32 len;
	struct bio_vec v[TLS_TX_FRAGS];
};

int tls_frags_add(struct tls_frags *frags, unsigned int max, struct page *page,
		  u32 off, u32 len);
void tls_frags_put(struct tls_frags *frags);
void tls_frags_cut(struct tls_frags *frags, u32 len);
void tls_frags_trim(struct tls_frags *frags, u32 len);
unsigned int tls_frags_to_sg(const struct tls_frags *frags, u32 skip,
			     struct scatterlist *sg);
u8 *tls_frags_at(const struct tls_frags *frags, u32 off);
void tls_frags_clear(const struct tls_frags *frags, u32 off, u32 len);
u32 tls_frags_copy(const struct tls_frags *frags, u32 off,
		   struct iov_iter *from, u32 len);

int tls_tx_grow(struct sock *sk, struct tls_tx_rec *rec,
		struct tls_frags *frags, unsigned int max, u32 len, u32 at,
		u32 unit);
int tls_tx_grow_edge(struct sock *sk, struct tls_tx *tx,
		     struct tls_tx_rec *rec, u32 len);
void tls_tx_shrink(struct sock *sk, struct tls_tx_rec *rec,
		   struct tls_frags *frags, u32 len);

#endif /* _TLS_TX_FRAGS_H */
