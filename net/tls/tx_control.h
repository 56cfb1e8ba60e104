/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _TLS_TX_CONTROL_H
#define _TLS_TX_CONTROL_H

#include "tls_priv.h"

int tls_tx_control(struct sock *sk, struct tls_tx *tx, int flags);
int tls_tx_own_update(struct sock *sk, struct tls_tx *tx,
		      struct iov_iter *message);
bool tls_tx_key_lasts(const struct tls_tx *tx, u32 records);
void tls_tx_count_from(struct tls_tx *tx);

#endif /* _TLS_TX_CONTROL_H */
