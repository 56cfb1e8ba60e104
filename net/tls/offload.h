/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _TLS_OFFLOAD_PRIV_H
#define _TLS_OFFLOAD_PRIV_H

#include <linux/workqueue.h>

#include "epoch.h"
#include "offload_policy.h"
#include "tls_priv.h"
#include "tx_frags.h"

/*
 * One plaintext record that the peer has not acknowledged whole. It holds its pages, and
 * its key by @chunk.
 */
struct tls_off_rec {
	refcount_t refs;
	u64 sn;
	struct tls_off_chunk *chunk;	/* memory of the record; held */
	/* The part that drivers see; last, as only its own fragments are allocated. */
	struct tls_record_info info;
};

/**
 * struct tls_link - one direction of a socket on one device
 * @refs:	references: one of the list, one of the socket's direction
 * @list:	entry of tls_links or tls_links_leaving
 * @leave:	work that calls tls_dev_del after the link has left tls_links
 * @sk:		the socket, NULL once it is being freed
 * @ctx:	the socket's context, with a reference
 * @dev:	held until tls_dev_del; not to be read by code that saw @lost set
 * @tracker:	for @dev
 * @dir:	direction
 * @lost:	the device must not get any more work; never cleared
 * @listed:	in tls_links; the code that takes it off calls tls_dev_del
 * @counted:	counted as offloaded in the statistics
 * @gone:	tls_dev_del has returned
 */
struct tls_link {
	refcount_t refs;
	struct list_head list;
	struct rcu_work leave;
	struct sock *sk;
	struct tls_context *ctx;
	struct net_device *dev;
	netdevice_tracker tracker;
	enum tls_offload_ctx_dir dir;
	bool lost;
	bool listed;
	bool counted;
	bool gone;
};

#define TLS_RING_MIN	16

/**
 * struct tls_off_tx - sending side of a socket that has been on a device
 * @ring:	unacknowledged plaintext records in order of their sequence
 * @first:	the first @ring
 * @mask:	size of @ring minus one
 * @head:	oldest record
 * @tail:	one past the newest
 * @acked:	all before it was acknowledged
 * @marker:	given to drivers for bytes that are no plaintext record
 * @chunk:	memory of the next records of @epoch, or NULL
 * @link:	the device, NULL while there is none
 * @epoch:	key of new plaintext records
 * @drain_end:	sequence number behind the old key's last byte, while @draining
 * @draining:	software encrypts new records until @drain_end is acknowledged
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
	u32 drain_end;
	bool draining;
	bool hooked;
};

/* Functions of offload.c */
bool tls_offload_start(struct sock *sk, bool tx, int why);
int tls_offload_rekey(struct sock *sk, bool tx);
void tls_offload_close(struct sock *sk, bool tx);

/* Functions of offload_event.c */
int tls_offload_init(void);
void tls_offload_fini(void);

/* Functions of offload_link.c */
struct tls_link *tls_link_add(struct sock *sk, enum tls_offload_ctx_dir dir,
			      u32 seq, int *err);
void tls_link_del(struct tls_link *link);
void tls_link_put(struct tls_link *link);
bool tls_link_gone(const struct tls_link *link);
void tls_link_orphan(struct tls_link *link);
void tls_link_retire(struct tls_link *link, enum tls_left reason);
void tls_link_drop(struct tls_link *link, enum tls_left reason);
void tls_link_uncount(struct tls_link *link);
void tls_link_drain(struct tls_link *link, enum tls_left reason);
int tls_link_resync(struct tls_link *link, struct sock *sk, u32 seq, u8 *sn);
void tls_links_retire_dev(const struct net_device *dev);
void tls_links_retire_strays(void);

/* Functions of offload_tx.c */
bool tls_offload_tx_start(struct sock *sk, struct tls_tx *tx, int why);
bool tls_offload_tx_on(const struct tls_tx *tx);
bool tls_offload_tx_next(struct sock *sk, struct tls_tx *tx);
void tls_offload_tx_rekey(struct sock *sk, struct tls_tx *tx);
void tls_offload_tx_close(struct sock *sk, struct tls_tx *tx);

/* Functions of offload_rec.c */
void tls_offload_rec_init(struct tls_off_tx *off);
void tls_offload_rec_rekey(struct tls_off_tx *off);
void tls_offload_rec_drop(struct tls_tx *tx);
struct tls_epoch *tls_off_rec_epoch(const struct tls_off_rec *rec);
int tls_off_rec_add(struct sock *sk, struct tls_tx *tx,
		    const struct tls_frags *wire);
struct tls_off_rec *tls_off_rec_get(struct tls_tx *tx, u32 seq);
void tls_off_rec_put(struct tls_off_rec *rec);
void tls_offload_tx_acked(struct sock *sk, u32 seq);

/* Functions of offload_output.c */
int tls_output_hook(struct sock *sk);
void tls_output_unhook(struct sock *sk);

/* Functions of offload_destruct.c */
void tls_offload_tx_free(struct tls_tx *tx);
void tls_offload_hook(struct sock *sk);

/* Functions of fallback.c */
struct sk_buff *tls_fallback_output(struct sock *sk, struct sk_buff *skb);
int tls_fallback_init(void);
void tls_fallback_fini(void);

/* Functions of offload_rx.c */
bool tls_offload_rx_start(struct sock *sk, struct tls_rx *rx, int why);
void tls_offload_rx_expired(struct sock *sk, struct tls_rx *rx);
int tls_offload_rx_rekey(struct sock *sk, struct tls_rx *rx);
void tls_offload_rx_close(struct sock *sk, struct tls_rx *rx);
void tls_offload_rx_check(struct sock *sk, struct tls_rx *rx);

/* Functions of offload_resync.c */
void tls_offload_tx_resync(struct sock *sk, struct tls_tx *tx);
void tls_offload_rx_header(struct sock *sk, struct tls_rx *rx);
void tls_offload_rx_lags(struct sock *sk, struct tls_rx *rx);

/* Functions of offload_rx_decrypted.c */
int tls_offload_rx_keep_key(struct sock *sk, struct tls_rx *rx);
void tls_offload_rx_advance(struct sock *sk, struct tls_rx *rx);
void tls_offload_rx_drop(struct tls_rx *rx);
int tls_offload_rx_to_skb(struct sock *sk, struct tls_rx *rx,
			  struct sk_buff *skb);
int tls_offload_rx_to_iter(struct sock *sk, struct tls_rx *rx,
			   struct iov_iter *iter, u32 len);

#endif /* _TLS_OFFLOAD_PRIV_H */
