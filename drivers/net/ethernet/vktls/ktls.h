/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The TLS part of the driver, as seen by the rest of it: life with the device,
 * one hook in the transmit path, two for packets that failed, one in the receive
 * path, events, counters. Structures that only the TLS files share are in
 * ktls_priv.h.
 */
#ifndef VKTLS_KTLS_H
#define VKTLS_KTLS_H

#include <linux/ethtool.h>
#include <linux/netdev_features.h>
#include <linux/skbuff.h>
#include <net/tls.h>

struct vktls_dev;
struct vktls_tx_ring;

/*
 * Returns whether the TLS part must see a packet: it has the mark, or its socket
 * has kernel TLS's hook. The mark is tested because a connection may leave the NIC
 * while one of its packets waits in a queue, the hook because fragments lose the
 * mark.
 */
static inline bool vktls_ktls_wants(const struct sk_buff *skb)
{
	const struct sock *sk = skb->sk;

	return skb_is_decrypted(skb) ||
	       (sk && sk_fullsock(sk) && READ_ONCE(sk->sk_validate_xmit_skb));
}

/* Module load and unload: opt in to the additions of our tls.ko, if it is loaded. */
void vktls_ktls_register(void);
void vktls_ktls_unregister(void);

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

/* TLS contexts by direction, for devlink's resources; ktls_ctx.c */
u32 vktls_ktls_held(const struct vktls_dev *vd, bool rx);
void vktls_ktls_limit(struct vktls_dev *vd, bool rx, u32 limit);

/* Once a second, with fresh counters of the NIC; ktls_audit.c */
void vktls_ktls_audit(struct vktls_dev *vd);

/*
 * Under the xmit lock, for packets that vktls_ktls_wants(). Returns the
 * packet to send, or NULL when it was consumed. *id is the NIC's context that
 * encrypts it, or NO_CTX to send it unchanged. Fragments in tx->replay, if
 * any, are the records around the packet's payload, with a page reference each.
 */
struct sk_buff *vktls_ktls_tx(struct vktls_tx_ring *tx, struct sk_buff *skb,
			      u32 *id);

/*
 * Any context: the NIC refused a packet from vktls_ktls_tx() with this status
 * (VKTLS_ST_*), or never got the packet (status 0). Called before the skb is freed.
 */
void vktls_ktls_tx_unsent(struct vktls_dev *vd, const struct sk_buff *skb,
			  u16 status);

/*
 * Any context: like vktls_ktls_tx_unsent(), for a replay. The NIC stays in sync,
 * because a replay does not move the context. Called before the skb is freed.
 */
void vktls_ktls_replay_unsent(struct vktls_dev *vd, const struct sk_buff *skb,
			      u16 status);

/*
 * NAPI: marks a frame with VKTLS_RXC_TLS before it goes to the stack. Returns false
 * if the frame must be dropped.
 */
bool vktls_ktls_rx(struct vktls_dev *vd, struct sk_buff *skb, u16 flags,
		   u32 frames);

/*
 * Threaded interrupt: handle VKTLS_EVT_TLS_LOST, VKTLS_EVT_TLS_RESYNC,
 * VKTLS_EVT_TLS_KEY and VKTLS_EVT_OVERFLOW.
 */
void vktls_ktls_lost(struct vktls_dev *vd, u32 id, u16 status, u32 seq);
void vktls_ktls_asked(struct vktls_dev *vd, u32 id, u32 seq);
void vktls_ktls_key_used(struct vktls_dev *vd, u32 id, u32 key_no);
void vktls_ktls_events_missed(struct vktls_dev *vd);

/*
 * Private flags of ethtool: policies that the user forces. Both functions are called under
 * RTNL; vktls_ktls_flags_set() returns 0, -EINVAL, or -EOPNOTSUPP for a drain with the
 * distribution's tls.ko.
 */
#define KTLS_FLAGS		5
extern const char vktls_ktls_flag_names[KTLS_FLAGS][ETH_GSTRING_LEN];
u32 vktls_ktls_flags_get(struct vktls_dev *vd);
int vktls_ktls_flags_set(struct vktls_dev *vd, u32 flags);

/* counters for ethtool -S, called under RTNL */
unsigned int vktls_ktls_stats_num(void);
void vktls_ktls_stats_names(u8 **data);
void vktls_ktls_stats_get(struct vktls_dev *vd, u64 *data);

#endif /* VKTLS_KTLS_H */
