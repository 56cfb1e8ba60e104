/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Packets that the NIC has joined from several frames, see rx_gro.c.
 */
#ifndef VKTLS_RX_GRO_H
#define VKTLS_RX_GRO_H

#include <linux/skbuff.h>

#include "rx_ring.h"
#include "vktls_abi.h"

bool vktls_rx_gro_sane(const struct sk_buff *skb,
		       const struct vktls_rx_cpl *cpl);
void vktls_rx_set_gso(struct vktls_rx_ring *rx, struct sk_buff *skb,
		      const struct vktls_rx_cpl *cpl);

#endif /* VKTLS_RX_GRO_H */
