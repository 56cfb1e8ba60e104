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
#include "tls_main.h"
#include "trace.h"

#define TLS_RETRY_MIN	HZ		/* after a device refused */
#define TLS_RETRY_MAX	(64 * HZ)

/**
 * tls_offload_count() - keep count of sockets by place
 * @net:	namespace
 * @tx:		direction
 * @dev:	1 when a device took over, -1 when software did
 */
void tls_offload_count(struct net *net, bool tx, int dev)
{
	int sw = tx ? LINUX_MIB_TLSCURRTXSW : LINUX_MIB_TLSCURRRXSW;
	int hw = tx ? LINUX_MIB_TLSCURRTXDEVICE : LINUX_MIB_TLSCURRRXDEVICE;

	this_cpu_add(TLS_STATS(net)->mibs[hw], dev);
	this_cpu_add(TLS_STATS(net)->mibs[sw], -dev);
}

/**
 * tls_epoch_put() - let go of a key
 * @epoch:	may be NULL
 */
void tls_epoch_put(struct tls_epoch *epoch)
{
	if (!epoch || !refcount_dec_and_test(&epoch->refs))
		return;
	tls_aead_fini(&epoch->aead);
	kfree_sensitive(epoch);
}

/* The key in use, for encryption in softirq. */
static struct tls_epoch *tls_epoch_alloc(const struct tls_context *ctx,
					 const struct tls_cipher *cipher)
{
	struct tls_epoch *epoch = kzalloc(sizeof(*epoch), GFP_KERNEL);

	if (!epoch)
		return NULL;
	refcount_set(&epoch->refs, 1);
	spin_lock_init(&epoch->lock);
	memcpy(epoch->iv, ctx->tx.iv, sizeof(epoch->iv));
	if (!tls_aead_init(&epoch->aead, cipher, &ctx->crypto_send,
			   CRYPTO_ALG_ASYNC))
		return epoch;
	kfree_sensitive(epoch);
	return NULL;
}

static void tls_off_free(struct tls_tx *tx)
{
	struct tls_off_tx *off = tx->off;

	if (!off)
		return;
	tls_offload_rec_drop(tx);
	tls_epoch_put(off->epoch);
	kfree(off);
	tx->off = NULL;
}

/* What a socket needs before it can be offered to a device. */
static int tls_off_prepare(struct tls_tx *tx)
{
	struct tls_context *ctx = &tx->ctx->ctx;
	struct tls_off_tx *off = tx->off;

	if (!off) {
		off = kzalloc(sizeof(*off), GFP_KERNEL);
		if (!off)
			return -ENOMEM;
		off->acked = tcp_sk(ctx->sk)->snd_una;
		tx->off = off;
	}
	if (!off->epoch)
		off->epoch = tls_epoch_alloc(ctx, tx->aead.cipher);
	return off->epoch ? tls_offload_rec_prepare(tx) : -ENOMEM;
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

	if (tx->off->hooked)
		TLS_STAT_INC(sock_net(sk), TLS_MIB_TX_DEVICE_AGAIN);
	tx->off->link = link;
	tx->retry = 0;
	tx->backoff = 0;
	clear_bit(TLS_TX_SYNC_SCHED, &ctx->flags);
	ctx->tx_conf = TLS_HW;
	tls_off_hook(sk);
}

static void tls_off_refused(struct sock *sk, struct tls_tx *tx, int err)
{
	if (!tx->off->hooked)
		tls_off_free(tx);
	/* No such device, or it cannot do this: only an event changes that. */
	if (err == -EOPNOTSUPP || err == -ENODEV || err == -EPROTONOSUPPORT ||
	    err == -ENETDOWN)
		return;
	TLS_STAT_INC(sock_net(sk), TLS_MIB_TX_DEVICE_REFUSED);
	tx->backoff = clamp(tx->backoff * 2, TLS_RETRY_MIN, TLS_RETRY_MAX);
	tx->retry = (jiffies + tx->backoff) | 1;
}

static void tls_off_try(struct sock *sk, struct tls_tx *tx)
{
	struct tls_context *ctx = tls_get_ctx(sk);
	struct tls_link *link = NULL;
	int err;

	tx->generation = tls_offload_generation();
	tx->route = tls_offload_route(sk);
	err = tls_offload_candidate(sk, TLS_OFFLOAD_CTX_DIR_TX);
	if (err)
		return;

	err = tls_off_prepare(tx);
	if (!err) {
		tls_key_refresh(ctx, true);
		memset(tx->hw.driver_state, 0, sizeof(tx->hw.driver_state));
		tcp_write_collapse_fence(sk);
		link = tls_link_add(sk, TLS_OFFLOAD_CTX_DIR_TX,
				    tcp_sk(sk)->write_seq, &err);
	}
	trace_tls_device_offload_set(sk, TLS_OFFLOAD_CTX_DIR_TX,
				     tcp_sk(sk)->write_seq, ctx->tx.rec_seq,
				     err);
	if (link)
		tls_off_started(sk, tx, link);
	else if (tx->off)
		tls_off_refused(sk, tx, err);
}

/**
 * tls_offload_tx_start() - a sending side got its first key
 * @sk:		the socket, locked
 * @tx:		its sending side
 */
void tls_offload_tx_start(struct sock *sk, struct tls_tx *tx)
{
	tls_off_try(sk, tx);
}

/* The link is lost already; software has the socket. */
static void tls_off_unlink(struct sock *sk, struct tls_tx *tx)
{
	struct tls_off_tx *off = tx->off;

	tls_link_put(off->link);
	off->link = NULL;
	off->draining = false;
	tls_get_ctx(sk)->tx_conf = TLS_SW;
}

/* The next call of tls_offload_tx_check() asks a device again. */
static void tls_off_retire(struct sock *sk, struct tls_tx *tx,
			   enum tls_left reason)
{
	tls_link_retire(tx->off->link);
	tls_off_unlink(sk, tx);
	tx->generation--;
	trace_tls_device_left(sk, TLS_OFFLOAD_CTX_DIR_TX, reason);
}

static void tls_off_resync(struct sock *sk, struct tls_tx *tx)
{
	struct tls_context *ctx = tls_get_ctx(sk);
	u32 seq = tcp_sk(sk)->write_seq;
	int err;

	/* The device begins anew with a segment of its own. */
	tcp_write_collapse_fence(sk);
	err = tls_link_resync(tx->off->link, sk, seq, ctx->tx.rec_seq);
	trace_tls_device_tx_resync_send(sk, seq, ctx->tx.rec_seq);
	if (err)
		return;
	TLS_STAT_INC(sock_net(sk), TLS_MIB_TX_RESYNC);
	/* Pairs with the barrier in tls_offload_tx_resync_pending(). */
	smp_mb__before_atomic();
	clear_bit_unlock(TLS_TX_SYNC_SCHED, &ctx->flags);
}

/* Returns true when the link stays as it is. */
static bool tls_off_keep(struct sock *sk, struct tls_tx *tx)
{
	const void *route = tls_offload_route(sk);
	struct tls_off_tx *off = tx->off;

	if (READ_ONCE(off->link->lost)) {
		tls_off_unlink(sk, tx);
		trace_tls_device_left(sk, TLS_OFFLOAD_CTX_DIR_TX,
				      TLS_LEFT_DEVICE);
		return false;
	}
	if (off->draining) {
		if (before(tcp_sk(sk)->snd_una, off->drain_end))
			return true;
		tls_off_retire(sk, tx, TLS_LEFT_REKEY);
		return false;
	}
	/* Without a route nothing is sent: wait for the next one. */
	if (route && route != tx->route) {
		tx->route = route;
		if (!tls_offload_routes_to(sk, off->link->dev)) {
			tls_off_retire(sk, tx, TLS_LEFT_ROUTE);
			return false;
		}
	}
	if (test_bit(TLS_TX_SYNC_SCHED, &tls_get_ctx(sk)->flags))
		tls_off_resync(sk, tx);
	return true;
}

/**
 * tls_offload_tx_check() - a record is about to begin: who encrypts it?
 * @sk:		the socket, locked; TCP has all earlier records
 * @tx:		its sending side
 */
void tls_offload_tx_check(struct sock *sk, struct tls_tx *tx)
{
	if (tx->off && tx->off->link && tls_off_keep(sk, tx))
		return;
	if (tx->generation != tls_offload_generation() ||
	    tx->route != tls_offload_route(sk) ||
	    (tx->retry && time_after(jiffies, tx->retry)))
		tls_off_try(sk, tx);
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
	off->draining = true;
	off->drain_end = tcp_sk(sk)->write_seq + tls_off_pending(tx);
}

/* See tls_offload_tx_resync_request(). */
void tls_off_resync_later(struct sock *sk, u32 got_seq, u32 exp_seq)
{
	struct tls_context *ctx = tls_get_ctx(sk);

	trace_tls_device_tx_resync_req(sk, got_seq, exp_seq);
	set_bit(TLS_TX_SYNC_SCHED, &ctx->flags);
}

/**
 * tls_offload_tx_destroy() - the last packet is gone
 * @tx:		sending side that was offloaded
 *
 * Context: process.
 */
void tls_offload_tx_destroy(struct tls_tx *tx)
{
	if (tx->off && tx->off->link) {
		tls_link_del(tx->off->link);
		tls_link_put(tx->off->link);
	}
	tls_off_free(tx);
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
	if (tx->off && tx->off->link)
		tls_link_uncount(tx->off->link);
}
