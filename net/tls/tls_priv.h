/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _TLS_PRIV_H
#define _TLS_PRIV_H

#include <linux/scatterlist.h>
#include <linux/sched/mm.h>
#include <net/tls.h>

#include "record.h"
#include "stats.h"

#define TLS_TX_SEGS	(MAX_SKB_FRAGS - 1)	/* wire segments of a record */
#define TLS_RX_OLD_MAX	32	/* keys that wait for their last byte */

/*
 * One key of one direction. Requests are built on it one at a time. @key is
 * there until @tfm has it.
 */
struct tls_aead {
	struct crypto_aead *tfm;
	struct aead_request *req;
	const struct tls_cipher *cipher;
	u8 key[TLS_CIPHER_AES_GCM_256_KEY_SIZE];
	struct tls_rec_fmt fmt;
	u8 aad[TLS_REC_AAD12_LEN];
	u8 tail;			/* TLS 1.3 content type, in and out */
	u8 tag[TLS_REC_TAG_LEN];	/* of a record that was gathered */
	u8 iv[TLS_MAX_IV_SIZE + TLS_MAX_SALT_SIZE];
};

/**
 * struct tls_ask - when one direction of a socket looks for a device again
 * @generation:	of the devices, when it looked last
 * @route:	device that the socket sent through then
 * @retry:	jiffies after which it looks again, or 0
 * @backoff:	jiffies from one refusal to the next
 * @full:	the device had no room
 */
struct tls_ask {
	u32 generation;
	bool full;
	const void *route;
	unsigned long retry;
	unsigned long backoff;
};

struct tls_tx_rec;

/**
 * struct tls_tx - the sending side of a socket
 * @hw:		what drivers know of it; first, as priv_ctx_tx points here
 * @ctx:	the socket's context
 * @aead:	key for records encrypted here
 * @open:	record that takes payload
 * @spare:	one record kept for the next message
 * @edges:	room for headers and tags, see tls_tx_rec_alloc(); one page
 * @pending:	sealed records that TCP has not taken whole
 * @work:	pushes @pending, and seals @open after a memory shortage
 * @max_payload: largest payload of a data record
 * @error:	the stream is broken for good
 * @plain:	the last record given to TCP was plaintext
 * @ask:	when a device was asked last
 * @off:	device state, NULL while the socket was never offloaded
 *
 * All of it is guarded by tls_context.tx_lock and the socket lock together.
 */
struct tls_tx {
	struct tls_offload_context_tx hw;
	struct tls_priv *ctx;
	struct tls_aead aead;
	struct tls_tx_rec *open;
	struct tls_tx_rec *spare;
	struct page_frag edges;
	struct list_head pending;
	struct delayed_work work;
	u16 max_payload;
	int error;
	bool plain;
	struct tls_ask ask;
	struct tls_off_tx *off;
};

/**
 * struct tls_rx - the receiving side of a socket
 * @hw:		what drivers know of it; first, as priv_ctx_rx points here
 * @ctx:	the socket's context
 * @aead:	key in use
 * @rec:	header of the record at the front of the TCP stream
 * @ready:	that record is complete; read without a lock by poll
 * @key_pending: a KeyUpdate was received and the new key was not set yet
 * @reported:	the framing error in @error was returned once
 * @reader:	a reader is at work and may sleep; guarded by the socket lock
 * @readers:	readers that wait for @reader
 * @error:	the stream is broken for good
 * @framing:	@error came from a header
 * @list:	decrypted records
 * @copy:	the front record, where TCP's window is too small for it
 * @data_ready:	TCP's callback
 * @work:	fills @copy while nobody reads
 * @hs:		position among the handshake messages received
 * @link:	the device, or NULL
 * @ask:	when a device was asked last
 * @met:	a device had the key in use
 * @met_end:	no byte from here on met it, once it is gone
 * @old:	earlier keys, see offload_rx_decrypted.c
 * @olds:	entries of @old, TLS_RX_OLD_MAX at most
 * @passed:	records that were read while there were old keys
 * @offloaded:	there was a device once
 * @rekeyed:	the key in use is newer than the last device
 * @state:	what the device made of the front record, once known
 * @flips:	entries of @flip in use
 * @flip_room:	entries of @flip
 * @flip:	where bytes of @copy change between ciphertext and plaintext
 *
 * Everything is guarded by the socket lock.
 */
struct tls_rx {
	struct tls_offload_context_rx hw;
	struct tls_priv *ctx;
	struct tls_aead aead;
	struct tls_rec_hdr rec;
	bool ready;
	bool key_pending;
	bool reported;
	bool reader;
	bool framing;
	int error;
	wait_queue_head_t readers;
	struct sk_buff_head list;
	struct sk_buff *copy;
	void (*data_ready)(struct sock *sk);
	struct delayed_work work;
	struct tls_hs_scan hs;
	struct tls_link *link;
	struct tls_ask ask;
	bool met;
	u32 met_end;
	struct list_head old;
	u8 olds;
	u32 passed;
	bool offloaded;
	bool rekeyed;
	u8 state;
	u16 flips;
	u16 flip_room;
	u16 *flip;
};

/* The socket's context; first the kernel's own, see <net/tls.h>. */
struct tls_priv {
	struct tls_context ctx;
	const struct proto_ops *ops;	/* what sk_socket->ops was */
	bool lost[2];			/* by the device, by direction */
	struct llist_node orphan;	/* after the last packet */
};

static inline struct tls_priv *tls_priv(const struct sock *sk)
{
	return container_of(tls_get_ctx(sk), struct tls_priv, ctx);
}

/*
 * A socket that memory is written out through must not wait for that: to be held
 * over code that allocates by itself (drivers, the crypto API). Ends with
 * memalloc_noio_restore().
 */
static inline unsigned int tls_noio_save(gfp_t gfp)
{
	return memalloc_flags_save(gfp & __GFP_IO ? 0 : PF_MEMALLOC_NOIO);
}

static inline struct tls_tx *tls_tx(const struct sock *sk)
{
	/* Pairs with the release in tls_tx_first_key(). */
	return smp_load_acquire(&tls_get_ctx(sk)->priv_ctx_tx);
}

static inline struct tls_rx *tls_rx(const struct sock *sk)
{
	/* Pairs with the release in tls_rx_first_key(). */
	return smp_load_acquire(&tls_get_ctx(sk)->priv_ctx_rx);
}

#endif /* _TLS_PRIV_H */
