/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _TLS_OFFLOAD_RX_H
#define _TLS_OFFLOAD_RX_H

#include "offload.h"

/* Functions of offload_rx.c */
bool tls_offload_rx_start(struct sock *sk, struct tls_rx *rx, int why);
void tls_offload_rx_close(struct sock *sk, struct tls_rx *rx);

/* Functions of offload_resync.c */
void tls_offload_rx_lags(struct sock *sk, struct tls_rx *rx);

/* Functions of offload_rx_decrypted.c */
int tls_offload_rx_keep_key(struct sock *sk, struct tls_rx *rx);

#endif /* _TLS_OFFLOAD_RX_H */
