/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Descriptors of transmit packets, for tx.c. */
#ifndef VKDEV_TX_H
#define VKDEV_TX_H

#include "vkdev.h"

typedef struct VkdevTxDescs {
    struct vktls_tx_desc desc[VKTLS_TX_REPLAY_DESCS];
    unsigned count;     /* number of descriptors; can exceed the size of desc */
} VkdevTxDescs;

/*
 * Read descriptors from the ring's head to the end of the first packet. False
 * when the end is not in the ring yet, or an error stopped the queue.
 */
bool vkdev_tx_scan(VkdevTxQueue *txq, VkdevTxDescs *d, int *budget);

/*
 * Check the packet's descriptors and fill in @pkt. Return: a VKTLS_ST_*
 * status.
 */
uint16_t vkdev_tx_take_descs(const VkdevState *s, VkdevTxPacket *pkt,
                             const VkdevTxDescs *d);

/* True if tunnels and UDP may be cut: hardware and firmware are of 1.9 or later. */
bool vkdev_tx_more_tso(const VkdevState *s);

#endif
