// SPDX-License-Identifier: GPL-2.0-only
/*
 * Decryption of one incoming record, into the reader's own pages where that is
 * safe and else into a buffer on the list of decrypted records. A record is
 * consumed from TCP only after its tag was verified.
 */

#include <linux/ktime.h>
#include <net/tcp.h>

#include "aead.h"
#include "lazy.h"
#include "offload.h"
#include "reasm.h"
#include "rx_control.h"
#include "rx_decrypt.h"

#define TLS_RX_CHUNK	128	/* bytes copied to the stack at a time */
#define TLS_RX_OUTS	20	/* scatterlist entries for a destination */

/* Pieces of @len bytes that begin anywhere in a page, and end in another. */
#define TLS_RX_PIECES(len)	((len) / PAGE_SIZE + 2)
#define TLS_RX_LEN_MAX	(TLS_REC_PAYLOAD_MAX + 1 + TLS_REC_TAG_LEN)

/* Builds the front record's nonce. */
static int tls_rx_nonce(struct sock *sk, struct tls_rx *rx)
{
	struct tls_context *ctx = &rx->ctx->ctx;
	const struct tls_rec_fmt *fmt = &rx->aead.fmt;
	u8 iv[TLS_REC_NONCE_LEN];

	memcpy(iv, ctx->rx.iv, sizeof(iv));
	if (fmt->explicit_len &&
	    tls_reasm_read(sk, rx, TLS_REC_HDR_LEN,
			   iv + rx->aead.cipher->salt_len, fmt->explicit_len))
		return -EBADMSG;
	tls_aead_iv(&rx->aead, iv, ctx->rx.rec_seq);
	return 0;
}

/* Counts the front record, once it is authentic. */
static void tls_rx_advance(struct sock *sk, struct tls_rx *rx)
{
	struct tls_context *ctx = &rx->ctx->ctx;

	if (rx->aead.fmt.explicit_len)
		tls_rec_counter_inc(ctx->rx.iv + rx->aead.cipher->salt_len,
				    rx->aead.fmt.explicit_len);
	if (tls_rec_counter_inc(ctx->rx.rec_seq, TLS_REC_SEQ_LEN))
		tls_rx_abort(sk, rx, -EBADMSG);
	if (unlikely(get_unaligned_be64(ctx->rx.rec_seq) >= rx->sn_due))
		tls_rx_due(sk, rx);
	if (unlikely(rx->old))
		tls_offload_rx_advance(sk, rx);
	tls_reasm_done(sk, rx);
}

static int tls_rx_decrypt_sg(struct sock *sk, struct tls_rx *rx,
			     struct scatterlist *src, struct scatterlist *dst,
			     u32 len)
{
	struct tls_context *ctx = &rx->ctx->ctx;
	bool timed = tls_lazy_due(ctx->rx.rec_seq);
	struct tls_aead *aead = &rx->aead;
	u64 start;
	u32 assoc;
	int err;

	err = tls_aead_ready(aead, sk->sk_allocation) ?: tls_rx_nonce(sk, rx);
	if (err)
		return err;
	assoc = tls_rec_aad(aead->aad, &aead->fmt, rx->rec.type,
			    rx->rec.body_len, ctx->rx.rec_seq);
	sg_set_buf(&src[0], aead->aad, assoc);
	if (dst != src)
		sg_set_buf(&dst[0], aead->aad, assoc);
	start = timed ? ktime_get_ns() : 0;
	err = tls_aead_open(aead, src, dst, assoc, len);
	if (timed)
		tls_lazy_count_record(TLS_OFFLOAD_CTX_DIR_RX, len,
				      ktime_get_ns() - start);
	return err;
}

/* Copies body and tag to the destination, @n entries behind the first. */
static int tls_rx_gather(struct sock *sk, struct tls_rx *rx,
			 struct scatterlist *dst, u32 n)
{
	const struct tls_rec_fmt *fmt = &rx->aead.fmt;

	sg_set_buf(&dst[n + 1], rx->aead.tag, fmt->tag_len);
	sg_mark_end(&dst[n + 1]);
	return tls_reasm_gather(sk, rx, dst + 1, fmt->prepend_len,
				rx->rec.body_len + fmt->tag_len);
}

/*
 * Decrypts the front record into @dst: entry 0 is set here, entries 1 to @n have
 * room for the body, and one more entry is free.
 *
 * A cipher works on its source piece by piece. A piece that ends within a block, as
 * most segments do, costs more than copying the segment. So a record in more than
 * TLS_RX_PIECES() pieces is copied to the destination and decrypted there. If
 * another thread writes to the reader's memory meanwhile, the tag is wrong; the
 * caller then tries again from TCP's queue, which keeps the record until it is
 * authentic.
 */
static int tls_rx_decrypt(struct sock *sk, struct tls_rx *rx,
			  struct scatterlist *dst, u32 n)
{
	const struct tls_rec_fmt *fmt = &rx->aead.fmt;
	u32 len = rx->rec.body_len + fmt->tag_len;
	struct scatterlist src[1 + TLS_RX_PIECES(TLS_RX_LEN_MAX)];
	int ret;

	sg_init_table(src, ARRAY_SIZE(src));
	ret = tls_reasm_sg(sk, rx, src + 1, TLS_RX_PIECES(len),
			   fmt->prepend_len, len);
	if (ret == -EMSGSIZE) {
		ret = tls_rx_gather(sk, rx, dst, n);
		return ret ?: tls_rx_decrypt_sg(sk, rx, dst, dst, len);
	}
	if (ret < 0)
		return ret;
	sg_mark_end(&src[ret]);
	sg_mark_end(&dst[n]);
	return tls_rx_decrypt_sg(sk, rx, src, dst, len);
}

static int tls_rx_decrypt_failed(struct sock *sk, struct tls_rx *rx, int err)
{
	if (err == -ENOMEM || rx->error)
		return err;
	if (err == -EBADMSG)
		TLS_STAT_INC(sock_net(sk), LINUX_MIB_TLSDECRYPTERROR);
	tls_rx_abort(sk, rx, -EBADMSG);
	return -EBADMSG;
}

/* Finds the content type of TLS 1.3 and cuts it and the padding off. */
static int tls_rx_strip(struct sk_buff *skb)
{
	u8 buf[TLS_RX_CHUNK];
	u32 len = skb->len, n, end = 0;

	for (; len && !end; len -= n) {
		n = min_t(u32, len, len == skb->len ? 1 : sizeof(buf));
		if (skb_copy_bits(skb, len - n, buf, n))
			return -EBADMSG;
		end = tls_rec_content_end(buf, n);
		if (end)
			break;
	}
	if (!end)
		return -EBADMSG;
	len = len - n + end - 1;
	TLS_RX_CB(skb)->type = buf[end - 1];
	return pskb_trim(skb, len);
}

static struct sk_buff *tls_rx_skb_alloc(struct sock *sk, u32 len)
{
	struct sk_buff *skb;
	int err;

	skb = alloc_skb_with_frags(0, len, PAGE_ALLOC_COSTLY_ORDER, &err,
				   sk->sk_allocation);
	if (skb) {
		skb->data_len = len;
		skb->len = len;
	}
	return skb;
}

static int tls_rx_decrypt_skb(struct sock *sk, struct tls_rx *rx,
			      struct sk_buff *skb)
{
	struct scatterlist dst[TLS_RX_OUTS];
	int n;

	sg_init_table(dst, TLS_RX_OUTS);
	n = skb_to_sgvec_nomark(skb, dst + 1, 0, skb->len);
	if (n < 0)
		return n;
	return tls_rx_decrypt(sk, rx, dst, n);
}

/* Charges the buffer to the socket's receive memory. */
static int tls_rx_charge(struct sock *sk, struct sk_buff *skb)
{
	if (!sk_rmem_schedule(sk, skb, skb->truesize))
		return -ENOMEM;
	skb_set_owner_r(skb, sk);
	return 0;
}

/*
 * Returns whether a record is empty data that follows data: no reader would see it.
 */
static bool tls_rx_unseen(const struct tls_rx *rx, const struct sk_buff *skb)
{
	const struct sk_buff *last = skb_peek_tail(&rx->list);

	return !skb->len && TLS_RX_CB(skb)->type == TLS_REC_DATA && last &&
	       TLS_RX_CB(last)->type == TLS_REC_DATA;
}

/**
 * tls_rx_rec_to_list() - decrypt the front record into a buffer
 * @sk:		the socket, locked by its owner
 * @rx:		its receiving side; the record is complete
 * @charge:	charge the buffer to the socket, as one of many that may pile up
 *
 * Return: 0, with the record at the end of @rx->list; -ENOMEM, with nothing
 * changed; or an error that broke the stream.
 */
int tls_rx_rec_to_list(struct sock *sk, struct tls_rx *rx, bool charge)
{
	struct sk_buff *skb = tls_rx_skb_alloc(sk, rx->rec.body_len);
	int err;

	if (!skb)
		return -ENOMEM;

	TLS_RX_CB(skb)->off = 0;
	TLS_RX_CB(skb)->type = rx->rec.type;
	err = tls_offload_rx_to_skb(sk, rx, skb);
	if (err > 0)
		err = tls_rx_decrypt_skb(sk, rx, skb);
	if (!err && rx->aead.fmt.is_13)
		err = tls_rx_strip(skb);
	if (!err && charge)
		err = tls_rx_charge(sk, skb);
	if (!err && rx->aead.fmt.is_13 &&
	    TLS_RX_CB(skb)->type == TLS_REC_HANDSHAKE)
		err = tls_rx_handshake(sk, rx, skb);
	if (err < 0) {
		kfree_skb(skb);
		return tls_rx_decrypt_failed(sk, rx, err);
	}

	if (err || tls_rx_unseen(rx, skb))
		kfree_skb(skb);
	else
		__skb_queue_tail(&rx->list, skb);
	tls_rx_advance(sk, rx);
	/* If this fails, the next reader tries again. */
	if (rx->key_pending)
		tls_rx_renew(sk, rx);
	return 0;
}

/*
 * Describes @len bytes of @iter in @sg and stores their pages in @pinned. Returns
 * the number of entries, one for each page.
 */
static int tls_rx_map(struct iov_iter *iter, u32 len, struct scatterlist *sg,
		      unsigned int max, struct page **pinned)
{
	unsigned int n = 0;
	size_t off, part;
	ssize_t got;

	while (len) {
		struct page **pages = pinned + n;

		if (n == max)
			return -EMSGSIZE;
		got = iov_iter_extract_pages(iter, &pages, len, max - n, 0,
					     &off);
		if (got <= 0)
			return got ? got : -EFAULT;
		for (len -= got; got; got -= part, off = 0, n++) {
			part = min_t(size_t, got, PAGE_SIZE - off);
			sg_set_page(&sg[n], pinned[n], part, off);
		}
	}
	return n;
}

static void tls_rx_unmap(const struct iov_iter *iter, struct page **pinned)
{
	unsigned long n = 0;

	if (!iov_iter_extract_will_pin(iter))
		return;
	while (pinned[n])
		n++;
	unpin_user_pages_dirty_lock(pinned, n, true);
}

static int tls_rx_open_mapped(struct sock *sk, struct tls_rx *rx,
			      struct iov_iter *iter, u32 len,
			      struct page **pinned)
{
	struct scatterlist dst[TLS_RX_OUTS];
	int n;

	sg_init_table(dst, TLS_RX_OUTS);
	n = tls_rx_map(iter, len, dst + 1, TLS_RX_OUTS - 3, pinned);
	if (n < 0)
		return 1;
	if (rx->aead.fmt.tail_len)
		sg_set_buf(&dst[++n], &rx->aead.tail, 1);
	return tls_rx_decrypt(sk, rx, dst, n);
}

/*
 * Judges a decryption into the reader's memory. Returns 1 if the record must be
 * decrypted again, into a buffer of the kernel: it has padding, or is not data, or
 * its tag was wrong. A wrong tag means a forged record, or that the reader's memory
 * was written to meanwhile, or is in @iter more than once; the buffer excludes the
 * last two.
 */
static int tls_rx_retry(struct sock *sk, const struct tls_rx *rx, int err)
{
	if (err != -EBADMSG &&
	    (err || !rx->aead.fmt.is_13 || rx->aead.tail == TLS_REC_DATA))
		return err;
	if (!err && !rx->aead.tail)
		TLS_STAT_INC(sock_net(sk), LINUX_MIB_TLSRXNOPADVIOL);
	TLS_STAT_INC(sock_net(sk), LINUX_MIB_TLSDECRYPTRETRY);
	return 1;
}

static bool tls_rx_may_map(const struct tls_rx *rx,
			   const struct iov_iter *iter)
{
	return (user_backed_iter(iter) || iov_iter_is_bvec(iter)) &&
	       (!rx->aead.fmt.is_13 || rx->ctx->ctx.rx_no_pad);
}

/**
 * tls_rx_rec_to_iter() - decrypt the front record into the reader's memory
 * @sk:		the socket, locked by its owner
 * @rx:		its receiving side; the record is complete
 * @iter:	destination; advanced by the payload on success only
 * @room:	bytes that may be written
 *
 * Return: bytes of payload; 0 when the record must go through a buffer instead; an
 * error that broke the stream.
 */
int tls_rx_rec_to_iter(struct sock *sk, struct tls_rx *rx,
		       struct iov_iter *iter, u32 room)
{
	struct page *pinned[TLS_RX_OUTS] = {};
	size_t before = iov_iter_count(iter);
	u32 len = rx->rec.body_len - rx->aead.fmt.tail_len;
	int err;

	if (rx->rec.type != TLS_REC_DATA || !len || len > room)
		return 0;

	err = tls_offload_rx_to_iter(sk, rx, iter, len);
	if (err > 0 && tls_rx_may_map(rx, iter)) {
		err = tls_rx_open_mapped(sk, rx, iter, len, pinned);
		tls_rx_unmap(iter, pinned);
		err = tls_rx_retry(sk, rx, err);
	}
	if (err)
		iov_iter_revert(iter, before - iov_iter_count(iter));
	if (err == 1 || err == -EAGAIN || err == -ENOMEM)
		return 0;
	if (err)
		return tls_rx_decrypt_failed(sk, rx, err);

	tls_rx_advance(sk, rx);
	return len;
}
