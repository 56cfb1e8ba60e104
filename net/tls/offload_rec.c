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
#include "offload_tx.h"
#include "tx_frags.h"

#define TLS_CHUNK_FIRST	512U	/* enough for a socket that sends now and then */
#define TLS_CHUNK_NEXT	4096U

/*
 * A piece of memory with consecutive records of one key. Records are acknowledged in
 * order, so those of a chunk end soon after each other; the last one frees the chunk.
 */
struct tls_off_chunk {
	refcount_t refs;	/* one of each record, one of tls_off_tx.chunk */
	u16 used;		/* bytes in use, including this structure */
	u16 size;		/* bytes allocated */
	struct tls_epoch *epoch;	/* key of the records, with a reference */
} __aligned(sizeof(u64));

static_assert(sizeof(struct tls_off_chunk) +
	      offsetof(struct tls_off_rec, info.frags[TLS_TX_FRAGS]) <=
	      TLS_CHUNK_FIRST);

static struct tls_off_tx *tls_off(const struct tls_offload_context_tx *hw)
{
	return container_of(hw, struct tls_tx, hw)->off;
}

static void tls_chunk_put(struct tls_off_chunk *chunk)
{
	if (!chunk || !refcount_dec_and_test(&chunk->refs))
		return;
	tls_epoch_put(chunk->epoch);
	kfree(chunk);
}

/* Replaces a chunk that is full, or makes the first one. The socket is locked. */
static int tls_chunk_next(struct tls_off_tx *off, gfp_t gfp)
{
	u32 size = off->chunk ? TLS_CHUNK_NEXT : TLS_CHUNK_FIRST;
	struct tls_off_chunk *chunk = kmalloc(size, gfp | __GFP_ACCOUNT);

	if (!chunk)
		return -ENOMEM;
	refcount_set(&chunk->refs, 1);
	chunk->used = sizeof(*chunk);
	chunk->size = size;
	chunk->epoch = off->epoch;
	refcount_inc(&chunk->epoch->refs);
	tls_chunk_put(off->chunk);
	off->chunk = chunk;
	return 0;
}

/* Takes memory for a record. The socket is locked. */
static struct tls_off_rec *tls_off_rec_alloc(struct tls_off_tx *off,
					     unsigned int frags, gfp_t gfp)
{
	struct tls_off_chunk *chunk = off->chunk;
	u32 size = ALIGN(offsetof(struct tls_off_rec, info.frags[frags]),
			 sizeof(u64));
	struct tls_off_rec *rec;

	/*
	 * A chunk without records is used again from its start. The test of the count
	 * pairs with the release in tls_chunk_put(); no write below comes before it.
	 */
	if (chunk && refcount_read(&chunk->refs) == 1)
		chunk->used = sizeof(*chunk);
	if (!chunk || chunk->used + size > chunk->size) {
		if (tls_chunk_next(off, gfp))
			return NULL;
		chunk = off->chunk;
	}
	rec = (void *)chunk + chunk->used;
	chunk->used += size;
	refcount_inc(&chunk->refs);
	rec->chunk = chunk;
	return rec;
}

/**
 * tls_off_rec_epoch() - the key of a record
 * @rec:	the record, held
 *
 * Return: the key, good as long as @rec.
 */
struct tls_epoch *tls_off_rec_epoch(const struct tls_off_rec *rec)
{
	return rec->chunk->epoch;
}

/**
 * tls_off_rec_put() - let go of a record
 * @rec:	the record
 */
void tls_off_rec_put(struct tls_off_rec *rec)
{
	int i;

	if (!refcount_dec_and_test(&rec->refs))
		return;
	for (i = 0; i < rec->info.num_frags; i++)
		__skb_frag_unref(&rec->info.frags[i], false);
	tls_chunk_put(rec->chunk);
}

static struct tls_off_rec *tls_ring_at(const struct tls_off_tx *off, u32 i)
{
	return off->ring[i & off->mask];
}

/* Returns the first record that ends after @seq; hw.lock is held. */
static struct tls_off_rec *tls_ring_find(const struct tls_off_tx *off, u32 seq)
{
	/* pairs with the release in tls_offload_tx_note(), which does not take hw.lock */
	const u32 tail = smp_load_acquire(&off->tail);
	u32 low = off->head, high = tail, mid;

	while (low != high) {
		mid = low + (high - low) / 2;
		if (after(tls_ring_at(off, mid)->info.end_seq, seq))
			high = mid;
		else
			low = mid + 1;
	}
	return low == tail ? NULL : tls_ring_at(off, low);
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

/**
 * tls_offload_tx_note() - note a plaintext record
 * @sk:		the socket, locked
 * @tx:		its sending side; the record takes the next number and key
 * @wire:	the record's bytes, which TCP gets behind all that is pending
 *
 * The noted record takes over the page references of @wire. It is not freed before the
 * peer has acknowledged its last byte, so TCP can still take the bytes from @wire.
 *
 * Return: 0 or -ENOMEM, with nothing done.
 */
int tls_offload_tx_note(struct sock *sk, struct tls_tx *tx,
			const struct tls_frags *wire)
{
	struct tls_off_tx *off = tx->off;
	struct tls_off_rec *rec;
	unsigned int i;

	if (tls_ring_prepare(tx))
		return -ENOMEM;
	rec = tls_off_rec_alloc(off, wire->nr, sk->sk_allocation);
	if (!rec)
		return -ENOMEM;
	refcount_set(&rec->refs, 1);
	rec->sn = get_unaligned_be64(tx->ctx->ctx.tx.rec_seq);
	rec->info.len = wire->len;
	rec->info.end_seq = tcp_sk(sk)->write_seq + tx->pending_len + wire->len;
	rec->info.num_frags = wire->nr;
	for (i = 0; i < wire->nr; i++)
		skb_frag_fill_page_desc(&rec->info.frags[i], wire->v[i].bv_page,
					wire->v[i].bv_offset,
					wire->v[i].bv_len);

	off->ring[off->tail & off->mask] = rec;
	/* tls_ring_find() looks at no place beyond the tail */
	smp_store_release(&off->tail, off->tail + 1);
	return 0;
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
		tls_off_rec_put(tls_ring_at(off, i));
}

/**
 * tls_off_rec_oldest_key() - tell the oldest key that a record may still need
 * @off:	the offload state; the socket is locked
 *
 * Return: its number; that of the key in force if all records are acknowledged.
 */
u32 tls_off_rec_oldest_key(const struct tls_off_tx *off)
{
	return off->head == off->tail ?
	       off->key_no : tls_off_rec_epoch(tls_ring_at(off, off->head))->key_no;
}

/**
 * tls_offload_rec_rekey() - let go of the key of new records
 * @off:	the offload state; the socket is locked
 *
 * Records that have it keep it.
 */
void tls_offload_rec_rekey(struct tls_off_tx *off)
{
	tls_chunk_put(off->chunk);
	off->chunk = NULL;
	tls_epoch_put(off->epoch);
	off->epoch = NULL;
}

/**
 * tls_offload_rec_drop() - forget all records
 * @tx:		sending side with no packet left
 */
void tls_offload_rec_drop(struct tls_tx *tx)
{
	struct tls_off_tx *off = tx->off;

	while (off->head != off->tail)
		tls_off_rec_put(tls_ring_at(off, off->head++));
	tls_offload_rec_rekey(off);
	tls_ring_free(off, off->ring);
}
