/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A sending context: its place in the stream, where its packets are encrypted, and
 * retransmissions by the NIC.
 */
#ifndef VKTLS_KTLS_TX_H
#define VKTLS_KTLS_TX_H

#include "ktls_priv.h"

/* The NIC has encrypted the bytes from synced_at to expected. */
struct vktls_ktls_tx_ctx {
	struct vktls_ktls_ctx base;
	bool in_sync;		/* the NIC expects the byte at .expected next */
	u32 expected;		/* next in-order byte; TCP sequence */
	u32 synced_at;		/* place of the last resync; TCP sequence */
	bool unparsed;		/* the NIC found no TCP in a packet: no resync any more */

	bool lossy;		/* software encrypts retransmissions */
	/* no replays until replay_at has passed and refused_end is acked */
	bool paused;
	unsigned long replay_at;	/* jiffies */
	u32 refused_end;	/* end of the refused replay; TCP sequence */
	u32 sent, again;	/* bytes since the last measurement: all, retransmitted */

	u32 key_no;		/* kernel TLS's number of its newest key; socket lock */
	u32 key_first;		/* key_no when the NIC got the context; socket lock */
	unsigned int failures;	/* resyncs failed in a row; socket lock */
	unsigned long retry_at;	/* time of the next resync, jiffies; socket lock */
};

static inline struct vktls_ktls_tx_ctx *
vktls_ktls_tx_of(struct vktls_ktls_ctx *ctx)
{
	return container_of(ctx, struct vktls_ktls_tx_ctx, base);
}

/*
 * Kernel TLS leaves room for the driver in the socket's context: one pointer for
 * each direction. tls_dev_add sets the pointer before any packet reads it;
 * tls_dev_del clears it after the last packet that reads it.
 */
static inline struct vktls_ktls_tx_ctx **
vktls_ktls_tx_slot(struct tls_context *tls_ctx)
{
	return __tls_driver_ctx(tls_ctx, TLS_OFFLOAD_CTX_DIR_TX);
}

/* Functions of ktls_plain.c */
enum vktls_ktls_stat vktls_ktls_plain_marked(const struct sk_buff *skb, u32 seq,
					     u32 at);
enum vktls_ktls_stat vktls_ktls_plain_unmarked(const struct sk_buff *skb,
					       u32 seq, u32 at);
enum vktls_ktls_stat vktls_ktls_plain_wrapped(const struct sk_buff *skb);

/* Functions of ktls_replay.c */
struct vktls_ktls_tx_ctx *vktls_ktls_tx_ctx(const struct vktls_dev *vd,
					    const struct sk_buff *skb);
void vktls_ktls_replay_rate(struct vktls_ktls *ktls,
			    struct vktls_ktls_tx_ctx *ctx);
bool vktls_ktls_replay(struct vktls_tx_ring *tx, struct vktls_ktls_tx_ctx *ctx,
		       const struct sk_buff *skb, u32 seq, u32 len, u32 *id);

#endif /* VKTLS_KTLS_TX_H */
