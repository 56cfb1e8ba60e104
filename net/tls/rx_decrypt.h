/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _TLS_RX_DECRYPT_H
#define _TLS_RX_DECRYPT_H

#include "tls_priv.h"

/* skb->cb of a decrypted record on tls_rx.list. */
struct tls_rx_cb {
	u32 off;		/* bytes already read */
	u8 type;
};

#define TLS_RX_CB(skb)	((struct tls_rx_cb *)(skb)->cb)

int tls_rx_rec_to_iter(struct sock *sk, struct tls_rx *rx,
		       struct iov_iter *iter, u32 room);
int tls_rx_rec_to_list(struct sock *sk, struct tls_rx *rx, bool charge);

#endif /* _TLS_RX_DECRYPT_H */
