// SPDX-License-Identifier: GPL-2.0-only
/*
 * Plaintext records that were sealed and are not acknowledged, found by TCP
 * sequence number: a ring in order of sequence, with binary search. Bytes that
 * no record covers are acknowledged, or were never plaintext.
 */

#include <linux/module.h>
#include <linux/skbuff_ref.h>
#include <net/tcp.h>
#include <net/tls.h>

#include "export.h"
#include "offload.h"

#define TLS_SPARES_MAX	128	/* acknowledged records kept to reuse their memory */
#define TLS_SPARE_FRAGS	2U	/* fragments that a record has space for, at least */

static struct tls_off_tx *tls_off(const struct tls_offload_context_tx *hw)
{
	return container_of(hw, struct tls_tx, hw)->off;
}

/* Drops a reference. Returns true if it was the last: the caller frees the memory. */
static bool tls_off_rec_end(struct tls_off_rec *rec)
{
	int i;

	if (!refcount_dec_and_test(&rec->refs))
		return false;
	for (i = 0; i < rec->info.num_frags; i++)
		__skb_frag_unref(&rec->info.frags[i], false);
	tls_epoch_put(rec->epoch);
	return true;
}

/**
 * tls_off_rec_put() - let go of a record
 * @rec:	the record
 */
void tls_off_rec_put(struct tls_off_rec *rec)
{
	if (tls_off_rec_end(rec))
		kfree(rec);
}

static struct tls_off_rec *tls_ring_at(const struct tls_off_tx *off, u32 i)
{
	return off->ring[i & off->mask];
}

/* Returns the first record that ends after @seq; hw.lock is held. */
static struct tls_off_rec *tls_ring_find(const struct tls_off_tx *off, u32 seq)
{
	u32 low = off->head, high = off->tail, mid;

	while (low != high) {
		mid = low + (high - low) / 2;
		if (after(tls_ring_at(off, mid)->info.end_seq, seq))
			high = mid;
		else
			low = mid + 1;
	}
	return low == off->tail ? NULL : tls_ring_at(off, low);
}

/* See tls_get_record(). */
struct tls_record_info *tls_off_rec_find(struct tls_offload_context_tx *context,
					 u32 seq, u64 *p_record_sn)
{
	struct tls_off_tx *off = tls_off(context);
	struct tls_off_rec *rec = tls_ring_find(off, seq);

	if (rec && !before(seq, tls_record_start_seq(&rec->info))) {
		*p_record_sn = rec->sn;
		return &rec->info;
	}
	if (before(seq, off->acked))
		return NULL;
	off->marker.end_seq = rec ? tls_record_start_seq(&rec->info) : seq + 1;
	*p_record_sn = rec ? rec->sn : 0;
	return &off->marker;
}

/**
 * tls_off_rec_get() - find and hold the plaintext record of a byte
 * @tx:		sending side
 * @seq:	TCP sequence number
 *
 * Return: the record, or NULL when the byte needs no encryption any more.
 */
struct tls_off_rec *tls_off_rec_get(struct tls_tx *tx, u32 seq)
{
	struct tls_off_rec *rec;
	unsigned long flags;

	spin_lock_irqsave(&tx->hw.lock, flags);
	rec = tls_ring_find(tx->off, seq);
	if (rec && before(seq, tls_record_start_seq(&rec->info)))
		rec = NULL;
	if (rec)
		refcount_inc(&rec->refs);
	spin_unlock_irqrestore(&tx->hw.lock, flags);
	return rec;
}

static bool tls_ring_full(const struct tls_off_tx *off)
{
	return off->tail - off->head > off->mask;
}

static void tls_ring_free(struct tls_off_tx *off, struct tls_off_rec **ring)
{
	if (ring != off->first)
		kvfree(ring);
}

/**
 * tls_offload_rec_init() - initialise the ring of records
 * @off:	zeroed memory
 */
void tls_offload_rec_init(struct tls_off_tx *off)
{
	off->ring = off->first;
	off->mask = TLS_RING_MIN - 1;
}

/* Makes room for one more record; the socket is locked. */
static int tls_ring_prepare(struct tls_tx *tx)
{
	struct tls_off_tx *off = tx->off;
	struct tls_off_rec **ring, **old;
	unsigned long flags;
	unsigned int noio;
	u32 size, i;

	if (!tls_ring_full(off))
		return 0;
	size = (off->mask + 1) * 2;
	noio = tls_noio_save(tx->ctx->ctx.sk->sk_allocation);
	ring = kvcalloc(size, sizeof(*ring), GFP_KERNEL_ACCOUNT);
	memalloc_noio_restore(noio);
	if (!ring)
		return -ENOMEM;

	spin_lock_irqsave(&tx->hw.lock, flags);
	for (i = off->head; i != off->tail; i++)
		ring[i & (size - 1)] = tls_ring_at(off, i);
	old = off->ring;
	off->ring = ring;
	off->mask = size - 1;
	spin_unlock_irqrestore(&tx->hw.lock, flags);
	tls_ring_free(off, old);
	return 0;
}

static struct tls_off_rec *tls_spare_pop(struct tls_off_tx *off)
{
	struct tls_off_rec *rec = off->spare;

	if (rec) {
		off->spare = rec->next;
		off->spares--;
	}
	return rec;
}

/* Takes the memory of an acknowledged record, or allocates. The socket is locked. */
static struct tls_off_rec *tls_off_rec_memory(struct tls_off_tx *off,
					      unsigned int frags, gfp_t gfp)
{
	struct tls_off_rec *rec = tls_spare_pop(off);

	if (rec && frags <= rec->room)
		return rec;
	kfree(rec);
	frags = max(frags, TLS_SPARE_FRAGS);
	rec = kmalloc(offsetof(struct tls_off_rec, info.frags[frags]),
		      gfp | __GFP_ACCOUNT);
	if (rec)
		rec->room = frags;
	return rec;
}

/**
 * tls_off_rec_add() - note a plaintext record
 * @sk:		the socket, locked
 * @tx:		its sending side; the record takes the next number and key
 * @wire:	the record's bytes, which TCP gets behind all that is pending
 *
 * Return: 0 or -ENOMEM, with nothing done.
 */
int tls_off_rec_add(struct sock *sk, struct tls_tx *tx,
		    const struct tls_frags *wire)
{
	struct tls_off_tx *off = tx->off;
	struct tls_off_rec *rec;
	unsigned long flags;
	unsigned int i;

	if (tls_ring_prepare(tx))
		return -ENOMEM;
	rec = tls_off_rec_memory(off, wire->nr, sk->sk_allocation);
	if (!rec)
		return -ENOMEM;
	refcount_set(&rec->refs, 1);
	rec->sn = get_unaligned_be64(tx->ctx->ctx.tx.rec_seq);
	rec->epoch = off->epoch;
	refcount_inc(&rec->epoch->refs);
	rec->info.len = wire->len;
	rec->info.end_seq = tcp_sk(sk)->write_seq + tx->pending_len + wire->len;
	rec->info.num_frags = wire->nr;
	for (i = 0; i < wire->nr; i++) {
		skb_frag_fill_page_desc(&rec->info.frags[i], wire->v[i].bv_page,
					wire->v[i].bv_offset,
					wire->v[i].bv_len);
		__skb_frag_ref(&rec->info.frags[i]);
	}

	spin_lock_irqsave(&tx->hw.lock, flags);
	off->ring[off->tail++ & off->mask] = rec;
	spin_unlock_irqrestore(&tx->hw.lock, flags);
	return 0;
}

/*
 * Retires an acknowledged record, which no search finds any more. If no packet holds
 * it, its memory becomes a spare one. The socket is locked.
 */
static void tls_ring_retire(struct tls_off_tx *off, u32 i)
{
	struct tls_off_rec *rec = tls_ring_at(off, i);

	if (!tls_off_rec_end(rec))
		return;
	if (off->spares == TLS_SPARES_MAX) {
		kfree(rec);
		return;
	}
	rec->next = off->spare;
	off->spare = rec;
	off->spares++;
}

/**
 * tls_offload_tx_acked() - TCP's callback for acknowledgments
 * @sk:		the socket, locked
 * @seq:	first byte not acknowledged
 *
 * Context: softirq or process.
 */
void tls_offload_tx_acked(struct sock *sk, u32 seq)
{
	struct tls_tx *tx = tls_tx(sk);
	struct tls_off_tx *off = tx->off;
	u32 i = off->head, end = i;
	unsigned long flags;

	spin_lock_irqsave(&tx->hw.lock, flags);
	off->acked = seq;
	while (end != off->tail &&
	       !after(tls_ring_at(off, end)->info.end_seq, seq))
		end++;
	off->head = end;
	spin_unlock_irqrestore(&tx->hw.lock, flags);
	for (; i != end; i++)
		tls_ring_retire(off, i);
}

/**
 * tls_offload_rec_drop() - forget all records
 * @tx:		sending side with no packet left
 */
void tls_offload_rec_drop(struct tls_tx *tx)
{
	struct tls_off_tx *off = tx->off;

	while (off->head != off->tail)
		tls_ring_retire(off, off->head++);
	while (off->spare)
		kfree(tls_spare_pop(off));
	tls_ring_free(off, off->ring);
}
