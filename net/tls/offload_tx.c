// SPDX-License-Identifier: GPL-2.0-only
/*
 * Decides whether a socket's new records are encrypted by a device. The answer
 * changes only at the beginning of a record that starts a segment. After a
 * KeyUpdate the device goes on with the new key (offload_tx_next.c). If it cannot,
 * its context stays until the old key's last byte is acknowledged. Packets that a
 * device cannot encrypt any more are encrypted by fallback.c.
 */

#include <linux/module.h>
#include <net/inet_connection_sock.h>
#include <net/tcp.h>
#include <net/tls.h>
#include <compat/tls.h>

#include "aead.h"
#include "export.h"
#include "offload_link.h"
#include "offload_tx.h"
#include "trace.h"

/* Allocates the offload state and the key epoch, which tls_dev_add needs. */
static int tls_off_prepare(struct tls_tx *tx)
{
	struct tls_context *ctx = &tx->ctx->ctx;
	struct tls_off_tx *off = tx->off;

	if (!off) {
		off = kzalloc(sizeof(*off), GFP_KERNEL);
		if (!off)
			return -ENOMEM;
		tls_offload_rec_init(off);
		off->acked = tcp_sk(ctx->sk)->snd_una;
		tx->off = off;
	}
	return off->epoch ? 0 : tls_off_next_epoch(tx);
}

/* Hooks into acknowledgments and the destructor; packets now need the context. */
static void tls_off_hook(struct sock *sk)
{
	struct tls_off_tx *off = tls_tx(sk)->off;

	if (!off->hooked)
		clean_acked_data_enable(tcp_sk(sk), tls_offload_tx_acked);
	off->hooked = true;
	tls_offload_hook(sk);
}

static void tls_off_started(struct sock *sk, struct tls_tx *tx,
			    struct tls_link *link)
{
	struct tls_context *ctx = tls_get_ctx(sk);

	tx->off->link = link;
	tx->off->key_first = tx->off->key_no;
	tx->off->key_oldest = tx->off->key_no;
	tls_ask_done(&tx->ask);
	clear_bit(TLS_TX_SYNC_SCHED, &ctx->flags);
	ctx->tx_conf = TLS_HW;
	tls_off_hook(sk);
}

static int tls_off_ask(struct sock *sk, struct tls_tx *tx,
		       struct tls_link **link)
{
	struct tls_context *ctx = tls_get_ctx(sk);
	u32 seq = tcp_sk(sk)->write_seq;
	int err = tls_off_prepare(tx) ?: tls_output_hook(sk);

	if (err)
		return err;
	tls_key_refresh(ctx, true, 0);
	memset(tx->hw.driver_state, 0, sizeof(tx->hw.driver_state));
	tcp_write_collapse_fence(sk);
	*link = tls_link_add(sk, TLS_OFFLOAD_CTX_DIR_TX, seq, &err);
	if (err <= 0)
		trace_tls_device_offload_set(sk, TLS_OFFLOAD_CTX_DIR_TX, seq,
					     ctx->tx.rec_seq, err);
	return err;
}

/*
 * Asks for a device. @why is the result of tls_offload_look(), which has just run.
 */
static bool tls_off_try(struct sock *sk, struct tls_tx *tx, int why)
{
	struct tls_link *link;
	int err;

	err = why ?: tls_off_ask(sk, tx, &link);
	if (!err) {
		tls_off_started(sk, tx, link);
		return true;
	}
	if (tx->off && !tx->off->hooked) {
		tls_output_unhook(sk);
		tls_offload_tx_free(tx);
	}
	tls_ask_failed(sk, &tx->ask, TLS_OFFLOAD_CTX_DIR_TX, err);
	return false;
}

/**
 * tls_offload_tx_start() - offer a sending side with its first key to a device
 * @sk:		the socket, locked
 * @tx:		its sending side
 * @why:	result of tls_offload_look()
 *
 * Return: true when a device took it.
 */
bool tls_offload_tx_start(struct sock *sk, struct tls_tx *tx, int why)
{
	return tls_off_try(sk, tx, why);
}

static bool tls_off_again(struct sock *sk, struct tls_tx *tx)
{
	unsigned int noio = tls_noio_save(sk->sk_allocation);
	bool got = tls_off_try(sk, tx,
			 tls_offload_look(sk, &tx->ask,
					  TLS_OFFLOAD_CTX_DIR_TX,
					  &tls_get_ctx(sk)->crypto_send.info));

	memalloc_noio_restore(noio);
	return got;
}

static void tls_off_drain(struct sock *sk, struct tls_off_tx *off, bool on)
{
	if (on)
		TLS_STAT_INC(sock_net(sk), TLS_MIB_CURR_TX_REKEY);
	else if (off->rekey == TLS_OFF_DRAINING)
		TLS_STAT_DEC(sock_net(sk), TLS_MIB_CURR_TX_REKEY);
	off->rekey = on ? TLS_OFF_DRAINING : TLS_OFF_ONE_KEY;
}

/* Lets go of a lost link; the next record asks for a device again. */
static void tls_off_unlink(struct sock *sk, struct tls_tx *tx)
{
	struct tls_off_tx *off = tx->off;

	tls_link_put(off->link);
	off->link = NULL;
	tls_off_drain(sk, off, false);
	tls_get_ctx(sk)->tx_conf = TLS_SW;
	tls_ask_again(&tx->ask);
}

/*
 * A device that does not take the new key keeps the old one until the last byte of
 * that key is acknowledged. Only then can it get a context for the new key, as a
 * driver has room for one state of a socket. Records sent meanwhile, for about a round
 * trip, are encrypted in software. Deleting the old context at once would cost more:
 * the device would refuse the packets in its rings, and TCP would take that for loss.
 */
static bool tls_off_drained(struct sock *sk, const struct tls_off_tx *off)
{
	return !before(tcp_sk(sk)->snd_una, off->drain_end);
}

/* Returns whether the device goes on; it has or had more than one key. */
static bool tls_off_rekeyed(struct sock *sk, struct tls_off_tx *off)
{
	if (off->rekey == TLS_OFF_OLD_KEYS) {
		tls_off_next_done(off);
		return true;
	}
	if (tls_off_drained(sk, off))
		tls_link_retire(off->link, TLS_LEFT_REKEY);
	return false;
}

static void tls_off_look(struct sock *sk, struct tls_tx *tx)
{
	struct tls_off_tx *off = tx->off;

	if (tls_offload_left(sk, off->link->dev))
		tls_link_retire(off->link, TLS_LEFT_ROUTE);
	else if ((likely(off->rekey == TLS_OFF_ONE_KEY) ||
		  tls_off_rekeyed(sk, off)) &&
		 test_bit(TLS_TX_SYNC_SCHED, &tls_get_ctx(sk)->flags))
		tls_offload_tx_resync(sk, tx);
}

/* Gives up a device that is lost, and looks for one when that is due. */
static void tls_off_check(struct sock *sk, struct tls_tx *tx)
{
	struct tls_link *link = tx->off ? tx->off->link : NULL;
	bool rekeyed = false;

	if (link && !READ_ONCE(link->lost))
		tls_off_look(sk, tx);
	if (link && READ_ONCE(link->lost) && tls_link_gone(link)) {
		rekeyed = tx->off->rekey == TLS_OFF_DRAINING;
		tls_off_unlink(sk, tx);
		link = NULL;
	}
	if (link || !tls_ask_due(sk, &tx->ask, TLS_OFFLOAD_CTX_DIR_TX))
		return;
	if (tls_off_again(sk, tx))
		TLS_STAT_INC(sock_net(sk), TLS_MIB_TX_DEVICE_AGAIN);
	else if (rekeyed)
		TLS_STAT_INC(sock_net(sk), TLS_MIB_TX_REKEY_FALLBACK);
}

/**
 * tls_offload_tx_on() - tell whether the device encrypts records that begin now
 * @tx:		the sending side
 *
 * Return: true when it does.
 */
bool tls_offload_tx_on(const struct tls_tx *tx)
{
	const struct tls_off_tx *off = tx->off;

	return off && off->link && off->rekey != TLS_OFF_DRAINING &&
	       !READ_ONCE(off->link->lost);
}

/**
 * tls_offload_tx_next() - decide whether the device encrypts the next record
 * @sk:		the socket, locked
 * @tx:		its sending side, without an open record
 *
 * The answer may change when TCP has all earlier records.
 *
 * Return: true when it does.
 */
bool tls_offload_tx_next(struct sock *sk, struct tls_tx *tx)
{
	if (!tx->pending)
		tls_off_check(sk, tx);
	return tls_offload_tx_on(tx);
}

/**
 * tls_offload_tx_rekey() - have the device of a sending side go on with a new key
 * @sk:		the socket, locked; no record is open
 * @tx:		its sending side, with the new key
 *
 * If the device does not take the key, new records are encrypted in software until the
 * old ones are acknowledged.
 */
void tls_offload_tx_rekey(struct sock *sk, struct tls_tx *tx)
{
	struct tls_off_tx *off = tx->off;

	if (!off)
		return;
	if (off->rekey == TLS_OFF_OLD_KEYS)
		tls_off_next_done(off);
	tls_offload_rec_rekey(off);
	off->key_no++;
	if (!off->link || off->rekey == TLS_OFF_DRAINING ||
	    !tls_off_next_key(sk, tx))
		return;
	tls_link_drain(off->link, TLS_LEFT_REKEY);
	tls_off_drain(sk, off, true);
	off->drain_end = tcp_sk(sk)->write_seq + tx->pending_len;
}

/**
 * tls_offload_tx_close() - leave the device to the last packets at close
 * @sk:		the socket, locked by its owner; all records are TCP's
 * @tx:		its sending side
 *
 * The device still encrypts the packets that TCP has. The statistics do not count
 * the socket any more.
 */
void tls_offload_tx_close(struct sock *sk, struct tls_tx *tx)
{
	if (!tx->off || !tx->off->link)
		return;
	tls_link_uncount(tx->off->link);
	if (tx->off->rekey == TLS_OFF_DRAINING) {
		TLS_STAT_DEC(sock_net(sk), TLS_MIB_TX_REKEY_OK);
		TLS_STAT_INC(sock_net(sk), TLS_MIB_TX_REKEY_ABORTED);
	}
	tls_off_drain(sk, tx->off, false);
}
