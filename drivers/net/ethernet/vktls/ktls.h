/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The TLS part of the driver, as seen by the rest of it: life with the device,
 * one hook in the transmit path, one for its completions, counters.
 */
#ifndef VKTLS_KTLS_H
#define VKTLS_KTLS_H

#include <linux/netdev_features.h>
#include <linux/skbuff.h>

struct vktls_dev;
struct vktls_tx_ring;

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
 * Under the xmit lock, for tls_is_skb_tx_device_offloaded(skb). Returns the
 * packet to send, or NULL when it was consumed. *ctx is the NIC's context that
 * encrypts it, or VKTLS_NO_CTX to send it as it is.
 */
struct sk_buff *vktls_ktls_tx(struct vktls_tx_ring *tx, struct sk_buff *skb,
			      u32 *ctx);

/* NAPI: a packet was refused with VKTLS_ST_TLS_*; expected sequence. */
void vktls_ktls_tx_error(struct vktls_dev *vd, u32 ctx, u16 status, u32 seq);

/* Threaded interrupt: VKTLS_EVT_TLS_LOST. */
void vktls_ktls_lost(struct vktls_dev *vd, u32 ctx, u32 seq);

/* ethtool -S; RTNL */
unsigned int vktls_ktls_stats_num(void);
void vktls_ktls_stats_names(u8 **data);
void vktls_ktls_stats_get(struct vktls_dev *vd, u64 *data);

#endif /* VKTLS_KTLS_H */
