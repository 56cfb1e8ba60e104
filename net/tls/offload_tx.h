/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _TLS_OFFLOAD_TX_H
#define _TLS_OFFLOAD_TX_H

#include "epoch.h"
#include "offload.h"

/*
 * A plaintext record of which the peer has not acknowledged all bytes. The record holds references
 * of its pages, and @chunk holds a reference of its key.
 */
struct tls_off_rec {
	refcount_t refs;
	u64 sn;
	struct tls_off_chunk *chunk;	/* memory of the record, with a reference */
	/* The part that drivers see; last, as only its own fragments are allocated. */
	struct tls_record_info info;
};

#define TLS_RING_MIN	16

/**
 * enum tls_off_rekey - state of a sending side after a new key
 * @TLS_OFF_ONE_KEY:	the device has no key but the one in force
 * @TLS_OFF_OLD_KEYS:	the device also has older keys, for records sent again
 * @TLS_OFF_DRAINING:	the device has old keys only; software encrypts new records until
 *			tls_off_tx.drain_end is acknowledged
 */
enum tls_off_rekey {
	TLS_OFF_ONE_KEY,
	TLS_OFF_OLD_KEYS,
	TLS_OFF_DRAINING,
};

/**
 * struct tls_off_tx - sending side of a socket that has been on a device
 * @ring:	unacknowledged plaintext records in order of their sequence
 * @first:	the first @ring
 * @mask:	size of @ring minus one
 * @head:	oldest record
 * @tail:	one past the newest
 * @acked:	all before it was acknowledged
 * @marker:	given to drivers for bytes that are no plaintext record
 * @chunk:	memory for the next records of @epoch, or NULL
 * @link:	the device, NULL while there is none
 * @epoch:	key of new plaintext records
 * @key_no:	number of the key in force; counts new keys from the first @link on
 * @key_first:	number of the key with which @link began
 * @key_oldest:	number of the oldest key that the device was not told to give up
 * @drain_end:	sequence number behind the old key's last byte, with TLS_OFF_DRAINING
 * @rekey:	enum tls_off_rekey
 * @hooked:	TCP calls tls_offload_tx_acked()
 *
 * Records up to @marker are guarded by hw.lock, the rest by tx_lock and the socket lock
 * together.
 */
struct tls_off_tx {
	struct tls_off_rec **ring;
	struct tls_off_rec *first[TLS_RING_MIN];
	u32 mask, head, tail;
	u32 acked;
	struct tls_record_info marker;

	struct tls_off_chunk *chunk;
	struct tls_link *link;
	struct tls_epoch *epoch;
	u32 key_no, key_first, key_oldest;
	u32 drain_end;
	u8 rekey;
	bool hooked;
};

/* Functions of offload_tx.c */
bool tls_offload_tx_start(struct sock *sk, struct tls_tx *tx, int why);
void tls_offload_tx_close(struct sock *sk, struct tls_tx *tx);

/* Functions of offload_tx_next.c */
int tls_off_next_epoch(struct tls_tx *tx);
int tls_off_next_key(struct sock *sk, struct tls_tx *tx);
void tls_off_next_done(struct tls_off_tx *off);

/* Functions of offload_rec.c */
void tls_offload_rec_init(struct tls_off_tx *off);
void tls_offload_rec_rekey(struct tls_off_tx *off);
u32 tls_off_rec_oldest_key(const struct tls_off_tx *off);
void tls_offload_rec_drop(struct tls_tx *tx);
struct tls_epoch *tls_off_rec_epoch(const struct tls_off_rec *rec);
struct tls_off_rec *tls_off_rec_get(struct tls_tx *tx, u32 seq);
void tls_off_rec_put(struct tls_off_rec *rec);
void tls_offload_tx_acked(struct sock *sk, u32 seq);

/* Functions of offload_output.c */
int tls_output_hook(struct sock *sk);
void tls_output_unhook(struct sock *sk);

/* Functions of offload_destruct.c */
void tls_offload_tx_free(struct tls_tx *tx);

/* Functions of offload_resync.c */
void tls_offload_tx_resync(struct sock *sk, struct tls_tx *tx);

/* Functions of fallback.c */
struct sk_buff *tls_fallback_output(struct sock *sk, struct sk_buff *skb);
int tls_fallback_init(void);
void tls_fallback_fini(void);

#endif /* _TLS_OFFLOAD_TX_H */
