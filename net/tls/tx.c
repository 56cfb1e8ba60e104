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
#include "renew.h"
#include "tx.h"
#include "tx_control.h"
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
	unsigned int sealed;	/* sealed records not offered to TCP yet */
	u8 type;
	bool more;
};

/**
 * tls_tx_flush() - seal the open record and push all records
 * @sk:		the socket, locked; tx_lock held
 * @tx:		its sending side
 *
 * Return: 0 when TCP has everything; -EAGAIN or -ENOMEM when a work sends the
 * rest later; another error when the stream is broken.
 */
int tls_tx_flush(struct sock *sk, struct tls_tx *tx)
{
	int err = tls_tx_seal(sk, tx), late = tls_tx_push(sk, tx, 0);

	return err ?: late;
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
	int err = tls_tx_seal(sk, tx);

	tls_tx_push(sk, tx, 0);
	return err;
}

/**
 * tls_tx_messages() - send the messages that the kernel is to send by itself
 * @sk:		the socket, locked; tx_lock held
 * @tx:		its sending side
 * @flags:	MSG_MORE when more follows at once
 *
 * The open record is closed first. If TCP is full or memory is short, a work tries
 * again.
 *
 * Return: 0; or an error, as that of tls_tx_control().
 */
int tls_tx_messages(struct sock *sk, struct tls_tx *tx, int flags)
{
	int err;

	if (likely(!READ_ONCE(tx->control)))
		return 0;
	err = tx->error ?: tls_tx_finish(sk, tx) ?:
	      tls_tx_control(sk, tx, flags);
	if (err == -ENOMEM)
		tls_work_queue(&tx->work, TLS_WORK_RETRY);
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
	/* Seal a record that lacked memory before; one held by MSG_MORE stays open. */
	if (ctx->pending_open_record_frags)
		tls_tx_seal(sk, tx);
	tls_tx_push(sk, tx, 0);
	tls_tx_messages(sk, tx, 0);
	release_sock(sk);
	mutex_unlock(&ctx->tx_lock);
}

/**
 * tls_tx_write_space() - go on when TCP has room again
 * @sk:		the socket
 *
 * Context: softirq, the socket lock held by us or by its owner.
 */
void tls_tx_write_space(struct sock *sk)
{
	struct tls_context *ctx = tls_get_ctx(sk);
	struct tls_tx *tx = tls_tx(sk);

	if (tx && READ_ONCE(tx->pending))
		tls_work_queue(&tx->work, 0);
	ctx->sk_write_space(sk);
}

/*
 * Waits for room in TCP, but offers it the call's records first. Other senders may run
 * meanwhile, as with TCP, so the caller must read all state again.
 */
static int tls_tx_wait(struct sock *sk, struct tls_tx *tx,
		       struct tls_tx_call *call)
{
	struct tls_context *ctx = tls_get_ctx(sk);
	int err;

	if (call->sealed) {
		call->sealed = 0;
		err = tls_tx_push(sk, tx, MSG_MORE);
		return err == -EAGAIN || err == -ENOMEM ? 0 : err;
	}
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

/* For a device, pages are spliced by reference only with TLS_TX_ZEROCOPY_RO set. */
static bool tls_tx_may_splice(const struct tls_tx *tx, bool plain,
			      const struct msghdr *msg)
{
	return msg->msg_flags & MSG_SPLICE_PAGES &&
	       (!plain || tx->ctx->ctx.zerocopy_sendfile);
}

/*
 * Begins a record. If the device is lost after it was chosen here, the fallback
 * encrypts the record. Large payload in foreign pages has header and tag elsewhere.
 */
static int tls_tx_open(struct sock *sk, struct tls_tx *tx,
		       const struct tls_tx_call *call)
{
	struct tls_tx_rec *rec;
	bool plain;
	int err;

	plain = tls_offload_tx_next(sk, tx);
	if (!sk_stream_memory_free(sk))
		return -EAGAIN;
	err = plain ? 0 : tls_aead_ready(&tx->aead, sk->sk_allocation);
	if (err) {
		if (err != -ENOMEM)
			tx->error = err;
		return err;
	}
	rec = tls_tx_rec_alloc(sk, tx);
	if (!rec)
		return -ENOMEM;
	rec->type = call->type;
	rec->plain = plain;
	rec->edged = msg_data_left(call->msg) >= TLS_TX_HOLD_MIN &&
		     (!plain || tls_tx_may_splice(tx, plain, call->msg));
	tx->open = rec;
	tx->ctx->ctx.pending_open_record_frags = false;
	return 0;
}

/*
 * Puts up to @n bytes of the message into the open record: by reference where that is
 * possible. @last: the record ends with them. Returns the bytes taken, or an error.
 */
static int tls_tx_fill(struct sock *sk, struct tls_tx *tx,
		       const struct tls_tx_call *call, u32 n, bool last)
{
	struct tls_tx_rec *rec = tx->open;
	struct msghdr *msg = call->msg;

	if (tls_tx_may_splice(tx, rec->plain, msg))
		return tls_tx_rec_splice(sk, tx, rec, msg, n);
	if (last && !rec->plain && !rec->len && n >= TLS_TX_HOLD_MIN &&
	    user_backed_iter(&msg->msg_iter) &&
	    tls_tx_rec_hold(sk, tx, rec, msg, n) == n)
		return n;
	return tls_tx_rec_copy(sk, tx, rec, msg, n, last);
}

/* Frees an open record without payload, which the next call must not send. */
static void tls_tx_drop_empty(struct sock *sk, struct tls_tx *tx)
{
	if (tx->open->len)
		return;
	tls_tx_rec_free(sk, tx, tx->open);
	tx->open = NULL;
}

/*
 * Puts the next bytes of the message into the open record or a new one, and seals the
 * record if it ends there. If the open record has another type, or could not be sealed
 * before, it is sealed and takes no bytes.
 */
static int tls_tx_put(struct sock *sk, struct tls_tx *tx,
		      struct tls_tx_call *call)
{
	bool held = false, ends = tx->open && (tx->open->type != call->type ||
					tx->ctx->ctx.pending_open_record_frags);
	size_t left = msg_data_left(call->msg);
	int err, got = 0;
	u32 n;

	if (!tx->open) {
		err = tls_tx_open(sk, tx, call);
		if (err)
			return err;
	}
	if (!ends) {
		n = min_t(size_t, left, tx->max_payload - tx->open->len);
		ends = n < left || !call->more ||
		       tx->open->len + n == tx->max_payload;
		got = tls_tx_fill(sk, tx, call, n, ends);
		if (got < 0 && got != -EMSGSIZE) {
			tls_tx_drop_empty(sk, tx);
			return got;
		}
		ends = got < 0 || (ends && got == n);
		got = max(got, 0);
		held = tx->open->held;
		call->copied += got;
	}
	if (!ends)
		return 0;
	err = tls_tx_seal(sk, tx);
	if (!err) {
		call->sealed++;
	} else if (held) {
		iov_iter_revert(&call->msg->msg_iter, got);
		call->copied -= got;
	}
	return err;
}

/*
 * Handles a message that may be a KeyUpdate; see tls_tx_own_update(). A KeyUpdate is the
 * whole message of a call; the end of a longer message may look like one.
 */
static int tls_tx_put_update(struct sock *sk, struct tls_tx *tx,
			     struct tls_tx_call *call)
{
	int ret;

	if (call->copied || !tls_renew_owns(tx->renew))
		return 0;
	ret = tls_tx_finish(sk, tx) ?: tls_tx_own_update(sk, tx, &call->msg->msg_iter);
	if (ret < 0)
		return ret;
	call->copied += ret;
	return 0;
}

/*
 * Sends the records of earlier calls, and messages that the kernel is to send. At the
 * limit of a key, some records are left for messages of the program other than data.
 */
static int tls_tx_clear(struct sock *sk, struct tls_tx *tx,
			struct tls_tx_call *call)
{
	int err;

	call->sealed = 0;
	err = tls_tx_push(sk, tx, MSG_MORE) ?: tls_tx_messages(sk, tx, MSG_MORE);
	if (err == -EKEYEXPIRED && call->type != TLS_REC_DATA &&
	    tls_tx_key_lasts(tx, TLS_TX_GATHER))
		return 0;
	return err;
}

/*
 * Ends a call. A message without MSG_MORE closes a record that MSG_MORE held open,
 * also if it is empty or was cut short. Sealed records go to TCP.
 */
static int tls_tx_end(struct sock *sk, struct tls_tx *tx,
		      struct tls_tx_call *call, bool whole)
{
	int err = 0;

	if (tx->open && !tx->error && !call->more && (whole || call->copied))
		err = tls_tx_flush(sk, tx);
	else if (call->sealed)
		err = tls_tx_push(sk, tx, call->more ? MSG_MORE : 0);
	return err == -EAGAIN || err == -ENOMEM ? 0 : err;
}

static int tls_tx_send(struct sock *sk, struct tls_tx *tx,
		       struct tls_tx_call *call)
{
	int err = tx->error, late;

	/* The error is not cleared, so that the reader gets it as well. */
	if (sk->sk_err)
		return -sk->sk_err;
	if (sk->sk_shutdown & SEND_SHUTDOWN)
		return -EPIPE;
	while (!err && msg_data_left(call->msg)) {
		/* Records of earlier calls, or as many of this one as go together. */
		if ((tx->pending || READ_ONCE(tx->control)) &&
		    (!call->sealed || call->sealed >= TLS_TX_GATHER))
			err = tls_tx_clear(sk, tx, call);
		if (!err && unlikely(call->type == TLS_REC_HANDSHAKE))
			err = tls_tx_put_update(sk, tx, call);
		if (!err && msg_data_left(call->msg))
			err = tls_tx_put(sk, tx, call);
		if (err == -EAGAIN || err == -ENOMEM)
			err = tls_tx_wait(sk, tx, call);
	}
	late = tls_tx_end(sk, tx, call, !err);
	if (!err)
		err = late;
	/* Payload in the records of a broken stream counts as not sent. */
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
	call->sealed = 0;
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
 * tls_tx_splice_eof() - close the record of a sendfile that ended early
 * @sock:	the socket
 */
void tls_tx_splice_eof(struct socket *sock)
{
	struct sock *sk = sock->sk;
	struct tls_context *ctx = tls_get_ctx(sk);
	struct tls_tx *tx = tls_tx(sk);

	mutex_lock(&ctx->tx_lock);
	lock_sock(sk);
	if (tx->open)
		tls_tx_flush(sk, tx);
	release_sock(sk);
	mutex_unlock(&ctx->tx_lock);
}

/**
 * tls_tx_drain() - give all records and an alert to TCP, also beyond its buffer limit
 * @sk:		the socket, locked; no sender is at work
 * @tx:		its sending side
 *
 * For close and shutdown. There are at most TLS_TX_GATHER records and an open
 * one to give.
 */
void tls_tx_drain(struct sock *sk, struct tls_tx *tx)
{
	int limit = sk->sk_sndbuf;

	if (!tx->pending && !tx->open && !test_bit(TLS_TX_ALERT, &tx->control))
		return;
	WRITE_ONCE(sk->sk_sndbuf, INT_MAX);
	tls_tx_flush(sk, tx);
	if (test_bit(TLS_TX_ALERT, &tx->control))
		tls_tx_messages(sk, tx, 0);
	WRITE_ONCE(sk->sk_sndbuf, limit);
}

/**
 * tls_tx_drop() - free records that TCP did not take
 * @sk:		the socket, locked
 * @tx:		its sending side
 */
void tls_tx_drop(struct sock *sk, struct tls_tx *tx)
{
	while (tx->pending)
		tls_tx_rec_free(sk, tx, tls_tx_rec_next(tx));
	if (tx->open)
		tls_tx_rec_free(sk, tx, tx->open);
	tx->open = NULL;
	tx->pending_len = 0;
	tls_tx_rec_free_spare(tx);
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
	tx->sn_due = U64_MAX;
	INIT_LIST_HEAD(&tx->hw.records_list);
	spin_lock_init(&tx->hw.lock);
	INIT_DELAYED_WORK(&tx->work, tls_tx_work);
	return tx;
}

/**
 * tls_tx_stop() - end the work for good
 * @tx:		the sending side
 *
 * Context: process, without the socket lock, which the work takes.
 */
void tls_tx_stop(struct tls_tx *tx)
{
	disable_delayed_work_sync(&tx->work);
}
