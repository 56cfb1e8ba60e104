// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory that TCP takes by reference. MSG_SPLICE_PAGES would do it a page at a
 * time, even of a larger piece; here TCP asks us to append to the packet it
 * has chosen, as it does for other kernel users of MSG_ZEROCOPY. Each
 * fragment holds its page, so no completion is needed, and the packet is not marked
 * as zerocopy.
 *
 * The code relies on two things that TCP does not promise. TCP does not follow the
 * pointer to the ubuf_info on the stack after the call, since the packet lacks
 * SKBFL_ZEROCOPY_ENABLE (checked at each call). And -EFAULT from the callback ends
 * the call without an effect.
 * Upstream would need a msghdr flag for this use: charge as for copied bytes, keep no
 * ubuf_info, and hand on any error of sg_from_iter.
 */

#include <net/tcp.h>

#include "tx_append.h"

/* Arguments of the callback, on the stack of tls_tx_append(). */
struct tls_append {
	struct msghdr msg;
	struct ubuf_info nobody;
	struct sock *sk;
	u8 shared;		/* SKBFL_SHARED_FRAG, or 0 */
};

/* Must exist, but is never called, as no packet here has SKBFL_ZEROCOPY_ENABLE. */
static void tls_append_complete(struct sk_buff *skb, struct ubuf_info *uarg,
				bool success)
{
}

static const struct ubuf_info_ops tls_append_ops = {
	.complete = tls_append_complete,
};

/*
 * TCP takes the first bytes of an empty packet for zerocopy and does not charge
 * them. Our bytes are no zerocopy, so they are charged here.
 */
static bool tls_append_charge(struct sock *sk, struct skb_shared_info *info,
			      u32 len)
{
	if (!(info->flags & SKBFL_PURE_ZEROCOPY))
		return true;
	info->flags &= ~SKBFL_PURE_ZEROCOPY;
	return sk_wmem_schedule(sk, len);
}

static bool tls_append_piece(struct sk_buff *skb, struct page *page, u32 off,
			     u32 len)
{
	int i = skb_shinfo(skb)->nr_frags;

	if (skb_can_coalesce(skb, i, page, off)) {
		skb_frag_size_add(&skb_shinfo(skb)->frags[i - 1], len);
	} else if (i < MAX_SKB_FRAGS) {
		get_page(page);
		skb_fill_page_desc(skb, i, page, off, len);
	} else {
		return false;
	}
	skb_len_add(skb, len);
	return true;
}

/* Called by TCP for at most @length bytes; TCP gives up on -EFAULT. */
static int tls_append_some(struct sk_buff *skb, struct iov_iter *from,
			   size_t length)
{
	struct tls_append *append = container_of(from, struct tls_append,
						 msg.msg_iter);
	u32 n, off;

	if (!tls_append_charge(append->sk, skb_shinfo(skb), length))
		return -EFAULT;
	skb_shinfo(skb)->flags |= append->shared;
	for (; length; length -= n) {
		off = from->iov_offset;
		n = min_t(u32, length, from->bvec->bv_len - off);
		if (!tls_append_piece(skb, from->bvec->bv_page,
				      from->bvec->bv_offset + off, n))
			return -EMSGSIZE;
		from->count -= n;
		from->iov_offset += n;
		if (from->iov_offset == from->bvec->bv_len) {
			from->iov_offset = 0;
			from->bvec++;
			from->nr_segs--;
		}
	}
	return 0;
}

/**
 * tls_tx_append() - have TCP take memory by reference
 * @sk:		the socket, locked
 * @v:		the pieces, none of them empty
 * @nr:		how many
 * @len:	their bytes
 * @flags:	MSG_MORE, MSG_SENDPAGE_DECRYPTED; MSG_NO_SHARED_FRAGS when
 *		nothing but TCP reads the memory from now on
 *
 * A device that cannot gather has TCP copy the bytes.
 *
 * Context: process; does not wait.
 * Return: bytes taken; -EAGAIN when TCP has no room, or its error.
 */
int tls_tx_append(struct sock *sk, const struct bio_vec *v, unsigned int nr,
		  u32 len, int flags)
{
	struct tls_append append = {
		.nobody.ops = &tls_append_ops,
		.nobody.refcnt = REFCOUNT_INIT(1),
		.msg.msg_flags = MSG_ZEROCOPY | MSG_DONTWAIT | MSG_NOSIGNAL |
				 (flags & (MSG_MORE | MSG_SENDPAGE_DECRYPTED)),
		.msg.msg_ubuf = &append.nobody,
		.msg.sg_from_iter = tls_append_some,
		.sk = sk,
		.shared = flags & MSG_NO_SHARED_FRAGS ? 0 : SKBFL_SHARED_FRAG,
	};
	struct sk_buff *skb;
	int ret;

	/* TCP would clear the error, but a call of the user must return it. */
	if (unlikely(sk->sk_err || sk->sk_shutdown & SEND_SHUTDOWN))
		return -EPIPE;
	iov_iter_bvec(&append.msg.msg_iter, ITER_SOURCE, v, nr, len);
	ret = tcp_sendmsg_locked(sk, &append.msg, len);
	/* The packet keeps a pointer to this stack frame; TCP must never follow it. */
	skb = tcp_write_queue_tail(sk);
	WARN_ON_ONCE(ret > 0 && skb && skb_zcopy(skb));
	/* Only tls_append_some() gives -EFAULT, when it could not charge memory. */
	return ret == -EFAULT ? -EAGAIN : ret;
}
