// SPDX-License-Identifier: GPL-2.0-only
/*
 * Records that a device decrypted, whole or in part. Only skb->decrypted tells
 * whether a byte is decrypted. If a record is decrypted in part, the device has
 * verified nothing of it: its plaintext is encrypted again, and then software
 * decrypts the whole record. For this purpose the previous key is kept as long as
 * a device may have used it.
 */

#include <linux/module.h>
#include <net/tcp.h>
#include <net/tls.h>

#include "aead.h"
#include "offload_rx.h"
#include "reasm.h"
#include "trace.h"

/*
 * The previous key of a receiving side, with which a device may have "decrypted"
 * records of the key in force. While it exists, no other device gets the key in force.
 * Its cipher is allocated when needed.
 */
struct tls_rx_old {
	union tls_crypto_context info;	/* the key; wiped with the structure */
	u8 iv[TLS_REC_NONCE_LEN];
	u8 seq[TLS_REC_SEQ_LEN];	/* number that the device assumes for the front record */
	u32 end;			/* first sequence number that the device cannot have seen */
};

/**
 * tls_offload_rx_keep_key() - keep the old key of a device before it changes
 * @sk:		the socket, locked by its owner
 * @rx:		its receiving side; an older key in rx->old is left to the caller
 *
 * A device goes on with a key and its numbers until it is stopped. So it may
 * "decrypt" records of the next key with this one; the old key turns their bytes
 * into ciphertext again.
 *
 * Return: 0 or -ENOMEM, with nothing done.
 */
int tls_offload_rx_keep_key(struct sock *sk, struct tls_rx *rx)
{
	const struct tls_context *ctx = tls_get_ctx(sk);
	struct tls_rx_old *old = kzalloc(sizeof(*old),
					 sk->sk_allocation | __GFP_ACCOUNT);

	if (!old)
		return -ENOMEM;
	memcpy(old->iv, ctx->rx.iv, sizeof(old->iv));
	memcpy(old->seq, ctx->rx.rec_seq, sizeof(old->seq));
	old->end = rx->met_end;
	old->info = ctx->crypto_recv;
	rx->old = old;
	return 0;
}

/**
 * tls_offload_rx_advance() - advance the old key by the front record
 * @sk:		the socket, locked by its owner
 * @rx:		its receiving side, with an old key
 */
void tls_offload_rx_advance(struct sock *sk, struct tls_rx *rx)
{
	u32 next = tcp_sk(sk)->copied_seq + (rx->copy ? 0 : rx->rec.full_len);

	tls_rec_counter_inc(rx->old->seq, TLS_REC_SEQ_LEN);
	if (!before(next, rx->old->end))
		tls_offload_rx_drop(rx);
}

/**
 * tls_offload_rx_drop() - forget the old key
 * @rx:		receiving side
 */
void tls_offload_rx_drop(struct tls_rx *rx)
{
	kfree_sensitive(rx->old);
	rx->old = NULL;
}

static u8 tls_off_rx_state(struct sock *sk, const struct tls_rx *rx)
{
	u32 off, end = rx->rec.full_len;
	u8 state = 0, one;

	for (off = 0; off < end && state != (TLS_RX_PLAIN | TLS_RX_CIPHER);) {
		off = tls_reasm_run(sk, rx, off, end, &one);
		state |= one;
	}
	return state;
}

/* Returns a copy of the front record's body as it was received. */
static u8 *tls_off_rx_body(struct sock *sk, const struct tls_rx *rx, u32 len)
{
	u8 *buf = kmalloc(len, sk->sk_allocation);

	if (buf && tls_reasm_read(sk, rx, rx->aead.fmt.prepend_len, buf, len)) {
		kfree_sensitive(buf);
		buf = NULL;
	}
	return buf;
}

/* Copies the parts that the device decrypted from @sealed, and no others. */
static void tls_off_rx_patch(struct sock *sk, const struct tls_rx *rx,
			     u8 *body, const u8 *sealed)
{
	u32 base = rx->aead.fmt.prepend_len;
	u32 off = base, next, end = base + rx->rec.body_len;
	u8 state;

	for (; off < end; off = next) {
		next = tls_reasm_run(sk, rx, off, end, &state);
		if (state == TLS_RX_PLAIN)
			memcpy(body + off - base, sealed + off - base,
			       next - off);
	}
}

/* A key, and the number that the front record has with it. */
struct tls_off_key {
	struct tls_aead *aead;
	const u8 *iv;
	const u8 *seq;
};

static int tls_off_rx_crypt(struct sock *sk, struct tls_rx *rx,
			    const struct tls_off_key *key, u8 *buf, bool seal)
{
	const struct tls_rec_fmt *fmt = &key->aead->fmt;
	u32 len = rx->rec.body_len, assoc;
	u8 iv[TLS_REC_NONCE_LEN];
	struct scatterlist sg[2];

	if (tls_aead_ready(key->aead, sk->sk_allocation))
		return -ENOMEM;
	memcpy(iv, key->iv, sizeof(iv));
	if (fmt->explicit_len &&
	    tls_reasm_read(sk, rx, TLS_REC_HDR_LEN,
			   iv + key->aead->cipher->salt_len, fmt->explicit_len))
		return -EBADMSG;
	tls_aead_iv(key->aead, iv, key->seq);
	assoc = tls_rec_aad(key->aead->aad, fmt, rx->rec.type, len, key->seq);
	sg_init_table(sg, ARRAY_SIZE(sg));
	sg_set_buf(&sg[0], key->aead->aad, assoc);
	sg_set_buf(&sg[1], buf, len + fmt->tag_len);
	return seal ? tls_aead_seal(key->aead, sg, sg, assoc, len) :
		      tls_aead_open(key->aead, sg, sg, assoc,
				    len + fmt->tag_len);
}

/*
 * All ciphers offered to devices xor a key stream over the text. So sealing the
 * whole body turns its decrypted parts into ciphertext; only these parts are
 * taken over. @by is the device's key, @ours decrypts the result.
 */
static int tls_off_rx_mend_by(struct sock *sk, struct tls_rx *rx,
			      struct sk_buff *skb,
			      const struct tls_off_key *by,
			      const struct tls_off_key *ours)
{
	u32 len = rx->rec.body_len + rx->aead.fmt.tag_len;
	u8 *body = tls_off_rx_body(sk, rx, len);
	u8 *sealed = tls_off_rx_body(sk, rx, len);
	int err = -ENOMEM;

	if (!body || !sealed)
		goto free;
	err = tls_off_rx_crypt(sk, rx, by, sealed, true);
	if (err)
		goto free;
	tls_off_rx_patch(sk, rx, body, sealed);
	err = tls_off_rx_crypt(sk, rx, ours, body, false);
	if (!err)
		err = skb_store_bits(skb, 0, body, rx->rec.body_len);
	if (!err)
		TLS_STAT_INC(sock_net(sk), TLS_MIB_RX_DEVICE_MENDED);
free:
	kfree_sensitive(sealed);
	kfree_sensitive(body);
	return err;
}

static int tls_off_rx_mend_by_old(struct sock *sk, struct tls_rx *rx,
				  struct sk_buff *skb,
				  const struct tls_off_key *ours)
{
	struct tls_aead aead = {};
	struct tls_off_key by = {
		.aead = &aead,
		.iv = rx->old->iv,
		.seq = rx->old->seq,
	};
	int err;

	tls_aead_prepare(&aead, rx->aead.cipher, &rx->old->info);
	err = tls_off_rx_mend_by(sk, rx, skb, &by, ours);
	tls_aead_fini(&aead);
	return err;
}

static int tls_off_rx_mend(struct sock *sk, struct tls_rx *rx,
			   struct sk_buff *skb)
{
	const struct tls_context *ctx = tls_get_ctx(sk);
	struct tls_off_key ours = {
		.aead = &rx->aead,
		.iv = ctx->rx.iv,
		.seq = ctx->rx.rec_seq,
	};
	int err;

	err = tls_off_rx_mend_by(sk, rx, skb, &ours, &ours);
	if (err == -EBADMSG && rx->old)
		err = tls_off_rx_mend_by_old(sk, rx, skb, &ours);
	return err;
}

static int tls_off_rx_copy(struct sock *sk, struct tls_rx *rx,
			   struct sk_buff *skb)
{
	u32 off = rx->aead.fmt.prepend_len, n;
	int i;

	/* @skb was made here: its pages are mapped, and nothing is linear. */
	for (i = 0; i < skb_shinfo(skb)->nr_frags; i++, off += n) {
		const skb_frag_t *frag = &skb_shinfo(skb)->frags[i];

		n = skb_frag_size(frag);
		if (tls_reasm_read(sk, rx, off, skb_frag_address(frag), n))
			return -EBADMSG;
	}
	return 0;
}

/* Returns the states of the front record's bytes, found out once per record. */
static u8 tls_off_rx_judge(struct sock *sk, struct tls_rx *rx)
{
	if (!rx->offloaded)
		return TLS_RX_CIPHER;
	if (rx->state)
		return rx->state;

	rx->state = tls_off_rx_state(sk, rx);
	trace_tls_device_decrypted(sk, tcp_sk(sk)->copied_seq,
				   tls_get_ctx(sk)->rx.rec_seq,
				   rx->rec.full_len,
				   rx->state & TLS_RX_CIPHER,
				   rx->state & TLS_RX_PLAIN);
	if (rx->state & TLS_RX_PLAIN)
		rx->hw.resync_nh_reset = 1;
	else if (rx->link)
		tls_offload_rx_lags(sk, rx);
	return rx->state;
}

/**
 * tls_offload_rx_to_skb() - get the front record's body, if the device decrypted any of it
 * @sk:		the socket, locked by its owner
 * @rx:		its receiving side; the record is complete
 * @skb:	room for the body
 *
 * Return: 0 with the body in @skb; 1 when the device decrypted nothing; an error.
 */
int tls_offload_rx_to_skb(struct sock *sk, struct tls_rx *rx,
			  struct sk_buff *skb)
{
	switch (tls_off_rx_judge(sk, rx)) {
	case TLS_RX_CIPHER:
		return 1;
	case TLS_RX_PLAIN:
		return tls_off_rx_copy(sk, rx, skb);
	default:
		return tls_off_rx_mend(sk, rx, skb);
	}
}

static int tls_off_rx_copy_iter(struct sock *sk, const struct tls_rx *rx,
				struct iov_iter *iter, u32 len)
{
	u32 seq = tcp_sk(sk)->copied_seq + rx->aead.fmt.prepend_len;
	struct sk_buff *skb = NULL;
	u32 skip, n;

	if (rx->copy)
		return skb_copy_datagram_iter(rx->copy,
					      rx->aead.fmt.prepend_len, iter,
					      len);
	for (; len; len -= n, seq += n) {
		skb = tls_reasm_next(sk, skb, seq, &skip);
		if (!skb)
			return -EFAULT;
		n = min(len, skb->len - skip);
		if (skb_copy_datagram_iter(skb, skip, iter, n))
			return -EFAULT;
	}
	return 0;
}

/**
 * tls_offload_rx_to_iter() - copy a record that the device decrypted to the reader
 * @sk:		the socket, locked by its owner
 * @rx:		its receiving side; the record is complete
 * @iter:	destination; advanced by the payload on success only
 * @len:	bytes of payload when there is no padding; there is room for them
 *
 * Return: 0; 1 when the device decrypted nothing; -EAGAIN when the record must be
 * handled in a buffer, by tls_offload_rx_to_skb().
 */
int tls_offload_rx_to_iter(struct sock *sk, struct tls_rx *rx,
			   struct iov_iter *iter, u32 len)
{
	size_t before = iov_iter_count(iter);
	u8 state = tls_off_rx_judge(sk, rx), type;

	if (state == TLS_RX_CIPHER)
		return 1;
	if (state != TLS_RX_PLAIN)
		return -EAGAIN;
	if (rx->aead.fmt.tail_len &&
	    (tls_reasm_read(sk, rx, rx->aead.fmt.prepend_len + len, &type, 1) ||
	     type != TLS_REC_DATA))
		return -EAGAIN;
	if (!tls_off_rx_copy_iter(sk, rx, iter, len))
		return 0;
	iov_iter_revert(iter, before - iov_iter_count(iter));
	return -EAGAIN;
}
