/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _TLS_TX_DIRECT_H
#define _TLS_TX_DIRECT_H

#include "tls_priv.h"

int tls_tx_direct(struct sock *sk, struct tls_tx *tx, struct iov_iter *payload,
		  u32 len, u8 type, int flags);

#endif /* _TLS_TX_DIRECT_H */
