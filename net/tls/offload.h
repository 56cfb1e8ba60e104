/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _TLS_OFFLOAD_PRIV_H
#define _TLS_OFFLOAD_PRIV_H

#include "tls_priv.h"

static inline int tls_offload_init(void) { return 0; }
static inline void tls_offload_fini(void) { }
static inline void tls_offload_tx_check(struct sock *sk, struct tls_tx *tx) { }
static inline bool tls_offload_tx_on(struct tls_tx *tx) { return false; }
static inline int tls_offload_tx_queue(struct sock *sk, struct tls_tx *tx, struct tls_tx_rec *rec) { return 0; }
static inline void tls_offload_tx_start(struct sock *sk, struct tls_tx *tx) { }
static inline int tls_offload_tx_rekey(struct sock *sk, struct tls_tx *tx) { return 0; }
static inline void tls_offload_rx_header(struct sock *sk, struct tls_rx *rx, const u8 *hdr) { }
static inline void tls_offload_rx_copied(struct tls_rx *rx, struct sk_buff *skb) { }
static inline int tls_offload_rx_to_skb(struct sock *sk, struct tls_rx *rx, struct sk_buff *skb) { return 1; }
static inline int tls_offload_rx_to_iter(struct sock *sk, struct tls_rx *rx, struct iov_iter *iter, u32 len) { return 1; }
static inline void tls_offload_rx_start(struct sock *sk, struct tls_rx *rx) { }
static inline void tls_offload_rx_rekey(struct sock *sk, struct tls_rx *rx) { }
static inline void tls_offload_rx_close(struct sock *sk, struct tls_rx *rx) { }
#endif
