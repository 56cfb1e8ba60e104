// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sealing an outgoing record: laying out the bytes of the wire, and encrypting the
 * payload into them, or where it lies.
 */

#include <linux/ktime.h>
#include <net/sock.h>

#include "aead.h"
#include "lazy.h"
#include "offload.h"
#include "renew.h"
#include "tx_frags.h"
#include "tx_rec.h"
#include "work.h"

/*
 * Returns true if no block of the cipher lies on two pages. For a block that does,
 * the crypto API allocates memory. If that fails in the middle of a record that is
 * encrypted in place, the record can neither be sent nor encrypted again.
 */
static bool tls_tx_rec_by_blocks(const struct tls_frags *frags, u32 skip,
				 u32 len)
{
	const struct bio_vec *v = frags->v;
	u32 off, n;

	for (; len; v++, len -= n) {
		off = v->bv_offset + min(skip, v->bv_len);
		n = min(v->bv_offset + v->bv_len - off, len);
		skip -= off - v->bv_offset;
		if (offset_in_page(off) + n > PAGE_SIZE && off % TLS_TX_BLOCK)
			return false;
		if (n < len && n % TLS_TX_BLOCK)
			return false;
	}
	return true;
}

/*
 * Appends space for the rest of the record's bytes on the wire: for ciphertext, if the
 * payload is not encrypted in place, then for type and tag.
 */
static int tls_tx_rec_close(struct sock *sk, struct tls_tx *tx,
			    struct tls_tx_rec *rec)
{
	const struct tls_rec_fmt *fmt = &tx->aead.fmt;
	u32 head = fmt->prepend_len, end = fmt->tail_len + fmt->tag_len;
	struct tls_frags *wire = &rec->wire;
	u32 left = head + rec->len + end - wire->len;
	int err = 0;

	if (!rec->src.nr) {
		if (left && rec->plain && rec->edged)
			err = tls_tx_grow_edge(sk, tx, rec, left);
		else if (left)
			err = tls_tx_grow(sk, rec, wire, TLS_TX_FRAGS, left, 0,
					  1);
		if (err || rec->plain ||
		    tls_tx_rec_by_blocks(wire, head, rec->len + fmt->tail_len))
			return err;
		tls_tx_rec_apart(sk, rec, head);
	} else if (!left) {
		return 0;	/* an earlier call has done it */
	}
	if (!rec->edged)
		return tls_tx_grow(sk, rec, wire, TLS_TX_FRAGS, rec->len + end,
				   0, 1);
	/*
	 * A page with the offset of its source page is encrypted with one step of
	 * the cipher.
	 */
	err = tls_tx_grow(sk, rec, wire, TLS_TX_FRAGS, rec->len,
			  rec->src.v[0].bv_offset, PAGE_SIZE) ?:
	      tls_tx_grow_edge(sk, tx, rec, end);
	if (err)
		tls_tx_shrink(sk, rec, wire, head);
	return err;
}

/* Source and destination of one record: additional data, content, type, tag. */
struct tls_tx_sg {
	struct scatterlist dst[TLS_TX_FRAGS + 1];
	struct scatterlist src[TLS_TX_FRAGS + 2];
};

static struct scatterlist *tls_tx_rec_to_sg(struct tls_tx *tx,
					    const struct tls_tx_rec *rec,
					    struct tls_tx_sg *sg, u32 assoc)
{
	struct tls_aead *aead = &tx->aead;
	const struct tls_rec_fmt *fmt = &aead->fmt;
	u32 skip = 0, first = 0, n;

	/* In TLS 1.3 the additional data is the header, which is used in place. */
	sg_init_table(sg->dst, rec->wire.nr + 1);
	if (!fmt->is_13) {
		sg_set_buf(sg->dst, aead->aad, assoc);
		skip = fmt->prepend_len;
		first = 1;
	}
	n = first + tls_frags_to_sg(&rec->wire, skip, sg->dst + first);
	sg_mark_end(&sg->dst[n - 1]);
	if (!rec->src.nr)
		return sg->dst;

	sg_init_table(sg->src, rec->src.nr + 2);
	sg_set_buf(sg->src, fmt->is_13 ? tls_frags_start(&rec->wire) : aead->aad,
		   assoc);
	n = 1 + tls_frags_to_sg(&rec->src, 0, sg->src + 1);
	aead->tail = rec->type;
	if (fmt->tail_len)
		sg_set_buf(&sg->src[n++], &aead->tail, 1);
	sg_mark_end(&sg->src[n - 1]);
	return sg->src;
}

static int tls_tx_rec_encrypt(struct tls_tx *tx, struct tls_tx_rec *rec)
{
	struct tls_context *ctx = &tx->ctx->ctx;
	struct tls_aead *aead = &tx->aead;
	bool timed = tls_lazy_due(ctx->tx.rec_seq);
	struct scatterlist *src;
	struct tls_tx_sg sg;
	u32 assoc, len;
	u64 start;
	int err;

	len = rec->len + aead->fmt.tail_len;
	assoc = tls_rec_aad(aead->aad, &aead->fmt, rec->type, len,
			    ctx->tx.rec_seq);
	tls_aead_iv(aead, ctx->tx.iv, ctx->tx.rec_seq);
	src = tls_tx_rec_to_sg(tx, rec, &sg, assoc);
	start = timed ? ktime_get_ns() : 0;
	err = tls_aead_seal(aead, src, sg.dst, assoc, len);
	if (timed)
		tls_lazy_count_record(TLS_OFFLOAD_CTX_DIR_TX, len,
				      ktime_get_ns() - start);
	return err;
}

/* Advances the record number. */
static void tls_tx_advance(struct tls_tx *tx)
{
	struct tls_context *ctx = &tx->ctx->ctx;
	const struct tls_aead *aead = &tx->aead;

	if (aead->fmt.explicit_len)
		tls_rec_counter_inc(ctx->tx.iv + aead->cipher->salt_len,
				    aead->fmt.explicit_len);
	tls_rec_counter_inc(ctx->tx.rec_seq, TLS_REC_SEQ_LEN);
}

/*
 * Has tls_tx_control() look at the key. The last record number of a key is not
 * used, because no other could follow: the stream breaks.
 */
static void tls_tx_number_due(struct tls_tx *tx)
{
	if (get_unaligned((u64 *)tx->ctx->ctx.tx.rec_seq) == U64_MAX) {
		tx->error = tx->error ?: -EBADMSG;
		return;
	}
	/* tls_tx_control() sets the next number. */
	set_bit(TLS_TX_DUE, &tx->control);
	tx->sn_due = U64_MAX;
}

static int tls_tx_rec_protect(struct sock *sk, struct tls_tx *tx,
			      struct tls_tx_rec *rec)
{
	int err;

	if (rec->plain) {
		err = tls_offload_tx_note(sk, tx, &rec->wire);
		rec->noted = !err;
		return err;
	}
	err = tls_tx_rec_encrypt(tx, rec);
	/* Payload that is encrypted where it lies may be half encrypted now. */
	if (err == -ENOMEM && !rec->src.nr)
		return -EIO;
	if (err != -ENOMEM)
		tls_frags_put(&rec->src);
	return err;
}

/* Sets the last @len bytes to zero, in pages of our own, which are mapped. */
static void tls_frags_clear_end(const struct tls_frags *frags, u32 len)
{
	const struct bio_vec *v = &frags->v[frags->nr - 1];
	u32 n;

	for (; len; len -= n, v--) {
		n = min(len, v->bv_len);
		memset(page_address(v->bv_page) + v->bv_offset + v->bv_len - n,
		       0, n);
	}
}

static void tls_tx_rec_frame(struct tls_tx *tx, const struct tls_tx_rec *rec)
{
	const struct tls_rec_fmt *fmt = &tx->aead.fmt;
	u32 end = fmt->tail_len + fmt->tag_len;

	tls_rec_hdr_build(tls_frags_start(&rec->wire), fmt, rec->type, rec->len,
			  tx->ctx->ctx.tx.iv + tx->aead.cipher->salt_len);
	if (rec->plain)		/* never sent, but packet sockets see it */
		tls_frags_clear_end(&rec->wire, end);
	if (fmt->tail_len)
		*tls_frags_from_end(&rec->wire, end) = rec->type;
}

/* Makes all bytes of the wire. After -ENOMEM the payload is as it was. */
static int tls_tx_rec_finish(struct sock *sk, struct tls_tx *tx,
			     struct tls_tx_rec *rec)
{
	int err;

	if (unlikely(get_unaligned_be64(tx->ctx->ctx.tx.rec_seq) >= tx->sn_due))
		tls_tx_number_due(tx);
	err = tx->error ?: tls_tx_rec_close(sk, tx, rec);
	if (err)
		return err;

	tls_tx_rec_frame(tx, rec);
	err = tls_tx_rec_protect(sk, tx, rec);
	if (!err)
		tls_tx_advance(tx);
	else if (err != -ENOMEM)
		tx->error = err;
	return err;
}

/**
 * tls_tx_seal_rec() - make a record ready for TCP
 * @sk:		the socket, locked
 * @tx:		its sending side
 * @rec:	the record, all its payload taken in
 *
 * The record takes the next number and is the newest pending one then. If its payload
 * is plaintext for the device, it is noted for it.
 *
 * Return: 0; -ENOMEM, with the payload as it was, to be tried again; another error
 * ends the stream.
 */
int tls_tx_seal_rec(struct sock *sk, struct tls_tx *tx, struct tls_tx_rec *rec)
{
	int err = tls_tx_rec_finish(sk, tx, rec);

	if (err)
		return err;
	if (tx->pending)
		tx->newest->next = rec;
	else
		WRITE_ONCE(tx->pending, rec);
	tx->newest = rec;
	tx->pending_len += rec->wire.len;
	return 0;
}

/**
 * tls_tx_seal() - make the open record, if there is one, ready for TCP
 * @sk:		the socket, locked
 * @tx:		its sending side
 *
 * Without memory the record stays open, and a work tries again, unless its payload is
 * the caller's memory: then it is freed.
 *
 * Return: 0; -ENOMEM; another error ends the stream.
 */
int tls_tx_seal(struct sock *sk, struct tls_tx *tx)
{
	struct tls_tx_rec *rec = tx->open;
	int err;

	if (!rec)
		return 0;
	err = tls_tx_seal_rec(sk, tx, rec);
	if (err == -ENOMEM && !rec->held) {
		tx->ctx->ctx.pending_open_record_frags = true;
		TLS_STAT_INC(sock_net(sk), TLS_MIB_TX_SEAL_LATER);
		tls_work_queue(&tx->work, TLS_WORK_RETRY);
		return err;
	}
	tx->open = NULL;
	if (err)
		tls_tx_rec_free(sk, tx, rec);
	return err;
}
