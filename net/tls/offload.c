// SPDX-License-Identifier: GPL-2.0-only
/*
 * Calls from the socket code into the offload code when a key is set, replaced or
 * closed, for either direction. For each record, tx.c and rx.c call the offload code
 * themselves, by the functions in offload.h.
 */

#include <net/tls.h>

#include "offload.h"
#include "offload_rx.h"
#include "offload_tx.h"

/**
 * tls_offload_start() - offer a direction with its first key to a device
 * @sk:		the socket, locked
 * @tx:		direction
 * @why:	result of tls_offload_look(), which has just run
 *
 * Return: true when a device took it.
 */
bool tls_offload_start(struct sock *sk, bool tx, int why)
{
	return tx ? tls_offload_tx_start(sk, tls_tx(sk), why) :
		    tls_offload_rx_start(sk, tls_rx(sk), why);
}

/**
 * tls_offload_rekey() - prepare a direction for a change of its key
 * @sk:		the socket, locked, without an open record
 * @tx:		direction
 *
 * Return: 0 or -ENOMEM, with the old key in force.
 */
int tls_offload_rekey(struct sock *sk, bool tx)
{
	if (!tx)
		return tls_offload_rx_rekey(sk, tls_rx(sk));
	tls_offload_tx_rekey(sk, tls_tx(sk));
	return 0;
}

/**
 * tls_offload_close() - take a direction from its device at close
 * @sk:		the socket, locked by its owner; TCP has all records
 * @tx:		direction
 */
void tls_offload_close(struct sock *sk, bool tx)
{
	if (tx)
		tls_offload_tx_close(sk, tls_tx(sk));
	else
		tls_offload_rx_close(sk, tls_rx(sk));
}
