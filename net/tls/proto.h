/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _TLS_PROTO_H
#define _TLS_PROTO_H

#include "tls_priv.h"

int tls_proto_attach(struct sock *sk, struct tls_priv *ctx);
int tls_proto_init(void);

#endif /* _TLS_PROTO_H */
