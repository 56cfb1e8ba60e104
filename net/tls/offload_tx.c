// SPDX-License-Identifier: GPL-2.0-only
/*
 * When the sending side of a socket is encrypted by its device. It changes at
 * the beginning of a record that starts a segment, and at no other place. The
 * old device context serves until its last byte is acknowledged; what a device
 * cannot encrypt any more is encrypted on its way (see fallback.c).
 */

#include <linux/module.h>
#include <net/inet_connection_sock.h>
#include <net/tcp.h>
#include <net/tls.h>

#include "aead.h"
#include "export.h"
#include "offload.h"
#include "trace.h"

/* What a socket needs before it can be offered to a device. */
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
	if (!off->epoch)
		off->epoch = tls_epoch_alloc(ctx, tx->aead.cipher);
	return off->epoch ? 0 : -ENOMEM;
}

/* From the first offload to the last packet, the context is the stack's. */
static void tls_off_hook(struct sock *sk)
{
	struct tls_off_tx *off = tls_tx(sk)->off;

	if (!off->hooked)
		clean_acked_data_enable(inet_csk(sk), tls_offload_tx_acked);
	off->hooked = true;
	tls_offload_hook(sk);
}

static void tls_off_started(struct sock *sk, struct tls_tx *tx,
			    struct tls_link *link)
{
	struct tls_context *ctx = tls_get_ctx(sk);

	tx->off->link = link;
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

/* @why is what tls_offload_look() has just said. */
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
 * tls_offload_tx_start() - a sending side got its first key
 * @sk:		the socket, locked
 * @tx:		its sending side
 * @why:	what tls_offload_look() said
 */
void tls_offload_tx_start(struct sock *sk, struct tls_tx *tx, int why)
{
	tls_off_try(sk, tx, why);
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
	else if (off->draining)
		TLS_STAT_DEC(sock_net(sk), TLS_MIB_CURR_TX_REKEY);
	off->draining = on;
}

/* The link is lost already; a device is asked again at once. */
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
 * The old key's device stays until its last byte is acknowledged, and the new
 * key gets a device then: a driver has room for one state of a socket, so there
 * cannot be two. What is sent meanwhile is software's, for about a round trip.
 * Taking the device away at once would cost more: it refuses what waits in its
 * rings, and TCP takes that for loss.
 */
static bool tls_off_drained(struct sock *sk, const struct tls_off_tx *off)
{
	return !before(tcp_sk(sk)->snd_una, off->drain_end);
}

static void tls_off_look(struct sock *sk, struct tls_tx *tx)
{
	const void *route = tls_offload_route(sk);
	struct tls_off_tx *off = tx->off;

	/* Without a route nothing is sent: wait for the next one. */
	if (route && route != off->link->dev)
		tls_link_retire(off->link, TLS_LEFT_ROUTE);
	else if (off->draining && tls_off_drained(sk, off))
		tls_link_retire(off->link, TLS_LEFT_REKEY);
	else if (!off->draining &&
		 test_bit(TLS_TX_SYNC_SCHED, &tls_get_ctx(sk)->flags))
		tls_offload_tx_resync(sk, tx);
}

/**
 * tls_offload_tx_check() - a record is about to begin: who encrypts it?
 * @sk:		the socket, locked; TCP has all earlier records
 * @tx:		its sending side
 */
void tls_offload_tx_check(struct sock *sk, struct tls_tx *tx)
{
	struct tls_link *link = tx->off ? tx->off->link : NULL;
	bool rekeyed = false;

	if (link && !READ_ONCE(link->lost))
		tls_off_look(sk, tx);
	if (link && READ_ONCE(link->lost) && tls_link_gone(link)) {
		rekeyed = tx->off->draining;
		tls_off_unlink(sk, tx);
		link = NULL;
	}
	if (link || !tls_ask_due(sk, &tx->ask))
		return;
	if (tls_off_again(sk, tx))
		TLS_STAT_INC(sock_net(sk), TLS_MIB_TX_DEVICE_AGAIN);
	else if (rekeyed)
		TLS_STAT_INC(sock_net(sk), TLS_MIB_TX_REKEY_FALLBACK);
}

/**
 * tls_offload_tx_on() - does the device encrypt new records?
 * @tx:		sending side
 *
 * Return: true when it does.
 */
bool tls_offload_tx_on(const struct tls_tx *tx)
{
	const struct tls_off_tx *off = tx->off;

	return off && off->link && !off->draining &&
	       !READ_ONCE(off->link->lost);
}

/* Bytes of sealed records that TCP has not taken yet. */
static u32 tls_off_pending(const struct tls_tx *tx)
{
	const struct tls_tx_rec *rec;
	u32 bytes = 0;

	list_for_each_entry(rec, &tx->pending, list)
		bytes += rec->wire_len - rec->sent;
	return bytes;
}

/**
 * tls_offload_tx_rekey() - the key is about to change
 * @sk:		the socket, locked; no record is open
 * @tx:		its sending side, with the old key
 *
 * New records are encrypted in software until the old ones are acknowledged.
 */
void tls_offload_tx_rekey(struct sock *sk, struct tls_tx *tx)
{
	struct tls_off_tx *off = tx->off;

	if (!off)
		return;
	tls_epoch_put(off->epoch);
	off->epoch = NULL;
	if (!off->link || off->draining)
		return;
	tls_link_drain(off->link, TLS_LEFT_REKEY);
	tls_off_drain(sk, off, true);
	off->drain_end = tcp_sk(sk)->write_seq + tls_off_pending(tx);
}

/**
 * tls_offload_tx_close() - the socket is being closed
 * @sk:		the socket, locked by its owner; all records are TCP's
 * @tx:		its sending side
 *
 * The device goes on with what TCP has. It is not counted any more.
 */
void tls_offload_tx_close(struct sock *sk, struct tls_tx *tx)
{
	if (!tx->off || !tx->off->link)
		return;
	tls_link_uncount(tx->off->link);
	tls_off_drain(sk, tx->off, false);
}
