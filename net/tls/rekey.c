// SPDX-License-Identifier: GPL-2.0-only
/*
 * Replaces a key by another, for keys that the program sets (key.c) and for those
 * that the kernel derives. The old key stays in force until nothing can fail.
 */

#include <net/tls.h>

#include "aead.h"
#include "offload.h"
#include "rekey.h"

/**
 * tls_rekey() - replace the key from the next record on
 * @sk:		the socket, locked by its owner; for sending with tx_lock, and no record
 *		is open; for receiving between two records
 * @tx:		direction
 * @key:	the key
 * @aead:	its cipher; left empty on success
 *
 * Return: 0 or -ENOMEM, with the old key in force.
 */
int tls_rekey(struct sock *sk, bool tx, const struct tls_newkey *key,
	      struct tls_aead *aead)
{
	int err = tx ? 0 : tls_offload_rx_rekey(sk, tls_rx(sk));

	if (err)
		return err;
	tls_aead_move(tx ? &tls_tx(sk)->aead : &tls_rx(sk)->aead, aead);
	tls_key_store(tls_get_ctx(sk), tx, key);
	if (tx)
		tls_offload_tx_rekey(sk, tls_tx(sk));
	return 0;
}
