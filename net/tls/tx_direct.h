/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _TLS_TX_DIRECT_H
#define _TLS_TX_DIRECT_H

#include "tls_priv.h"
#include "tx_segs.h"

#define TLS_TX_GATHER	4	/* records for TCP at once: its largest packet */

/**
 * struct tls_direct_batch - records of one call that TCP was not offered yet
 * @len:	bytes
 * @segs:	where they are; the list of unacknowledged records holds the pages
 *
 * There are none when records are pending. It must be empty before the socket is
 * unlocked.
 */
struct tls_direct_batch {
	u32 len;
	struct tls_segs segs;
};

int tls_tx_direct(struct sock *sk, struct tls_tx *tx,
		  struct tls_direct_batch *batch, struct iov_iter *payload,
		  u32 len, u8 type);
void tls_tx_direct_offer(struct sock *sk, struct tls_tx *tx,
			 struct tls_direct_batch *batch, int flags);

#endif /* _TLS_TX_DIRECT_H */
