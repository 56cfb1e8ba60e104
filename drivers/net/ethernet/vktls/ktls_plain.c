// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tells plaintext from ciphertext in a packet of a TLS socket. The mark may be lost
 * or stale by the time the packet reaches the driver. In doubt the payload is
 * compared with the records that kernel TLS keeps: equal bytes are plaintext.
 */
#include <linux/highmem.h>
#include <linux/tcp.h>
#include <net/tcp.h>
#include <net/tls.h>
#include <net/tls_wire.h>

#include "ktls_tx.h"

/* Bytes of a packet that are compared at a time, if they are not linear. */
#define PLAIN_STEP	64

/*
 * Returns the transmit context of a socket, which keeps its records, or NULL if the
 * socket never sent plaintext to the NIC. The hook does not tell, because the
 * distribution's tls.ko also sets it for a socket that only receives.
 */
static struct tls_offload_context_tx *
vktls_ktls_plain_records(const struct sock *sk)
{
	struct tls_context *tls_ctx = tls_get_ctx(sk);

	return tls_ctx->tx_conf == TLS_HW ? tls_offload_ctx_tx(tls_ctx) : NULL;
}

static bool vktls_ktls_plain_frag(const skb_frag_t *frag, u32 offset,
				  const void *data, u32 len)
{
	u32 page_off, page_len, done;
	bool same = true;
	struct page *page;
	void *va;

	skb_frag_foreach_page(frag, skb_frag_off(frag) + offset, len, page,
			      page_off, page_len, done) {
		va = kmap_local_page(page);
		same = same && !memcmp(va + page_off, data + done, page_len);
		kunmap_local(va);
	}
	return same;
}

/* Returns whether @data equals the bytes of @record from @offset on. */
static bool vktls_ktls_plain_same(const struct tls_record_info *record,
				  u32 offset, const void *data, u32 len)
{
	const skb_frag_t *frag;
	u32 n, size;
	int i;

	for (i = 0; i < record->num_frags && len; i++) {
		frag = &record->frags[i];
		size = skb_frag_size(frag);
		if (offset >= size) {
			offset -= size;
			continue;
		}
		n = min(len, size - offset);
		if (!vktls_ktls_plain_frag(frag, offset, data, n))
			return false;
		offset = 0;
		data += n;
		len -= n;
	}
	return true;
}

/*
 * Returns whether @n bytes of @skb from @at on are the plaintext of @record from
 * @offset on. Header and tag are not compared: the header is the same in plaintext
 * and ciphertext, and the tag of a record that was encrypted twice (which makes it
 * plaintext again) differs.
 */
static bool vktls_ktls_plain_part(const struct sk_buff *skb, u32 at,
				  const struct tls_record_info *record,
				  u32 offset, u32 n)
{
	const struct tls_prot_info *prot = &tls_get_ctx(skb->sk)->prot_info;
	u32 from = max_t(u32, offset, prot->prepend_size);
	u32 to = min_t(u32, offset + n, record->len - prot->tag_size);
	u8 buf[PLAIN_STEP];
	const void *data;

	if (from >= to)
		return true;
	data = skb_header_pointer(skb, at + from - offset, to - from, buf);
	return data && vktls_ktls_plain_same(record, from, data, to - from);
}

/*
 * Compares @len bytes of @skb from @at on, where TCP sequence number @seq begins,
 * with the records. Returns _ENCRYPTED_PACKETS for plaintext, _SKIP_ENCRYPTED for
 * anything else, or the counter of the reason if there is no record.
 */
static enum vktls_ktls_stat vktls_ktls_plain_look(const struct sk_buff *skb,
						  u32 seq, u32 at, u32 len)
{
	struct tls_offload_context_tx *tx = vktls_ktls_plain_records(skb->sk);
	u32 n, step = at + len <= skb_headlen(skb) ? len : PLAIN_STEP;
	enum vktls_ktls_stat what = KTLS_ENCRYPTED_PACKETS;
	struct tls_record_info *record;
	unsigned long flags;
	u32 offset;
	u64 rec_no;

	if (!tx)
		return KTLS_SKIP_ENCRYPTED;
	spin_lock_irqsave(&tx->lock, flags);
	for (; len && what == KTLS_ENCRYPTED_PACKETS; len -= n) {
		record = tls_get_record(tx, seq, &rec_no);
		if (!record || tls_record_is_start_marker(record)) {
			what = record ? KTLS_DROP_BYPASS :
					KTLS_DROP_NO_SYNC;
			break;
		}
		offset = seq - tls_record_start_seq(record);
		n = min3(len, step, record->len - offset);
		if (!vktls_ktls_plain_part(skb, at, record, offset, n))
			what = KTLS_SKIP_ENCRYPTED;
		seq += n;
		at += n;
	}
	spin_unlock_irqrestore(&tx->lock, flags);
	return what;
}

/**
 * vktls_ktls_plain_marked() - tell whether a marked packet carries plaintext
 * @skb: packet for which tls_wire_is_tcp() is true
 * @seq: TCP sequence number of its payload
 * @at: where the payload begins; in the linear part, or its end
 *
 * Software encryption returns linear payload, and the distribution's tls.ko leaves the
 * mark on it; TCP never puts payload in the linear part. So linear payload is either
 * ciphertext, or was made linear on its way (software segmentation without
 * scatter-gather does): compare.
 *
 * Context: any.
 * Return: _ENCRYPTED_PACKETS if so, _SKIP_ENCRYPTED if it is ciphertext; a counter
 * of drops if kernel TLS has no record for it.
 */
enum vktls_ktls_stat vktls_ktls_plain_marked(const struct sk_buff *skb, u32 seq,
					     u32 at)
{
	u32 len = skb_headlen(skb) - at;

	if (likely(!len))
		return KTLS_ENCRYPTED_PACKETS;
	return vktls_ktls_plain_look(skb, seq, at, len);
}

/**
 * vktls_ktls_plain_unmarked() - tell whether an unmarked packet carries plaintext
 * @skb: packet for which tls_wire_is_tcp() is true
 * @seq: TCP sequence number of its payload
 * @at: where the payload begins
 *
 * Fragments lose the mark. Connection tracking in tc reassembles them to a packet
 * without the mark.
 *
 * Context: any.
 * Return: _PLAIN_UNMARKED if it does, _SKIP_NO_SYNC if not.
 */
enum vktls_ktls_stat vktls_ktls_plain_unmarked(const struct sk_buff *skb,
					       u32 seq, u32 at)
{
	if (vktls_ktls_plain_look(skb, seq, at, skb->len - at) ==
	    KTLS_ENCRYPTED_PACKETS)
		return KTLS_PLAIN_UNMARKED;
	return KTLS_SKIP_NO_SYNC;
}

/*
 * Returns the offset of the TCP header in a wrapped packet, or 0 if it is unknown.
 */
static int vktls_ktls_plain_inner(const struct sk_buff *skb)
{
	int at = skb_inner_network_offset(skb);
	const struct iphdr *ip;
	struct iphdr buf;
	__be16 frag = 0;
	u8 next;

	if (!skb->inner_network_header)
		return max(skb_transport_offset(skb), 0);
	ip = skb_header_pointer(skb, at, sizeof(buf), &buf);
	if (!ip)
		return 0;
	if (ip->version == 6) {
		next = ((const struct ipv6hdr *)ip)->nexthdr;
		at = ipv6_skip_exthdr(skb, at + sizeof(struct ipv6hdr), &next,
				      &frag);
		return next == IPPROTO_TCP && !frag ? max(at, 0) : 0;
	}
	if (ip->version != 4 || ip->protocol != IPPROTO_TCP ||
	    ip_is_fragment(ip))
		return 0;
	return at + ip->ihl * 4;
}

/* Returns whether the outer IP packet hides the inner one: ESP, AH or IPComp. */
static bool vktls_ktls_plain_opaque(const struct sk_buff *skb)
{
	u8 proto;

	switch (vlan_get_protocol(skb)) {
	case htons(ETH_P_IP):
		proto = ip_hdr(skb)->protocol;
		break;
	case htons(ETH_P_IPV6):
		proto = ipv6_hdr(skb)->nexthdr;
		break;
	default:
		return false;
	}
	return proto == IPPROTO_ESP || proto == IPPROTO_AH ||
	       proto == IPPROTO_COMP;
}

static bool vktls_ktls_plain_route_wraps(const struct sock *sk)
{
	const struct dst_entry *dst;
	bool wraps;

	rcu_read_lock();
	dst = rcu_dereference(sk->sk_dst_cache);
	wraps = dst && tls_dst_wraps(dst);
	rcu_read_unlock();
	return wraps;
}

/*
 * Judges a packet without the mark, or a fragment. IPv4 fragments of TCP may be
 * plaintext. Fragments of a tunnel hold ciphertext, except with the distribution's
 * tls.ko: if the route wraps packets (IPsec, lightweight tunnel), they may be
 * plaintext.
 */
static enum vktls_ktls_stat vktls_ktls_plain_piece(const struct sk_buff *skb)
{
	if (!tls_wire_is_fragment(skb))
		return KTLS_ENCRYPTED_PACKETS;
	if (!vktls_ktls_plain_records(skb->sk))
		return KTLS_ENCRYPTED_PACKETS;
	if (ip_hdr(skb)->protocol == IPPROTO_TCP ||
	    (!vktls_ktls_ext() && vktls_ktls_plain_route_wraps(skb->sk)))
		return KTLS_DROP_FRAGMENT;
	return KTLS_ENCRYPTED_PACKETS;
}

/**
 * vktls_ktls_plain_wrapped() - tell whether a cut or wrapped packet may leave
 * @skb: packet for which tls_wire_is_tcp() is false
 *
 * Context: any.
 * Return: _ENCRYPTED_PACKETS or _SKIP_ENCRYPTED if it may; otherwise a counter of
 * drops.
 */
enum vktls_ktls_stat vktls_ktls_plain_wrapped(const struct sk_buff *skb)
{
	enum vktls_ktls_stat what;
	const struct tcphdr *th;
	struct tcphdr buf;
	int at, payload;

	if (!skb_is_decrypted(skb) || tls_wire_is_fragment(skb))
		return vktls_ktls_plain_piece(skb);
	at = vktls_ktls_plain_opaque(skb) ? 0 : vktls_ktls_plain_inner(skb);
	th = at ? skb_header_pointer(skb, at, sizeof(buf), &buf) : NULL;
	if (!th)
		return KTLS_DROP_TUNNEL;
	payload = at + th->doff * 4;
	if (payload == skb->len)
		return KTLS_ENCRYPTED_PACKETS;
	if (payload >= skb_headlen(skb))
		return KTLS_DROP_TUNNEL;
	what = vktls_ktls_plain_marked(skb, ntohl(th->seq), payload);
	return what == KTLS_ENCRYPTED_PACKETS ? KTLS_DROP_TUNNEL :
						      what;
}
