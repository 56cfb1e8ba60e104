/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _TLS_REASM_H
#define _TLS_REASM_H

#include "tls_priv.h"

/* States of bytes of the front record, one or both. */
enum tls_rx_state {
	TLS_RX_CIPHER	= BIT(0),	/* as sent by the peer */
	TLS_RX_PLAIN	= BIT(1),	/* decrypted by a device */
};

bool tls_reasm_check(struct sock *sk, struct tls_rx *rx);
bool tls_reasm_stuck(const struct sock *sk, const struct tls_rx *rx);
int tls_reasm_pull(struct sock *sk, struct tls_rx *rx, bool force);
void tls_rx_abort(struct sock *sk, struct tls_rx *rx, int err);
void tls_reasm_drop(struct tls_rx *rx);
void tls_reasm_done(struct sock *sk, struct tls_rx *rx);
int tls_reasm_read(struct sock *sk, const struct tls_rx *rx, u32 off, u8 *buf,
		   u32 len);
int tls_reasm_gather(struct sock *sk, const struct tls_rx *rx,
		     struct scatterlist *dst, u32 off, u32 len);
int tls_reasm_sg(struct sock *sk, const struct tls_rx *rx,
		 struct scatterlist *sg, u32 room, u32 off, u32 len);
struct sk_buff *tls_reasm_next(struct sock *sk, struct sk_buff *skb, u32 seq,
			       u32 *off);
void tls_reasm_data_ready(struct sock *sk);
void tls_reasm_work(struct work_struct *work);
u32 tls_reasm_run(struct sock *sk, const struct tls_rx *rx, u32 off, u32 end,
		  u8 *state);

#endif /* _TLS_REASM_H */
