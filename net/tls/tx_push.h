/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _TLS_TX_PUSH_H
#define _TLS_TX_PUSH_H

#include "tls_priv.h"

int tls_tx_push(struct sock *sk, struct tls_tx *tx, int flags);

#endif /* _TLS_TX_PUSH_H */
