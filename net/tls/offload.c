// SPDX-License-Identifier: GPL-2.0-only
/*
 * Calls from the socket code into the offload code when a direction gets its first key
 * or is closed. For each record, tx.c and rx.c call the offload code
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
