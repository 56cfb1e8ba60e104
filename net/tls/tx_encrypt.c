// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sealing an outgoing record: laying out the bytes of the wire, and encrypting the
 * payload into them, or where it lies.
 */

#include <net/sock.h>

#include "aead.h"
#include "tx_rec.h"
#include "tx_segs.h"

/* Payload stays where it is; only the tail and the tag are added. */
static int tls_tx_rec_close_in_place(struct sock *sk, struct tls_tx *tx,
				     struct tls_tx_rec *rec)
{
	const struct tls_rec_fmt *fmt = &tx->aead.fmt;
	u32 end = fmt->tail_len + fmt->tag_len;
	int err;

	rec->out = rec->src;
	if (rec->large && !rec->copied)
		err = tls_tx_grow_edge(sk, tx, rec, &rec->out, end);
	else
		err = tls_tx_grow(sk, rec, &rec->out, end, 0, 1);
	if (!err && fmt->tail_len)
		*tls_segs_at(&rec->out, fmt->prepend_len + rec->len) =
			rec->type;
	return err;
}

static int tls_tx_rec_close_apart(struct sock *sk, struct tls_tx *tx,
				  struct tls_tx_rec *rec)
{
	const struct tls_rec_fmt *fmt = &tx->aead.fmt;
	u32 end = fmt->tail_len + fmt->tag_len;
	struct bio_vec *src = rec->src.v;
	int err;

	tls_segs_add_held(&rec->out, TLS_TX_SEGS, src->bv_page, src->bv_offset,
			  fmt->prepend_len);
	if (!rec->large)
		return tls_tx_grow(sk, rec, &rec->out, rec->len + end, 0, 1);
	err = tls_tx_grow(sk, rec, &rec->out, rec->len, src[1].bv_offset,
			  PAGE_SIZE);
	return err ?: tls_tx_grow_edge(sk, tx, rec, &rec->out, end);
}

/*
 * Undoes the layout of @rec, which is open again. Its first @shared output segments
 * belong to the source; @charged is its charge before.
 */
static void tls_tx_rec_reopen(struct sock *sk, struct tls_tx_rec *rec,
			      unsigned int shared, u32 charged)
{
	while (rec->out.nr > shared)
		put_page(rec->out.v[--rec->out.nr].bv_page);
	rec->out.nr = 0;
	tls_tx_piece_undo(sk, rec, rec->charged - charged);
}

/*
 * Returns true if no block of the cipher lies on two pages. For a block that does,
 * the crypto API allocates memory. If that fails in the middle of a record that is
 * encrypted in place, the record can neither be sent nor encrypted again.
 */
static bool tls_tx_rec_by_blocks(const struct tls_segs *segs, u32 skip, u32 len)
{
	const struct bio_vec *v = segs->v;
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

/* Lays out the bytes of the wire in rec->out; empties rec->src if it is used as that. */
static int tls_tx_rec_close(struct sock *sk, struct tls_tx *tx,
			    struct tls_tx_rec *rec)
{
	const struct tls_rec_fmt *fmt = &tx->aead.fmt;
	u32 charged = rec->charged;
	int err;

	if (rec->plain || rec->copied) {
		err = tls_tx_rec_close_in_place(sk, tx, rec);
		if (!err && (rec->plain ||
			     tls_tx_rec_by_blocks(&rec->out, fmt->prepend_len,
						  rec->len + fmt->tail_len))) {
			rec->src.nr = 0;
			return 0;
		}
		tls_tx_rec_reopen(sk, rec, rec->src.nr, charged);
		if (err)
			return err;
	}
	err = tls_tx_rec_close_apart(sk, tx, rec);
	if (err)
		tls_tx_rec_reopen(sk, rec, 0, charged);
	return err;
}

/* Source and destination of one record: additional data, content, type, tag. */
struct tls_tx_sg {
	struct scatterlist dst[TLS_TX_SEGS + 1];
	struct scatterlist src[TLS_TX_SEGS + 2];
};

static struct scatterlist *tls_tx_rec_to_sg(struct tls_tx *tx,
					    const struct tls_tx_rec *rec,
					    struct tls_tx_sg *sg, u32 assoc)
{
	struct tls_aead *aead = &tx->aead;
	const struct tls_rec_fmt *fmt = &aead->fmt;
	u32 skip = 0, first = 0, n;

	/* The additional data of TLS 1.3 is the header, where it lies. */
	sg_init_table(sg->dst, rec->out.nr + 1);
	if (!fmt->is_13) {
		sg_set_buf(sg->dst, aead->aad, assoc);
		skip = fmt->prepend_len;
		first = 1;
	}
	n = first + tls_segs_to_sg(&rec->out, skip, sg->dst + first);
	sg_mark_end(&sg->dst[n - 1]);
	if (!rec->src.nr)
		return sg->dst;

	sg_init_table(sg->src, rec->src.nr + 2);
	if (first)
		sg_set_buf(sg->src, aead->aad, assoc);
	n = first + tls_segs_to_sg(&rec->src, skip, sg->src + first);
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
	struct scatterlist *src;
	struct tls_tx_sg sg;
	u32 assoc, len;

	len = rec->len + aead->fmt.tail_len;
	assoc = tls_rec_aad(aead->aad, &aead->fmt, rec->type, len,
			    ctx->tx.rec_seq);
	tls_aead_iv(aead, ctx->tx.iv, ctx->tx.rec_seq);
	src = tls_tx_rec_to_sg(tx, rec, &sg, assoc);
	return tls_aead_seal(aead, src, sg.dst, assoc, len);
}

/**
 * tls_tx_advance() - the next record takes the next number
 * @tx:		the sending side
 */
void tls_tx_advance(struct tls_tx *tx)
{
	struct tls_context *ctx = &tx->ctx->ctx;
	const struct tls_aead *aead = &tx->aead;

	if (aead->fmt.explicit_len)
		tls_rec_counter_inc(ctx->tx.iv + aead->cipher->salt_len,
				    aead->fmt.explicit_len);
	tls_rec_counter_inc(ctx->tx.rec_seq, TLS_REC_SEQ_LEN);
}

/**
 * tls_tx_may_seal() - tell whether the key may protect one more record
 * @tx:		the sending side
 *
 * The last record number of a key is not used: no other could follow it.
 *
 * Return: 0; the error that broke the stream; -EBADMSG, which breaks it now.
 */
int tls_tx_may_seal(struct tls_tx *tx)
{
	if (unlikely(get_unaligned((u64 *)tx->ctx->ctx.tx.rec_seq) == U64_MAX))
		tx->error = tx->error ?: -EBADMSG;
	return tx->error;
}

/**
 * tls_tx_rec_seal() - make wire bytes of a record
 * @sk:		the socket, locked
 * @tx:		its sending side
 * @rec:	the open record; may be sealed again after -ENOMEM
 *
 * The record takes the next number. With @rec->plain the payload is left to
 * the device.
 *
 * Return: 0; -ENOMEM, with nothing changed; another error ends the stream.
 */
int tls_tx_rec_seal(struct sock *sk, struct tls_tx *tx,
		    struct tls_tx_rec *rec)
{
	const struct tls_rec_fmt *fmt = &tx->aead.fmt;
	struct tls_context *ctx = &tx->ctx->ctx;
	u32 charged = rec->charged;
	int err;

	err = tls_tx_may_seal(tx);
	if (!err && !rec->out.nr)
		err = tls_tx_rec_close(sk, tx, rec);
	if (err)
		return err;

	rec->wire_len = fmt->prepend_len + rec->len + fmt->tail_len +
			fmt->tag_len;
	rec->sn = get_unaligned_be64(ctx->tx.rec_seq);
	tls_rec_hdr_build(tls_segs_at(&rec->out, 0), fmt, rec->type, rec->len,
			  ctx->tx.iv + tx->aead.cipher->salt_len);
	if (rec->plain) {
		/* Never sent, but packet sockets see it. */
		tls_segs_clear(&rec->out, rec->wire_len - fmt->tag_len,
			       fmt->tag_len);
	} else {
		err = tls_tx_rec_encrypt(tx, rec);
		if (err == -ENOMEM && rec->src.nr) {
			tls_tx_rec_reopen(sk, rec, 0, charged);
			return err;
		}
		/* In its place the payload may be half encrypted. */
		if (err == -ENOMEM)
			err = -EIO;
		tls_segs_put(&rec->src);
	}
	if (err)
		tx->error = err;
	else
		tls_tx_advance(tx);
	return err;
}
