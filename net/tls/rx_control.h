/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _TLS_RX_CONTROL_H
#define _TLS_RX_CONTROL_H

#include "tls_priv.h"

int tls_rx_handshake(struct sock *sk, struct tls_rx *rx, struct sk_buff *skb);
void tls_rx_key_came(struct sock *sk, struct tls_rx *rx);
int tls_rx_renew(struct sock *sk, struct tls_rx *rx);
void tls_rx_due(struct sock *sk, struct tls_rx *rx);
void tls_rx_count_from(struct tls_rx *rx);

#endif /* _TLS_RX_CONTROL_H */
