/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _TLS_TX_APPEND_H
#define _TLS_TX_APPEND_H

#include <linux/bvec.h>
#include <net/sock.h>

int tls_tx_append(struct sock *sk, const struct bio_vec *v, unsigned int nr,
		  u32 len, int flags);

#endif /* _TLS_TX_APPEND_H */
