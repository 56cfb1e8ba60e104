// SPDX-License-Identifier: GPL-2.0-only
/*
 * The receiving side: waiting for records and handing their content to recv,
 * splice and read_sock. One reader is at work at a time, so that sleeping with
 * the socket unlocked never loses a place in the stream. Content of different
 * types is never mixed in one call.
 */

#include <linux/sched/signal.h>
#include <linux/splice.h>
#include <net/tcp.h>

#include "aead.h"
#include "offload.h"
#include "reasm.h"
#include "renew.h"
#include "rx.h"
#include "rx_control.h"
#include "rx_decrypt.h"
#include "work.h"

#define TLS_RX_EMPTY_MAX	128	/* records without content, in a row */

/* State of one call of recvmsg. */
struct tls_rx_call {
	struct msghdr *msg;
	size_t len;
	size_t target;
	size_t copied;
	long timeo;
	bool peek;
	int held;		/* memory of records kept by MSG_PEEK */
	unsigned int empty;	/* records in a row that gave the call nothing */
	bool typed;		/* @type has been given to the caller */
	u8 type;		/* content type of the call, once @typed */
};

/*
 * After a bad header, a reader that does not wait gets the error once and -EAGAIN
 * afterwards, as with the kernel's own module.
 */
static int tls_rx_error(struct sock *sk, struct tls_rx *rx, size_t copied,
			bool wait)
{
	if (copied)
		return rx->error;
	if (rx->framing && rx->reported && !wait &&
	    !(sk->sk_shutdown & RCV_SHUTDOWN))
		return -EAGAIN;
	WRITE_ONCE(rx->reported, true);
	sock_error(sk);		/* clears sk_err, which is the same error */
	return rx->error;
}

static bool tls_rx_news(struct sock *sk, struct tls_rx *rx)
{
	return READ_ONCE(rx->ready) || READ_ONCE(rx->error) ||
	       READ_ONCE(rx->key_pending) || READ_ONCE(sk->sk_err) ||
	       READ_ONCE(sk->sk_shutdown) & RCV_SHUTDOWN;
}

static int tls_rx_sleep(struct sock *sk, struct tls_rx *rx, long *timeo)
{
	DEFINE_WAIT_FUNC(wait, woken_wake_function);
	int ret;

	if (!*timeo)
		return -EAGAIN;
	if (signal_pending(current))
		return sock_intr_errno(*timeo);

	add_wait_queue(sk_sleep(sk), &wait);
	sk_set_bit(SOCKWQ_ASYNC_WAITDATA, sk);
	ret = sk_wait_event(sk, timeo, tls_rx_news(sk, rx), &wait);
	sk_clear_bit(SOCKWQ_ASYNC_WAITDATA, sk);
	remove_wait_queue(sk_sleep(sk), &wait);
	return ret < 0 ? ret : 0;
}

/*
 * Returns 1 with a whole record in front, 0 at the end of the stream. With @copied
 * bytes the call succeeds, so that an error is left for the next one.
 */
static int tls_rx_wait(struct sock *sk, struct tls_rx *rx, size_t copied,
		       long *timeo)
{
	int err;

	for (;;) {
		if (rx->error)
			return tls_rx_error(sk, rx, copied, *timeo);
		err = rx->key_pending ? tls_rx_renew(sk, rx) : 0;
		if (err)
			return err;
		/* A long read must not make TCP drop segments that arrive. */
		sk_flush_backlog(sk);
		tls_offload_rx_check(sk, rx);
		tls_reasm_check(sk, rx);
		err = tls_reasm_pull(sk, rx, false);
		if (rx->ready)
			return 1;
		if (rx->error)
			continue;
		if (err)
			return err;
		if (sk->sk_err)
			return copied ? -sk->sk_err : sock_error(sk);
		if (sk->sk_shutdown & RCV_SHUTDOWN || sock_flag(sk, SOCK_DONE))
			return 0;
		err = tls_rx_sleep(sk, rx, timeo);
		if (err)
			return err;
	}
}

/*
 * Ends a call, or lets others have the socket, after many records in a row without
 * content: a peer that sends no others could keep a reader in the kernel for ever, and
 * a program that does not wait away from its other sockets. Returns 0 to go on.
 */
static int tls_rx_pause(struct sock *sk, struct tls_rx *rx, unsigned int *empty,
			long timeo)
{
	if (likely(*empty < TLS_RX_EMPTY_MAX) || !rx->ready)
		return 0;
	*empty = 0;
	if (timeo && !signal_pending(current)) {
		release_sock(sk);
		cond_resched();
		lock_sock(sk);
		return 0;
	}
	/*
	 * The next record was announced when it came, so announce it again, also to a
	 * user in the kernel that has put its own callback before ours.
	 */
	sk->sk_data_ready(sk);
	return timeo ? sock_intr_errno(timeo) : -EAGAIN;
}

/* Takes the socket lock, and waits until no other reader is at work. */
static int tls_rx_enter(struct sock *sk, struct tls_rx *rx, long *timeo)
{
	DEFINE_WAIT_FUNC(wait, woken_wake_function);
	int err = 0;

	lock_sock(sk);
	if (!rx->reader)
		goto seat;

	add_wait_queue_exclusive(&rx->readers, &wait);
	while (!err && rx->reader) {
		if (!*timeo)
			err = -EAGAIN;
		else if (signal_pending(current))
			err = sock_intr_errno(*timeo);
		else
			sk_wait_event(sk, timeo, !READ_ONCE(rx->reader), &wait);
	}
	remove_wait_queue(&rx->readers, &wait);
	if (err) {
		/* tls_rx_leave() may have woken this reader: wake the next one. */
		wake_up(&rx->readers);
		release_sock(sk);
		return err;
	}
seat:
	WRITE_ONCE(rx->reader, true);
	return 0;
}

static void tls_rx_leave(struct sock *sk, struct tls_rx *rx)
{
	/* Copy out a record too large for the window even if no other read follows. */
	if (tls_reasm_pull(sk, rx, false))
		tls_work_queue(&rx->work, TLS_WORK_RETRY);
	WRITE_ONCE(rx->reader, false);
	/* Readers join the queue under the socket lock, which we hold. */
	if (waitqueue_active(&rx->readers))
		wake_up(&rx->readers);
	release_sock(sk);
}

/* The caller gets the type once; without room for it, only data can be read. */
static int tls_rx_put_type(struct tls_rx_call *call, u8 type)
{
	int err;

	if (call->typed)
		return 0;
	err = put_cmsg(call->msg, SOL_TLS, TLS_GET_RECORD_TYPE, sizeof(type),
		       &type);
	if (type != TLS_REC_DATA &&
	    (err || !call->msg->msg_control ||
	     call->msg->msg_flags & MSG_CTRUNC))
		return -EIO;
	call->typed = true;
	call->type = type;
	return 0;
}

static void tls_rx_consume(struct tls_rx *rx, struct sk_buff *skb)
{
	__skb_unlink(skb, &rx->list);
	consume_skb(skb);
}

/*
 * Copies a record to the caller. Returns 1 when nothing more may go into this call.
 */
static int tls_rx_deliver(struct tls_rx *rx, struct sk_buff *skb,
			  struct tls_rx_call *call)
{
	struct tls_rx_cb *cb = TLS_RX_CB(skb);
	u32 left = skb->len - cb->off;
	u32 n = min_t(size_t, left, call->len - call->copied);
	bool data = cb->type == TLS_REC_DATA;
	int err;

	if (call->typed && (!data || call->type != cb->type))
		return 1;
	/* Also for empty data: a record of another type then ends the call with 0. */
	err = tls_rx_put_type(call, cb->type);
	if (err)
		return err;
	if (n && skb_copy_datagram_iter(skb, cb->off, &call->msg->msg_iter, n))
		return -EFAULT;

	call->copied += n;
	if (n)
		call->empty = 0;
	if (n == left)
		call->msg->msg_flags |= MSG_EOR;
	if (call->peek)
		return !data || n < left;
	cb->off += n;
	if (n < left)
		return 1;
	tls_rx_consume(rx, skb);
	return !data;
}

/* Decrypts the front record; returns 1 when its type does not fit into this call. */
static int tls_rx_next(struct sock *sk, struct tls_rx *rx,
		       struct tls_rx_call *call)
{
	int ret;

	if (call->typed && !rx->aead.fmt.is_13 && rx->rec.type != call->type)
		return 1;
	if (!call->peek) {
		ret = tls_rx_rec_to_iter(sk, rx, &call->msg->msg_iter,
					 call->len - call->copied);
		if (ret > 0) {
			call->copied += ret;
			call->empty = 0;
			call->msg->msg_flags |= MSG_EOR;
			tls_rx_put_type(call, TLS_REC_DATA);
			return 0;
		}
		if (ret < 0)
			return ret;
	}
	call->empty++;
	return tls_rx_rec_to_list(sk, rx, call->peek);
}

static struct sk_buff *tls_rx_peeked(const struct tls_rx *rx,
				     struct sk_buff *last)
{
	if (!last)
		return skb_peek(&rx->list);
	return skb_peek_next(last, &rx->list);
}

static bool tls_rx_enough(const struct sock *sk, const struct tls_rx *rx,
			  const struct tls_rx_call *call)
{
	if (call->copied >= call->len)
		return true;
	/* The records that a peek keeps in memory are bounded like TCP's queue. */
	if (call->peek && call->copied &&
	    call->held > READ_ONCE(sk->sk_rcvbuf))
		return true;
	return call->copied >= call->target && !rx->ready;
}

static int tls_rx_recv(struct sock *sk, struct tls_rx *rx,
		       struct tls_rx_call *call)
{
	struct sk_buff *skb, *last = NULL;
	int err = 0;

	while (!err) {
		skb = tls_rx_peeked(rx, call->peek ? last : NULL);
		if (skb) {
			call->held += skb->truesize;
			err = tls_rx_deliver(rx, skb, call);
			last = skb;
			continue;
		}
		if (tls_rx_enough(sk, rx, call))
			break;
		err = tls_rx_pause(sk, rx, &call->empty,
				   call->copied < call->target ? call->timeo :
								 0);
		err = err ?: tls_rx_wait(sk, rx, call->copied, &call->timeo);
		if (err <= 0)
			break;
		err = tls_rx_next(sk, rx, call);
	}
	if (call->copied || err > 0)
		return call->copied;
	return err;
}

/**
 * tls_rx_recvmsg() - read content of records
 * @sk:		the socket
 * @msg:	destination; gets SOL_TLS/TLS_GET_RECORD_TYPE
 * @len:	bytes of room
 * @flags:	MSG_*
 *
 * Context: process; takes the socket lock.
 * Return: bytes of one type of content, 0 at the end of the stream (or for an
 * empty record of another type than data), or an error when there are none.
 */
int tls_rx_recvmsg(struct sock *sk, struct msghdr *msg, size_t len, int flags)
{
	struct tls_rx *rx = tls_rx(sk);
	struct tls_rx_call call = {
		.msg = msg,
		.len = len,
		.peek = flags & MSG_PEEK,
		.timeo = sock_rcvtimeo(sk, flags & MSG_DONTWAIT),
	};
	int ret;

	if (unlikely(flags & MSG_ERRQUEUE))
		return sock_recv_errqueue(sk, msg, len, SOL_IP, IP_RECVERR);

	ret = tls_rx_enter(sk, rx, &call.timeo);
	if (ret)
		return ret;
	call.target = sock_rcvlowat(sk, flags & MSG_WAITALL, len);
	ret = len ? tls_rx_recv(sk, rx, &call) : 0;
	tls_rx_leave(sk, rx);
	return ret;
}

/*
 * Returns the oldest decrypted record with content; decrypts one if there is none.
 */
static struct sk_buff *tls_rx_head(struct sock *sk, struct tls_rx *rx,
				   size_t copied, long *timeo)
{
	unsigned int empty = 0;
	struct sk_buff *skb;
	int err;

	for (;; empty++) {
		skb = skb_peek(&rx->list);
		if (skb && (skb->len || TLS_RX_CB(skb)->type != TLS_REC_DATA))
			return skb;
		if (skb) {
			tls_rx_consume(rx, skb);
			continue;
		}
		err = tls_rx_pause(sk, rx, &empty, *timeo) ?:
		      tls_rx_wait(sk, rx, copied, timeo);
		if (err > 0)
			err = tls_rx_rec_to_list(sk, rx, false);
		else if (!err)
			return NULL;
		if (err)
			return ERR_PTR(err);
	}
}

static ssize_t tls_rx_splice_one(struct sock *sk, struct tls_rx *rx,
				 struct pipe_inode_info *pipe, size_t len,
				 unsigned int flags, long *timeo)
{
	struct sk_buff *skb = tls_rx_head(sk, rx, 0, timeo);
	struct tls_rx_cb *cb;
	ssize_t n;

	if (IS_ERR_OR_NULL(skb))
		return PTR_ERR(skb);
	cb = TLS_RX_CB(skb);
	if (cb->type != TLS_REC_DATA)
		return -EINVAL;

	len = min_t(size_t, len, skb->len - cb->off);
	n = skb_splice_bits(skb, sk, cb->off, pipe, len, flags);
	if (n > 0) {
		cb->off += n;
		if (cb->off == skb->len)
			tls_rx_consume(rx, skb);
	}
	return n;
}

/**
 * tls_rx_splice_read() - move data of one record into a pipe
 * @sock:	the socket
 * @ppos:	unused
 * @pipe:	the pipe
 * @len:	at most so many bytes
 * @flags:	SPLICE_F_*
 *
 * Return: bytes moved, 0 at the end of the stream, -EINVAL when the next
 * record is not data, or another error.
 */
ssize_t tls_rx_splice_read(struct socket *sock, loff_t *ppos,
			   struct pipe_inode_info *pipe, size_t len,
			   unsigned int flags)
{
	struct sock *sk = sock->sk;
	struct tls_rx *rx = tls_rx(sk);
	bool nonblock = flags & SPLICE_F_NONBLOCK ||
			(sock->file && sock->file->f_flags & O_NONBLOCK);
	long timeo = sock_rcvtimeo(sk, nonblock);
	ssize_t n;

	n = tls_rx_enter(sk, rx, &timeo);
	if (n)
		return n;
	n = tls_rx_splice_one(sk, rx, pipe, len, flags, &timeo);
	tls_rx_leave(sk, rx);
	return n;
}

/**
 * tls_rx_read_sock() - hand decrypted data to a consumer in the kernel
 * @sk:		the socket, locked by the caller
 * @desc:	the consumer's
 * @actor:	returns the bytes it took
 *
 * Return: bytes taken; -EAGAIN when there is nothing yet, -EINVAL when the
 * next record is not data, or another error.
 */
int tls_rx_read_sock(struct sock *sk, read_descriptor_t *desc,
		     sk_read_actor_t actor)
{
	struct tls_rx *rx = tls_rx(sk);
	struct tls_rx_cb *cb;
	struct sk_buff *skb;
	int used, copied = 0;
	long timeo = 0;

	if (rx->reader)
		return -EAGAIN;

	do {
		skb = tls_rx_head(sk, rx, copied, &timeo);
		if (IS_ERR_OR_NULL(skb))
			return copied ? copied : PTR_ERR(skb);
		cb = TLS_RX_CB(skb);
		if (cb->type != TLS_REC_DATA)
			return copied ? copied : -EINVAL;
		used = actor(desc, skb, cb->off, skb->len - cb->off);
		if (used <= 0)
			return copied ? copied : used;
		copied += used;
		cb->off += used;
		if (cb->off == skb->len)
			tls_rx_consume(rx, skb);
	} while (desc->count);
	return copied;
}

/**
 * tls_rx_readable() - tell whether a reader would get something at once
 * @rx:		the receiving side; nothing need be locked
 *
 * Return: true for content, and for an error that no read has returned yet.
 */
bool tls_rx_readable(const struct tls_rx *rx)
{
	if (!skb_queue_empty_lockless(&rx->list))
		return true;
	if (READ_ONCE(rx->error))
		return !(READ_ONCE(rx->framing) && READ_ONCE(rx->reported));
	return READ_ONCE(rx->ready) && (!READ_ONCE(rx->key_pending) ||
					tls_renew_owns(READ_ONCE(rx->renew)));
}

/* Looks at TCP's queue as if its data arrived now. */
static void tls_rx_kick(struct sock *sk, struct tls_rx *rx)
{
	tls_reasm_check(sk, rx);
	if (tls_rx_readable(rx))
		rx->data_ready(sk);
	else if (tls_reasm_stuck(sk, rx))
		tls_work_queue(&rx->work, 0);
}

/**
 * tls_rx_rekeyed() - go on with the next key
 * @sk:		the socket, locked by its owner
 * @rx:		its receiving side, with that key
 */
void tls_rx_rekeyed(struct sock *sk, struct tls_rx *rx)
{
	tls_rx_key_came(sk, rx);
	tls_rx_kick(sk, rx);
}

/**
 * tls_rx_start() - begin to parse the received stream
 * @sk:		the socket, locked by its owner
 * @rx:		its receiving side, with a key
 */
void tls_rx_start(struct sock *sk, struct tls_rx *rx)
{
	write_lock_bh(&sk->sk_callback_lock);
	rx->data_ready = sk->sk_data_ready;
	sk->sk_data_ready = tls_reasm_data_ready;
	write_unlock_bh(&sk->sk_callback_lock);
	tls_rx_kick(sk, rx);
}

/**
 * tls_rx_detach() - undo tls_rx_start()
 * @sk:		the socket, locked by its owner; no reader is at work
 * @rx:		its receiving side
 */
void tls_rx_detach(struct sock *sk, struct tls_rx *rx)
{
	write_lock_bh(&sk->sk_callback_lock);
	sk->sk_data_ready = rx->data_ready;
	write_unlock_bh(&sk->sk_callback_lock);
}

/**
 * tls_rx_drop() - free received records that were not read
 * @rx:		the receiving side
 */
void tls_rx_drop(struct tls_rx *rx)
{
	__skb_queue_purge(&rx->list);
	tls_reasm_drop(rx);
	tls_offload_rx_drop(rx);
}

/**
 * tls_rx_alloc() - make a receiving side
 * @ctx:	the socket's context
 *
 * Return: it, without a key, or NULL.
 */
struct tls_rx *tls_rx_alloc(struct tls_priv *ctx)
{
	struct tls_rx *rx = kzalloc(sizeof(*rx), GFP_KERNEL);

	if (!rx)
		return NULL;
	rx->ctx = ctx;
	rx->sn_due = U64_MAX;
	__skb_queue_head_init(&rx->list);
	init_waitqueue_head(&rx->readers);
	INIT_DELAYED_WORK(&rx->work, tls_reasm_work);
	return rx;
}
