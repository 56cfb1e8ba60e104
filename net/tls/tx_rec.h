/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _TLS_TX_REC_H
#define _TLS_TX_REC_H

#include "tls_priv.h"
#include "tx_segs.h"

#define TLS_TX_SRC	(TLS_TX_SEGS - 3)	/* room for header and tag */

/**
 * struct tls_tx_rec - a record on its way from sendmsg to TCP
 * @list:	in tls_tx.pending once sealed
 * @type:	content type
 * @len:	bytes of payload
 * @wire_len:	bytes on the wire, once sealed
 * @sent:	bytes that TCP took
 * @charged:	bytes charged to the socket's memory
 * @copied:	payload in pages of our own, to be encrypted in place
 * @large:	header and tag in tls_tx.edges
 * @plain:	payload left as plaintext for the device or the fallback
 * @epoch:	key of a plaintext record
 * @sn:		record number
 * @src:	room for the header, then the payload
 * @out:	wire bytes, once sealed, that TCP did not take
 */
struct tls_tx_rec {
	struct list_head list;
	u8 type;
	u32 len;
	u32 wire_len;
	u32 sent;
	u32 charged;
	bool copied;
	bool large;
	bool plain;
	u64 sn;
	struct tls_epoch *epoch;
	struct tls_segs src;
	struct tls_segs out;
};

struct tls_tx_rec *tls_tx_rec_alloc(struct sock *sk, struct tls_tx *tx,
				    u8 type, bool large);
struct tls_tx_rec *tls_tx_rec_small(struct sock *sk, struct tls_tx *tx, u8 type,
				    struct iov_iter *iter, u32 n);
void tls_tx_rec_free(struct sock *sk, struct tls_tx *tx,
		     struct tls_tx_rec *rec);
int tls_tx_rec_copy(struct sock *sk, struct tls_tx_rec *rec,
		    struct msghdr *msg, u32 n);
int tls_tx_rec_splice(struct sock *sk, struct tls_tx_rec *rec,
		      struct msghdr *msg, u32 n);
int tls_tx_rec_hold(struct sock *sk, struct tls_tx_rec *rec,
		    struct msghdr *msg, u32 n);
int tls_tx_rec_seal(struct sock *sk, struct tls_tx *tx,
		    struct tls_tx_rec *rec);

void tls_tx_advance(struct tls_tx *tx);
int tls_tx_may_seal(struct tls_tx *tx);

#endif /* _TLS_TX_REC_H */
