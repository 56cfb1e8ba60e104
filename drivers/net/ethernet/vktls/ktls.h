/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The TLS part of the driver, as seen by the rest of it: life with the device,
 * one hook in the transmit path, two for packets that failed, counters. Below
 * these, what ktls.c and ktls_tx.c share.
 */
#ifndef VKTLS_KTLS_H
#define VKTLS_KTLS_H

#include <linux/list.h>
#include <linux/netdev_features.h>
#include <linux/rwsem.h>
#include <linux/skbuff.h>
#include <linux/spinlock.h>
#include <linux/xarray.h>
#include <net/tls.h>

struct vktls_dev;
struct vktls_tx_ring;

/* A connection may leave the NIC while a packet marked for it waits in a queue. */
static inline bool vktls_ktls_wants(const struct sk_buff *skb)
{
	return skb_is_decrypted(skb) || tls_is_skb_tx_device_offloaded(skb);
}

/* Probe and remove, netdev not registered; sets netdev->tlsdev_ops. */
int vktls_ktls_init(struct vktls_dev *vd);
void vktls_ktls_fini(struct vktls_dev *vd);

/* RTNL. Features that vd->caps allows; called after each firmware start. */
netdev_features_t vktls_ktls_features(const struct vktls_dev *vd);

/*
 * RTNL, transmission stopped: every context in the NIC is about to vanish
 * (stop), or the NIC is empty and takes commands again (start).
 */
void vktls_ktls_stop(struct vktls_dev *vd);
void vktls_ktls_start(struct vktls_dev *vd);

/*
 * Under the xmit lock, for packets that vktls_ktls_wants(). Returns the
 * packet to send, or NULL when it was consumed. *id is the NIC's context that
 * encrypts it, or VKTLS_NO_CTX to send it as it is.
 */
struct sk_buff *vktls_ktls_tx(struct vktls_tx_ring *tx, struct sk_buff *skb,
			      u32 *id);

/*
 * Any context: a packet that came from vktls_ktls_tx() was refused by the NIC
 * with this status (VKTLS_ST_*), or, status 0, did not get there. Before it is
 * freed.
 */
void vktls_ktls_tx_lost(struct vktls_dev *vd, const struct sk_buff *skb,
			u16 status);

/* Threaded interrupt: VKTLS_EVT_TLS_LOST. */
void vktls_ktls_lost(struct vktls_dev *vd, u32 id, u32 seq);

/* ethtool -S; RTNL */
unsigned int vktls_ktls_stats_num(void);
void vktls_ktls_stats_names(u8 **data);
void vktls_ktls_stats_get(struct vktls_dev *vd, u64 *data);

/* ---- Between ktls.c and ktls_tx.c ---- */

/* One counter for each event and each reason; docs/tls.rst explains them. */
enum vktls_ktls_stat {
	VKTLS_KTLS_ENCRYPTED_PACKETS,
	VKTLS_KTLS_ENCRYPTED_BYTES,
	VKTLS_KTLS_CTX,
	VKTLS_KTLS_OOO,
	VKTLS_KTLS_SKIP_NO_SYNC,
	VKTLS_KTLS_DROP_NO_SYNC,
	VKTLS_KTLS_DROP_BYPASS,
	VKTLS_KTLS_DROP_TUNNEL,
	VKTLS_KTLS_SKIP_ENCRYPTED,
	VKTLS_KTLS_DEL,
	VKTLS_KTLS_NO_SPACE,
	VKTLS_KTLS_ADD_FAILED,
	VKTLS_KTLS_REFUSED_VERSION,
	VKTLS_KTLS_REFUSED_CIPHER,
	VKTLS_KTLS_RX_REFUSED,
	VKTLS_KTLS_RESYNC_REQ,
	VKTLS_KTLS_RESYNC_OK,
	VKTLS_KTLS_RESYNC_FAILED,
	VKTLS_KTLS_READD,
	VKTLS_KTLS_FALLBACK_RETRANSMIT,
	VKTLS_KTLS_FALLBACK_GAP,
	VKTLS_KTLS_FALLBACK_LOST,
	VKTLS_KTLS_FALLBACK_BYTES,
	VKTLS_KTLS_FALLBACK_FAILED,
	VKTLS_KTLS_LOST_RESET,
	VKTLS_KTLS_LOST_DEVICE,
	VKTLS_KTLS_LOST_UNSENT,
	VKTLS_KTLS_STATS_NUM
};

struct vktls_ktls {
	struct vktls_dev *vd;
	u64 __percpu *stats;		/* VKTLS_KTLS_STATS_NUM for each CPU */
	struct rw_semaphore life;	/* up; read: commands that need it */
	bool up;			/* life; the NIC keeps contexts */
	struct xarray ids;		/* contexts in the NIC, by id; + RCU */
};

/* Offload of one socket's transmit direction, from tls_dev_add to tls_dev_del. */
struct vktls_ktls_ctx {
	/*
	 * All below. Interrupts off: netpoll may clean a transmit ring, and so
	 * report an error, from wherever printk was called.
	 */
	spinlock_t lock;
	bool in_sync;		/* the NIC takes the segment at expected */
	u32 expected;		/* TCP sequence; the NIC has the same number */
	u32 synced_at;		/* where the NIC was put in sync last */
	u32 id;			/* in the NIC; VKTLS_NO_CTX while it has none */

	unsigned int failures;	/* of resync in a row; socket lock */
	unsigned long retry_at;	/* jiffies, with failures; socket lock */
	struct rcu_head rcu;
};

const char *vktls_ktls_stat_name(enum vktls_ktls_stat stat);

static inline void vktls_ktls_count(struct vktls_ktls *ktls,
				    enum vktls_ktls_stat stat, u64 n)
{
	this_cpu_add(ktls->stats[stat], n);
}

#endif /* VKTLS_KTLS_H */
