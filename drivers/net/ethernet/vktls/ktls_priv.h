/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The TLS part of a device, and the members common to contexts of both directions. Only
 * the files of the TLS part include this header. The members of one direction are in
 * ktls_tx.h and ktls_rx.h.
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
#include <linux/percpu.h>
#include <linux/rhashtable-types.h>
#include <linux/rwsem.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#include "ktls.h"
#include "ktls_stats.h"
#include "vktls_abi.h"

struct tls_offload_next;

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
 * The TLS side of a device. In this header, ktls_tx.h and ktls_rx.h, a semicolon in the
 * comment of a field is followed by the lock or context that guards the field.
 */
struct vktls_ktls {
	struct vktls_dev *vd;
	u64 __percpu *stats;		/* KTLS_STATS_NUM for each CPU */
	unsigned long flags;		/* enum vktls_ktls_flag; RTNL to change */
	struct rw_semaphore life;	/* guards up; held for reading by TLS commands */
	bool up;			/* the NIC takes contexts; life */
	struct xarray ids;		/* contexts in the NIC, by number; RCU */
	atomic_t held[2];		/* contexts in ids, or about to be; by rx; life */
	u32 limit[2];			/* highest value of held; by rx; no lock */
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

/* Functions of ktls_ctx.c */
int vktls_ktls_nic_add(struct vktls_ktls *ktls, struct vktls_ktls_ctx *ctx,
		       const struct vktls_tls_add_rx *req);
void vktls_ktls_nic_del(struct vktls_ktls *ktls, struct vktls_ktls_ctx *ctx,
			bool now);
int vktls_ktls_cmd_del(struct vktls_ktls *ktls, u32 id);
void vktls_ktls_gone(struct vktls_ktls *ktls, struct vktls_ktls_ctx *ctx,
		     bool reset);

static inline u32 vktls_ktls_live(const struct vktls_ktls *ktls)
{
	return atomic_read(&ktls->held[false]) + atomic_read(&ktls->held[true]);
}

/* Functions of ktls_key.c */
int vktls_ktls_key_check(const struct vktls_dev *vd,
			 const struct tls_crypto_info *info);
u64 vktls_ktls_key_rec_no(const struct tls_crypto_info *info);
void vktls_ktls_key_fill(struct vktls_tls_add *req,
			 const struct tls_crypto_info *info, u8 direction,
			 u32 seq, u64 rec_no);
void vktls_ktls_key_fill_next(struct vktls_tls_next *req,
			      const struct tls_crypto_info *info);

/* Operations of ktls_next.c */
extern const struct tls_offload_next vktls_ktls_next;

/* Functions of ktls_ext.c */
void vktls_ktls_ext_opt_in(const struct tlsdev_ops *ops,
			   const struct tls_offload_next *next, bool in);
void vktls_ktls_ext_key_used(struct sock *sk, u32 key_no);
void vktls_ktls_ext_key_lost(struct sock *sk);
bool vktls_ktls_ext(void);
void vktls_ktls_ext_stop(struct net_device *netdev);
void vktls_ktls_ext_start(struct net_device *netdev);

static inline void vktls_ktls_count(struct vktls_ktls *ktls,
				    enum vktls_ktls_stat stat, u64 n)
{
	this_cpu_add(ktls->stats[stat], n);
}

#endif /* VKTLS_KTLS_PRIV_H */
