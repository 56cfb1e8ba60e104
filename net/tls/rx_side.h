/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _TLS_RX_SIDE_H
#define _TLS_RX_SIDE_H

#include <linux/workqueue.h>
#include <net/tls.h>

#include "aead.h"
#include "offload_ask.h"

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
 * @next:	keys that the device of @link has in advance, or NULL; offload_next.c
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
	struct tls_rx_next *next;
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

static inline struct tls_rx *tls_rx(const struct sock *sk)
{
	/* Pairs with the release in tls_rx_publish(). */
	return smp_load_acquire(&tls_get_ctx(sk)->priv_ctx_rx);
}

#endif /* _TLS_RX_SIDE_H */
