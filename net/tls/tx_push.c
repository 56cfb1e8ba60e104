// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sealed records on their way into TCP: in order, several at once, and never
 * plaintext for the device in one packet with ciphertext.
 */

#include <net/tcp.h>

#include "tx_append.h"
#include "tx_push.h"
#include "tx_rec.h"
#include "work.h"

/* Bytes that are offered to TCP in one call: those of the first pending records. */
struct tls_tx_batch {
	const struct bio_vec *v;	/* of the only record, or @joined */
	unsigned int nr;
	u32 len;
	u32 charged;
	struct bio_vec joined[2 * TLS_TX_FRAGS];
};

/*
 * Adds a record. Returns false when there is no room. Records that follow each
 * other in memory are joined.
 */
static bool tls_tx_batch_add(struct tls_tx_batch *batch, struct tls_tx_rec *rec)
{
	const struct bio_vec *v = rec->wire.v, *end = v + rec->wire.nr;
	struct bio_vec *last = batch->nr ? &batch->joined[batch->nr - 1] : NULL;

	if (batch->nr + rec->wire.nr > ARRAY_SIZE(batch->joined))
		return false;
	if (last && last->bv_page == v->bv_page &&
	    last->bv_offset + last->bv_len == v->bv_offset)
		last->bv_len += v++->bv_len;
	while (v < end)
		batch->joined[batch->nr++] = *v++;
	batch->len += rec->wire.len;
	batch->charged += rec->charged;
	rec->charged = 0;
	return true;
}

/* Takes the first pending records that are of one kind. */
static void tls_tx_batch_fill(struct tls_tx_batch *batch, struct tls_tx *tx,
			      struct tls_tx_rec *first)
{
	struct tls_tx_rec *rec;

	if (!first->next) {
		batch->v = first->wire.v;
		batch->nr = first->wire.nr;
		batch->len = first->wire.len;
		batch->charged = first->charged;
		first->charged = 0;
		return;
	}
	batch->v = batch->joined;
	batch->nr = 0;
	batch->len = 0;
	batch->charged = 0;
	for (rec = first; rec; rec = rec->next)
		if (rec->plain != tx->plain || !tls_tx_batch_add(batch, rec))
			return;
}

/* Accounts for @len bytes that TCP took. */
static void tls_tx_took(struct sock *sk, struct tls_tx *tx, u32 len)
{
	struct tls_tx_rec *rec;

	tx->pending_len -= len;
	while (len) {
		rec = tx->pending;
		if (len < rec->wire.len) {
			tls_frags_cut(&rec->wire, len, !rec->noted);
			return;
		}
		len -= rec->wire.len;
		tls_tx_rec_free(sk, tx, tls_tx_rec_next(tx));
	}
}

/* Takes back @left of the offered bytes, which TCP did not take. */
static void tls_tx_left(struct sock *sk, struct tls_tx *tx, u32 left)
{
	struct tls_tx_rec *rec = tx->pending;

	if (!rec->waited)
		TLS_STAT_INC(sock_net(sk), TLS_MIB_TX_PUSH_LATER);
	rec->waited = true;
	sk_mem_charge(sk, left);
	for (; left; rec = rec->next) {
		rec->charged = rec->wire.len;
		left -= rec->charged;
	}
}

/*
 * Offers one batch to TCP. TCP charges the bytes that it takes, so the charge of the
 * records ends before. sk_forward_alloc_add() keeps the charge with the socket, while
 * sk_mem_uncharge() might give it back to the system.
 */
static __always_inline int tls_tx_push_some(struct sock *sk, struct tls_tx *tx, int flags)
{
	struct tls_tx_batch batch;
	struct tls_tx_rec *first = tx->pending;
	int ret;

	if (first->plain != tx->plain)
		tcp_write_collapse_fence(sk);
	tx->plain = first->plain;
	tls_tx_batch_fill(&batch, tx, first);
	sk_forward_alloc_add(sk, batch.charged);
	flags |= tx->plain ? MSG_SENDPAGE_DECRYPTED : MSG_NO_SHARED_FRAGS;
	ret = tls_tx_append(sk, batch.v, batch.nr, batch.len, flags);
	if (ret > 0)
		tls_tx_took(sk, tx, ret);
	if (ret == batch.len)
		return 0;
	tls_tx_left(sk, tx, batch.len - max(ret, 0));
	return ret < 0 ? ret : -EAGAIN;
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
	int err = 0;

	while (!err && tx->pending)
		err = tls_tx_push_some(sk, tx, flags);
	/* TCP has room but failed: no sk_write_space() will come. */
	if (err == -ENOMEM || (err == -EAGAIN && sk_stream_memory_free(sk)))
		tls_work_queue(&tx->work, TLS_WORK_RETRY);
	return err;
}
