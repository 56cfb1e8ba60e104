/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The devices' side, as the sockets' side sees it: all that a socket, a key or a record
 * may ask of a device. The devices' own structures are in offload_link.h, offload_tx.h
 * and offload_rx.h, which only offload_*.c and fallback.c include. In a kernel without
 * CONFIG_TLS_DEVICE, offload_none.c implements the functions below.
 */
#ifndef _TLS_OFFLOAD_PRIV_H
#define _TLS_OFFLOAD_PRIV_H

#include "tls_priv.h"

struct tls_frags;

/* Functions of offload.c */
bool tls_offload_start(struct sock *sk, bool tx, int why);
void tls_offload_close(struct sock *sk, bool tx);

/* Functions of offload_event.c */
int tls_offload_init(void);
void tls_offload_fini(void);

/* Functions of offload_ask.c */
int tls_offload_look(struct sock *sk, struct tls_ask *ask,
		     enum tls_offload_ctx_dir dir,
		     const struct tls_crypto_info *info);

/* Functions of offload_tx.c */
void tls_offload_tx_rekey(struct sock *sk, struct tls_tx *tx);
bool tls_offload_tx_on(const struct tls_tx *tx);
bool tls_offload_tx_next(struct sock *sk, struct tls_tx *tx);

/* Functions of offload_rec.c */
int tls_offload_tx_note(struct sock *sk, struct tls_tx *tx,
			const struct tls_frags *wire);

/* Functions of offload_rx.c */
int tls_offload_rx_rekey(struct sock *sk, struct tls_rx *rx);
void tls_offload_rx_expired(struct sock *sk, struct tls_rx *rx);
void tls_offload_rx_check(struct sock *sk, struct tls_rx *rx);

/* Functions of offload_next.c */
void tls_offload_next_start(struct tls_rx *rx);
void tls_offload_next_stop(struct tls_rx *rx);

/* Functions of offload_resync.c */
void tls_offload_rx_header(struct sock *sk, struct tls_rx *rx);

/* Functions of offload_rx_decrypted.c */
void tls_offload_rx_advance(struct sock *sk, struct tls_rx *rx);
void tls_offload_rx_drop(struct tls_rx *rx);
int tls_offload_rx_to_skb(struct sock *sk, struct tls_rx *rx,
			  struct sk_buff *skb);
int tls_offload_rx_to_iter(struct sock *sk, struct tls_rx *rx,
			   struct iov_iter *iter, u32 len);

#endif /* _TLS_OFFLOAD_PRIV_H */
