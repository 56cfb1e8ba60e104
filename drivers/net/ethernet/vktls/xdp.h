/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * XDP: programs that see each received frame before the stack does. A receive ring that is
 * allocated while there is a program has a struct vktls_xdp, and buffers of whole pages.
 */
#ifndef VKTLS_XDP_H
#define VKTLS_XDP_H

#include <linux/bpf.h>
#include <linux/netdevice.h>
#include <net/xdp.h>

#include "vktls.h"

struct vktls_rx_cpl;
struct vktls_rx_ring;

/* Bytes that a program may put before a frame */
#define XDP_ROOM_BEFORE		(XDP_PACKET_HEADROOM + NET_IP_ALIGN)

/* State of XDP on a receive ring; used only in its NAPI. */
struct vktls_xdp {
	struct xdp_buff buff;	/* the frame so far; must be the first member */
	const struct vktls_rx_cpl *cpl;	/* last completion of the frame that the program sees */
	struct xdp_rxq_info rxq;
	bool open;		/* @buff has a frame without its last buffer */
	bool drop;		/* drop buffers up to the end of the frame */
	bool sent;		/* frames of this poll wait for a doorbell */
	bool redirected;	/* frames of this poll wait for xdp_do_flush() */
};

/* Fields of struct net_device */
extern const struct xdp_metadata_ops vktls_xdp_metadata_ops;
#define XDP_FEATURES	(NETDEV_XDP_ACT_BASIC | NETDEV_XDP_ACT_REDIRECT | \
				 NETDEV_XDP_ACT_NDO_XMIT | \
				 NETDEV_XDP_ACT_RX_SG | \
				 NETDEV_XDP_ACT_NDO_XMIT_SG)

/* Functions of xdp.c */
int vktls_xdp_check(const struct vktls_dev *vd, const struct bpf_prog *prog,
		    struct netlink_ext_ack *extack);
bool vktls_xdp_takes_mtu(const struct vktls_dev *vd, unsigned int mtu);
int vktls_xdp_poll(struct vktls_rx_ring *rx, int budget);

/* Functions of xdp_ring.c */
int vktls_xdp_ring_alloc(struct vktls_rx_ring *rx);
void vktls_xdp_ring_reset(struct vktls_rx_ring *rx);
void vktls_xdp_ring_free(struct vktls_rx_ring *rx);

/* Functions of xdp_tx.c */
int vktls_xdp_xmit(struct net_device *netdev, int num, struct xdp_frame **frames,
		   u32 flags);
bool vktls_xdp_tx(struct vktls_rx_ring *rx);
void vktls_xdp_tx_flush(struct vktls_rx_ring *rx);

#endif /* VKTLS_XDP_H */
