/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _TLS_MAIN_H
#define _TLS_MAIN_H

#include "tls_priv.h"

/* main.c */
void tls_work_queue(struct delayed_work *work, unsigned long delay);
void tls_work_queue_rx(struct tls_rx *rx);
void tls_ctx_free(struct tls_priv *ctx);
void tls_close(struct sock *sk, long timeout);

/* rx.c; here because records and their assembly end streams too */
void tls_rx_abort(struct sock *sk, struct tls_rx *rx, int err);

/* proto.c */
int tls_proto_attach(struct sock *sk, struct tls_priv *ctx);
void tls_proto_fini(void);

/* sockopt.c */
void tls_key_refresh(struct tls_context *ctx, bool tx, u32 ahead);
int tls_sockopt_set(struct sock *sk, int optname, sockptr_t optval,
		    unsigned int optlen);
int tls_sockopt_get(struct sock *sk, int optname, char __user *optval,
		    int __user *optlen);

#endif /* _TLS_MAIN_H */
