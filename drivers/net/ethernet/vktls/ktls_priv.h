/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Structures and prototypes that only the files of the TLS part share.
 *
 * A context lives from tls_dev_add to tls_dev_del, and for an RCU grace period
 * after: packets and events find it under RCU and then take its lock. Lock order:
 * vktls_ktls.life, vktls_ktls.rx_mutex, a context's lock, the command queue's lock
 * or that of kernel TLS's records.
 */
#ifndef VKTLS_KTLS_PRIV_H
#define VKTLS_KTLS_PRIV_H

#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/rhashtable-types.h>
#include <linux/rwsem.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#include "ktls.h"
#include "vktls_abi.h"

struct vktls_tx_plan;

/* One counter for each event and each reason; docs/tls.rst explains them. */
enum vktls_ktls_stat {
	KTLS_ENCRYPTED_PACKETS,
	KTLS_ENCRYPTED_BYTES,
	KTLS_CTX,
	KTLS_OOO,
	KTLS_SKIP_NO_SYNC,
	KTLS_DROP_NO_SYNC,
	KTLS_DROP_BYPASS,
	KTLS_DROP_TUNNEL,
	KTLS_DROP_FRAGMENT,
	KTLS_PLAIN_UNMARKED,
	KTLS_SKIP_ENCRYPTED,
	KTLS_DEL,
	KTLS_DEL_FAILED,
	KTLS_NO_SPACE,
	KTLS_ADD_FAILED,
	KTLS_REFUSED_VERSION,
	KTLS_REFUSED_CIPHER,
	KTLS_REFUSED_ROUTE,
	KTLS_REFUSED_SIGNED,
	KTLS_RESYNC_REQ,
	KTLS_RESYNC_OK,
	KTLS_RESYNC_FAILED,
	KTLS_READD,
	KTLS_FALLBACK_RETRANSMIT,
	KTLS_FALLBACK_GAP,
	KTLS_FALLBACK_LOST,
	KTLS_FALLBACK_BYTES,
	KTLS_FALLBACK_FAILED,
	KTLS_LOST_RESET,
	KTLS_LOST_DEVICE,
	KTLS_LOST_FORGOTTEN,
	KTLS_LOST_UNSENT,
	KTLS_REPLAY_PACKETS,
	KTLS_REPLAY_BYTES,
	KTLS_REPLAY_REFUSED,
	KTLS_REPLAY_UNSENT,
	KTLS_REPLAY_NO_MODE,
	KTLS_REPLAY_NO_CTX,
	KTLS_REPLAY_NO_RATE,
	KTLS_REPLAY_NO_PAUSE,
	KTLS_REPLAY_NO_OLD,
	KTLS_REPLAY_NO_OPEN,
	KTLS_REPLAY_NO_RECORD,
	KTLS_REPLAY_NO_ROOM,
	KTLS_POLICY_SOFTWARE,
	KTLS_POLICY_REPLAY,
	KTLS_RX_DECRYPTED_PACKETS,
	KTLS_RX_DECRYPTED_BYTES,
	KTLS_RX_CTX,
	KTLS_RX_DEL,
	KTLS_RX_DEL_FAILED,
	KTLS_RX_REQ_PKT,
	KTLS_RX_REQ_START,
	KTLS_RX_REQ_END,
	KTLS_RX_REQ_SKIP,
	KTLS_RX_RES_OK,
	KTLS_RX_RES_SKIP,
	KTLS_RX_ERR,
	KTLS_RX_BYPASSED,
	KTLS_RX_DROP_STRAY,
	KTLS_RX_REQ_DIRECT,
	KTLS_RX_LOST_GAP,
	KTLS_RX_LOST_HEADER,
	KTLS_RX_LOST_AUTH,
	KTLS_RX_LOST_RESET,
	KTLS_RX_LOST_FORGOTTEN,
	KTLS_RX_READD,
	KTLS_RX_NO_SPACE,
	KTLS_RX_ADD_FAILED,
	KTLS_RX_REFUSED_VERSION,
	KTLS_RX_REFUSED_CIPHER,
	KTLS_RX_REFUSED_ROUTE,
	KTLS_RX_REFUSED_SIGNED,
	KTLS_DEL_LATER,
	KTLS_DEL_RESET,
	KTLS_STATS_NUM
};

/* Bits of vktls_ktls.flags, in the order of vktls_ktls_flag_names[]. */
enum vktls_ktls_flag {
	KTLS_REPLAY_ONLY,
	KTLS_FALLBACK_ONLY,
	KTLS_RESYNC_DIRECT,
	KTLS_RESYNC_HINT,
	KTLS_DRAIN,
};

/* Pause between retries; doubles with each failure. */
struct vktls_ktls_backoff {
	unsigned int tries;		/* failures in a row */
	unsigned long at;		/* time of the next retry in jiffies, unless tries is 0 */
};

/*
 * The TLS side of a device. Here and below a semicolon in the comment of a field is
 * followed by the lock or context that guards the field.
 */
struct vktls_ktls {
	struct vktls_dev *vd;
	u64 __percpu *stats;		/* KTLS_STATS_NUM for each CPU */
	unsigned long flags;		/* enum vktls_ktls_flag; RTNL to change */
	struct rw_semaphore life;	/* guards up; held for reading by TLS commands */
	bool up;			/* the NIC takes contexts; life */
	struct xarray ids;		/* contexts in the NIC, by number; RCU */
	atomic_t live;			/* contexts in ids; life */
	atomic_t surplus;		/* contexts in the NIC but not in ids; life */

	/* used by vktls_ktls_audit() only, except sweep_at */
	u32 sweep_at;			/* next place to sweep */
	u32 swept;			/* places swept since the start of the sweep */
	struct vktls_ktls_backoff sweep, restore;

	struct rhashtable flows;	/* receiving contexts, by flow; RCU */
	struct mutex rx_mutex;		/* guards rx_list */
	struct list_head rx_list;	/* receiving contexts */
	bool rx_missing;		/* rx_list has contexts not in the NIC; no lock */
	bool rx_stray;			/* contexts unknown to the driver are possible; no lock */
	struct work_struct restore_work;	/* return of forgotten contexts */
};

/* Offload of one direction of a socket. */
struct vktls_ktls_ctx {
	/*
	 * Guards all of the context. Taken with interrupts off: netpoll may clean a
	 * transmit ring, and so report an error, inside any printk().
	 */
	spinlock_t lock;
	u32 id;			/* number in the NIC, or NO_CTX */
	bool rx;		/* written once */
	struct rcu_head rcu;
};

/* The NIC has encrypted the bytes from synced_at to expected. */
struct vktls_ktls_tx_ctx {
	struct vktls_ktls_ctx base;
	bool in_sync;		/* the NIC expects the same byte as expected */
	u32 expected;		/* next in-order byte; TCP sequence */
	u32 synced_at;		/* place of the last resync; TCP sequence */

	bool lossy;		/* software encrypts retransmissions */
	/* no replays until replay_at has passed and refused_end is acked */
	bool paused;
	unsigned long replay_at;	/* jiffies */
	u32 refused_end;	/* end of the refused replay; TCP sequence */
	u32 sent, again;	/* bytes since the last measurement: all, retransmitted */

	unsigned int failures;	/* resyncs failed in a row; socket lock */
	unsigned long retry_at;	/* time of the next resync, jiffies; socket lock */
};

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

static inline struct vktls_ktls_tx_ctx *
vktls_ktls_tx_of(struct vktls_ktls_ctx *ctx)
{
	return container_of(ctx, struct vktls_ktls_tx_ctx, base);
}

static inline struct vktls_ktls_rx_ctx *
vktls_ktls_rx_of(struct vktls_ktls_ctx *ctx)
{
	return container_of(ctx, struct vktls_ktls_rx_ctx, base);
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

static inline struct vktls_ktls_rx_ctx **
vktls_ktls_rx_slot(struct tls_context *tls_ctx)
{
	return __tls_driver_ctx(tls_ctx, TLS_OFFLOAD_CTX_DIR_RX);
}

/* Functions of ktls_ctx.c */
int vktls_ktls_nic_add(struct vktls_ktls *ktls, struct vktls_ktls_ctx *ctx,
		       const struct vktls_tls_add_rx *req);
void vktls_ktls_nic_del(struct vktls_ktls *ktls, struct vktls_ktls_ctx *ctx,
			bool now);
int vktls_ktls_cmd_del(struct vktls_ktls *ktls, u32 id);
void vktls_ktls_gone(struct vktls_ktls *ktls, struct vktls_ktls_ctx *ctx,
		     bool reset);

/* Functions of ktls_key.c */
int vktls_ktls_key_check(const struct vktls_dev *vd,
			 const struct tls_crypto_info *info);
u64 vktls_ktls_key_rec_no(const struct tls_crypto_info *info);
void vktls_ktls_key_fill(struct vktls_tls_add *req,
			 const struct tls_crypto_info *info, u8 direction,
			 u32 seq, u64 rec_no);

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
			 u32 seq, u64 rec_no);
void vktls_ktls_rx_cancel(struct vktls_ktls *ktls,
			  struct vktls_ktls_rx_ctx *rx);
void vktls_ktls_rx_gone(struct vktls_ktls *ktls, struct vktls_ktls_rx_ctx *rx);
void vktls_ktls_rx_count_lost(struct vktls_ktls *ktls, u16 status);

/* Functions of ktls_rx.c */
int vktls_ktls_rx_add(struct vktls_ktls *ktls, struct sock *sk,
		      const struct tls_crypto_info *info, u32 seq);
void vktls_ktls_rx_del(struct vktls_ktls *ktls, struct tls_context *tls_ctx);
void vktls_ktls_rx_restore(struct vktls_ktls *ktls);
int vktls_ktls_rx_init(struct vktls_ktls *ktls);
void vktls_ktls_rx_fini(struct vktls_ktls *ktls);

/* Functions of ktls_ext.c */
void vktls_ktls_ext_opt_in(const struct tlsdev_ops *ops, bool in);
bool vktls_ktls_ext(void);
void vktls_ktls_ext_stop(struct net_device *netdev);
void vktls_ktls_ext_start(struct net_device *netdev);

/* Functions of ktls_stats.c */
const char *vktls_ktls_stat_name(enum vktls_ktls_stat stat);

static inline void vktls_ktls_count(struct vktls_ktls *ktls,
				    enum vktls_ktls_stat stat, u64 n)
{
	this_cpu_add(ktls->stats[stat], n);
}

#endif /* VKTLS_KTLS_PRIV_H */
