/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A receiving context: its search for a place in the stream, its flow, and its life.
 */
#ifndef VKTLS_KTLS_RX_H
#define VKTLS_KTLS_RX_H

#include "ktls_priv.h"

struct vktls_ktls_rx_ctx {
	struct vktls_ktls_ctx base;
	/*
	 * The socket; NULL after tls_dev_del. Valid under base.lock while set, and
	 * under rx_mutex while the context is on rx_list.
	 */
	struct sock *sk;
	enum tls_offload_sync_type mode;	/* written once */
	struct tls_offload_resync_async async;	/* shared with kernel TLS */
	bool started;		/* window open: async has a start and no end yet */
	u32 start, end;		/* limits of the window; TCP sequence */
	unsigned long since;	/* opening of the window, jiffies */
	bool asked;		/* the NIC's event came before its packet */
	u32 asked_seq;		/* TCP sequence of the header that the event asks about */
	u32 question;		/* TCP sequence of the header last asked of kernel TLS */
	bool forgotten;		/* the NIC does not know the context; no lock */
	bool keyed;		/* the NIC was given keys in advance; no lock */

	struct vktls_tls_flow flow;	/* written once */
	struct rhash_head node;		/* vktls_ktls.flows */
	struct list_head list;		/* vktls_ktls.rx_list */
};

/* Headers of a received frame. */
struct vktls_ktls_pkt {
	struct vktls_tls_flow flow;
	u32 seq;		/* TCP sequence of the payload */
	u32 len;		/* payload, bytes */
};

static inline struct vktls_ktls_rx_ctx *
vktls_ktls_rx_of(struct vktls_ktls_ctx *ctx)
{
	return container_of(ctx, struct vktls_ktls_rx_ctx, base);
}

/* As vktls_ktls_tx_slot(), in ktls_tx.h. */
static inline struct vktls_ktls_rx_ctx **
vktls_ktls_rx_slot(struct tls_context *tls_ctx)
{
	return __tls_driver_ctx(tls_ctx, TLS_OFFLOAD_CTX_DIR_RX);
}

/* Functions of ktls_flow.c */
int vktls_ktls_flow_init(struct vktls_ktls *ktls);
void vktls_ktls_flow_fini(struct vktls_ktls *ktls);
int vktls_ktls_flow_add(struct vktls_ktls *ktls, struct vktls_ktls_rx_ctx *rx);
void vktls_ktls_flow_del(struct vktls_ktls *ktls, struct vktls_ktls_rx_ctx *rx);
struct vktls_ktls_rx_ctx *
vktls_ktls_flow_find(struct vktls_ktls *ktls,
		     const struct vktls_tls_flow *flow);
int vktls_ktls_flow_fill(struct vktls_tls_flow *flow, const struct sock *sk);
bool vktls_ktls_pkt_parse(const struct sk_buff *skb, struct vktls_ktls_pkt *pkt);

/* Functions of ktls_resync.c */
int vktls_ktls_rx_resync(struct vktls_ktls *ktls, struct tls_context *tls_ctx,
			 u32 seq, u64 rec_no, u32 key_no);
void vktls_ktls_rx_cancel(struct vktls_ktls *ktls,
			  struct vktls_ktls_rx_ctx *rx);
void vktls_ktls_rx_gone(struct vktls_ktls *ktls, struct vktls_ktls_rx_ctx *rx);
void vktls_ktls_rx_event(struct vktls_dev *vd, u32 id,
			 void (*handle)(struct vktls_ktls *ktls,
					struct vktls_ktls_rx_ctx *rx, u32 arg),
			 u32 arg);
void vktls_ktls_rx_count_lost(struct vktls_ktls *ktls, u16 status);

/* Functions of ktls_rx.c */
int vktls_ktls_rx_add(struct vktls_ktls *ktls, struct sock *sk,
		      const struct tls_crypto_info *info, u32 seq);
void vktls_ktls_rx_del(struct vktls_ktls *ktls, struct tls_context *tls_ctx);
void vktls_ktls_rx_restore(struct vktls_ktls *ktls);
int vktls_ktls_rx_init(struct vktls_ktls *ktls);
void vktls_ktls_rx_fini(struct vktls_ktls *ktls);

#endif /* VKTLS_KTLS_RX_H */
