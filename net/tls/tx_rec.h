/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _TLS_TX_REC_H
#define _TLS_TX_REC_H

#include "tls_priv.h"

struct tls_tx_rec *tls_tx_rec_alloc(struct sock *sk, struct tls_tx *tx,
				    u8 type);
void tls_tx_rec_free(struct sock *sk, struct tls_tx *tx,
		     struct tls_tx_rec *rec);
int tls_tx_rec_copy(struct sock *sk, struct tls_tx_rec *rec,
		    struct msghdr *msg, u32 n);
int tls_tx_rec_splice(struct sock *sk, struct tls_tx_rec *rec,
		      struct msghdr *msg, u32 n);
int tls_tx_rec_pin(struct sock *sk, struct tls_tx_rec *rec,
		   struct msghdr *msg, u32 n);
int tls_tx_rec_seal(struct sock *sk, struct tls_tx *tx,
		    struct tls_tx_rec *rec);

#endif /* _TLS_TX_REC_H */
