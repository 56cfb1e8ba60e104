/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _TLS_RX_H
#define _TLS_RX_H

#include "tls_priv.h"

struct tls_rx *tls_rx_alloc(struct tls_priv *ctx);
void tls_rx_start(struct sock *sk, struct tls_rx *rx);
void tls_rx_detach(struct sock *sk, struct tls_rx *rx);
void tls_rx_drop(struct tls_rx *rx);
void tls_rx_rekeyed(struct sock *sk, struct tls_rx *rx);
bool tls_rx_readable(const struct tls_rx *rx);
int tls_rx_recvmsg(struct sock *sk, struct msghdr *msg, size_t len, int flags);
ssize_t tls_rx_splice_read(struct socket *sock, loff_t *ppos,
			   struct pipe_inode_info *pipe, size_t len,
			   unsigned int flags);
int tls_rx_read_sock(struct sock *sk, read_descriptor_t *desc,
		     sk_read_actor_t actor);

#endif /* _TLS_RX_H */
