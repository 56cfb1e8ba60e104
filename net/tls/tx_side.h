/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _TLS_TX_SIDE_H
#define _TLS_TX_SIDE_H

#include <linux/workqueue.h>
#include <net/tls.h>

#include "aead.h"
#include "offload_ask.h"

#define TLS_TX_GATHER	4	/* records offered to TCP at once: its largest packet */

struct tls_tx_rec;
struct tls_rx_old;

/**
 * struct tls_tx - the sending side of a socket
 * @hw:		drivers' view; first, as priv_ctx_tx points here
 * @ctx:	the socket's context
 * @aead:	key for records encrypted here
 * @open:	record that still takes payload, or NULL
 * @edges:	room for headers and tags of records whose payload lies in pages of
 *		its own: those of one record follow those of the one before, and TCP
 *		sends both as one fragment; one page
 * @spare:	memory of records, kept for the next ones
 * @spares:	entries of @spare
 * @pending:	oldest sealed record that TCP has not taken whole, or NULL; read
 *		without a lock by sk_write_space()
 * @newest:	the last of them, in order; only with @pending
 * @pending_len: their bytes that TCP has not taken
 * @work:	pushes @pending, and seals @open after a memory shortage
 * @max_payload: copy of the context's, for the sending path
 * @error:	error that broke the stream for good, or 0
 * @plain:	kind of the last record given to TCP: plaintext for a device
 * @control:	bits TLS_TX_* of renew.h, set from any context
 * @alert:	description of the alert that TLS_TX_ALERT sends
 * @sn_due:	record number at which TLS_TX_DUE is set
 * @renew:	life of the keys; NULL without an option for it
 * @ask:	time of the last search for a device
 * @off:	device state, NULL while the socket was never offloaded
 *
 * All fields are guarded by tls_context.tx_lock and the socket lock together.
 */
struct tls_tx {
	struct tls_offload_context_tx hw;
	struct tls_priv *ctx;
	struct tls_aead aead;
	struct tls_tx_rec *open;
	struct page_frag edges;
	struct tls_tx_rec *spare[TLS_TX_GATHER];
	u8 spares;
	struct tls_tx_rec *pending;
	struct tls_tx_rec *newest;
	u32 pending_len;
	struct delayed_work work;
	u16 max_payload;
	int error;
	bool plain;
	u8 alert;
	unsigned long control;
	u64 sn_due;
	struct tls_renew *renew;
	struct tls_ask ask;
	struct tls_off_tx *off;
};

static inline struct tls_tx *tls_tx(const struct sock *sk)
{
	/* Pairs with the release in tls_tx_publish(). */
	return smp_load_acquire(&tls_get_ctx(sk)->priv_ctx_tx);
}

#endif /* _TLS_TX_SIDE_H */
