/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _TLS_TX_REC_H
#define _TLS_TX_REC_H

#include "tls_priv.h"
#include "tx_frags.h"

/**
 * struct tls_tx_rec - a record on its way from sendmsg to TCP
 * @next:	next sealed record in tls_tx.pending, or NULL
 * @type:	content type
 * @plain:	payload left as plaintext for the device or the fallback
 * @noted:	sealed for the device; its page references are those of a tls_off_rec
 * @edged:	header in tls_tx.edges, and the tag unless the payload was copied
 * @held:	payload in pages of the caller, which must be read before it returns
 * @waited:	counted as one that TCP had no room for
 * @len:	bytes of payload
 * @charged:	bytes charged to the socket's memory
 * @wire:	bytes for TCP: while the record is open the header and the payload
 *		that was copied; once sealed all that TCP did not take
 * @src:	payload that is encrypted into other memory: foreign pages. Then all
 *		payload is here.
 */
struct tls_tx_rec {
	struct tls_tx_rec *next;
	u8 type;
	bool plain;
	bool noted;
	bool edged;
	bool held;
	bool waited;
	u32 len;
	u32 charged;
	struct tls_frags wire;
	struct tls_frags src;
};

struct tls_tx_rec *tls_tx_rec_alloc(struct sock *sk, struct tls_tx *tx);
void tls_tx_rec_free(struct sock *sk, struct tls_tx *tx,
		     struct tls_tx_rec *rec);
void tls_tx_rec_free_spare(struct tls_tx *tx);
int tls_tx_rec_copy(struct sock *sk, struct tls_tx *tx, struct tls_tx_rec *rec,
		    struct msghdr *msg, u32 n, bool last);
int tls_tx_rec_splice(struct sock *sk, struct tls_tx *tx,
		      struct tls_tx_rec *rec, struct msghdr *msg, u32 n);
int tls_tx_rec_hold(struct sock *sk, struct tls_tx *tx, struct tls_tx_rec *rec,
		    struct msghdr *msg, u32 n);
void tls_tx_rec_apart(struct sock *sk, struct tls_tx_rec *rec, u32 head);
int tls_tx_seal_rec(struct sock *sk, struct tls_tx *tx,
		    struct tls_tx_rec *rec);
int tls_tx_seal(struct sock *sk, struct tls_tx *tx);

/* Takes the oldest sealed record out of the pending ones. */
static inline struct tls_tx_rec *tls_tx_rec_next(struct tls_tx *tx)
{
	struct tls_tx_rec *rec = tx->pending;

	WRITE_ONCE(tx->pending, rec->next);
	return rec;
}

#endif /* _TLS_TX_REC_H */
