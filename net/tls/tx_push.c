// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sealed records on their way into TCP: in order, several at once, and never
 * plaintext for the device in one segment with ciphertext.
 */

#include <net/tcp.h>

#include "offload.h"
#include "tx_append.h"
#include "tx_push.h"
#include "tx_rec.h"
#include "work.h"

/* Records offered to TCP in one call: the first ones of tls_tx.pending. */
struct tls_tx_batch {
	unsigned int segs;
	u32 len;
	struct bio_vec v[2 * TLS_TX_SEGS];
};

/*
 * A segment holds plaintext for the device alone or none of it. @ahead: bytes that
 * TCP takes before.
 */
static int tls_tx_push_first(struct sock *sk, struct tls_tx *tx,
			     struct tls_tx_rec *rec, u32 ahead)
{
	if (rec->plain != tx->plain)
		tcp_write_collapse_fence(sk);
	tx->plain = rec->plain;
	return rec->epoch ? tls_offload_tx_queue(sk, tx, rec, ahead) : 0;
}

static struct tls_tx_rec *tls_tx_first(const struct tls_tx *tx)
{
	return list_first_entry(&tx->pending, struct tls_tx_rec, list);
}

/* TCP charges the bytes that it takes: our own charge ends. */
static int tls_tx_offer(struct sock *sk, struct tls_tx *tx,
			struct tls_tx_rec *rec, u32 ahead)
{
	int err = rec->sent ? 0 : tls_tx_push_first(sk, tx, rec, ahead);

	if (err)
		return err;
	sk_mem_uncharge(sk, rec->charged);
	rec->charged = 0;
	return 0;
}

static void tls_tx_batch_add(struct tls_tx_batch *batch,
			     const struct tls_tx_rec *rec)
{
	memcpy(batch->v + batch->segs, rec->out.v,
	       rec->out.nr * sizeof(*batch->v));
	batch->segs += rec->out.nr;
	batch->len += rec->wire_len - rec->sent;
}

/* Adds the pending records that may go to TCP in one call with the first one. */
static void tls_tx_batch_fill(struct sock *sk, struct tls_tx *tx,
			      struct tls_tx_batch *batch)
{
	struct tls_tx_rec *rec = tls_tx_first(tx);
	const struct tls_tx_rec *first = rec;

	tls_tx_batch_add(batch, first);
	list_for_each_entry_continue(rec, &tx->pending, list) {
		if (rec->plain != first->plain ||
		    rec->copied != first->copied ||
		    batch->segs + rec->out.nr > ARRAY_SIZE(batch->v) ||
		    tls_tx_offer(sk, tx, rec, batch->len))
			return;
		tls_tx_batch_add(batch, rec);
	}
}

/* TCP took @len bytes. */
static void tls_tx_took(struct sock *sk, struct tls_tx *tx, u32 len)
{
	struct tls_tx_rec *rec;
	u32 n;

	while (len) {
		rec = tls_tx_first(tx);
		n = min(len, rec->wire_len - rec->sent);
		rec->sent += n;
		len -= n;
		if (rec->sent < rec->wire_len) {
			tls_segs_cut(&rec->out, n);
			return;
		}
		list_del(&rec->list);
		tls_tx_rec_free(sk, tx, rec);
	}
}

/* Offers TCP @len bytes in @v; the first record's bytes are at its beginning. */
static int tls_tx_push_segs(struct sock *sk, struct tls_tx *tx,
			    const struct bio_vec *v, unsigned int nr, u32 len,
			    int flags)
{
	const struct tls_tx_rec *first = tls_tx_first(tx);
	int ret;

	if (first->copied && !first->plain)
		flags |= MSG_NO_SHARED_FRAGS;
	if (first->plain)
		flags |= MSG_SENDPAGE_DECRYPTED;
	ret = tls_tx_append(sk, v, nr, len, flags);
	if (ret < 0)
		return ret;
	tls_tx_took(sk, tx, ret);
	return ret < len ? -EAGAIN : 0;
}

static int tls_tx_push_batch(struct sock *sk, struct tls_tx *tx, int flags)
{
	struct tls_tx_batch batch;

	batch.segs = 0;
	batch.len = 0;
	tls_tx_batch_fill(sk, tx, &batch);
	return tls_tx_push_segs(sk, tx, batch.v, batch.segs, batch.len, flags);
}

static int tls_tx_push_some(struct sock *sk, struct tls_tx *tx, int flags)
{
	struct tls_tx_rec *first = tls_tx_first(tx);
	int err = tls_tx_offer(sk, tx, first, 0);

	if (err)
		return err;
	if (!list_is_singular(&tx->pending))
		return tls_tx_push_batch(sk, tx, flags);
	return tls_tx_push_segs(sk, tx, first->out.v, first->out.nr,
				first->wire_len - first->sent, flags);
}

/**
 * tls_tx_push() - give TCP the sealed records
 * @sk:		the socket, locked
 * @tx:		its sending side
 * @flags:	MSG_MORE when more follows at once
 *
 * Return: 0 when nothing is left; -EAGAIN when TCP is full; -ENOMEM, or TCP's
 * error.
 */
int tls_tx_push(struct sock *sk, struct tls_tx *tx, int flags)
{
	int err;

	while (!list_empty(&tx->pending)) {
		err = tls_tx_push_some(sk, tx, flags);
		/* TCP has room but failed: no sk_write_space() will come. */
		if (err == -ENOMEM ||
		    (err == -EAGAIN && sk_stream_memory_free(sk)))
			tls_work_queue(&tx->work, TLS_WORK_RETRY);
		if (err)
			return err;
	}
	return 0;
}
