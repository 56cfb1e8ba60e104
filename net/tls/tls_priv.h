/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _TLS_PRIV_H
#define _TLS_PRIV_H

#include <linux/scatterlist.h>
#include <linux/sched/mm.h>
#include <net/tls.h>

#include "record.h"
#include "stats.h"

/*
 * A key of one direction, with one request, which its operations use one after
 * another. @key is wiped when @tfm has the key.
 */
struct tls_aead {
	struct crypto_aead *tfm;
	struct aead_request *req;
	const struct tls_cipher *cipher;
	u8 key[TLS_CIPHER_AES_GCM_256_KEY_SIZE];
	struct tls_rec_fmt fmt;
	u8 aad[TLS_REC_AAD12_LEN];
	u8 tail;			/* TLS 1.3 content type, in and out */
	u8 tag[TLS_REC_TAG_LEN];	/* tag of a record that was gathered */
	u8 iv[TLS_MAX_IV_SIZE + TLS_MAX_SALT_SIZE];
};

/**
 * struct tls_ask - last search of one direction of a socket for a device
 * @generation:	count of device events at that time
 * @route:	device that the socket sent through then
 * @retry:	time of the next search in jiffies, or 0
 * @backoff:	jiffies from one refusal to the next
 * @full:	refusal by a device without room
 * @lazy:	no search before @lazy_end
 * @warm:	enough bytes were sent or received; @lazy is not set again
 * @why:	enum tls_why of the last search, or 0
 * @lazy_end:	sequence number of the first search
 */
struct tls_ask {
	u32 generation;
	bool full;
	bool lazy;
	bool warm;
	u8 why;
	u32 lazy_end;
	const void *route;
	unsigned long retry;
	unsigned long backoff;
};

#define TLS_TX_GATHER	4	/* records offered to TCP at once: its largest packet */

struct tls_tx_rec;
struct tls_rx_old;

/**
 * struct tls_tx - the sending side of a socket
 * @hw:		drivers' view; first, as priv_ctx_tx points here
 * @ctx:	the socket's context
 * @aead:	key for records encrypted here
 * @open:	record that still takes payload, or NULL
 * @edges:	room for headers and tags of records whose payload lies in pages of
 *		its own: those of one record follow those of the one before, and TCP
 *		sends both as one fragment; one page
 * @spare:	memory of records, kept for the next ones
 * @spares:	entries of @spare
 * @pending:	oldest sealed record that TCP has not taken whole, or NULL; read
 *		without a lock by sk_write_space()
 * @newest:	the last of them, in order; only with @pending
 * @pending_len: their bytes that TCP has not taken
 * @work:	pushes @pending, and seals @open after a memory shortage
 * @max_payload: copy of the context's, for the sending path
 * @error:	error that broke the stream for good, or 0
 * @plain:	kind of the last record given to TCP: plaintext for a device
 * @control:	bits TLS_TX_* of renew.h, set from any context
 * @alert:	description of the alert that TLS_TX_ALERT sends
 * @sn_due:	record number at which TLS_TX_DUE is set
 * @renew:	life of the keys; NULL without an option for it
 * @ask:	time of the last search for a device
 * @off:	device state, NULL while the socket was never offloaded
 *
 * All fields are guarded by tls_context.tx_lock and the socket lock together.
 */
struct tls_tx {
	struct tls_offload_context_tx hw;
	struct tls_priv *ctx;
	struct tls_aead aead;
	struct tls_tx_rec *open;
	struct page_frag edges;
	struct tls_tx_rec *spare[TLS_TX_GATHER];
	u8 spares;
	struct tls_tx_rec *pending;
	struct tls_tx_rec *newest;
	u32 pending_len;
	struct delayed_work work;
	u16 max_payload;
	int error;
	bool plain;
	u8 alert;
	unsigned long control;
	u64 sn_due;
	struct tls_renew *renew;
	struct tls_ask ask;
	struct tls_off_tx *off;
};

/**
 * struct tls_rx - the receiving side of a socket
 * @hw:		drivers' view; first, as priv_ctx_rx points here
 * @ctx:	the socket's context
 * @aead:	key in use
 * @rec:	header of the record at the front of the TCP stream
 * @ready:	completeness of @rec; read without a lock by poll
 * @key_pending: KeyUpdate received, new key not set yet
 * @reported:	framing error in @error returned once
 * @reader:	a reader at work, which may sleep
 * @readers:	queue of those that wait for @reader
 * @error:	error that broke the stream for good, or 0
 * @framing:	origin of @error: a header
 * @list:	decrypted records that were not read to their end
 * @copy:	the front record, where TCP's window is too small for it
 * @data_ready:	TCP's callback
 * @work:	work that fills @copy while nobody reads
 * @hs:		position among the handshake messages received
 * @renew:	life of the keys; NULL without an option for it
 * @sn_due:	record number at which tls_rx_due() is called
 * @link:	link to a device, or NULL
 * @ask:	time of the last search for a device
 * @met:	use of the key in force by a device, now or earlier
 * @met_end:	sequence number behind the last byte that device may have seen
 * @old:	key before the one in force, or NULL; see offload_rx_decrypted.c
 * @offloaded:	use of a device, now or earlier
 * @rekeyed:	a key in force that is newer than the last device
 * @state:	enum tls_rx_state of the front record, or 0 if not looked at
 * @flips:	entries of @flip in use
 * @flip_room:	entries of @flip
 * @flip:	offsets in @copy at which ciphertext and plaintext alternate
 *
 * All fields are guarded by the socket lock.
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
	struct tls_renew *renew;
	u64 sn_due;
	struct tls_link *link;
	struct tls_ask ask;
	bool met;
	u32 met_end;
	struct tls_rx_old *old;
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
	const struct proto_ops *ops;	/* sk_socket->ops before ours */
	bool lost[2];			/* device lost, by direction */
	u16 max_payload;		/* largest payload of a data record */
	u8 want[2];			/* TLS_EXT_OFFLOAD_*, by direction; socket lock */
	u32 lazy_bytes[2];		/* see struct tls_ext_offload; socket lock */
	struct llist_node orphan;	/* entry of tls_orphans, once the last packet is freed */
};

static inline struct tls_priv *tls_priv(const struct sock *sk)
{
	return container_of(tls_get_ctx(sk), struct tls_priv, ctx);
}

/*
 * Forbids I/O for allocations, up to memalloc_noio_restore(), unless @gfp allows it. For
 * calls of code that takes no gfp flags (drivers, the crypto API): the kernel may write
 * memory out through this very socket, which must not wait for that.
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
