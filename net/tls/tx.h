/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _TLS_TX_H
#define _TLS_TX_H

#include "tls_priv.h"

struct tls_tx *tls_tx_alloc(struct tls_priv *ctx);
void tls_tx_stop(struct tls_tx *tx);
void tls_tx_drain(struct sock *sk, struct tls_tx *tx);
void tls_tx_drop(struct sock *sk, struct tls_tx *tx);
int tls_tx_finish(struct sock *sk, struct tls_tx *tx);
int tls_tx_messages(struct sock *sk, struct tls_tx *tx, int flags);
int tls_tx_flush(struct sock *sk, struct tls_tx *tx);
int tls_tx_sendmsg(struct sock *sk, struct msghdr *msg, size_t size);
void tls_tx_splice_eof(struct socket *sock);
void tls_tx_write_space(struct sock *sk);

#endif /* _TLS_TX_H */
