// SPDX-License-Identifier: GPL-2.0-only
/*
 * Software encryption of a packet that was built for a device: the packet was
 * routed to another device, or the driver cannot send it because it is out of
 * order. Records are encrypted one at a time, each with its own key and number,
 * and only up to the last byte that the packet needs.
 */

#include <linux/irqflags.h>
#include <linux/local_lock.h>
#include <linux/module.h>
#include <linux/percpu.h>
#include <net/tcp.h>
#include <net/tls.h>
#include <net/tls_wire.h>

#include "aead.h"
#include "export.h"
#include "offload_policy.h"
#include "offload_tx.h"
#include "trace.h"

/* Size of a per-CPU buffer for the ciphertext of one record. */
#define TLS_SCRATCH	(TLS_REC_PAYLOAD_MAX + 64)

/*
 * The lock is taken with softirqs off, which is enough in most kernels. With PREEMPT_RT
 * a task can be preempted by another one in that state.
 */
struct tls_scratch {
	u8 *buf;
	local_lock_t lock;
};

static DEFINE_PER_CPU(struct tls_scratch, tls_scratch) = {
	.lock = INIT_LOCAL_LOCK(lock),
};

static u32 tls_fallback_to_sg(const struct tls_record_info *info, u32 skip,
			      u32 len, struct scatterlist *sg)
{
	u32 i, n = 0, part;

	for (i = 0; i < info->num_frags && len; i++) {
		const skb_frag_t *frag = &info->frags[i];
		u32 size = skb_frag_size(frag);

		if (skip >= size) {
			skip -= size;
			continue;
		}
		part = min(len, size - skip);
		sg_set_page(&sg[n++], skb_frag_page(frag), part,
			    skb_frag_off(frag) + skip);
		len -= part;
		skip = 0;
	}
	return n;
}

static void tls_fallback_read(const struct tls_record_info *info, u8 *out,
			      u32 len)
{
	struct scatterlist sg[2];

	sg_init_table(sg, ARRAY_SIZE(sg));
	sg_mark_end(&sg[tls_fallback_to_sg(info, 0, len, sg) - 1]);
	sg_copy_to_buffer(sg, ARRAY_SIZE(sg), out, len);
}

/* Encrypts the record's first @len bytes behind the prepended part. */
static int tls_fallback_seal(struct tls_off_rec *rec, const u8 *hdr, u32 body,
			     u32 len, u8 *out)
{
	struct scatterlist src[MAX_SKB_FRAGS + 1], dst[2];
	struct tls_epoch *epoch = tls_off_rec_epoch(rec);
	struct tls_aead *aead = &epoch->aead;
	const struct tls_rec_fmt *fmt = &aead->fmt;
	__be64 sn = cpu_to_be64(rec->sn);
	u8 iv[TLS_REC_NONCE_LEN];
	u32 assoc, n;
	int err;

	spin_lock_bh(&epoch->lock);
	memcpy(iv, epoch->iv, sizeof(iv));
	memcpy(iv + aead->cipher->salt_len, hdr + TLS_REC_HDR_LEN,
	       fmt->explicit_len);
	tls_aead_iv(aead, iv, (u8 *)&sn);
	assoc = tls_rec_aad(aead->aad, fmt, hdr[0], body, (u8 *)&sn);

	sg_init_table(src, ARRAY_SIZE(src));
	sg_set_buf(&src[0], aead->aad, assoc);
	n = tls_fallback_to_sg(&rec->info, fmt->prepend_len, len, src + 1);
	sg_mark_end(&src[n]);
	sg_init_table(dst, ARRAY_SIZE(dst));
	sg_set_buf(&dst[0], aead->aad, assoc);
	sg_set_buf(&dst[1], out, len + fmt->tag_len);
	err = tls_aead_seal(aead, src, dst, assoc, len);
	spin_unlock_bh(&epoch->lock);
	return err;
}

/* Stores bytes @from to @from + @len of a record as they must be sent. */
static int tls_fallback_rec(struct tls_off_rec *rec, u32 from, u32 len,
			    struct sk_buff *skb, u32 at)
{
	const struct tls_rec_fmt *fmt = &tls_off_rec_epoch(rec)->aead.fmt;
	u32 body = rec->info.len - fmt->prepend_len - fmt->tag_len;
	u8 hdr[TLS_REC_MAX_PREPEND], *buf;
	u32 n, end = from + len;
	int err = 0;

	tls_fallback_read(&rec->info, hdr, fmt->prepend_len);
	if (from < fmt->prepend_len) {
		n = min(len, fmt->prepend_len - from);
		err = skb_store_bits(skb, at, hdr + from, n);
		from += n;
		at += n;
	}
	if (err || from == end)
		return err;

	local_lock_nested_bh(&tls_scratch.lock);
	buf = __this_cpu_read(tls_scratch.buf);
	n = min(body, end - fmt->prepend_len);
	err = tls_fallback_seal(rec, hdr, body, n, buf);
	if (!err)
		err = skb_store_bits(skb, at, buf + from - fmt->prepend_len,
				     end - from);
	local_unlock_nested_bh(&tls_scratch.lock);
	return err;
}

static int tls_fallback_fill(struct tls_tx *tx, u32 seq, struct sk_buff *skb,
			     u32 at)
{
	struct tls_off_rec *rec;
	u32 n;
	int err;

	for (; at < skb->len; at += n, seq += n) {
		rec = tls_off_rec_get(tx, seq);
		if (!rec)
			return -ENOENT;
		n = min(skb->len - at, rec->info.end_seq - seq);
		err = tls_fallback_rec(rec,
				       seq - tls_record_start_seq(&rec->info),
				       n, skb, at);
		tls_off_rec_put(rec);
		if (err)
			return err;
	}
	return 0;
}

/* Returns a copy of the packet's headers with room for a new payload. */
static struct sk_buff *tls_fallback_alloc(const struct sk_buff *skb, u32 hdr)
{
	u32 headroom = skb_headroom(skb);
	struct sk_buff *new;
	int err;

	new = alloc_skb_with_frags(headroom + hdr, skb->len - hdr,
				   PAGE_ALLOC_COSTLY_ORDER, &err, GFP_ATOMIC);
	if (!new)
		return NULL;
	skb_reserve(new, headroom);
	skb_put(new, hdr);
	new->data_len = skb->len - hdr;
	new->len += new->data_len;
	skb_copy_header(new, skb);
	memcpy(new->data, skb->data, hdr);
	new->decrypted = 0;
	/* Cannot fail, as the headers of a new packet are not shared. */
	tls_wire_csum_partial(new);
	return new;
}

/* The new packet takes over the old one's charge on the socket. */
static void tls_fallback_own(struct sk_buff *new, struct sk_buff *skb)
{
	struct sock *sk = skb->sk;
	int delta = new->truesize - skb->truesize;

	new->sk = sk;
	new->destructor = skb->destructor;
	skb->sk = NULL;
	skb->destructor = NULL;
	if (delta > 0)
		refcount_add(delta, &sk->sk_wmem_alloc);
	else if (delta)
		WARN_ON_ONCE(refcount_sub_and_test(-delta,
						   &sk->sk_wmem_alloc));
}

/*
 * Encrypts a packet in software, if it is plaintext; consumes it. TCP's header is
 * found by the transport header, and IP's is not looked at.
 *
 * Context: RCU; takes care of softirqs itself.
 * Return: the packet to send, its plaintext mark cleared; NULL when it was
 * dropped.
 */
static struct sk_buff *tls_fallback_why(struct sock *sk, struct sk_buff *skb,
					int why)
{
	u32 hdr = skb_tcp_all_headers(skb);
	struct sk_buff *new;
	int err = -ENOMEM;

	if (!skb_is_decrypted(skb) || skb->len <= hdr)
		return skb;
	if (hdr > skb_headlen(skb))
		goto drop;

	new = tls_fallback_alloc(skb, hdr);
	if (!new)
		goto drop;
	local_bh_disable();
	err = tls_fallback_fill(tls_tx(sk), ntohl(tcp_hdr(skb)->seq), new,
				hdr);
	local_bh_enable();
	if (err) {
		kfree_skb(new);
		goto drop;
	}
	tls_fallback_own(new, skb);
	/* validate_xmit_skb_list() reads prev as the last packet of a list. */
	new->prev = new;
	consume_skb(skb);
	TLS_STAT_INC(sock_net(sk), TLS_MIB_TX_FALLBACK);
	TLS_STAT_INC(sock_net(sk), why);
	trace_tls_fallback(sk, ntohl(tcp_hdr(new)->seq), new->len - hdr, why,
			   0);
	return new;

drop:
	TLS_STAT_INC(sock_net(sk), err == -ENOENT ? TLS_MIB_TX_FALLBACK_ACKED :
						    TLS_MIB_TX_FALLBACK_ERROR);
	trace_tls_fallback(sk, ntohl(tcp_hdr(skb)->seq), skb->len - hdr, why,
			   err);
	kfree_skb(skb);
	return NULL;
}

static struct sk_buff *tls_fallback_drop(struct sock *sk, struct sk_buff *skb,
					 int why)
{
	TLS_STAT_INC(sock_net(sk), why);
	trace_tls_drop(sk, skb->len, why);
	kfree_skb(skb);
	return NULL;
}

/*
 * Handles a packet that is not a whole TCP segment: IP has fragmented or wrapped it,
 * so it cannot be encrypted any more. Wrapped ciphertext is passed on, also in
 * fragments. A fragment of TCP is dropped: it may be plaintext without the mark, while
 * ciphertext is never fragmented (see offload_output.c). A packet that is still marked
 * as plaintext is dropped, too.
 */
static struct sk_buff *tls_fallback_other(struct sock *sk, struct sk_buff *skb)
{
	if (tls_wire_is_fragment(skb) && ip_hdr(skb)->protocol == IPPROTO_TCP)
		return tls_fallback_drop(sk, skb, TLS_MIB_TX_DROP_FRAGMENT);
	if (skb_is_decrypted(skb))
		return tls_fallback_drop(sk, skb, TLS_MIB_TX_DROP_WRAPPED);
	return skb;
}

/*
 * Chooses tls_fallback_why() or tls_fallback_other() for a packet with an IP
 * header.
 */
static struct sk_buff *tls_fallback_ip(struct sock *sk, struct sk_buff *skb,
				       int why)
{
	if (unlikely(!tls_wire_is_tcp(skb)))
		return tls_fallback_other(sk, skb);
	return tls_fallback_why(sk, skb, why);
}

/* See tls_encrypt_skb(). */
struct sk_buff *tls_fallback(struct sock *sk, struct sk_buff *skb)
{
	return tls_fallback_ip(sk, skb, TLS_MIB_TX_FALLBACK_DRIVER);
}

/**
 * tls_fallback_output() - encrypt a packet before IP wraps it
 * @sk:		the socket, locked
 * @skb:	packet that begins with its TCP header; consumed
 *
 * Return: the packet to send; NULL when it was dropped.
 */
struct sk_buff *tls_fallback_output(struct sock *sk, struct sk_buff *skb)
{
	rcu_read_lock();
	skb = tls_fallback_why(sk, skb, TLS_MIB_TX_FALLBACK_WRAPPED);
	rcu_read_unlock();
	return skb;
}

/*
 * Returns whether @dev is the device @owner, or an interface on top of it that sends
 * the packet through @owner.
 */
static bool tls_goes_to(struct net_device *owner, struct net_device *dev)
{
	dev = tls_dev_straight(dev);
	return owner && (owner == dev || (netif_is_bond_master(dev) &&
			 netdev_master_upper_dev_get_rcu(owner) == dev));
}

/* See tls_validate_xmit_skb(). */
struct sk_buff *tls_fallback_unless(struct sock *sk, struct net_device *dev,
				    struct sk_buff *skb)
{
	struct net_device *owner = rcu_dereference_bh(tls_get_ctx(sk)->netdev);

	if (skb_is_decrypted(skb) && tls_goes_to(owner, dev))
		return skb;
	return tls_fallback_ip(sk, skb, TLS_MIB_TX_FALLBACK_ROUTE);
}

/* The value of sk_validate_xmit_skb for a socket that has lost its device. */
struct sk_buff *tls_validate_xmit_skb_sw(struct sock *sk,
					 struct net_device *dev,
					 struct sk_buff *skb)
{
	return tls_fallback_ip(sk, skb, TLS_MIB_TX_FALLBACK_LOST);
}

/**
 * tls_fallback_init() - get the memory that encryption in softirq needs
 *
 * Return: 0 or -ENOMEM.
 */
int tls_fallback_init(void)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		u8 *buf = kmalloc_node(TLS_SCRATCH, GFP_KERNEL,
				       cpu_to_node(cpu));

		if (!buf) {
			tls_fallback_fini();
			return -ENOMEM;
		}
		per_cpu(tls_scratch.buf, cpu) = buf;
	}
	return 0;
}

/**
 * tls_fallback_fini() - undo tls_fallback_init()
 */
void tls_fallback_fini(void)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		kfree_sensitive(per_cpu(tls_scratch.buf, cpu));
		per_cpu(tls_scratch.buf, cpu) = NULL;
	}
}
