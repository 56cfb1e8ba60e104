// SPDX-License-Identifier: GPL-2.0-only
/*
 * Keys that follow each other in the device of a sending side. The device gets a new
 * key, with the TCP sequence number where it begins, before TCP has a record of it, and
 * goes on without a gap. It keeps the older keys for records that are sent again, and
 * gives each up when all records of that key are acknowledged.
 */

#include <linux/tcp.h>
#include <net/tls.h>
#include <net/tls_ext.h>

#include "offload_link.h"
#include "offload_tx.h"
#include "work.h"

/**
 * tls_off_next_epoch() - make an epoch of the key in force, for new plaintext records
 * @tx:		sending side without one; the socket is locked
 *
 * Return: 0 or -ENOMEM.
 */
int tls_off_next_epoch(struct tls_tx *tx)
{
	struct tls_off_tx *off = tx->off;

	off->epoch = tls_epoch_alloc(&tx->ctx->ctx, tx->aead.cipher);
	if (!off->epoch)
		return -ENOMEM;
	off->epoch->key_no = off->key_no;
	return 0;
}

/* Returns the driver's operations, or NULL. tls_dev_sem is held. */
static const struct tls_offload_next *tls_off_next_ops(const struct tls_link *link)
{
	const struct tls_offload_next *ops;

	ops = READ_ONCE(link->lost) ? NULL : tls_dev_next(link->dev);
	return ops && ops->tx_key ? ops : NULL;
}

static int tls_off_next_give(struct sock *sk, struct tls_tx *tx)
{
	u32 seq = tcp_sk(sk)->write_seq + tx->pending_len;
	struct tls_off_tx *off = tx->off;
	struct tls_link *link = off->link;
	const struct tls_offload_next *ops;
	int err = -EOPNOTSUPP;

	down_read(&tls_dev_sem);
	ops = tls_off_next_ops(link);
	if (ops)
		err = ops->tx_key(link->dev, link->ctx,
				  &link->ctx->crypto_send.info, seq,
				  off->key_no - off->key_first);
	up_read(&tls_dev_sem);
	return err;
}

/**
 * tls_off_next_key() - give the device the key in force
 * @sk:		the socket, locked; no record is open
 * @tx:		its sending side, with a new key, and with a device that has the one before
 *
 * Return: 0, or an error: the device goes on with records of older keys only.
 */
int tls_off_next_key(struct sock *sk, struct tls_tx *tx)
{
	unsigned int noio = tls_noio_save(sk->sk_allocation);
	struct tls_off_tx *off = tx->off;
	int err;

	err = tls_off_next_epoch(tx) ?: tls_off_next_give(sk, tx);
	memalloc_noio_restore(noio);
	if (err) {
		tls_offload_rec_rekey(off);
		return err;
	}
	off->rekey = TLS_OFF_OLD_KEYS;
	TLS_STAT_INC(sock_net(sk), TLS_MIB_TX_DEVICE_KEY_UPDATE);
	return 0;
}

/**
 * tls_off_next_done() - have the device give up keys that no record needs
 * @off:	the offload state, with a link; the socket is locked
 */
void tls_off_next_done(struct tls_off_tx *off)
{
	u32 oldest = tls_off_rec_oldest_key(off);
	const struct tls_offload_next *ops;

	/* The oldest record may be one of an earlier link. */
	if ((s32)(oldest - off->key_oldest) <= 0)
		return;
	down_read(&tls_dev_sem);
	ops = tls_off_next_ops(off->link);
	if (ops)
		ops->tx_done(off->link->dev, off->link->ctx,
			     oldest - off->key_first);
	up_read(&tls_dev_sem);
	off->key_oldest = oldest;
	if (oldest == off->key_no)
		off->rekey = TLS_OFF_ONE_KEY;
}
