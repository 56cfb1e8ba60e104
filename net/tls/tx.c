// SPDX-License-Identifier: GPL-2.0-only
/*
 * The sending side: puts the bytes of a call into records, and gives sealed
 * records to TCP in order. At most one record is open. A call begins its first
 * record when TCP has taken all earlier records, and offers up to TLS_TX_GATHER
 * records of its own together. A sender that waits for room holds no lock, and
 * no record of it keeps other senders from sending.
 */

#include <net/sock.h>
#include <net/tcp.h>

#include "aead.h"
#include "offload.h"
#include "tx.h"
#include "tx_direct.h"
#include "tx_push.h"
#include "tx_rec.h"
#include "work.h"

#define TLS_TX_FLAGS	(MSG_MORE | MSG_DONTWAIT | MSG_NOSIGNAL | MSG_EOR | \
			 MSG_CMSG_COMPAT | MSG_SPLICE_PAGES | \
			 MSG_SENDPAGE_NOPOLICY)
#define TLS_TX_HOLD_MIN	4096	/* below this, copying is cheaper */

/* State of one call of sendmsg. */
struct tls_tx_call {
	struct msghdr *msg;
	long timeo;
	size_t copied;
	unsigned int gathered;	/* whole records not offered to TCP yet */
	u8 type;
	bool more;
	struct tls_direct_batch batch;	/* gathered records of tx_direct.c, not in tls_tx.pending */
};

/* Seals the open record and moves it to tls_tx.pending. */
static int tls_tx_seal_open(struct sock *sk, struct tls_tx *tx)
{
	struct tls_tx_rec *rec = tx->open;
	int err;

	if (!rec)
		return 0;
	err = tls_tx_rec_seal(sk, tx, rec);
	if (err == -ENOMEM) {
		TLS_STAT_INC(sock_net(sk), TLS_MIB_TX_SEAL_LATER);
		tls_work_queue(&tx->work, TLS_WORK_RETRY);
		return err;
	}
	tx->open = NULL;
	if (err) {
		tls_tx_rec_free(sk, tx, rec);
		return err;
	}
	list_add_tail(&rec->list, &tx->pending);
	return 0;
}

/* Offers TCP the records that were just sealed. */
static int tls_tx_offer_sealed(struct sock *sk, struct tls_tx *tx, int flags)
{
	int err = tls_tx_push(sk, tx, flags);

	if (err == -EAGAIN)
		TLS_STAT_INC(sock_net(sk), TLS_MIB_TX_PUSH_LATER);
	return err;
}

static int tls_tx_close_open(struct sock *sk, struct tls_tx *tx, int flags)
{
	return tls_tx_seal_open(sk, tx) ?: tls_tx_offer_sealed(sk, tx, flags);
}

static int tls_tx_offer_gathered(struct sock *sk, struct tls_tx *tx,
				 struct tls_tx_call *call, int flags)
{
	call->gathered = 0;
	if (call->batch.segs.nr)
		tls_tx_direct_offer(sk, tx, &call->batch, flags);
	return list_empty(&tx->pending) ? 0 :
	       tls_tx_offer_sealed(sk, tx, flags);
}

/*
 * Counts a whole record of the call, and offers TCP all of them when they are
 * TLS_TX_GATHER. TCP makes one packet of records that it is offered together, but
 * sends each one alone if it is offered alone and has room.
 */
static int tls_tx_pass(struct sock *sk, struct tls_tx *tx,
		       struct tls_tx_call *call)
{
	bool left = msg_data_left(call->msg);

	if (++call->gathered < TLS_TX_GATHER && left)
		return 0;
	return tls_tx_offer_gathered(sk, tx, call,
				     left || call->more ? MSG_MORE : 0);
}

/**
 * tls_tx_flush() - seal the open record and push all records
 * @sk:		the socket, locked; tx_lock held
 * @tx:		its sending side
 * @flags:	MSG_MORE when more follows at once
 *
 * Return: 0 when TCP has everything; -EAGAIN or -ENOMEM when a work sends the
 * rest later; another error when the stream is broken.
 */
int tls_tx_flush(struct sock *sk, struct tls_tx *tx, int flags)
{
	int err = tls_tx_push(sk, tx, flags);

	return err ? err : tls_tx_close_open(sk, tx, flags);
}

/**
 * tls_tx_finish() - seal the open record with the key in force
 * @sk:		the socket, locked; tx_lock held
 * @tx:		its sending side
 *
 * The record goes out later by itself if TCP is full.
 *
 * Return: 0; -ENOMEM, with the record still open; or an error that broke the
 * stream.
 */
int tls_tx_finish(struct sock *sk, struct tls_tx *tx)
{
	int err = tls_tx_seal_open(sk, tx);

	if (!err)
		tls_tx_offer_sealed(sk, tx, 0);
	return err;
}

static void tls_tx_work(struct work_struct *work)
{
	struct tls_tx *tx = container_of(to_delayed_work(work), struct tls_tx,
					 work);
	struct tls_context *ctx = &tx->ctx->ctx;
	struct sock *sk = ctx->sk;

	mutex_lock(&ctx->tx_lock);
	lock_sock(sk);
	/* A record held open by MSG_MORE stays; one that failed to be sealed goes. */
	if (!tls_tx_push(sk, tx, 0) && ctx->pending_open_record_frags)
		tls_tx_close_open(sk, tx, 0);
	release_sock(sk);
	mutex_unlock(&ctx->tx_lock);
}

/**
 * tls_tx_write_space() - TCP has room again
 * @sk:		the socket
 *
 * Context: softirq, the socket lock held by us or by its owner.
 */
void tls_tx_write_space(struct sock *sk)
{
	struct tls_context *ctx = tls_get_ctx(sk);
	struct tls_tx *tx = tls_tx(sk);

	if (tx && !list_empty_careful(&tx->pending))
		tls_work_queue(&tx->work, 0);
	ctx->sk_write_space(sk);
}

/*
 * Waits for room in TCP. Other senders may run meanwhile, as with TCP, so the
 * caller must read all state again.
 */
static int tls_tx_wait(struct sock *sk, struct tls_tx_call *call)
{
	struct tls_context *ctx = tls_get_ctx(sk);
	int err;

	if (!call->timeo) {
		set_bit(SOCK_NOSPACE, &sk->sk_socket->flags);
		return -EAGAIN;
	}
	mutex_unlock(&ctx->tx_lock);
	err = sk_stream_wait_memory(sk, &call->timeo);
	release_sock(sk);
	mutex_lock(&ctx->tx_lock);
	lock_sock(sk);
	return err;
}

static bool tls_tx_may_hold(const struct tls_tx_rec *rec,
			    const struct msghdr *msg, u32 n)
{
	return !rec->len && !rec->plain && n >= TLS_TX_HOLD_MIN &&
	       user_backed_iter(&msg->msg_iter);
}

/* Splicing by reference into a device record needs the user's consent. */
static bool tls_tx_may_splice(const struct tls_tx *tx, bool plain,
			      const struct msghdr *msg)
{
	return msg->msg_flags & MSG_SPLICE_PAGES &&
	       (!plain || tx->ctx->ctx.zerocopy_sendfile);
}

/* Makes a whole record for the device in one go; returns 0 if it does not apply. */
static int tls_tx_whole(struct sock *sk, struct tls_tx *tx,
			struct tls_tx_call *call)
{
	size_t left = msg_data_left(call->msg);
	u32 n = min_t(size_t, left, tx->max_payload);
	int got, err;

	if (!tls_offload_tx_on(tx) || tls_tx_may_splice(tx, true, call->msg) ||
	    (n < tx->max_payload && call->more))
		return 0;
	got = tls_tx_direct(sk, tx, &call->batch, &call->msg->msg_iter, n,
			    call->type);
	if (got <= 0)
		return got;
	call->copied += got;
	err = tls_tx_pass(sk, tx, call);
	return err && err != -EAGAIN ? err : got;
}

/* If the device is lost after this check, the fallback encrypts the record. */
static struct tls_tx_rec *tls_tx_begin(struct sock *sk, struct tls_tx *tx,
				       const struct tls_tx_call *call)
{
	bool large = msg_data_left(call->msg) >= TLS_TX_HOLD_MIN, plain;
	struct tls_tx_rec *rec = tx->open;
	int err;

	if (rec)
		return rec;
	plain = tls_offload_tx_on(tx);
	err = plain ? 0 : tls_aead_ready(&tx->aead, sk->sk_allocation);
	if (err) {
		if (err != -ENOMEM)
			tx->error = err;
		return NULL;
	}
	rec = tls_tx_rec_alloc(sk, tx, call->type, large);
	if (rec && plain) {
		rec->plain = true;
		rec->epoch = tx->off->epoch;
		refcount_inc(&rec->epoch->refs);
	}
	tx->open = rec;
	tx->ctx->ctx.pending_open_record_frags = false;
	return rec;
}

/*
 * Seals @rec, which has its payload from one piece of the message. On failure the
 * record is freed and the message is as before.
 */
static int tls_tx_seal_taken(struct sock *sk, struct tls_tx *tx,
			     struct tls_tx_call *call, struct tls_tx_rec *rec)
{
	int err = tls_tx_rec_seal(sk, tx, rec);

	if (err) {
		iov_iter_revert(&call->msg->msg_iter, rec->len);
		tls_tx_rec_free(sk, tx, rec);
		return err;
	}
	call->copied += rec->len;
	list_add_tail(&rec->list, &tx->pending);
	return 0;
}

/* Returns 1 if the pages cannot be held and are to be copied. */
static int tls_tx_fill_held(struct sock *sk, struct tls_tx *tx,
			    struct tls_tx_call *call, u32 n)
{
	struct tls_tx_rec *rec = tx->open;
	int err;

	err = tls_tx_rec_hold(sk, rec, call->msg, n);
	if (err < 0)
		return 1;
	tx->open = NULL;
	err = tls_tx_seal_taken(sk, tx, call, rec) ?: tls_tx_pass(sk, tx, call);
	return err == -EAGAIN ? 0 : err;
}

static int tls_tx_fill(struct sock *sk, struct tls_tx *tx,
		       struct tls_tx_call *call, u32 room)
{
	struct tls_tx_rec *rec = tx->open;
	u32 n = min_t(size_t, room, msg_data_left(call->msg)), done = 0;
	int got;

	if (!tls_tx_may_splice(tx, rec->plain, call->msg)) {
		got = tls_tx_rec_copy(sk, rec, call->msg, n);
		done = max(got, 0);
	} else {
		do {
			got = tls_tx_rec_splice(sk, rec, call->msg, n - done);
			done += max(got, 0);
		} while (got > 0 && done < n);
	}
	call->copied += done;
	return done ?: got;
}

/* A record without payload must not be sent by the next call. */
static void tls_tx_drop_empty(struct sock *sk, struct tls_tx *tx)
{
	if (tx->open->len)
		return;
	tls_tx_rec_free(sk, tx, tx->open);
	tx->open = NULL;
}

/* Puts payload into the open record, and seals it when it is to end. */
static int tls_tx_step(struct sock *sk, struct tls_tx *tx,
		       struct tls_tx_call *call)
{
	struct tls_tx_rec *rec = tls_tx_begin(sk, tx, call);
	size_t left = msg_data_left(call->msg);
	u32 room;
	int err;

	if (!rec)
		return tx->error ?: -ENOMEM;

	room = tx->max_payload - min_t(u32, rec->len, tx->max_payload);
	if (tls_tx_may_hold(rec, call->msg, min_t(size_t, left, room)) &&
	    (left >= room || !call->more)) {
		room = min_t(size_t, left, room);
		err = tls_tx_fill_held(sk, tx, call, room);
		if (err <= 0)
			return err;
		room = tx->max_payload;
	}

	err = tls_tx_fill(sk, tx, call, room);
	if (err > 0 && err < room && (call->more || msg_data_left(call->msg)))
		return 0;
	if (err < 0 && err != -EMSGSIZE) {
		tls_tx_drop_empty(sk, tx);
		return err;
	}

	/* Full, out of segments, or the message ends here. */
	tx->ctx->ctx.pending_open_record_frags = true;
	err = tls_tx_seal_open(sk, tx) ?: tls_tx_pass(sk, tx, call);
	return err == -EAGAIN ? 0 : err;
}

/* Makes a whole small record in software; returns 0 if it does not apply. */
static int tls_tx_small(struct sock *sk, struct tls_tx *tx,
			struct tls_tx_call *call)
{
	size_t n = msg_data_left(call->msg);
	struct tls_tx_rec *rec;
	int err;

	if (n >= TLS_TX_HOLD_MIN || n > tx->max_payload || call->more ||
	    call->msg->msg_flags & MSG_SPLICE_PAGES || tls_offload_tx_on(tx) ||
	    tls_aead_ready(&tx->aead, sk->sk_allocation))
		return 0;
	rec = tls_tx_rec_small(sk, tx, call->type, &call->msg->msg_iter, n);
	if (!rec)
		return 0;
	err = tls_tx_seal_taken(sk, tx, call, rec);
	if (err)
		return err;
	err = tls_tx_offer_sealed(sk, tx, 0);
	return err && err != -EAGAIN ? err : n;
}

/* Puts the next bytes of the message into a new record or into the open one. */
static int tls_tx_next(struct sock *sk, struct tls_tx *tx,
		       struct tls_tx_call *call)
{
	int got;

	if (!tx->open) {
		if (list_empty(&tx->pending) && !call->batch.segs.nr)
			tls_offload_tx_check(sk, tx);
		got = tls_tx_whole(sk, tx, call);
		/* The gathered records must reach TCP before one of another kind. */
		if (!got && call->batch.segs.nr)
			return tls_tx_offer_gathered(sk, tx, call, MSG_MORE);
		if (!got)
			got = tls_tx_small(sk, tx, call);
		if (got)
			return got < 0 ? got : 0;
	}
	return tls_tx_step(sk, tx, call);
}

static int tls_tx_send_more(struct sock *sk, struct tls_tx *tx,
			    struct tls_tx_call *call)
{
	int err = call->gathered ? 0 : tls_tx_push(sk, tx, MSG_MORE);

	/* Send an open record of another type, or one that failed to be sealed. */
	if (!err && tx->open &&
	    (tx->open->type != call->type ||
	     tx->ctx->ctx.pending_open_record_frags))
		err = tls_tx_close_open(sk, tx, MSG_MORE);
	if (!err)
		err = tls_tx_next(sk, tx, call);
	if (err != -EAGAIN && err != -ENOMEM)
		return err;
	/* Offer the gathered records to TCP before waiting. */
	if (call->gathered) {
		err = tls_tx_offer_gathered(sk, tx, call, MSG_MORE);
		return err == -EAGAIN || err == -ENOMEM ? 0 : err;
	}
	return tls_tx_wait(sk, call);
}

/*
 * The end of a call. A record that MSG_MORE held open is closed by a message without
 * MSG_MORE, even an empty one or one that was cut short. Gathered records go to TCP.
 */
static int tls_tx_send_rest(struct sock *sk, struct tls_tx *tx,
			    struct tls_tx_call *call, bool whole)
{
	int err = 0;

	if (tx->open && !tx->error && !call->more && (whole || call->copied)) {
		tx->ctx->ctx.pending_open_record_frags = true;
		err = tls_tx_flush(sk, tx, 0);
	} else if (call->gathered) {
		err = tls_tx_offer_gathered(sk, tx, call,
					    call->more ? MSG_MORE : 0);
	}
	return err == -EAGAIN || err == -ENOMEM ? 0 : err;
}

static int tls_tx_send(struct sock *sk, struct tls_tx *tx,
		       struct tls_tx_call *call)
{
	int err = tx->error, late;

	/* Not cleared: the reader gets it as well. */
	if (sk->sk_err)
		return -sk->sk_err;
	if (sk->sk_shutdown & SEND_SHUTDOWN)
		return -EPIPE;
	while (!err && msg_data_left(call->msg))
		err = tls_tx_send_more(sk, tx, call);
	late = tls_tx_send_rest(sk, tx, call, !err);
	if (!err)
		err = late;
	/* Payload that a broken stream swallowed was not sent. */
	if (tx->error)
		return tx->error;
	return call->copied ? call->copied : err;
}

static int tls_tx_cmsg(struct msghdr *msg, struct tls_tx_call *call)
{
	struct cmsghdr *cmsg;

	for_each_cmsghdr(cmsg, msg) {
		if (!CMSG_OK(msg, cmsg))
			return -EINVAL;
		if (cmsg->cmsg_level != SOL_TLS)
			continue;
		if (cmsg->cmsg_type != TLS_SET_RECORD_TYPE ||
		    cmsg->cmsg_len < CMSG_LEN(sizeof(call->type)) ||
		    call->more)
			return -EINVAL;
		call->type = *(u8 *)CMSG_DATA(cmsg);
	}
	return 0;
}

static int tls_tx_call_init(struct sock *sk, struct msghdr *msg,
			    struct tls_tx_call *call)
{
	if (msg->msg_flags & ~TLS_TX_FLAGS)
		return -EOPNOTSUPP;
	call->msg = msg;
	call->timeo = sock_sndtimeo(sk, msg->msg_flags & MSG_DONTWAIT);
	call->copied = 0;
	call->gathered = 0;
	call->batch.segs.nr = 0;
	call->batch.len = 0;
	call->type = TLS_REC_DATA;
	call->more = msg->msg_flags & MSG_MORE;
	if (call->more && msg->msg_flags & MSG_EOR)
		return -EINVAL;
	return msg->msg_controllen ? tls_tx_cmsg(msg, call) : 0;
}

/**
 * tls_tx_sendmsg() - send user data as records
 * @sk:		the socket
 * @msg:	message, with SOL_TLS/TLS_SET_RECORD_TYPE or without
 * @size:	bytes of payload
 *
 * Context: process; takes tx_lock and the socket lock.
 * Return: bytes that are in records, or an error when there are none.
 */
int tls_tx_sendmsg(struct sock *sk, struct msghdr *msg, size_t size)
{
	struct tls_context *ctx = tls_get_ctx(sk);
	struct tls_tx *tx = tls_tx(sk);
	struct tls_tx_call call;
	int ret;

	ret = tls_tx_call_init(sk, msg, &call);
	if (ret)
		return ret;
	if (mutex_lock_interruptible(&ctx->tx_lock))
		return sock_intr_errno(call.timeo);

	lock_sock(sk);
	ret = tls_tx_send(sk, tx, &call);
	if (ret < 0)
		ret = sk_stream_error(sk, msg->msg_flags, ret);
	release_sock(sk);
	mutex_unlock(&ctx->tx_lock);
	return ret;
}

/**
 * tls_tx_splice_eof() - the file that sendfile reads ended early
 * @sock:	the socket
 */
void tls_tx_splice_eof(struct socket *sock)
{
	struct sock *sk = sock->sk;
	struct tls_context *ctx = tls_get_ctx(sk);
	struct tls_tx *tx = tls_tx(sk);

	mutex_lock(&ctx->tx_lock);
	lock_sock(sk);
	if (tx->open) {
		ctx->pending_open_record_frags = true;
		tls_tx_flush(sk, tx, 0);
	}
	release_sock(sk);
	mutex_unlock(&ctx->tx_lock);
}

/**
 * tls_tx_drain() - give all records to TCP, also beyond its buffer limit
 * @sk:		the socket, locked; no sender is at work
 * @tx:		its sending side
 *
 * For close and shutdown. There are at most TLS_TX_GATHER records and an open
 * one to give.
 */
void tls_tx_drain(struct sock *sk, struct tls_tx *tx)
{
	int limit = sk->sk_sndbuf;

	if (list_empty(&tx->pending) && !tx->open)
		return;
	WRITE_ONCE(sk->sk_sndbuf, INT_MAX);
	tls_tx_flush(sk, tx, 0);
	WRITE_ONCE(sk->sk_sndbuf, limit);
}

/**
 * tls_tx_drop() - free records that TCP did not take
 * @sk:		the socket, locked
 * @tx:		its sending side
 */
void tls_tx_drop(struct sock *sk, struct tls_tx *tx)
{
	struct tls_tx_rec *rec, *next;

	list_for_each_entry_safe(rec, next, &tx->pending, list) {
		list_del(&rec->list);
		tls_tx_rec_free(sk, tx, rec);
	}
	if (tx->open)
		tls_tx_rec_free(sk, tx, tx->open);
	tx->open = NULL;
	kfree(tx->spare);
	tx->spare = NULL;
}

/**
 * tls_tx_alloc() - make a sending side
 * @ctx:	the socket's context
 *
 * Return: it, without a key, or NULL.
 */
struct tls_tx *tls_tx_alloc(struct tls_priv *ctx)
{
	struct tls_tx *tx = kzalloc(sizeof(*tx), GFP_KERNEL);

	if (!tx)
		return NULL;
	tx->ctx = ctx;
	tx->hw.ctx = &ctx->ctx;
	tx->max_payload = ctx->max_payload;
	INIT_LIST_HEAD(&tx->pending);
	INIT_LIST_HEAD(&tx->hw.records_list);
	spin_lock_init(&tx->hw.lock);
	INIT_DELAYED_WORK(&tx->work, tls_tx_work);
	return tx;
}

/**
 * tls_tx_stop() - no work runs any more, and none starts
 * @tx:		the sending side
 *
 * Context: process, without the socket lock, which the work takes.
 */
void tls_tx_stop(struct tls_tx *tx)
{
	disable_delayed_work_sync(&tx->work);
}
